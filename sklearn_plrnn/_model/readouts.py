"""Readouts: from latent states to observations and, for forcing, back.

``output`` maps states (..., M) to observations (..., N): ``B features(z) + b``, with the ``slope``
dx/dz. ``linear`` names that map for `propagate`, and is None where it is none. ``estimate`` goes
the other way: the latent state that an observed row suggests, and which of its units that row
determines. ``start`` is the state at the beginning of a window whose first row was observed. Rows
come with a mask ``known``, False where an observation is missing (its value is then arbitrary but
finite).
"""

from typing import NamedTuple

import autograd.numpy as anp
import numpy as np

from .gradient import relu

MARGIN = 0.25  # of the data's range, by which the start of "relu" leaves its coordinates positive


class Identity(NamedTuple):
    """``x_t = z_t[:N]``: the first N units are the observed variables (M >= N).

    The start of an unobserved unit is affine in the first row, ``initial_state + E x_0``.
    """

    n_components: int
    n_outputs: int

    @property
    def n_observed(self):
        """Number of units that are observed variables."""
        return self.n_outputs

    def init(self, rng, dtype):
        """E = 0: unobserved units start from the learned state."""
        n_unobserved = self.n_components - self.n_outputs
        return {"E": np.zeros((n_unobserved, self.n_outputs), dtype)} if n_unobserved else {}

    def linear(self, params):
        """The first units are the observations."""
        return self.n_outputs

    def output(self, params, states):
        """Observations of the states."""
        return states[..., : self.n_outputs]

    def features(self, states):
        """What B multiplies."""
        return states

    def slope(self, params, states):
        """Derivative of outputs by states, which broadcasts to (..., N, M)."""
        return self.matrix(params)[0]

    def estimate(self, params, rows, known):
        """Latent targets and the mask of units that the rows determine."""
        missing = (*rows.shape[:-1], self.n_components - self.n_outputs)
        targets = anp.concatenate([rows, np.zeros(missing, rows.dtype)], axis=-1)
        return targets, np.concatenate([known, np.zeros(missing, bool)], axis=-1)

    def start(self, params, row, known):
        """States (B, M) at rows (B, N)."""
        N, prior, known = self.n_outputs, params["initial_state"], known.astype(row.dtype)
        observed = known * row + (1 - known) * prior[:N]
        if self.n_components == N:
            return observed
        unobserved = prior[N:] + anp.dot(known * row, params["E"].T)
        return anp.concatenate([observed, unobserved], axis=-1)

    def embed(self, rows):
        """Latent coordinates (R, d) of rows that spell them out, and the parameters for it."""
        return rows, {}

    def matrix(self, params):
        """``(B, b)`` with ``x = B z + b``."""
        dtype = params["A"].dtype
        return np.eye(*self[::-1], dtype=dtype), np.zeros(self.n_outputs, dtype)


class Affine(NamedTuple):
    """``x_t = B z_t + b``; the way back is the pseudo-inverse of B."""

    n_components: int
    n_outputs: int

    @property
    def n_observed(self):
        """No unit is an observed variable by itself."""
        return 0

    def init(self, rng, dtype):
        """Random directions, no offset."""
        shape = (self.n_outputs, self.n_components)
        B = rng.normal(0, 1 / np.sqrt(self.n_components), shape)
        return {"B": B.astype(dtype), "b": np.zeros(self.n_outputs, dtype)}

    def linear(self, params):
        """B and b."""
        return params["B"], params["b"]

    def output(self, params, states):
        """Observations of the states, in one matrix product over all leading axes."""
        flat = anp.reshape(self.features(states), (-1, self.n_components))
        outputs = anp.dot(flat, params["B"].T) + params["b"]
        return anp.reshape(outputs, (*states.shape[:-1], self.n_outputs))

    def features(self, states):
        """What B multiplies."""
        return states

    def slope(self, params, states):
        """Derivative of outputs by states, which broadcasts to (..., N, M)."""
        return params["B"]

    def estimate(self, params, rows, known):
        """Smallest latent state that gives the row; rows with a gap determine nothing."""
        centred = anp.reshape(rows - params["b"], (-1, self.n_outputs))
        targets = anp.dot(centred, anp.linalg.pinv(params["B"]).T)
        shape = (*rows.shape[:-1], self.n_components)
        return anp.reshape(targets, shape), known.all(axis=-1, keepdims=True)

    def start(self, params, row, known):
        """States (B, M) at rows (B, N)."""
        targets, determined = self.estimate(params, row, known)
        determined = determined.astype(row.dtype)
        return determined * targets + (1 - determined) * params["initial_state"]

    def embed(self, rows):
        """Leading principal components (R, d) of unit variance, and the B, b that undo them."""
        d, b = min(self), rows.mean(axis=0)
        variances, directions = np.linalg.eigh((rows - b).T @ (rows - b) / len(rows))
        directions = directions[:, : -d - 1 : -1]
        scale = np.sqrt(np.maximum(variances[: -d - 1 : -1], 1e-12))
        B = np.zeros((self.n_outputs, self.n_components))
        B[:, :d] = directions * scale
        return (rows - b) @ directions / scale, {"B": B, "b": b}

    def matrix(self, params):
        """``(B, b)`` with ``x = B z + b``."""
        return params["B"], params["b"]


class Relu(NamedTuple):
    """``x_t = B relu(z_t) + b`` (Durstewitz 2017); the way back is that of `Affine`.

    The pseudo-inverse gives a state that reads out as the row if none of its units is negative,
    and training starts where no row of the data makes one so.
    """

    n_components: int
    n_outputs: int

    n_observed, init, output = Affine.n_observed, Affine.init, Affine.output
    estimate, start, matrix = Affine.estimate, Affine.start, Affine.matrix

    def linear(self, params):
        """None: states are read out when there are all of them."""

    def features(self, states):
        """What B multiplies."""
        return relu(states)

    def slope(self, params, states):
        """Derivative of outputs by states, (..., N, M)."""
        return params["B"] * (states > 0)[..., None, :]

    def embed(self, rows):
        """Principal components moved to where all are positive, and the B, b that undo it."""
        coordinates, solved = Affine.embed(self, rows)
        low, high = coordinates.min(axis=0), coordinates.max(axis=0)
        shift = MARGIN * (high - low) - low
        solved["b"] = solved["b"] - solved["B"][:, : len(shift)] @ shift
        return coordinates + shift, solved


READOUTS = {"identity": Identity, "affine": Affine, "relu": Relu}

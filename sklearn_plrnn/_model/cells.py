"""Cells: the parameterizations of the piecewise-linear map.

A cell knows the shapes of its parameters, how to draw them, and how they ``lower`` to the one
`PiecewiseLinearMap`; nothing about time, gradients, units under regularization or data. It is one
class and its name in `CELLS`. Its fields are sizes, which go by the names of the estimators'
parameters. ``rows`` names the parameters that play the parts of A, W and h in ``F(z) = A z + W g(z)
+ h``: what one latent unit receives is row i of each of the three. ``features`` are what the second
of them multiplies. ``kinks`` names what places the relu of hidden units, ``relu(kinks[0] z +
kinks[1])``; it is empty where the relu are those of latent units, of ``relu_units``. Hidden units
that ``saturate`` are bounded, however far states get.

What a cell has to do with another is said by assignment: no class inherits from one that is whole.
"""

from typing import NamedTuple

import autograd.numpy as anp
import numpy as np

from .._recurrence import PiecewiseLinearMap
from .gradient import without_diagonal

FAR = 1e3  # up to here a clipped relu can stand for one that is not


class PLRNN(NamedTuple):
    """``z_t = A z + W relu(z) + h`` with zero diagonal of W (Durstewitz 2017)."""

    n_components: int

    rows = ("A", "W", "h")
    kinks = ()

    @property
    def relu_units(self):
        """Indices of the latent units whose relu the others see."""
        return np.arange(self.n_components)

    def init(self, rng, dtype):
        """Uniform in +-1 / sqrt(M), as recurrent networks commonly start; stable."""
        M = self.n_components
        draw = lambda *shape: rng.uniform(-1, 1, shape) / np.sqrt(M)
        return _typed({"A": draw(M), "W": draw(M, M) * (1 - np.eye(M)), "h": draw(M)}, dtype)

    def lower(self, params):
        """The map; the diagonal of W is held at zero, hence so is its gradient."""
        return PiecewiseLinearMap(params["A"], without_diagonal(params["W"]), params["h"])

    def pull_back(self, bar):
        """Cotangents of the parameters from those of the map."""
        return {"A": bar["A"], "W": without_diagonal(bar["W"]), "h": bar["h"]}

    def features(self, params, states):
        """What W multiplies."""
        return np.maximum(states, 0)

    def embed(self, params, A, W, h):
        """`params` with the map of a PLRNN of as many units."""
        return params | {"A": A, "W": W, "h": h}

    def n_relu_to_embed(self, n_integrators):
        """How many relu that takes, if `n_integrators` of the units are to be integrators."""
        return self.n_components

    @property
    def n_relu(self):
        """How many there are for it."""
        return self.n_components

    def free_couplings(self, n_units):
        """Number of entries that parameters can change in `n_units` rows of the map's W."""
        return n_units * (self.n_components - 1)


class AlmostLinear(NamedTuple):
    """A PLRNN with relu on its last `n_nonlinear` units only (Brenner et al. 2024)."""

    n_components: int
    n_nonlinear: int

    rows, kinks = PLRNN.rows, PLRNN.kinks
    init, pull_back, embed = PLRNN.init, PLRNN.pull_back, PLRNN.embed
    free_couplings = PLRNN.free_couplings

    @property
    def relu_units(self):
        """Indices of the latent units whose relu the others see."""
        return np.arange(self.n_components - self.n_nonlinear, self.n_components)

    def lower(self, params):
        """The map of a PLRNN, in which units are on for good."""
        is_linear = np.arange(self.n_components) < self.n_components - self.n_nonlinear
        return PLRNN.lower(self, params)._replace(always_on=is_linear)

    def features(self, params, states):
        """What W multiplies."""
        return self.lower(params).features(states)

    def n_relu_to_embed(self, n_integrators):
        """Integrators may be read without a relu."""
        return self.n_components - n_integrators

    @property
    def n_relu(self):
        """How many there are for it."""
        return self.n_nonlinear


class Shallow(NamedTuple):
    """``z_t = A z + W1 relu(W2 z + h2) + h1`` (Hess et al. 2023)."""

    n_components: int
    n_hidden: int

    rows = ("A", "W1", "h1")
    kinks = ("W2", "h2")
    saturate = False

    def init(self, rng, dtype):
        """Stable start with random kinks."""
        M, L = self
        A = rng.uniform(0.5, 0.9, M)
        W1 = rng.normal(0, 0.2 / np.sqrt(L), (M, L))
        W2 = rng.normal(0, 1 / np.sqrt(M), (L, M))
        params = {"A": A, "W1": W1, "h1": np.zeros(M), "W2": W2, "h2": rng.normal(size=L)}
        return _typed(params, dtype)

    def lower(self, params):
        """The map with V = W2 and theta = h2."""
        return PiecewiseLinearMap(*(params[name] for name in ("A", "W1", "h1", "W2", "h2")))

    def pull_back(self, bar):
        """Cotangents of the parameters from those of the map."""
        names = {"A": "A", "W": "W1", "h": "h1", "V": "W2", "theta": "h2"}
        return {name: bar[part] for part, name in names.items()}

    def features(self, params, states):
        """What W1 multiplies."""
        return self.lower(params).features(states)

    def embed(self, params, A, W, h):
        """`params` with the map of a PLRNN of as many units, whose relu are the first hidden units.

        Other hidden units keep their kinks, and have no influence until trained.
        """
        M, L = self
        W1, W2, h2 = np.zeros((M, L)), params["W2"].copy(), params["h2"].copy()
        W1[:, :M], W2[:M], h2[:M] = W, np.eye(M), 0
        return params | {"A": A, "W1": W1, "h1": h, "W2": W2, "h2": h2}

    def n_relu_to_embed(self, n_integrators):
        """Each unit's is a hidden one."""
        return self.n_components

    @property
    def n_relu(self):
        """How many there are for it."""
        return self.n_hidden

    def free_couplings(self, n_units):
        """Number of entries that parameters can change in `n_units` rows of the map's W."""
        return n_units * self.n_hidden


class ClippedShallow(NamedTuple):
    """``z_t = A z + W1 [relu(W2 z + h2) - relu(W2 z)] + h1`` (Hess et al. 2023).

    A hidden unit is never larger than h2, so that orbits are bounded wherever all ``|A_i| < 1``.
    """

    n_components: int
    n_hidden: int

    rows, kinks, saturate = Shallow.rows, Shallow.kinks, True
    init, n_relu, n_relu_to_embed = Shallow.init, Shallow.n_relu, Shallow.n_relu_to_embed

    def lower(self, params):
        """The map of twice as many hidden units, one for each kink."""
        W1, W2, h2 = params["W1"], params["W2"], params["h2"]
        return PiecewiseLinearMap(
            params["A"],
            anp.concatenate([W1, -W1], axis=1),
            params["h1"],
            anp.concatenate([W2, W2]),
            anp.concatenate([h2, np.zeros(self.n_hidden, h2.dtype)]),
        )

    def pull_back(self, bar):
        """Cotangents of the parameters from those of the map."""
        L = self.n_hidden
        W, V = bar["W"], bar["V"]
        parts = {"A": bar["A"], "W1": W[:, :L] - W[:, L:], "h1": bar["h"]}
        return parts | {"W2": V[:L] + V[L:], "h2": bar["theta"][:L]}

    def features(self, params, states):
        """What W1 multiplies."""
        first, second = np.split(self.lower(params).features(states), 2, axis=-1)
        return first - second

    def embed(self, params, A, W, h):
        """`params` with the map of a PLRNN, as long as none of its units is larger than `FAR`.

        ``relu(z) = relu(z) - relu(z - FAR)`` for z up to there.
        """
        params, M = Shallow.embed(self, params, A, W, h), self.n_components
        params["W1"][:, :M] *= -1
        params["h2"][:M] = -FAR
        return params

    def free_couplings(self, n_units):
        """Number of entries that parameters can change in `n_units` rows of the map's W."""
        return n_units * 2 * self.n_hidden


CELLS = {
    "plrnn": PLRNN,
    "almost-linear": AlmostLinear,
    "shallow": Shallow,
    "clipped-shallow": ClippedShallow,
}


def make_cell(architecture, **sizes):
    """The cell of that name, of those `sizes` that it has."""
    cell = CELLS[architecture]
    return cell(**{name: sizes[name] for name in cell._fields})


def _typed(params, dtype):
    return {name: np.asarray(x, dtype) for name, x in params.items()}

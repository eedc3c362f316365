"""The Gauss-Newton matrix of an objective: second derivatives, but for those of the recurrence.

Loss and penalties are convex in what the recurrence and the parameters give them. With J the
derivatives of outputs and v v' the curvature of the loss at the outputs (`losses`),

    H = sum (J'v) (J'v)' + d^2 penalties / d parameters^2,

every J'v being one pass backward for all sequences of a batch. Sensitivities are with respect to
the map; a cell's ``lower`` only copies, negates or drops, and `chain` says which entry of the map
is which parameter.
"""

import numpy as np
import scipy.sparse

from .._recurrence import Workspace
from .._recurrence.sensitivities import adjoint_sensitivities, normal_equations
from .gradient import value_and_gradients


class Curvature:
    """``(H, gradient)`` at `params` in the order of the parameters, double precision."""

    def __init__(self, objective, n_threads=1):
        self.objective, self.workspace = objective, Workspace(n_threads)

    def __call__(self, params, batches, n_sequences, n_samples, rng):
        """From at least `n_sequences` sequences, if so many are left in `batches`.

        `n_samples` is how many vectors v may stand for the curvature at a sequence's outputs.
        """
        count, gradient = 0, 0.0

        def blocks():
            nonlocal count, gradient
            for batch in batches:
                size = batch.inputs.shape[1]
                J, residual, left = self._rows(params, batch, n_samples, rng)
                gradient = gradient + size * left.astype(float)
                yield J * J.dtype.type(np.sqrt(size)), residual * J.dtype.type(np.sqrt(size))
                count += size
                if count >= n_sequences:
                    return

        H, from_residuals = normal_equations(blocks())
        gradient = (gradient + from_residuals) / count
        return to_parameters(self.objective, params, H / count, gradient)

    def _rows(self, params, batch, n_samples, rng):
        """J (R B, entries), residuals (R B,), and what they leave of the gradient (entries,)."""
        objective, factors = self.objective, []
        due = (batch.weights > 0).any(axis=-1).sum(axis=0).max(initial=1)
        n_samples = min(n_samples, int(due) * batch.targets.shape[-1])
        f, linear = objective.cell.lower(params), objective.readout.linear(params)

        def functionals(outputs):
            if batch.at_end:
                outputs = objective.readout.output(params, outputs)
            parts = outputs, batch.targets, batch.weights
            v, residual = objective.loss.factors(*parts, n_samples, rng)
            if residual is None:
                loss = lambda p: objective.loss.value(p["x"], batch.targets, batch.weights)
                v = np.concatenate([v, value_and_gradients(loss, {"x": outputs})[1]["x"][None]])
            factors.extend((v, residual))
            return v @ linear[0] if batch.at_end else v

        ask = lambda *args, **options: adjoint_sensitivities(functionals, *args, **options)
        options = {"at_end": True} if batch.at_end else {"readout": linear}
        found = objective.propagate(f, params, batch, ask, workspace=self.workspace, **options)
        parts = [found.parameters]
        if batch.at_end:
            v, states = factors[0][:, 0], found.outputs[0]
            parts += [(v[..., None] * states[:, None, :]).reshape(*v.shape[:2], -1), v]
        if "initial_state" in params:
            parts.append(found.start)
        J = np.concatenate(parts, axis=-1)
        if factors[1] is not None:
            return J.reshape(-1, J.shape[-1]), factors[1].ravel(), np.zeros(J.shape[-1])
        J, of_loss = J[:-1], J[-1].sum(axis=0)
        J = J.reshape(-1, J.shape[-1])
        return J, np.zeros(len(J), J.dtype), of_loss


def chain(objective, params):
    """Sparse derivative (entries of map, ports and start) / (parameters), of 1, -1 and 0."""
    codes, begin = {}, 1
    for name, x in params.items():
        codes[name] = np.arange(begin, begin + x.size, dtype=float).reshape(x.shape)
        begin += x.size
    f = objective.cell.lower(codes)
    ports = [codes.get(name) for name in ("C", "B", "b", "initial_state", "E")]
    entries = np.concatenate([np.ravel(x) for x in (*f[: len(f) - 1], *ports) if x is not None])
    rows = np.flatnonzero(entries)
    columns = np.abs(entries[rows]).astype(int) - 1
    shape = (len(entries), begin - 1)
    return scipy.sparse.csr_array((np.sign(entries[rows]), (rows, columns)), shape)


def to_parameters(objective, params, H, gradient):
    """Matrix and gradient in the parameters, penalties added, from those in the entries.

    Both may be the number 0, where no row counted.
    """
    link = chain(objective, params)
    n_entries = link.shape[0]
    gradient = np.broadcast_to(gradient, n_entries)
    H = link.T @ (link.T @ np.broadcast_to(H, (n_entries, n_entries))).T
    diagonal, of_penalties = _penalties(objective, params)
    H.flat[:: len(H) + 1] += diagonal
    return H, link.T @ gradient + of_penalties


def _penalties(objective, params):
    """Diagonal of the second derivative (of a sum of squares), and the gradient."""
    value = lambda p: objective.penalties(p, objective.cell.lower(p))
    gradient = gradient_vector(value, params)
    return gradient_vector(value, {name: x + 1 for name, x in params.items()}) - gradient, gradient


def gradient_vector(function, params):
    """Gradient in the order of the parameters, in double precision."""
    slopes = value_and_gradients(function, params)[1]
    parts = [
        np.zeros(x.size) if slopes[name] is None else slopes[name].ravel()
        for name, x in params.items()
    ]
    return np.concatenate(parts).astype(float)

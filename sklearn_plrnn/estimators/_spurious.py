"""Fixed points that attract where the data do not stay, and how to make them let go.

Where no data come, as inside the wings of the Lorenz attractor, they hardly determine whether a
fixed point attracts, and a run that gets near one that does stays for ever. Its eigenvalues are
known functions of the parameters, for the map is linear around it. Of all changes of parameters
that raise the largest modulus to a target, to first order, the one is made that raises the loss
least, by the Gauss-Newton matrix H:

    (target - |lambda|) H^-1 g / (g' H^-1 g),    g = d|lambda| / dparameters.

Where even that raises the loss noticeably, the data do say that the point attracts.
"""

import autograd.numpy as anp
import numpy as np
import scipy.linalg

from .._model.curvature import gradient_vector
from .._training.run import flatten
from ..analysis import PiecewiseLinearMap, fixed_points

N_STARTS = 1000
MAX_STEPS = 5
TOLERATED = 0.01  # of the loss
BEYOND = 0.2, 1e-3  # of what was missing from 1, and at least: how far above it a modulus is raised
DAMPING = 1e-3  # of the diagonal, without which what has no influence could change at will


def without_attractors(objective, params, H, loss, rows):
    """Parameters near `params`, of which no fixed point within the range of rows (n, N) attracts.

    None where there is none to begin with, and where it would cost too much. `H` and `loss` are the
    Gauss-Newton matrix and value in which costs are counted.
    """
    vector, params = flatten({name: x.astype(float) for name, x in params.items()})
    damped = H + np.diag(DAMPING * H.diagonal() + np.finfo(float).tiny)
    try:
        factor = scipy.linalg.cho_factor(damped)
    except (scipy.linalg.LinAlgError, ValueError):  # not positive definite, not finite
        return None
    given = vector.copy()
    for _ in range(MAX_STEPS):
        attracting = _attracting(objective, params, rows)
        if not attracting:
            break
        for point in attracting:
            modulus, slope = _largest_modulus(objective, params, point)
            direction = scipy.linalg.cho_solve(factor, slope)
            rise = 1 - modulus + max(BEYOND[0] * (1 - modulus), BEYOND[1])
            vector += rise * direction / (slope @ direction)
    else:
        return None
    change = vector - given
    if not change.any() or not 0.5 * change @ H @ change <= TOLERATED * loss:
        return None
    return params


def _attracting(objective, params, rows):
    """Stable fixed points within the range of rows."""
    f = PiecewiseLinearMap(*objective.cell.lower(params))
    starts = objective.readout.start(params, rows, np.ones_like(rows))
    with np.errstate(all="ignore"):
        points = fixed_points(f, method="search", n_starts=N_STARTS, starts=starts)
    stable = [point for point in points if point.stable]
    observed = [objective.readout.output(params, point.states)[0] for point in stable]
    low, high = rows.min(axis=0), rows.max(axis=0)
    return [p for p, x in zip(stable, observed, strict=True) if np.all((low < x) & (x < high))]


def _largest_modulus(objective, params, point):
    """Of the eigenvalues at a fixed point; and its derivatives, in the order of the parameters."""
    active = point.patterns[0].astype(float)

    def jacobian(p):
        f = objective.cell.lower(p)
        W = f.W * active
        return anp.diag(f.A) + (W if f.V is None else anp.dot(W, f.V))

    eigenvalues, left, right = scipy.linalg.eig(jacobian(params), left=True)
    largest = np.argmax(np.abs(eigenvalues))
    value, u, v = eigenvalues[largest], left[:, largest].conj(), right[:, largest]
    modulus = np.abs(value)
    of_jacobian = np.real(value.conj() / modulus * np.outer(u, v) / (u @ v))
    return modulus, gradient_vector(lambda p: anp.sum(of_jacobian * jacobian(p)), params)

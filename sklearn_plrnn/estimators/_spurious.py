"""Fixed points and circles that attract where the data do not stay, and how to make them let go.

Where no data come, as inside the wings of the Lorenz attractor, they hardly determine whether a
fixed point attracts, and a run that gets near one that does stays for ever. Its eigenvalues are
known functions of the parameters, for the map is linear around it. Of all changes of parameters
that raise the largest modulus to a target, to first order, the one is made that raises the loss
least, by the Gauss-Newton matrix H:

    (target - |lambda|) H^-1 g / (g' H^-1 g),    g = d|lambda| / dparameters.

Where even that raises the loss noticeably, the data do say that the point attracts.

Around a point that repels weakly, as those inside the wings do, regions that contract a little may
hold runs on a small circle. With parameters it changes its size, and the cheapest change that makes
it larger is the same but for g, the derivatives of a run's size. Before long such a circle meets
one that repels, and both vanish. No run from the data need get to it: one from beside the point
does.
"""

import numpy as np
import scipy.linalg

from .._model.stability import largest_modulus, logarithmic_size
from .._recurrence.piecewise import PiecewiseLinearMap
from .._training.run import flatten
from ..analysis import fixed_points

N_STARTS = 1000
MAX_STEPS = 5
MAX_GROWTHS = 12
GROWTH = 0.3  # of the logarithm of a circle's size at a time
MARGIN = 1.4  # times as large as what counts as caught: a circle that has let go, not only grown
TURNING = 1000  # steps of a run that say how large it is
AT_REST = 0.01  # of the quietest spread in the data: size of a run that does not turn
TOLERATED = 0.01  # of the loss
REPELLING = 1e-4  # by which a modulus is above 1, at least: beside others runs may stay by right
BEYOND = 0.2, 1e-3  # of what was missing from 1, and at least: how far above it a modulus is raised
DAMPING = 1e-3  # of the diagonal or its mean, so that nothing changes at will that has no influence


def without_attractors(objective, params, H, loss, rows):
    """Parameters near `params`, of which no fixed point within the range of rows (n, N) attracts.

    None where there is none to begin with, and where it would cost too much. `H` and `loss` are the
    Gauss-Newton matrix and value in which costs are counted.
    """
    vector, params = _doubled(params)
    attracting = attracting_points(objective, params, rows)
    if not attracting:
        return None
    given, factor = vector.copy(), _factor(H)
    for _ in range(MAX_STEPS):
        for point in attracting:
            modulus, slope = largest_modulus(objective, params, point.patterns[0])
            rise = 1 - modulus + max(BEYOND[0] * (1 - modulus), BEYOND[1])
            step = _cheapest(rise, slope, factor)
            if step is None:
                return None
            vector += step
        attracting = attracting_points(objective, params, rows)
        if not attracting:
            break
    return params if not attracting and _is_cheap(vector - given, H, loss) else None


def without_circles(objective, params, H, loss, caught, quietest):
    """Parameters near `params`, of which no run is caught any more; None, `H` and `loss` as above.

    ``caught(params, margin)`` gives the last states (n, M) of runs that are not `margin` times as
    large as what counts as caught, None if some diverge; sizes are relative to `quietest` (N,).
    """
    states = caught(params, 1.0)
    if states is None or len(states) == 0:
        return None
    vector, params = _doubled(params)
    given, factor = vector.copy(), _factor(H)
    for _ in range(MAX_GROWTHS):
        state = states[0].astype(float)
        size, slope = logarithmic_size(objective, params, state, TURNING, quietest)
        step = _cheapest(GROWTH, slope, factor)
        if step is None or size < np.log(AT_REST):
            return None
        vector += step
        if not _is_cheap(vector - given, H, loss):
            return None
        states = caught(params, MARGIN)
        if states is None:
            return None
        if len(states) == 0:
            return params
    return None


def _doubled(params):
    """Parameters in double precision: the vector that holds them, and the dict of views into it."""
    return flatten({name: x.astype(float) for name, x in params.items()})


def _factor(H):
    """Of the damped matrix; None where it is not positive definite or not finite."""
    diagonal = H.diagonal()
    damping = DAMPING * np.maximum(diagonal, diagonal.mean())
    try:
        return scipy.linalg.cho_factor(H + np.diag(damping))
    except (scipy.linalg.LinAlgError, ValueError):
        return None


def _cheapest(rise, slope, factor):
    """The cheapest change by which what has this `slope` rises; None if there is none."""
    if factor is None or not np.isfinite(slope).all() or not slope.any():
        return None
    direction = scipy.linalg.cho_solve(factor, slope)
    return rise * direction / (slope @ direction)


def _is_cheap(change, H, loss):
    return 0.5 * change @ H @ change <= TOLERATED * loss


def attracting_points(objective, params, rows):
    """Stable fixed points within the range of rows (n, N)."""
    return [point for point in points_among(objective, params, rows) if point.stable]


def beside_repelling_points(objective, params, points, distances):
    """States (n, M) beside those of the fixed `points` that repel.

    In the direction in which a point repels most, so far that outputs differ by `distances` (N,) in
    the mean.
    """
    f, states = PiecewiseLinearMap(*objective.cell.lower(params)), []
    output = lambda state: objective.readout.output(params, state)
    for point in points:
        (state,) = point.states
        eigenvalues, vectors = np.linalg.eig(f.jacobian(state))
        largest = np.argmax(np.abs(eigenvalues))
        direction = vectors[:, largest].real
        change = np.mean(np.abs(output(state + direction) - output(state)) / distances)
        if np.abs(eigenvalues[largest]) > 1 + REPELLING and change > 0:
            states.append(state + direction / change)
    return np.array(states).reshape(-1, f.n_components)


def points_among(objective, params, rows):
    """Fixed points within the range of rows."""
    f = PiecewiseLinearMap(*objective.cell.lower(params))
    starts = objective.readout.start(params, rows, np.ones_like(rows))
    with np.errstate(all="ignore"):
        points = fixed_points(f, method="search", n_starts=N_STARTS, starts=starts)
    observed = [objective.readout.output(params, point.states)[0] for point in points]
    low, high = rows.min(axis=0), rows.max(axis=0)
    return [p for p, x in zip(points, observed, strict=True) if np.all((low < x) & (x < high))]

"""Slow and fast: time constants, and the manifold that fast directions relax to."""

from numbers import Real
from typing import NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from ._linear import times
from ._orbits import fixed_points
from ._protocol import check_states, observe, piecewise_of
from ._regions import linear_regions


class TimeConstants(NamedTuple):
    """Of units, and of the dynamics around states."""

    units: np.ndarray  # (M,)
    states: np.ndarray  # (n, M)
    modes: np.ndarray  # (n, M), longest first


class SlowManifold(NamedTuple):
    """Slow directions of the regions that states are in, and the states relaxed."""

    regions: np.ndarray  # (T,) of each state
    counts: np.ndarray  # (R,) states in each region
    eigenvalues: np.ndarray  # (R, M) complex, nearest to 1 first
    directions: np.ndarray  # (R, M, M) complex, columns of length 1
    n_slow: np.ndarray  # (R,)
    points: np.ndarray  # (T, M)
    observations: np.ndarray | None  # (T, N)
    inside: np.ndarray  # (T,) bool
    drift: np.ndarray  # (T,)


@validate_params(
    {
        "model": "no_validation",
        "states": ["array-like", None],
        "dt": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def time_constants(model, states=None, *, dt=1.0):
    r"""Time constants of units, and of the dynamics around fixed points or other states.

    .. math::

        \tau = -dt / \log |\lambda|

    for the diagonal entries of A, which is how long a unit by itself remembers, and for the
    eigenvalues of the Jacobian.

    Parameters
    ----------
    model : estimator or PiecewiseLinearMap
        A fitted estimator, whose inputs are taken to be at their mean in training, or what its
        ``to_map()`` gave.
    states : array-like of shape (n_states, n_components) or None, default=None
        Latent states to linearize at; None is all fixed points that `fixed_points` finds.
    dt : float, default=1.0
        Time that a step takes.

    Returns
    -------
    constants : TimeConstants
        Named tuple:

        units : ndarray of shape (n_components,)
            Time constants of A.
        states : ndarray of shape (n_states, n_components)
            Where the dynamics were linearized.
        modes : ndarray of shape (n_states, n_components)
            Time constants there, longest first.

        In units of `dt`; inf for :math:`|\lambda| = 1`, negative where a mode grows (its constant
        being that of growth, and sorted before inf), 0 for what is gone after a step.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_plrnn import RegularizedPLRNNRegressor
    >>> from sklearn_plrnn.analysis import time_constants
    >>> X = np.random.default_rng(0).normal(size=(300, 1))
    >>> y = np.convolve(X[:, 0], 0.9 ** np.arange(100))[:300]
    >>> model = RegularizedPLRNNRegressor(6, random_state=0, max_iter=50).fit(X, y)
    >>> time_constants(model, dt=0.1).units.shape
    (6,)
    """
    f = piecewise_of(model)
    if states is None:
        points = [point.states for point in fixed_points(model)]
        states = np.concatenate([np.empty((0, f.n_components)), *points])
    else:
        states = check_states(states, f.n_components)
    moduli = np.abs(np.linalg.eigvals(f.jacobian(states)))
    with np.errstate(divide="ignore"):
        unit_rates, rates = -np.log(np.abs(f.A)), np.sort(-np.log(moduli), axis=1)
        # A rate of -0.0 would be a time of -inf.
        return TimeConstants(dt / (unit_rates + 0.0), states, dt / (rates + 0.0))


@validate_params(
    {
        "model": "no_validation",
        "states": ["array-like"],
        "tol": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def line_attractor_directions(model, states, *, tol=0.05):
    r"""Directions that hardly decay, and the slow manifold along them.

    In a region with :math:`F(z) = J z + c`, eigenvectors of J with :math:`|\lambda - 1| \le` `tol`
    are slow: along them a state stays where it is, as on a line attractor, or drifts. Let
    everything else relax, which is done in one stroke,

    .. math::

        z' = z + \sum_{i\ \mathrm{fast}} r_i \, \frac{l_i (F(z) - z)}{1 - \lambda_i}

    with right and left eigenvectors :math:`r_i, l_i`, and z' is on the slow manifold, the line or
    plane that the region contributes to it.

    Parameters
    ----------
    model : estimator or PiecewiseLinearMap
        A fitted estimator, whose inputs are taken to be at their mean in training, or what its
        ``to_map()`` gave.
    states : array-like of shape (n_states, n_components)
        Latent states, such as a free run, ``model.transform(X)``, or fixed points.
    tol : float, default=0.05
        Distance of an eigenvalue from 1 up to which it is slow: 0.05 are 20 steps.

    Returns
    -------
    manifold : SlowManifold
        Named tuple, with R the number of regions that hold states:

        regions : ndarray of shape (n_states,)
            Region of each state.
        counts : ndarray of shape (R,)
            States in each region, which are sorted by it, largest first.
        eigenvalues : ndarray of shape (R, n_components)
            Eigenvalues of each region's Jacobian, nearest to 1 first.
        directions : ndarray of shape (R, n_components, n_components)
            Eigenvectors in columns, in that order, complex, of length 1.
        n_slow : ndarray of shape (R,)
            How many are slow; ``directions[i, :, :n_slow[i]].real`` of real ones.
        points : ndarray of shape (n_states, n_components)
            The states with fast directions relaxed.
        observations : ndarray of shape (n_states, n_outputs), or None
            The points in the user's units, for an estimator.
        inside : ndarray of shape (n_states,)
            Whether the point is still in the region of its state; elsewhere it is virtual.
        drift : ndarray of shape (n_states,)
            Distance that a step moves the point, 0 on a line attractor.

    Examples
    --------
    Of two units the first keeps its value, and the second follows it:

    >>> import numpy as np
    >>> from sklearn_plrnn.analysis import PiecewiseLinearMap, line_attractor_directions
    >>> W = np.array([[0, 0], [0.5, 0]])
    >>> f = PiecewiseLinearMap(A=np.array([1, 0.5]), W=W, h=np.zeros(2))
    >>> found = line_attractor_directions(f, [[1.0, 3.0], [2.0, -1.0]])
    >>> found.points.round(6).tolist()
    [[1.0, 1.0], [2.0, 2.0]]
    >>> bool(found.drift.max() < 1e-12)
    True
    """
    f = piecewise_of(model)
    states = check_states(states, f.n_components)
    regions, patterns, counts, *_ = linear_regions(f, states)
    eigenvalues, directions = np.linalg.eig(f.region(patterns)[0])
    eigenvalues, directions = eigenvalues.astype(complex), directions.astype(complex)
    nearest = np.argsort(np.abs(eigenvalues - 1), axis=1, kind="stable")
    eigenvalues = np.take_along_axis(eigenvalues, nearest, axis=1)
    directions = np.take_along_axis(directions, nearest[:, None], axis=2)
    fast = np.abs(eigenvalues - 1) > tol
    gains = np.where(fast, 1 / np.where(fast, 1 - eigenvalues, 1), 0)
    # A defective Jacobian has no basis of eigenvectors; the least-squares one will do.
    relax = (directions * gains[:, None]) @ np.linalg.pinv(directions)
    points = states + times(relax.real[regions], f.step(states) - states)
    inside = (f.pattern(points) == patterns[regions]).all(axis=1)
    drift = np.linalg.norm(f.step(points) - points, axis=1)
    return SlowManifold(
        regions,
        counts,
        eigenvalues,
        directions,
        (~fast).sum(axis=1),
        points,
        observe(model, points),
        inside,
        drift,
    )

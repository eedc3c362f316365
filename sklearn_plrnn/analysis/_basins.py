"""Where trajectories end, and from where.

Trajectories that end on one attractor, be it a point, a cycle or chaos, pass the same places.
States of the last steps are put into the cells of a grid, and trajectories that share a cell are
taken to share an attractor. Shifted grids see to it that no border of a cell parts what is close.
"""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_array

from ._protocol import observe, piecewise_of

FAR = 1e6  # times the size of the grid: diverged


class Basins(NamedTuple):
    """Attractors that the starts on a grid lead to."""

    axes: list  # N arrays
    labels: np.ndarray  # one axis for each variable
    shares: np.ndarray  # (n_attractors,)
    attractors: list  # arrays (n_points, M)
    observations: list | None  # arrays (n_points, N)


@validate_params(
    {
        "model": "no_validation",
        "limits": ["array-like"],
        "n_points": [Interval(Integral, 2, None, closed="left")],
        "n_timesteps": [Interval(Integral, 1, None, closed="left")],
        "n_last": [Interval(Integral, 1, None, closed="left")],
        "resolution": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def basins(model, limits, *, n_points=30, n_timesteps=2000, n_last=100, resolution=0.02):
    """Basins of attraction on a grid of observed variables.

    Parameters
    ----------
    model : estimator or PiecewiseLinearMap
        A fitted estimator with two or three observed variables, whose inputs are taken to be at
        their mean in training, or a map of two or three latent units.
    limits : array-like of shape (n_variables, 2)
        Smallest and largest value of each variable, in the user's units for an estimator. A
        variable with both equal is held at that value: a section through the others.
    n_points : int, default=30
        Points along each axis: 900 starts in two dimensions, which take some seconds, 27 000 in
        three, which take a minute or more.
    n_timesteps : int, default=2000
        Steps to let pass.
    n_last : int, default=100
        Steps after these, whose states make up an attractor.
    resolution : float, default=0.02
        Attractors closer than this, as a share of the range of all last states, are one.

    Returns
    -------
    basins : Basins
        Named tuple:

        axes : list of ndarray
            Values of each variable on the grid.
        labels : ndarray of shape (n_points, n_points) or (n_points, n_points, n_points)
            Attractor that each start leads to, 0 having the largest basin; -1 where the run
            diverges. Axes are those of the variables.
        shares : ndarray of shape (n_attractors,)
            Share of the grid that is the basin of each.
        attractors : list of ndarray of shape (n_last, n_components)
            Last states of one run on each.
        observations : list of ndarray of shape (n_last, n_variables), or None
            The same in the user's units, for an estimator.

    Raises
    ------
    ValueError
        If there are not two or three variables, or limits do not fit them.

    Notes
    -----
    Runs of a `DSReconstructor` begin where its ``simulate`` begins. Of other estimators with more
    units than observed variables, a start is the smallest latent state that fits, by ``pinv(B_)``.

    Attractors are told apart as in recurrence methods [1]_: a chaotic one visited for only `n_last`
    steps may fall apart if that is short, or `resolution` fine.

    References
    ----------
    .. [1] G. Datseris, A. Wagemakers, "Effortless estimation of basins of attraction", Chaos 32,
       2022, doi:10.1063/5.0076568.

    Examples
    --------
    Two units that suppress each other, so that the larger one wins:

    >>> import numpy as np
    >>> from sklearn_plrnn.analysis import PiecewiseLinearMap, basins
    >>> W = np.array([[0, -1], [-1, 0]])
    >>> f = PiecewiseLinearMap(A=np.full(2, 0.5), W=W, h=np.array([1, 1.1]))
    >>> found = basins(f, [[-1, 3], [-1, 3]], n_points=4)
    >>> found.labels
    array([[0, 0, 0, 0],
           [1, 0, 0, 0],
           [1, 1, 0, 0],
           [1, 1, 1, 0]])
    >>> [attractor[-1].round(2).tolist() for attractor in found.attractors]
    [[-2.4, 2.2], [2.0, -1.8]]
    """
    f = piecewise_of(model)
    B = getattr(model, "B_", np.eye(f.n_components))
    axes = _axes(limits, len(B), n_points)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    states = _latent(model, B, grid.reshape(-1, len(B)))
    far = FAR * (1 + np.abs(states).max())
    last = np.empty((n_last, *states.shape))
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(n_timesteps + n_last):
            states = f.step(states)
            last[max(t - n_timesteps, 0)] = states
    last = last.swapaxes(0, 1)  # (start, time, unit)
    stays = (np.abs(last) <= far).all(axis=(1, 2))
    labels = np.full(len(states), -1)
    labels[stays], first, counts = _shared(last[stays], resolution)
    attractors = list(last[stays][first])
    observed = [observe(model, x) for x in attractors] if hasattr(model, "B_") else None
    shares = counts / len(states)
    return Basins(axes, labels.reshape(grid.shape[:-1]), shares, attractors, observed)


def _axes(limits, n_variables, n_points):
    limits = check_array(limits, dtype=np.float64, input_name="limits")
    if n_variables not in (2, 3):
        raise ValueError(f"basins are for 2 or 3 observed variables; the model has {n_variables}.")
    if limits.shape != (n_variables, 2) or (limits[:, 0] > limits[:, 1]).any():
        raise ValueError(
            f"limits must have shape ({n_variables}, 2), (variable, smallest and largest value), "
            f"got {limits.tolist()}."
        )
    return [np.linspace(a, b, n_points if a < b else 1) for a, b in limits]


def _latent(model, B, rows):
    """States (n, M) where rows (n, N) were just observed."""
    if hasattr(model, "_start_at"):
        return model._start_at(rows, len(rows)).astype(np.float64)
    return (rows - getattr(model, "b_", 0)) @ np.linalg.pinv(B).T


def _shared(runs, resolution):
    """Labels of runs (n, T, M) by common places, largest class first; one run and size of each."""
    n, T, M = runs.shape
    if n == 0:
        return np.empty(0, int), np.empty(0, int), np.empty(0, int)
    points = runs.reshape(-1, M)
    # Where all end in one point, the range is rounding.
    extent = np.ptp(points, axis=0).max() or 1.0
    width = 2 * resolution * max(extent, 1e-6 * np.abs(points).max())
    owners, edges, n_nodes = np.repeat(np.arange(n), T), [], n
    for shift in range(M + 1):
        cells = _numbered(np.floor(points / width + shift / (M + 1)).astype(np.int64))
        # A run that rests is in one cell only: each pair once.
        pairs = np.unique(cells * n + owners)
        edges.append(np.stack([pairs % n, n_nodes + pairs // n]))
        n_nodes += cells.max() + 1
    edges = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(edges.shape[1], np.int8), tuple(edges)), shape=(n_nodes, n_nodes))
    labels = connected_components(graph.tocsr(), directed=False)[1][:n]
    _, first, labels, counts = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")
    return np.argsort(order)[labels], first[order], counts[order]


def _numbered(boxes):
    """One small number for each different row of integers."""
    numbers = np.zeros(len(boxes), np.int64)
    for column in (boxes - boxes.min(axis=0)).T:
        numbers = np.unique(numbers * (column.max() + 1) + column, return_inverse=True)[1]
    return numbers

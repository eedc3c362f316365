"""Which affine pieces a trajectory is made of, and which follow on which."""

from typing import NamedTuple

import numpy as np
from sklearn.utils._param_validation import validate_params

from ._protocol import check_states, piecewise_of


class LinearRegions(NamedTuple):
    """Regions that trajectories visit, and the graph of transitions between them."""

    labels: np.ndarray  # (T,)
    patterns: np.ndarray  # (R, L) bool
    counts: np.ndarray  # (R,)
    edges: np.ndarray  # (E, 2)
    edge_counts: np.ndarray  # (E,)


@validate_params(
    {"model": "no_validation", "states": ["array-like"]}, prefer_skip_nested_validation=True
)
def linear_regions(model, states):
    """Regions of linear dynamics that a trajectory visits, and the transitions between them.

    Parameters
    ----------
    model : estimator or PiecewiseLinearMap
        A fitted estimator, or what its ``to_map()`` gave.
    states : array-like of shape (n_timesteps, n_components), or (n, n_timesteps, n_components)
        Latent states of one trajectory or of several.

    Returns
    -------
    regions : LinearRegions
        Named tuple, with R the number of regions and E that of different transitions:

        labels : ndarray of shape (n_timesteps,), or (n, n_timesteps)
            Region of each state, 0 being the one that is visited most.
        patterns : ndarray of shape (R, n_hidden)
            Which hidden units are active there; ``map.region(patterns[i])`` gives Jacobian and
            offset of the affine piece.
        counts : ndarray of shape (R,)
            Steps spent in each region.
        edges : ndarray of shape (E, 2)
            Pairs of regions that follow on each other, the most frequent first. A region that is
            not left has an edge to itself.
        edge_counts : ndarray of shape (E,)
            How often they do.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.analysis import linear_regions
    >>> from sklearn_plrnn.datasets import make_van_der_pol
    >>> X = make_van_der_pol(1000, random_state=0)
    >>> model = DSReconstructor(n_hidden=5, max_iter=2, random_state=0).fit(X)
    >>> regions = linear_regions(model, model.transform(X))
    >>> int(regions.counts.sum()), int(regions.edge_counts.sum())
    (1000, 999)
    """
    f = piecewise_of(model)
    shape = np.shape(states)[:-1]
    several = len(shape) == 2
    rows = np.reshape(states, (-1, np.shape(states)[-1])) if several else states
    rows = check_states(rows, f.n_components)
    packed = np.packbits(f.pattern(rows), axis=1)
    packed, labels, counts = np.unique(packed, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    labels = np.argsort(order)[labels.ravel()].reshape(shape)
    pairs = np.stack([labels[..., :-1], labels[..., 1:]], axis=-1).reshape(-1, 2)
    edges, edge_counts = np.unique(pairs, axis=0, return_counts=True)
    frequent = np.argsort(-edge_counts, kind="stable")
    patterns = np.unpackbits(packed[order], axis=1, count=f.n_hidden).astype(bool)
    return LinearRegions(labels, patterns, counts[order], edges[frequent], edge_counts[frequent])

"""`LinearRegionDisplay`: the affine pieces of a trajectory, and how they follow on each other."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar

from ..analysis import linear_regions
from ..analysis._protocol import observe
from ._observed import check_series, choose, default_names, names_of
from ._style import DATA, MODEL, OTHER, keep, space_axes, style

COLOURS = MODEL, OTHER, "#009e73", "#cc79a7"  # Okabe and Ito's that are seen on white and on black


class LinearRegionDisplay:
    """Points of a trajectory, coloured by linear region, and the graph of transitions.

    Made by `from_estimator`. As on a map of countries a few colours do, because regions that follow
    on each other differ. Only the regions visited most have one, the others are grey.

    Parameters
    ----------
    points : ndarray of shape (n_timesteps, n_variables)
        States of a trajectory, or what is observed of them.
    regions : LinearRegions
        What `sklearn_plrnn.analysis.linear_regions` has found for these states.
    feature_names : list of str or None, default=None
        Names of variables; None is x0, x1, ...

    Attributes
    ----------
    points_ : matplotlib artist
        Points of the trajectory.
    centres_ : matplotlib artist
        Means of the points in the regions visited most, the larger the more points.
    edges_ : matplotlib Line2D
        Transitions between these regions, as lines between their centres.
    ax_ : matplotlib Axes
        Axes of two or three dimensions.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    sklearn_plrnn.analysis.linear_regions : Where regions and transitions come from.

    Examples
    --------
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.datasets import make_van_der_pol
    >>> from sklearn_plrnn.displays import LinearRegionDisplay
    >>> X = make_van_der_pol(1000, random_state=0)
    >>> model = DSReconstructor(n_hidden=5, max_iter=2, random_state=0).fit(X)
    >>> display = LinearRegionDisplay.from_estimator(model, model.transform(X))
    >>> len(display.centres_.get_offsets()) == min(len(display.regions.counts), 30)
    True
    """

    def __init__(self, *, points, regions, feature_names=None):
        self.points = points
        self.regions = regions
        self.feature_names = feature_names

    @classmethod
    def from_estimator(cls, estimator, states, *, ax=None, **kwargs):
        """Show the regions that a trajectory visits.

        Parameters
        ----------
        estimator : estimator or PiecewiseLinearMap
            A fitted estimator, or what its ``to_map()`` gave. Of a `DSReconstructor` the observed
            variables are shown if there are two or more, else latent states.
        states : array-like of shape (n_timesteps, n_components)
            Latent states of a trajectory, such as ``estimator.transform(X)``.
        ax : matplotlib Axes or None, default=None
            Axes to draw into, with ``projection="3d"`` for three variables; None makes a figure.
        **kwargs : dict
            Further keywords of `plot`.

        Returns
        -------
        display : LinearRegionDisplay
            Drawn.
        """
        states = check_series(states, "states")
        regions, points = linear_regions(estimator, states), states
        names = default_names(states.shape[1], "z")
        # What a reconstruction reads out are the variables of X; but one of them is no picture.
        if hasattr(estimator, "input_features_") and len(names_of(estimator)) > 1:
            points, names = observe(estimator, states), names_of(estimator)
        return cls(points=points, regions=regions, feature_names=names).plot(ax, **kwargs)

    def plot(
        self,
        ax=None,
        *,
        features=None,
        n_nodes=30,
        colors=COLOURS,
        point_kwargs=None,
        centre_kwargs=None,
        edge_kwargs=None,
    ):
        """Draw points, centres and transitions.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw into, with ``projection="3d"`` for three variables; None makes a figure.
        features : list of int or str, or None, default=None
            Two or three variables, by index or name; None is the first two.
        n_nodes : int, default=30
            How many of the regions visited most are coloured, and nodes of the graph.
        colors : sequence of matplotlib colors
            Colours of regions, by default four that the colour-blind can tell apart.
        point_kwargs, centre_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.scatter`.
        edge_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        self : LinearRegionDisplay
            With the artists as attributes.
        """
        from matplotlib import rcParams
        from matplotlib.collections import PathCollection
        from matplotlib.colors import to_rgba_array
        from matplotlib.lines import Line2D

        check_scalar(n_nodes, "n_nodes", Integral, min_val=0)
        names = list(self.feature_names or default_names(self.points.shape[1]))
        chosen = choose(list(range(len(names[:2]))) if features is None else features, names)
        ax = space_axes(ax, [names[i] for i in chosen])
        labels, counts = self.regions.labels, self.regions.counts
        points = self.points[:, chosen]
        sums = [np.bincount(labels, x, len(counts)) for x in points.T]
        centres = np.stack(sums, axis=1) / counts[:, None]
        edges, weights = self.regions.edges, self.regions.edge_counts
        shown = (edges[:, 0] != edges[:, 1]) & (edges < n_nodes).all(axis=1)
        edges, weights = edges[shown], weights[shown]
        colours = np.repeat(to_rgba_array(DATA), len(counts), axis=0)
        map_colours = _map_colours(len(counts[:n_nodes]), edges, weights, len(colors))
        colours[:n_nodes] = to_rgba_array(colors)[map_colours]
        look = style(PathCollection, {"s": 3, "linewidths": 0, "zorder": 1}, point_kwargs)
        self.points_ = ax.scatter(*points.T, **{"color": colours[labels]} | look)
        look = {"color": rcParams["text.color"], "linewidth": 0.6, "alpha": 0.6, "zorder": 2}
        look = style(Line2D, look, edge_kwargs)
        gap = np.full((len(edges), 1, len(chosen)), np.nan)
        ends = np.concatenate([centres[edges], gap], axis=1).reshape(-1, len(chosen))
        (self.edges_,) = ax.plot(*ends.T, **look)
        sizes = 6 + 60 * counts[:n_nodes] / counts.max()
        look = {"s": sizes, "edgecolors": rcParams["text.color"], "linewidths": 0.6, "zorder": 3}
        look = style(PathCollection, look, centre_kwargs)
        self.centres_ = ax.scatter(*centres[:n_nodes].T, **{"facecolor": colours[:n_nodes]} | look)
        ax.set_title(f"{len(counts)} linear regions", fontsize="medium")
        return keep(self, [ax])


def _map_colours(n, edges, weights, n_colours):
    """A colour for each of n nodes, the same at both ends of as few transitions as possible."""
    transitions = np.zeros((n, n))
    np.add.at(transitions, tuple(edges.T), weights)
    transitions += transitions.T
    colours, used = np.zeros(n, int), np.zeros(n_colours)
    for node in range(n):
        shared = np.bincount(colours[:node], transitions[node, :node], n_colours)
        colours[node] = np.lexsort((used, shared))[0]
        used[colours[node]] += 1
    return colours

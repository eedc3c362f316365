"""`PhaseSpaceDisplay`: attractors, fixed points and cycles."""

import numpy as np

from ..analysis import fixed_points
from ._observed import check_series, choose, default_names, names_of, single_run
from ._style import DATA, MODEL, OTHER, keep, marker_style, space_axes, style, view


class PhaseSpaceDisplay:
    """A simulated attractor over the measured one, in two or three of the observed variables.

    Made by `from_estimator` or `from_predictions`. What is farther from the measured attractor than
    half its range, in any variable shown, is left out.

    Parameters
    ----------
    simulated : ndarray of shape (n_simulated, n_variables)
        A free run.
    observed : ndarray of shape (n_timesteps, n_variables) or None, default=None
        What was measured.
    orbits : sequence of Orbit, default=()
        Fixed points and cycles with their ``observations``.
    feature_names : list of str or None, default=None
        Names of variables; None is x0, x1, ...

    Attributes
    ----------
    observed_ : matplotlib Line2D or None
        What was measured.
    simulated_ : matplotlib Line2D
        The free run.
    orbits_ : list of matplotlib Line2D
        Fixed points, one artist for each kind, and cycles, one for each.
    n_outside_ : int
        Fixed points and cycles that are too far away to be shown.
    ax_ : matplotlib Axes
        Axes of two or three dimensions.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    sklearn_plrnn.analysis.fixed_points : Where fixed points come from.
    sklearn_plrnn.analysis.cycles : Where cycles come from.

    Examples
    --------
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.datasets import make_van_der_pol
    >>> from sklearn_plrnn.displays import PhaseSpaceDisplay
    >>> X = make_van_der_pol(1000, random_state=0)
    >>> model = DSReconstructor(n_hidden=20, max_iter=5, random_state=0).fit(X)
    >>> display = PhaseSpaceDisplay.from_estimator(model, X)
    >>> display.simulated_.get_xdata().shape
    (1000,)
    """

    def __init__(self, *, simulated, observed=None, orbits=(), feature_names=None):
        self.simulated = simulated
        self.observed = observed
        self.orbits = orbits
        self.feature_names = feature_names

    @classmethod
    def from_estimator(cls, estimator, X, *, orbits=None, ax=None, **kwargs):
        """Compare a free run of a fitted reconstruction with a measured trajectory.

        Parameters
        ----------
        estimator : DSReconstructor
            A fitted estimator.
        X : array-like of shape (n_timesteps, n_features)
            One trajectory; the free run starts at its first row and has its length, after a
            transient of a quarter of that if there are no inputs.
        orbits : sequence of Orbit or None, default=None
            Fixed points and cycles to mark; None is all fixed points that
            `sklearn_plrnn.analysis.fixed_points` finds, ``()`` is none.
        ax : matplotlib Axes or None, default=None
            Axes to draw into, with ``projection="3d"`` for three variables; None makes a figure.
        **kwargs : dict
            Further keywords of `plot`.

        Returns
        -------
        display : PhaseSpaceDisplay
            Drawn.
        """
        observed, simulated = single_run(estimator, X)
        orbits = fixed_points(estimator) if orbits is None else orbits
        names = names_of(estimator)
        return cls.from_predictions(
            observed, simulated, orbits=orbits, feature_names=names, ax=ax, **kwargs
        )

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, orbits=(), feature_names=None, ax=None, **kwargs):
        """Show two trajectories.

        Parameters
        ----------
        y_true : array-like of shape (n_timesteps, n_variables) or None
            What was measured.
        y_pred : array-like of shape (n_simulated, n_variables)
            A free run.
        orbits : sequence of Orbit, default=()
            Fixed points and cycles to mark.
        feature_names : list of str or None, default=None
            Names of variables; None is x0, x1, ...
        ax : matplotlib Axes or None, default=None
            Axes to draw into, with ``projection="3d"`` for three variables; None makes a figure.
        **kwargs : dict
            Further keywords of `plot`.

        Returns
        -------
        display : PhaseSpaceDisplay
            Drawn.
        """
        y_pred = check_series(y_pred, "y_pred")
        y_true = None if y_true is None else check_series(y_true, "y_true", y_pred.shape[1])
        arrays = {"simulated": y_pred, "observed": y_true}
        return cls(**arrays, orbits=orbits, feature_names=feature_names).plot(ax, **kwargs)

    def plot(
        self,
        ax=None,
        *,
        features=None,
        simulated_kwargs=None,
        observed_kwargs=None,
        orbit_kwargs=None,
    ):
        """Draw trajectories and orbits.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw into, with ``projection="3d"`` for three variables; None makes a figure.
        features : list of int or str, or None, default=None
            Two or three variables, by index or name; None is the first three, or two.
        simulated_kwargs, observed_kwargs, orbit_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        self : PhaseSpaceDisplay
            With the artists as attributes.
        """
        from matplotlib.lines import Line2D

        n_variables = self.simulated.shape[1]
        names = list(self.feature_names or default_names(n_variables))
        chosen = choose(list(range(min(3, n_variables))) if features is None else features, names)
        ax = space_axes(ax, [names[i] for i in chosen])
        draw = lambda x, keywords: ax.plot(*x[:, chosen].T, **keywords)[0]
        thin = {"linewidth": 0.5, "alpha": 0.8}
        observed = style(Line2D, {"color": DATA, "label": "measured"} | thin, observed_kwargs)
        free = style(Line2D, {"color": MODEL, "label": "free run"} | thin, simulated_kwargs)
        low, high = view((self.simulated if self.observed is None else self.observed)[:, chosen])
        is_far = lambda x: ((x[:, chosen] < low) | (x[:, chosen] > high)).any(axis=1)
        self.observed_ = None if self.observed is None else draw(self.observed, observed)
        far = is_far(self.simulated)[:, None]
        self.simulated_ = draw(np.where(far, np.nan, self.simulated), free)
        near = [orbit for orbit in self.orbits if not is_far(orbit.observations).any()]
        self.n_outside_ = len(self.orbits) - len(near)
        self.orbits_ = [
            draw(points, style(Line2D, {"label": label} | look, orbit_kwargs))
            for label, points, look in _grouped(near)
        ]
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "ncols": 2}
        room = 4 if len(chosen) == 2 else 0.5  # lines of text, for the labels of the axis
        legend = ax.legend(**below, borderaxespad=room, fontsize="small")
        for handle in legend.get_lines():
            handle.set_linewidth(max(1.5, handle.get_linewidth()))
        return keep(self, [ax])


def _grouped(orbits):
    """Label, points and look of fixed points, by kind, and of cycles, one by one and closed."""
    points, cycles = {}, []
    for orbit in orbits:
        if orbit.order == 1:
            points.setdefault(orbit.kind, []).append(orbit.observations)
        else:
            cycles.append(orbit)
    for kind, found in sorted(points.items()):
        yield kind, np.concatenate(found), marker_style(kind, OTHER) | {"zorder": 5}
    seen = set()
    for orbit in cycles:
        kind = orbit.kind if orbit.kind == "saddle" else orbit.kind.split()[0]
        look = marker_style(kind, OTHER) | {"markersize": 3, "linewidth": 1, "color": OTHER}
        look |= {"linestyle": "-" if orbit.stable else "--", "zorder": 4}
        label = f"{kind} cycle" if kind not in seen else "_"
        seen.add(kind)
        yield label, np.concatenate([orbit.observations, orbit.observations[:1]]), look

"""`EigenvalueDisplay`: what grows, decays and turns."""

import numpy as np

from ..analysis import fixed_points
from ._style import DATA, MODEL, OTHER, axes_for, keep, marker_style, style

LIMIT = 2.0  # modulus up to which the picture goes at most


class EigenvalueDisplay:
    """Eigenvalues of Jacobians in the complex plane, with the unit circle.

    Made by `from_estimator`. Inside the circle a direction decays, outside it grows; near 1 it is
    slow.

    Parameters
    ----------
    eigenvalues : list of ndarray of shape (n,), complex
        Eigenvalues of each fixed point, cycle or region.
    kinds : list of str or None, default=None
        What each of these is, such as `Orbit.kind` tells it; None leaves the legend out.

    Attributes
    ----------
    circle_ : matplotlib Patch
        The unit circle.
    points_ : list of matplotlib Line2D
        Eigenvalues, one artist for each kind.
    n_outside_ : int
        Eigenvalues of modulus above 2, which are not shown.
    ax_ : matplotlib Axes
        Axes.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    sklearn_plrnn.analysis.time_constants : The same in units of time.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_plrnn.analysis import PiecewiseLinearMap
    >>> from sklearn_plrnn.displays import EigenvalueDisplay
    >>> f = PiecewiseLinearMap(A=np.full(2, 0.5), W=np.array([[0, -1], [-1, 0]]), h=np.ones(2))
    >>> display = EigenvalueDisplay.from_estimator(f)
    >>> display.kinds
    ['stable node', 'saddle', 'stable node']
    """

    def __init__(self, *, eigenvalues, kinds=None):
        self.eigenvalues = eigenvalues
        self.kinds = kinds

    @classmethod
    def from_estimator(cls, estimator, *, orbits=None, ax=None, **kwargs):
        """Show the eigenvalues at the fixed points of a model.

        Parameters
        ----------
        estimator : estimator or PiecewiseLinearMap
            A fitted estimator, or what its ``to_map()`` gave.
        orbits : sequence of Orbit or None, default=None
            Fixed points and cycles; None is all fixed points that
            `sklearn_plrnn.analysis.fixed_points` finds.
        ax : matplotlib Axes or None, default=None
            Axes to draw into; None makes a figure.
        **kwargs : dict
            Further keywords of `plot`.

        Returns
        -------
        display : EigenvalueDisplay
            Drawn.
        """
        orbits = fixed_points(estimator) if orbits is None else orbits
        eigenvalues = [orbit.eigenvalues for orbit in orbits]
        return cls(eigenvalues=eigenvalues, kinds=[orbit.kind for orbit in orbits]).plot(
            ax, **kwargs
        )

    def plot(self, ax=None, *, circle_kwargs=None, point_kwargs=None):
        """Draw circle and eigenvalues.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw into; None makes a figure.
        circle_kwargs : dict or None, default=None
            Keywords of `matplotlib.patches.Circle`.
        point_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        self : EigenvalueDisplay
            With the artists as attributes.
        """
        from matplotlib.lines import Line2D
        from matplotlib.patches import Circle

        (ax,) = axes_for(ax, 1, 3.2)
        look = style(Circle, {"fill": False, "edgecolor": DATA}, circle_kwargs)
        self.circle_ = ax.add_patch(Circle((0, 0), 1, **look))
        self.points_, self.n_outside_ = [], 0
        for colour, (kind, values) in zip(_colours(), self._grouped(), strict=False):
            shown = values[np.abs(values) <= LIMIT]
            self.n_outside_ += len(values) - len(shown)
            marker = marker_style(kind, colour) if kind else marker_style("stable", colour)
            marker = style(Line2D, marker | {"label": kind, "markersize": 6}, point_kwargs)
            self.points_ += ax.plot(shown.real, shown.imag, **marker)
        ax.axhline(0, color=DATA, linewidth=0.5, zorder=0)
        ax.axvline(0, color=DATA, linewidth=0.5, zorder=0)
        ax.set(xlabel="real part", ylabel="imaginary part", aspect="equal")
        if self.kinds:
            inside = {"bbox_to_anchor": (-0.35, 0), "bbox_transform": ax.transData}
            ax.legend(loc="center", **inside, fontsize="small", framealpha=0.6)
        return keep(self, [ax])

    def _grouped(self):
        """Kinds in alphabetical order, and all eigenvalues of each."""
        kinds = self.kinds or [""] * len(self.eigenvalues)
        for kind in sorted(set(kinds)):
            members = [x for k, x in zip(kinds, self.eigenvalues, strict=True) if k == kind]
            yield kind, np.concatenate(members)


def _colours():
    while True:
        yield from (MODEL, OTHER, DATA)

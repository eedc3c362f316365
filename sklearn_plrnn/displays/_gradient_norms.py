"""`GradientNormDisplay`: do gradients vanish or explode, and what bounds them."""

import numpy as np

from ..analysis import gradient_norms
from ._style import DATA, MODEL, axes_for, keep, style

DECADES = 2  # that the picture goes beyond the norms themselves, for their bounds


class GradientNormDisplay:
    """Norms of derivatives of later states with respect to the first, with their bounds.

    Made by `from_estimator`.

    Parameters
    ----------
    norms : GradientNorms
        What `sklearn_plrnn.analysis.gradient_norms` has found.

    Attributes
    ----------
    full_ : matplotlib Line2D
        Norms of the whole derivative.
    bound_ : matplotlib Line2D
        The product of the norms of all Jacobians.
    largest_, smallest_ : matplotlib Line2D or None
        Singular values with respect to the regularized units.
    band_ : matplotlib artist or None
        Bounds on these.
    ax_ : matplotlib Axes
        Axes.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    sklearn_plrnn.analysis.gradient_norms : The norms, and the theorems on them.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_plrnn import RegularizedPLRNNRegressor
    >>> from sklearn_plrnn.displays import GradientNormDisplay
    >>> X = np.random.default_rng(0).normal(size=(300, 1))
    >>> model = RegularizedPLRNNRegressor(6, alpha=100.0, max_iter=20, random_state=0)
    >>> model = model.fit(X, np.cumsum(X[:, 0]))
    >>> display = GradientNormDisplay.from_estimator(model, model.transform(X))
    >>> display.norms.lower.shape
    (300,)
    """

    def __init__(self, *, norms):
        self.norms = norms

    @classmethod
    def from_estimator(cls, estimator, states, *, units=None, ax=None, **kwargs):
        """Show the gradient norms of a model along a trajectory.

        Parameters
        ----------
        estimator : estimator, object or pair
            A fitted estimator, or anything else that `sklearn_plrnn.analysis.gradient_norms` takes.
        states : array-like of shape (n_timesteps, n_components)
            Latent states of a trajectory, such as ``estimator.transform(X)``.
        units : array-like of int or None, default=None
            Indices of the regularized units; None is ``regularized_units_`` of an estimator.
        ax : matplotlib Axes or None, default=None
            Axes to draw into; None makes a figure.
        **kwargs : dict
            Further keywords of `plot`.

        Returns
        -------
        display : GradientNormDisplay
            Drawn.
        """
        return cls(norms=gradient_norms(estimator, states, units=units)).plot(ax, **kwargs)

    def plot(
        self,
        ax=None,
        *,
        full_kwargs=None,
        bound_kwargs=None,
        largest_kwargs=None,
        smallest_kwargs=None,
        band_kwargs=None,
    ):
        """Draw norms over steps, both on logarithmic scales.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw into; None makes a figure.
        full_kwargs, bound_kwargs, largest_kwargs, smallest_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.plot`.
        band_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.fill_between`.

        Returns
        -------
        self : GradientNormDisplay
            With the artists as attributes.
        """
        from matplotlib.collections import PolyCollection
        from matplotlib.lines import Line2D

        (ax,) = axes_for(ax, 1)
        norms, steps = self.norms, np.arange(1, len(self.norms.full) + 1)
        shown = (norms.full, norms.largest, norms.smallest)
        limits = _limits(np.concatenate([x for x in shown if x is not None]))
        # Before anything is drawn: bounds can be too far apart to be scaled to.
        ax.set(xscale="log", yscale="log", xlim=(1, max(len(steps), 2)), ylim=limits)
        ax.set(xlabel="steps", ylabel="gradient norm")
        draw = lambda y, look, given: ax.plot(steps, _drawable(y), **style(Line2D, look, given))[0]
        look = {"color": DATA, "linewidth": 3, "label": "all units"}
        self.full_ = draw(norms.full, look, full_kwargs)
        look = {"color": DATA, "linestyle": ":", "label": "product of norms"}
        self.bound_ = draw(norms.bound, look, bound_kwargs)
        self.largest_ = self.smallest_ = self.band_ = None
        if norms.largest is not None:
            look = {"color": MODEL, "label": "regularized, largest"}
            self.largest_ = draw(norms.largest, look, largest_kwargs)
            look = {"color": MODEL, "linestyle": "--", "label": "regularized, smallest"}
            self.smallest_ = draw(norms.smallest, look, smallest_kwargs)
            look = {"facecolor": MODEL, "alpha": 0.25, "linewidth": 0, "label": "bounds on these"}
            ends = _drawable(norms.lower), _drawable(norms.upper)
            look = style(PolyCollection, look, band_kwargs)
            self.band_ = ax.fill_between(steps, *ends, **look)
        ax.axhline(1, color=DATA, linewidth=0.5, zorder=0)
        ax.legend(fontsize="small")
        return keep(self, [ax])


def _drawable(x):
    """Norms of which logarithms are finite."""
    return np.clip(x, 1e-300, 1e300)


def _limits(x):
    """Powers of ten around norms, inf and 0 left out."""
    decades = np.log10(x[np.isfinite(x) & (x > 0)])
    low, high = np.min(decades, initial=0), np.max(decades, initial=0)
    return 10.0 ** np.clip([np.floor(low) - DECADES, np.ceil(high) + DECADES], -200, 200)

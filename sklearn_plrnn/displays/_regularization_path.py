"""`RegularizationPathDisplay`: scores along a path of regularization strengths."""

import numpy as np

from ._observed import check_has
from ._style import DATA, MODEL, axes_for, keep, style


class RegularizationPathDisplay:
    """Cross-validated scores against the strength of regularization.

    Made by `from_estimator`.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,)
        Strengths, in any order.
    scores : array-like of shape (n_alphas, n_folds)
        Score of each on each fold, larger being better.
    alpha : float or None, default=None
        The chosen one.

    Attributes
    ----------
    mean_line_ : matplotlib Line2D
        Means over folds.
    fold_lines_ : list of matplotlib Line2D
        Scores of each fold.
    band_ : matplotlib artist
        Standard errors of the means.
    chosen_line_ : matplotlib Line2D or None
        The chosen strength.
    ax_ : matplotlib Axes
        Axes.
    figure_ : matplotlib Figure
        Their figure.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_plrnn.displays import RegularizationPathDisplay
    >>> scores = np.array([[0.5, 0.6], [0.8, 0.7], [0.4, 0.5]])
    >>> display = RegularizationPathDisplay(alphas=[10, 1, 0.1], scores=scores, alpha=1).plot()
    >>> display.mean_line_.get_ydata().round(2).tolist()
    [0.45, 0.75, 0.55]
    """

    def __init__(self, *, alphas, scores, alpha=None):
        self.alphas = alphas
        self.scores = scores
        self.alpha = alpha

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Show the path that a cross-validated estimator has followed.

        Parameters
        ----------
        estimator : estimator
            A fitted one with attributes ``alphas_``, ``scores_path_`` and ``alpha_``.
        ax : matplotlib Axes or None, default=None
            Axes to draw into; None makes a figure.
        **kwargs : dict
            Further keywords of `plot`.

        Returns
        -------
        display : RegularizationPathDisplay
            Drawn.
        """
        check_has(estimator, "alphas_", "scores_path_", "alpha_")
        path = {"alphas": estimator.alphas_, "scores": estimator.scores_path_}
        return cls(**path, alpha=estimator.alpha_).plot(ax, **kwargs)

    def plot(
        self, ax=None, *, mean_kwargs=None, fold_kwargs=None, band_kwargs=None, chosen_kwargs=None
    ):
        """Draw the path, weak regularization on the left.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw into; None makes a figure.
        mean_kwargs, fold_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.plot`.
        band_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.fill_between`.
        chosen_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.axvline`.

        Returns
        -------
        self : RegularizationPathDisplay
            With the artists as attributes.
        """
        from matplotlib import rcParams
        from matplotlib.collections import PolyCollection
        from matplotlib.lines import Line2D

        (ax,) = axes_for(ax, 1)
        order = np.argsort(self.alphas)
        alphas = np.asarray(self.alphas, dtype=float)[order]
        scores = np.asarray(self.scores, dtype=float)[order]
        mean, n_folds = scores.mean(axis=1), scores.shape[1]
        error = scores.std(axis=1, ddof=1) / np.sqrt(n_folds) if n_folds > 1 else 0 * mean
        fold = style(Line2D, {"color": DATA, "linewidth": 0.7, "alpha": 0.7}, fold_kwargs)
        band = {"facecolor": MODEL, "alpha": 0.3, "linewidth": 0, "label": "standard error"}
        band = style(PolyCollection, band, band_kwargs)
        line = {"color": MODEL, "marker": "o", "markersize": 4, "label": "mean"}
        line = style(Line2D, line, mean_kwargs)
        mark = {"color": rcParams["text.color"], "linestyle": ":", "label": "chosen"}
        mark = style(Line2D, mark, chosen_kwargs)
        self.fold_lines_ = ax.plot(alphas, scores, **fold)
        self.fold_lines_[0].set_label("folds")
        self.band_ = ax.fill_between(alphas, mean - error, mean + error, **band)
        (self.mean_line_,) = ax.plot(alphas, mean, **line)
        self.chosen_line_ = None if self.alpha is None else ax.axvline(self.alpha, **mark)
        positive = alphas[alphas > 0]
        if len(positive) == len(alphas):
            ax.set_xscale("log")
        elif len(positive):  # 0 belongs to the path, and has no logarithm
            ax.set_xscale("symlog", linthresh=positive[0])
        ax.set(xlabel=r"regularization strength $\alpha$", ylabel="score")
        ax.legend(fontsize="small")
        return keep(self, [ax])

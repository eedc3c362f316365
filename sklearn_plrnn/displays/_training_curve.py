"""`TrainingCurveDisplay`: the loss over epochs."""

import numpy as np

from ._observed import check_has
from ._style import DATA, MODEL, axes_for, keep, style


class TrainingCurveDisplay:
    """Training loss, and held-out loss if there is one, over epochs or iterations.

    Made by `from_estimator`. Where "gauss-newton" has held data out it only knows their loss.

    Parameters
    ----------
    loss_curve : array-like of shape (n_iter,) or None
        Training loss of each epoch.
    validation_curve : array-like of shape (n_iter,) or None, default=None
        Held-out loss after each.

    Attributes
    ----------
    training_line_ : matplotlib Line2D or None
        Training loss.
    validation_line_ : matplotlib Line2D or None
        Held-out loss.
    ax_ : matplotlib Axes
        Axes.
    figure_ : matplotlib Figure
        Their figure.

    Examples
    --------
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.datasets import make_van_der_pol
    >>> from sklearn_plrnn.displays import TrainingCurveDisplay
    >>> X = make_van_der_pol(500, random_state=0)
    >>> model = DSReconstructor(n_hidden=20, solver="adam", max_iter=4, random_state=0).fit(X)
    >>> TrainingCurveDisplay.from_estimator(model).training_line_.get_xdata().tolist()
    [1, 2, 3, 4]
    """

    def __init__(self, *, loss_curve, validation_curve=None):
        self.loss_curve = loss_curve
        self.validation_curve = validation_curve

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Show how the loss of a fitted estimator fell.

        Parameters
        ----------
        estimator : estimator
            A fitted one with ``loss_curve_``, and perhaps ``validation_curve_``.
        ax : matplotlib Axes or None, default=None
            Axes to draw into; None makes a figure.
        **kwargs : dict
            Further keywords of `plot`.

        Returns
        -------
        display : TrainingCurveDisplay
            Drawn.
        """
        check_has(estimator, "loss_curve_")
        training, held_out = estimator.loss_curve_, getattr(estimator, "validation_curve_", None)
        if held_out and held_out == training:  # recorded in both, and not the loss of training
            training = None
        return cls(loss_curve=training, validation_curve=held_out or None).plot(ax, **kwargs)

    def plot(self, ax=None, *, training_kwargs=None, validation_kwargs=None):
        """Draw the curves, on a logarithmic scale where no loss is zero or negative.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw into; None makes a figure.
        training_kwargs, validation_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        self : TrainingCurveDisplay
            With the artists as attributes.
        """
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        (ax,) = axes_for(ax, 1)
        training = style(Line2D, {"color": DATA, "label": "training"}, training_kwargs)
        held_out = {"color": MODEL, "label": "held out", "linestyle": "--"}
        held_out = style(Line2D, held_out, validation_kwargs)
        curves = [(self.loss_curve, training), (self.validation_curve, held_out)]
        lines = [
            None if curve is None else ax.plot(np.arange(1, len(curve) + 1), curve, **look)[0]
            for curve, look in curves
        ]
        self.training_line_, self.validation_line_ = lines
        values = np.concatenate([curve for curve, _ in curves if curve is not None])
        if len(values) and np.all(values > 0):
            ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel="epoch", ylabel="loss")
        ax.legend(fontsize="small")
        return keep(self, [ax])

"""`ForecastDisplay`: what came, what was foreseen, and how far off that may be."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_scalar

from ._observed import check_reconstruction, check_series, choose, default_names, names_of
from ._style import DATA, MODEL, axes_for, keep, legend_above, plain, style, time_label, view


class ForecastDisplay:
    """A forecast beside the past and, if it is known, what came.

    Made by `from_estimator` or `from_predictions`. The picture ends half the range of what was
    measured above and below it, even if an interval does not.

    Parameters
    ----------
    y_pred : ndarray of shape (n_timesteps, n_variables)
        The forecast.
    y_true : ndarray of shape (n_true, n_variables) or None, default=None
        What came, from the first step of the forecast on.
    y_past : ndarray of shape (n_past, n_variables) or None, default=None
        Rows before the forecast.
    lower, upper : ndarray of shape (n_timesteps, n_variables) or None, default=None
        Interval around the forecast.
    coverage : float or None, default=None
        Share of measurements that the interval is to hold.
    feature_names : list of str or None, default=None
        Names of variables; None is x0, x1, ...
    dt : float, default=1.0
        Time that a step takes.

    Attributes
    ----------
    prediction_lines_ : list of matplotlib Line2D
        Forecasts, one for each variable shown.
    true_lines_ : list of matplotlib Line2D
        Past and what came.
    bands_ : list of matplotlib artist
        Intervals.
    ax_ : matplotlib Axes, or ndarray of Axes
        One for each variable.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    DSReconstructor.forecast : Where forecasts and intervals come from.

    Examples
    --------
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.datasets import make_van_der_pol
    >>> from sklearn_plrnn.displays import ForecastDisplay
    >>> X = make_van_der_pol(700, noise=0.1, random_state=0)
    >>> model = DSReconstructor(n_hidden=20, max_iter=5, random_state=0).fit(X[:500])
    >>> display = ForecastDisplay.from_estimator(
    ...     model, X[:500], n_timesteps=200, y_true=X[500:], dt=0.05, random_state=0
    ... )
    >>> len(display.ax_)
    2
    """

    def __init__(
        self,
        *,
        y_pred,
        y_true=None,
        y_past=None,
        lower=None,
        upper=None,
        coverage=None,
        feature_names=None,
        dt=1.0,
    ):
        self.y_pred = y_pred
        self.y_true = y_true
        self.y_past = y_past
        self.lower = lower
        self.upper = upper
        self.coverage = coverage
        self.feature_names = feature_names
        self.dt = dt

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        n_timesteps=100,
        y_true=None,
        inputs=None,
        coverage=0.9,
        n_past=None,
        n_samples=200,
        random_state=None,
        dt=1.0,
        ax=None,
        **kwargs,
    ):
        """Continue a series by the forecast of a fitted reconstruction.

        Parameters
        ----------
        estimator : DSReconstructor
            A fitted estimator.
        X : array-like of shape (n_rows, n_features)
            Series to continue.
        n_timesteps : int, default=100
            Steps to forecast.
        y_true : array-like of shape (n_true, n_outputs) or None, default=None
            What came after X.
        inputs : array-like of shape (n_timesteps, n_inputs) or None, default=None
            Future values of the `input_features`; needed if there are any.
        coverage : float, default=0.9
            Share of measurements that the interval between two quantiles is to hold.
        n_past : int or None, default=None
            Rows of X to show; None is as many as steps are forecast.
        n_samples : int, default=200
            Number of runs from which quantiles are found.
        random_state : int, RandomState instance or None, default=None
            Seed of these runs.
        dt : float, default=1.0
            Time that a step takes.
        ax : matplotlib Axes, sequence of Axes or None, default=None
            Axes to draw into, one for each variable; None makes a figure.
        **kwargs : dict
            Further keywords of `plot`.

        Returns
        -------
        display : ForecastDisplay
            Drawn.
        """
        check_reconstruction(estimator)
        check_scalar(coverage, "coverage", Real, min_val=0, max_val=1, include_boundaries="neither")
        n_past = n_timesteps if n_past is None else n_past
        check_scalar(n_past, "n_past", Integral, min_val=1)
        y_pred, (lower, upper) = estimator.forecast(
            n_timesteps,
            X,
            inputs=inputs,
            quantiles=[(1 - coverage) / 2, (1 + coverage) / 2],
            n_samples=n_samples,
            random_state=random_state,
        )
        past = estimator.split_inputs(X)[0][-n_past:]
        return cls.from_predictions(
            y_true,
            y_pred,
            lower=lower,
            upper=upper,
            coverage=coverage,
            y_past=past,
            feature_names=names_of(estimator),
            dt=dt,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_pred,
        *,
        lower=None,
        upper=None,
        coverage=None,
        y_past=None,
        feature_names=None,
        dt=1.0,
        ax=None,
        **kwargs,
    ):
        """Show a forecast, or predictions of any model.

        Parameters
        ----------
        y_true : array-like of shape (n_true, n_variables) or None
            What came, from the first step of the forecast on.
        y_pred : array-like of shape (n_timesteps, n_variables) or (n_timesteps,)
            The forecast.
        lower, upper : array-like of the shape of `y_pred` or None, default=None
            Interval around it.
        coverage : float or None, default=None
            Share of measurements that the interval is to hold, for the legend.
        y_past : array-like of shape (n_past, n_variables) or None, default=None
            Rows before the forecast.
        feature_names : list of str or None, default=None
            Names of variables; None is x0, x1, ...
        dt : float, default=1.0
            Time that a step takes.
        ax : matplotlib Axes, sequence of Axes or None, default=None
            Axes to draw into, one for each variable; None makes a figure.
        **kwargs : dict
            Further keywords of `plot`.

        Returns
        -------
        display : ForecastDisplay
            Drawn.

        Raises
        ------
        ValueError
            If shapes do not fit, or only one end of the interval is given.
        """
        y_pred = check_series(y_pred, "y_pred")
        if (lower is None) != (upper is None):
            raise ValueError("lower and upper are the two ends of an interval: give both or none.")
        others = {"y_true": y_true, "y_past": y_past, "lower": lower, "upper": upper}
        for name, x in others.items():
            others[name] = None if x is None else check_series(x, name, y_pred.shape[1])
            if name in ("lower", "upper") and x is not None and len(x) != len(y_pred):
                raise ValueError(f"{name} has {len(x)} rows, but y_pred has {len(y_pred)}.")
        labels = {"coverage": coverage, "feature_names": feature_names, "dt": dt}
        return cls(y_pred=y_pred, **others, **labels).plot(ax, **kwargs)

    def plot(
        self, ax=None, *, features=None, prediction_kwargs=None, true_kwargs=None, band_kwargs=None
    ):
        """Draw each variable into axes of its own.

        Parameters
        ----------
        ax : matplotlib Axes, sequence of Axes or None, default=None
            Axes to draw into, one for each variable shown; None makes a figure.
        features : int, str, list of these, or None, default=None
            Variables to show, by index or name; None is all of them.
        prediction_kwargs, true_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.plot`.
        band_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.fill_between`.

        Returns
        -------
        self : ForecastDisplay
            With the artists as attributes.
        """
        from matplotlib.collections import PolyCollection
        from matplotlib.lines import Line2D

        names = self.feature_names or default_names(self.y_pred.shape[1])
        chosen = choose(features, list(names))
        axes = axes_for(ax, len(chosen))
        line = style(Line2D, {"color": MODEL, "label": "forecast"}, prediction_kwargs)
        true = style(Line2D, {"color": DATA, "label": "measured", "zorder": 1.5}, true_kwargs)
        share = "interval" if self.coverage is None else f"{100 * self.coverage:g} % interval"
        band = {"facecolor": MODEL, "alpha": 0.3, "linewidth": 0, "label": share}
        band = style(PolyCollection, band, band_kwargs)
        ahead = self.dt * np.arange(1, len(self.y_pred) + 1)
        time, measured = self._measured()
        low, high = view(self.y_pred if measured is None else measured)
        self.prediction_lines_, self.true_lines_, self.bands_ = [], [], []
        for axis, i in zip(axes, chosen, strict=True):
            if measured is not None:
                self.true_lines_ += axis.plot(time, measured[:, i], **true)
            if self.lower is not None:
                ends = self.lower[:, i], self.upper[:, i]
                self.bands_.append(axis.fill_between(ahead, *ends, **band))
            self.prediction_lines_ += axis.plot(ahead, self.y_pred[:, i], **line)
            axis.set_ylabel(plain(names[i]))
            bottom, top = axis.get_ylim()
            axis.set_ylim(np.fmax(bottom, low[i]), np.fmin(top, high[i]))
        axes[-1].set_xlabel(f"{time_label(self.dt)} ahead")
        legend_above(axes[0])
        return keep(self, axes)

    def _measured(self):
        """Times and rows of past and future, together."""
        past = self.y_pred[:0] if self.y_past is None else self.y_past
        future = self.y_pred[:0] if self.y_true is None else self.y_true
        if not len(past) + len(future):
            return None, None
        return self.dt * np.arange(1 - len(past), len(future) + 1), np.concatenate([past, future])

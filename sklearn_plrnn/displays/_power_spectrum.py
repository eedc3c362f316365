"""`PowerSpectrumDisplay`: what the power spectrum distance compares."""

import numpy as np

from ..metrics._spectrum import smoothed_spectra
from ._observed import choose, default_names, names_of, single_run
from ._style import DATA, MODEL, axes_for, keep, legend_above, plain, style

SHOWN = 0.999  # of the power of what was measured


class PowerSpectrumDisplay:
    """Smoothed power spectra of a free run and of what was measured.

    Made by `from_estimator` or `from_predictions`. A variable that is constant, or not finite, has
    no spectrum and is not drawn; what it is compared with is.

    Parameters
    ----------
    frequencies : ndarray of shape (n_frequencies,)
        In cycles for each unit of time.
    observed, simulated : ndarray of shape (n_frequencies, n_variables)
        Shares of power, NaN where there is no spectrum.
    feature_names : list of str or None, default=None
        Names of variables; None is x0, x1, ...
    dt : float, default=1.0
        Time that a step takes.

    Attributes
    ----------
    observed_lines_, simulated_lines_ : list of matplotlib Line2D
        Spectra, one for each variable shown.
    ax_ : matplotlib Axes, or ndarray of Axes
        One for each variable.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    sklearn_plrnn.metrics.power_spectrum_distance : How far apart they are.

    Examples
    --------
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.datasets import make_van_der_pol
    >>> from sklearn_plrnn.displays import PowerSpectrumDisplay
    >>> X = make_van_der_pol(1000, random_state=0)
    >>> model = DSReconstructor(n_hidden=20, max_iter=5, random_state=1).fit(X)
    >>> display = PowerSpectrumDisplay.from_estimator(model, X, dt=0.05)
    >>> bool(abs(display.observed.sum(axis=0) - 1).max() < 1e-9)
    True
    """

    def __init__(self, *, frequencies, observed, simulated, feature_names=None, dt=1.0):
        self.frequencies = frequencies
        self.observed = observed
        self.simulated = simulated
        self.feature_names = feature_names
        self.dt = dt

    @classmethod
    def from_estimator(cls, estimator, X, *, sigma=20.0, dt=1.0, ax=None, **kwargs):
        """Compare a free run of a fitted reconstruction with a measured trajectory.

        Parameters
        ----------
        estimator : DSReconstructor
            A fitted estimator.
        X : array-like of shape (n_timesteps, n_features)
            One trajectory; the free run starts at its first row and has its length, after a
            transient of a quarter of that if there are no inputs.
        sigma : float, default=20.0
            Standard deviation of the smoothing, in frequency bins; 0 for none.
        dt : float, default=1.0
            Time that a step takes.
        ax : matplotlib Axes, sequence of Axes or None, default=None
            Axes to draw into, one for each variable; None makes a figure.
        **kwargs : dict
            Further keywords of `plot`.

        Returns
        -------
        display : PowerSpectrumDisplay
            Drawn.
        """
        run = single_run(estimator, X)
        options = {"sigma": sigma, "dt": dt, "feature_names": names_of(estimator), "ax": ax}
        return cls.from_predictions(*run, **options, **kwargs)

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, *, sigma=20.0, feature_names=None, dt=1.0, ax=None, **kwargs
    ):
        """Compare the spectra of two series of the same length.

        Parameters
        ----------
        y_true : array-like of shape (n_timesteps, n_variables)
            What was measured; NaN is interpolated linearly.
        y_pred : array-like of shape (n_timesteps, n_variables)
            A free run.
        sigma : float, default=20.0
            Standard deviation of the smoothing, in frequency bins; 0 for none.
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
        display : PowerSpectrumDisplay
            Drawn.
        """
        spectra = np.stack(smoothed_spectra(y_true, y_pred, sigma), axis=-1)
        return cls(
            frequencies=np.fft.rfftfreq(len(y_true), dt),
            observed=spectra[0],
            simulated=spectra[1],
            feature_names=feature_names,
            dt=dt,
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, features=None, simulated_kwargs=None, observed_kwargs=None):
        """Draw each variable into axes of its own, as far as there is power to speak of.

        Parameters
        ----------
        ax : matplotlib Axes, sequence of Axes or None, default=None
            Axes to draw into, one for each variable shown; None makes a figure.
        features : int, str, list of these, or None, default=None
            Variables to show, by index or name; None is all of them.
        simulated_kwargs, observed_kwargs : dict or None, default=None
            Keywords of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        self : PowerSpectrumDisplay
            With the artists as attributes.
        """
        from matplotlib.lines import Line2D

        names = list(self.feature_names or default_names(self.observed.shape[1]))
        chosen = choose(features, names)
        axes = axes_for(ax, len(chosen))
        observed = style(Line2D, {"color": DATA, "label": "measured"}, observed_kwargs)
        free = {"color": MODEL, "label": "free run", "linestyle": "--"}
        free = style(Line2D, free, simulated_kwargs)
        self.observed_lines_, self.simulated_lines_ = [], []
        for axis, i in zip(axes, chosen, strict=True):
            self.observed_lines_ += axis.plot(self.frequencies, self.observed[:, i], **observed)
            self.simulated_lines_ += axis.plot(self.frequencies, self.simulated[:, i], **free)
            axis.set(yscale="log")
            axis.set_ylabel(plain(names[i]))
        end = self._end(chosen)
        shown = self.observed[: end + 1, chosen]
        if np.nanmax(shown, initial=0) > 0:
            limits = np.nanmin(shown) / 3, np.nanmax(shown) * 3
            for axis in axes:
                axis.set(ylim=limits, xlim=(0, self.frequencies[end]))
        axes[-1].set_xlabel(f"frequency (1 / {'step' if self.dt == 1 else 'time'})")
        legend_above(axes[0])
        return keep(self, axes)

    def _end(self, chosen):
        """Index of the frequency below which nearly all that was measured has its power."""
        beyond = np.cumsum(np.nan_to_num(self.observed[:, chosen]), axis=0) < SHOWN
        return min(int(beyond.sum(axis=0).max()) + 1, len(self.frequencies) - 1)

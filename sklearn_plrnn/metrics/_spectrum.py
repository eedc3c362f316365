"""D_H: how alike the power spectra of two series are.

Spectra are smoothed and normalized to a distribution over frequencies, variable by variable.
Frequencies closer than a few times ``sigma / n_timesteps`` are not told apart, so that a longer
series asks more.
"""

from numbers import Real

import numpy as np
from scipy.ndimage import gaussian_filter1d
from sklearn.utils._param_validation import Interval, validate_params

from ._divergence import check_pair

CONSTRAINTS = {
    "X": ["array-like"],
    "Y": ["array-like"],
    "sigma": [Interval(Real, 0, None, closed="left")],
}


@validate_params(CONSTRAINTS, prefer_skip_nested_validation=True)
def power_spectrum_distance(X, Y, *, sigma=20.0):
    r"""Hellinger distance D_H of smoothed power spectra, averaged over variables.

    .. math::

        D_H = \frac{1}{\sqrt 2} \left\| \sqrt p - \sqrt q \right\|_2

    with p and q the spectra of the standardized series, smoothed by a Gaussian of `sigma`
    frequencies and normalized to sum 1 [1]_.

    Parameters
    ----------
    X : array-like of shape (n_timesteps, n_variables)
        Reference; NaN (missing observations) is interpolated linearly in time.
    Y : array-like of shape (n_timesteps, n_variables)
        Simulation of the same length; may hold inf and NaN.
    sigma : float, default=20.0
        Standard deviation of the smoothing, in frequency bins; 0 for none.

    Returns
    -------
    distance : float
        Between 0 (equal) and 1 (nothing in common; also for a diverged or constant variable).

    Raises
    ------
    ValueError
        If X or Y is not 2-D, X holds inf, or their shapes differ.

    References
    ----------
    .. [1] J. M. Mikhaeil, Z. Monfared, D. Durstewitz, "On the difficulty of learning chaotic
       dynamics with RNNs", NeurIPS 2022, arXiv:2110.07238, appendix.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_plrnn.metrics import power_spectrum_distance
    >>> t = np.arange(2000)[:, None]
    >>> slow, fast = np.sin(0.1 * t), np.sin(0.9 * t)
    >>> power_spectrum_distance(slow, 3 * slow + 1) < 1e-6
    True
    >>> power_spectrum_distance(slow, fast) > 0.9
    True
    """
    distances = [_hellinger(p, q) for p, q in smoothed_spectra(X, Y, sigma)]
    return float(np.mean(np.nan_to_num(distances, nan=1.0)))


@validate_params(CONSTRAINTS, prefer_skip_nested_validation=True)
def power_spectrum_correlation(X, Y, *, sigma=20.0):
    """Pearson correlation of smoothed power spectra, averaged over variables.

    Parameters
    ----------
    X : array-like of shape (n_timesteps, n_variables)
        Reference; NaN (missing observations) is interpolated linearly in time.
    Y : array-like of shape (n_timesteps, n_variables)
        Simulation of the same length; may hold inf and NaN.
    sigma : float, default=20.0
        Standard deviation of the smoothing, in frequency bins; 0 for none.

    Returns
    -------
    correlation : float
        At most 1; a diverged or constant variable counts as 0.

    Raises
    ------
    ValueError
        If X or Y is not 2-D, X holds inf, or their shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_plrnn.metrics import power_spectrum_correlation
    >>> t = np.arange(2000)[:, None]
    >>> round(power_spectrum_correlation(np.sin(0.1 * t), np.cos(0.1 * t)), 2)
    1.0
    """
    return float(np.mean([_correlation(p, q) for p, q in smoothed_spectra(X, Y, sigma)]))


def smoothed_spectra(X, Y, sigma):
    """Normalized smoothed spectra of each variable; NaN where a series has no spectrum."""
    X, Y = check_pair(X, Y)
    if len(X) != len(Y):
        raise ValueError(
            f"X and Y must have the same number of time steps, got {len(X)} and {len(Y)}: spectra "
            "are compared frequency by frequency."
        )
    X = np.stack([_interpolated(column) for column in X.T], axis=1)
    return [tuple(_spectrum(x, sigma) for x in columns) for columns in zip(X.T, Y.T, strict=True)]


def _interpolated(x):
    missing = np.isnan(x)
    if missing.all() or not missing.any():
        return x
    steps = np.arange(len(x))
    return np.interp(steps, steps[~missing], x[~missing])


def _spectrum(x, sigma):
    nothing = np.full(len(x) // 2 + 1, np.nan)
    if not np.isfinite(x).all():
        return nothing
    x = x / (np.abs(x).max() or 1.0)  # squares of huge values would overflow
    deviation = x - x.mean()
    scale = deviation.std()
    if scale <= 1e-12 * np.abs(x).max():
        return nothing
    power = np.abs(np.fft.rfft(deviation / scale)) ** 2
    power = gaussian_filter1d(power, sigma, mode="reflect") if sigma else power
    return power / power.sum()


def _hellinger(p, q):
    return np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / np.sqrt(2)


def _correlation(p, q):
    p, q = p - p.mean(), q - q.mean()
    size = np.linalg.norm(p) * np.linalg.norm(q)
    return p @ q / size if size > 0 else 0.0

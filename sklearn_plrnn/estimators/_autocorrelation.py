"""Numbers of steps that the autocorrelation of a series suggests: between delays, of a period."""

import numpy as np
import scipy.fft

CORRELATED = 0.8  # of their variance: rows that repeat each other; much further apart is torn
AS_WELL = 0.95  # of the best return
MAX_PERIOD = 500


def choose_lag(rows, lengths):
    """Steps after which the autocorrelation of standardized rows, their mean, is below 0.8.

    At most an eighth of the longest trajectory, so that its delays leave it most of its rows.
    """
    most = max(int(np.max(lengths)) // 8, 1)
    correlation = autocorrelation(rows, lengths, most)
    below = np.flatnonzero(correlation < CORRELATED * correlation[0])
    return int(below[0]) if len(below) else most


def find_period(rows, lengths, noise):
    """Steps after which standardized rows are correlated again, by 0.8 and more; 0 if never.

    The first such return, after they were not, that is about as good as the best. `noise` (N,) are
    standard deviations of what cannot come back. At most 500 steps, and half of the longest
    trajectory.
    """
    n_lags = min(MAX_PERIOD, int(np.max(lengths)) // 2) + 2
    correlation = autocorrelation(rows, lengths, n_lags)
    threshold = CORRELATED * (correlation[0] - np.mean(noise**2))
    has_left = np.maximum.accumulate(correlation < threshold)[1:-1]
    here, before, after = correlation[1:-1], correlation[:-2], correlation[2:]
    comes_back = has_left & (here >= threshold) & (here > before) & (here >= after)
    if not comes_back.any():
        return 0
    return 1 + int(np.argmax(comes_back & (here >= AS_WELL * here[comes_back].max())))


def autocorrelation(rows, lengths, n_lags):
    """Mean product of rows (R, N), standardized, that are 0 to `n_lags` - 1 steps apart.

    A mean over variables; NaN is left out, and what no trajectory reaches is zero.
    """
    known = ~np.isnan(rows)
    series = np.where(known, rows, 0).astype(float), known.astype(float)
    sums, ends = np.zeros((2, n_lags, rows.shape[1])), np.cumsum(lengths)
    for begin, end in zip(ends - lengths, ends, strict=True):
        n = scipy.fft.next_fast_len(int(end - begin) + n_lags, real=True)
        for total, x in zip(sums, series, strict=True):
            power = np.abs(scipy.fft.rfft(x[begin:end], n, axis=0)) ** 2
            total += scipy.fft.irfft(power, n, axis=0)[:n_lags]
    products, counts = sums
    return np.mean(products / np.maximum(np.rint(counts), 1), axis=1)

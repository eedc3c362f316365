"""Delay coordinates: a row beside earlier ones, for systems of which too little is observed.

Where a row does not determine the state, rows at several times do, if there are enough of them
(Takens 1981). What would be before the first row of a trajectory is missing.
"""

import numpy as np

CORRELATED = 0.8  # rows less apart repeat each other, much further apart they tear the orbit


def embed(rows, lengths, n_delays, lag):
    """Rows (R, n_delays N): x_t, x_{t - lag}, ... of trajectories one after another, NaN before."""
    embedded = np.full((len(rows), n_delays * rows.shape[1]), np.nan, rows.dtype)
    N, begin = rows.shape[1], 0
    for n in lengths:
        for k in range(min(n_delays, -(-int(n) // lag))):
            earlier = rows[begin : begin + n - k * lag]
            embedded[begin + k * lag : begin + n, k * N : (k + 1) * N] = earlier
        begin += n
    return embedded


def choose_lag(rows, lengths):
    """Steps after which the autocorrelation of standardized rows, their mean, is below 0.8.

    At most an eighth of the longest trajectory, so that its delays leave it most of its rows.
    """
    known = ~np.isnan(rows)
    x, longest = np.where(known, rows, 0), int(np.max(lengths))
    begins = np.cumsum(lengths) - lengths

    def correlation(lag):
        now = np.concatenate(
            [np.arange(b, b + n - lag) for b, n in zip(begins, lengths, strict=True) if n > lag]
        )
        counts = (known[now] & known[now + lag]).sum(axis=0)
        return np.mean((x[now] * x[now + lag]).sum(axis=0) / np.maximum(counts, 1))

    variance = correlation(0)
    for lag in range(1, max(longest // 8, 1)):
        if correlation(lag) < CORRELATED * variance:
            return lag
    return max(longest // 8, 1)

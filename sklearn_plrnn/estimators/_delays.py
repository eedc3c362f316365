"""Delay coordinates: a row beside earlier ones, for systems of which too little is observed.

Where a row does not determine the state, rows at several times do, if there are enough of them
(Takens 1981). What would be before the first row of a trajectory is missing.
"""

import numpy as np


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

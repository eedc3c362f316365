"""Analogues: rows of a series that are alike, and how what comes after them differs (Lorenz 1969).

Where rows hold the state, alike ones are followed by alike ones, but for noise and for what the
dynamics make of a difference. To see this takes no model, nor that a series is smooth in time, as
that of a map is not.
"""

from typing import NamedTuple

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ._autocorrelation import choose_lag

N_ROWS = 2000  # for which an analogue is looked for, at most
N_AMONG = 10_000  # rows, at most, among which
MIN_PAIRS = 100  # of fewer nothing is concluded
MAX_LAG = 100  # steps between rows that are alike only because one soon follows the other
APART = 0.5  # of the way from what differs after one step to what any two rows differ by
TOO_NOISY = 0.75  # of that, where it differs after one step, to tell what comes of it


class Analogues(NamedTuple):
    """Pairs of alike rows, by index, with so many steps after them as were asked for."""

    rows: np.ndarray  # (R, N)
    here: np.ndarray  # (n,)
    there: np.ndarray  # (n,)

    @classmethod
    def of(cls, segments, n_steps):
        """Analogues in standardized segments (R_i, N), NaN where nothing was measured."""
        rows, lengths = np.concatenate(segments).astype(float), [len(x) for x in segments]
        left = np.concatenate([np.arange(n)[::-1] for n in lengths])
        usable = np.flatnonzero((left >= n_steps) & ~np.isnan(rows).any(axis=1))
        step = max(1, -(-len(usable) // N_AMONG))
        among = usable[::step]
        here = among[:: max(1, -(-len(among) // N_ROWS))]
        if len(here) < MIN_PAIRS:
            return cls(rows, here[:0], here[:0])
        lag = min(choose_lag(rows, lengths), MAX_LAG)
        n_nearest = min(2 * (lag // step) + 2, len(among))  # one is further away in time than that
        nearest = NearestNeighbors(n_neighbors=n_nearest).fit(rows[among])
        there = among[nearest.kneighbors(rows[here], return_distance=False)]
        is_apart = np.abs(there - here[:, None]) > lag
        there = there[np.arange(len(here)), is_apart.argmax(axis=1)]
        found = is_apart.any(axis=1)
        return cls(rows, here[found], there[found])

    def differences(self, n_steps):
        """Half the mean squared difference (N,) so many steps later, NaN where pairs are too few.

        Of rows that have nothing to do with each other, the variance.
        """
        squares = (self.rows[self.here + n_steps] - self.rows[self.there + n_steps]) ** 2
        n_known = (~np.isnan(squares)).sum(axis=0)
        mean = np.nansum(squares, axis=0) / np.maximum(n_known, 1)
        return np.where(n_known >= MIN_PAIRS, mean / 2, np.nan)


def unpredicted(segments):
    """Variance (N,) of what rows of standardized segments do not tell of the next; NaN if unknown.

    At least that of white observation noise, for no row tells the next one's.
    """
    return Analogues.of(segments, 1).differences(1)


def steps_together(segments, most):
    """Steps, at most so many, after which analogues in standardized segments are apart.

    Where it cannot be told, at most so many.
    """
    analogues = Analogues.of(segments, most)
    apart = np.array([analogues.differences(n) for n in range(1, most + 1)])
    known = ~np.isnan(apart).any(axis=0)
    if not known.any():
        return most
    apart = apart[:, known].mean(axis=1)
    far = np.nanvar(analogues.rows[:, known], axis=0).mean()
    if apart[0] > TOO_NOISY * far:
        return most
    is_apart = apart >= apart[0] + APART * (far - apart[0])
    return 1 + int(is_apart.argmax()) if is_apart.any() else most

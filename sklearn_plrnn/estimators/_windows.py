"""How long training windows are, where nobody has said so."""

import numpy as np

from ._autocorrelation import find_period

FORCED = {"observed": 50, "unobserved": 100}  # steps; what is not forced remembers more
FREE = 10, 100  # steps of windows that run freely, but of a period more
PER_NOISE = 1000  # by how many they grow with the noise, in standard deviations of X
FIRST = 5  # steps, at least, of those from a start that may be poor


def forced_steps(is_observed):
    """Steps of windows that forcing holds to the data."""
    return FORCED["observed" if is_observed else "unobserved"]


def free_steps(series, noise):
    """Steps of windows that run freely over a standardized series with noise (N,), ever more.

    The noisier rows are, the more of them it takes to tell where a window started. What is wrong
    with the length of a period hides in the noise of a part of it: to be followed last.
    """
    by_noise = int(np.clip(PER_NOISE * noise.max(), *FREE))
    period = find_period(series.observed, series.lengths, noise)
    return [by_noise] if period <= by_noise else [by_noise, period]


def shorter_first(steps):
    """Lengths of windows of which each is about half the next, the last being `steps`."""
    lengths = [steps]
    while lengths[0] >= 2 * FIRST:
        lengths.insert(0, lengths[0] // 2)
    return lengths

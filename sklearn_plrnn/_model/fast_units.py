"""Random units that show what is in the inputs: each by itself, or as a reservoir with memory.

They are drawn for a series and its `bounding_box`, which takes a pass through the data.
"""

from typing import NamedTuple

import numpy as np

LONGEST = 50.0  # steps, time constants of a reservoir
COUPLING = 0.3  # of its units, in the mean square


class FastUnits(NamedTuple):
    """Units that features are made of, ``z_t = A z + W relu(z) + C s_t + h + clock c_t``."""

    A: np.ndarray  # (F,)
    W: np.ndarray  # (F, F)
    h: np.ndarray  # (F,)
    C: np.ndarray  # (F, K)
    clock: np.ndarray | None  # (F,), weights of a clock
    tick: float  # of the clock, which runs to 1 on average


def bounding_box(series):
    """Least and largest values (2, K) of standardized inputs."""
    ends = np.stack([x(series.inputs, axis=0) for x in (np.min, np.max)])
    return series.standardize(ends).astype(float)


def separate_units(series, box, n_units, rng):
    """Units that see the inputs and nothing else."""
    C, kinks = _weights_and_kinks(series, box, n_units, rng)
    zero = np.zeros((n_units, n_units))
    return FastUnits(zero[0], zero, -(C * kinks).sum(axis=1), C, None, _tick(series))


def reservoir(series, box, n_units, rng, has_clock=True):
    """Leaky units of many time constants, weakly coupled, that may also read a clock."""
    C, kinks = _weights_and_kinks(series, box, n_units, rng)
    A = np.exp(-1 / np.exp(rng.uniform(np.log(0.3), np.log(LONGEST), n_units)))
    W = rng.normal(0, COUPLING / np.sqrt(n_units), (n_units, n_units))
    np.fill_diagonal(W, 0)
    gain = 1 - A  # so that states are of the same size for all time constants
    h, clock = -(C * kinks).sum(axis=1), None
    if has_clock:
        clock = rng.normal(size=n_units)
        h -= clock * rng.random(n_units)
        clock = clock * gain
    return FastUnits(A, W * gain[:, None], h * gain, C * gain[:, None], clock, _tick(series))


def _weights_and_kinks(series, box, n_units, rng):
    """Input weights, and kinks half on data points and half within their bounding box."""
    points = series.gather(rng.integers(len(series.inputs), size=n_units)).astype(float)
    low, high = box
    span = np.where(high > low, high - low, 1.0)
    C = rng.normal(size=points.shape) / span
    boxed = rng.random(n_units) < 0.5
    points[boxed] = (low + rng.random(points.shape) * (high - low))[boxed]
    return C, points


def _tick(series):
    return 1 / float(series.lengths.mean())

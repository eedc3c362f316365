"""Checkpoints of a reconstruction, scored by how their free runs compare with the training data.

The training series is cut into segments; the model runs freely, all runs at once, from the first
row of each, or, where no input ties a run to its segment, from more rows: many models leave the
attractor for a fixed point after some 100 000 steps, which a few runs may overlook. Trajectories
much shorter than the longest, as those onto the attractor are, are left out. A short series
that has settled is compared with what comes after thousands of steps, for the same reason. Runs are
compared as they would have been measured, with the observation noise of the data added. Without
that, a clean attractor beside a noisy one misses most of the cells that noise fills. Parameters
with a run that leaves the range of the data are worse than any without.
"""

from itertools import cycle, islice
from math import comb
from typing import NamedTuple

import numpy as np

from .._model.objective import Objective
from .._model.simulation import simulate
from ..metrics import power_spectrum_distance, state_space_divergence

N_RUNS = 8
SEGMENT = 50_000  # rows; the longer, the finer the frequencies that can be told apart
COMPARABLE = 0.1  # of the longest trajectory's length; shorter ones hold no geometry, no spectrum
TRANSIENT = 0.25  # of a segment's length, run before it is compared
LASTING = 10_000  # steps that are run before, at least, where the series has settled
FAR = 10.0  # times the largest values of the data: where no run must get


class FreeRunScores(NamedTuple):
    """``scores(params)``: state-space divergence, power-spectrum distance; smaller is better."""

    objective: Objective
    segments: list  # of (rows, N), standardized, NaN where nothing was measured
    first: np.ndarray  # (B, N), from where runs start; run i is compared with segment i modulo n
    inputs: np.ndarray | None  # (T, B, K)
    noise: np.ndarray  # (N,), standard deviations
    skipped: int  # steps of a run before it is compared

    @classmethod
    def of(cls, objective, series):
        """Scores against the segments of a standardized series."""
        observed, trajectories = _observed(series)
        rows = _cut(trajectories)
        segments, inputs = [observed[r] for r in rows], None
        begins, lengths = [r.start for r in rows], [len(x) for x in segments]
        skipped = int(TRANSIENT * max(lengths))
        if objective.n_inputs:
            skipped = 0
            inputs = np.zeros((max(lengths), len(rows), objective.n_inputs), series.inputs.dtype)
            for i, r in enumerate(rows):
                inputs[: lengths[i], i] = series.inputs[r]
        elif len(trajectories) == 1:
            (only,) = trajectories
            begins = np.linspace(only.start, only.stop, N_RUNS, endpoint=False).astype(int)
            skipped = max(skipped, LASTING) if _has_settled(observed[only]) else skipped
        return cls(objective, segments, observed[begins], inputs, noise_level(segments), skipped)

    def __call__(self, params):
        references, runs = self._references(), self._runs(params)
        limits = FAR * np.max([np.nanmax(np.abs(x), axis=0, initial=0) for x in references], axis=0)
        if not all(np.all(np.abs(run) <= limits) for run in runs):
            return np.inf, np.inf
        pairs = zip(cycle(references), runs)
        distance = float(np.mean([power_spectrum_distance(*pair) for pair in pairs]))
        x = np.concatenate(references)
        if np.isnan(x).any(axis=1).all():  # no complete row: geometry cannot be compared
            return distance, distance
        return state_space_divergence(x, np.concatenate(runs)), distance

    def _references(self):
        return self.segments if self.inputs is None else [x[1:] for x in self.segments]

    def _runs(self, params):
        """Free runs, each as long as what it is compared with."""
        readout, lengths = self.objective.readout, [len(x) for x in self._references()]
        start = readout.start(params, np.nan_to_num(self.first), ~np.isnan(self.first))
        rows, _ = simulate(
            self.objective.cell.lower(params),
            params,
            lambda states: readout.output(params, states),
            start,
            max(lengths) + self.skipped,
            None if self.inputs is None else self.inputs[1:],
        )
        rows = rows + np.random.default_rng(0).normal(0, self.noise, rows.shape)
        lengths = islice(cycle(lengths), len(start))
        return [rows[self.skipped :][:n, i] for i, n in enumerate(lengths)]


def _has_settled(x):
    """Whether both halves of a standardized series have about the same mean and spread."""
    halves = np.array_split(x, 2)
    if any(np.isnan(half).all(axis=0).any() for half in halves):
        return False
    (a, b), (s, t) = ([f(half, axis=0) for half in halves] for f in (np.nanmean, np.nanstd))
    return bool(np.all(np.abs(a - b) < 1) and np.all((s < 2 * t) & (t < 2 * s)))


def noise_of(series):
    """Noise level (N,) of a standardized series."""
    observed, trajectories = _observed(series)
    return noise_level([observed[r] for r in _cut(trajectories)])


def _observed(series):
    """Rows with NaN where nothing was measured, and the slices of them to compare runs with."""
    observed = np.where(series.weights > 0, series.targets, np.nan)
    lengths = series.lengths
    begins = np.cumsum(lengths) - lengths
    longest = np.sort(np.argsort(-lengths, kind="stable")[:N_RUNS])
    longest = longest[lengths[longest] >= COMPARABLE * lengths.max()]
    return observed, [slice(begins[i], begins[i] + lengths[i]) for i in longest]


def noise_level(segments):
    """Standard deviation of white observation noise, from differences of the series.

    The k-th difference of white noise has variance ``binom(2k, k)`` times its own. Differences also
    hold what is left of the signal, so that every order overestimates; the smallest is taken.
    """
    levels = []
    for order in range(1, 6):
        squares = np.concatenate([np.diff(x, order, axis=0) for x in segments]) ** 2
        n_known = (~np.isnan(squares)).sum(axis=0)
        mean = np.nansum(squares, axis=0) / np.maximum(n_known, 1)
        levels.append(np.where(n_known > 0, mean / comb(2 * order, order), np.inf))
    lowest = np.min(levels, axis=0)
    return np.sqrt(np.where(np.isfinite(lowest), lowest, 0.0))


def _cut(trajectories):
    """Slices that are segments: pieces of the only trajectory, or the beginning of each."""
    n_segments = 1
    if len(trajectories) == 1:
        n_segments = int(np.clip(_length(trajectories[0]) // SEGMENT, 1, N_RUNS))
    segments = []
    for x in trajectories:
        step = _length(x) // n_segments
        begins = x.start + step * np.arange(n_segments)
        segments += [slice(b, b + min(step, SEGMENT)) for b in begins]
    return segments


def _length(rows):
    return rows.stop - rows.start

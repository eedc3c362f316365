"""Checkpoints of a reconstruction, scored by how their free runs compare with the training data.

The training series is cut into segments; the model runs freely, all runs at once, from the first
row of each, or, where no input ties a run to its segment, from other and more rows: many models
leave the attractor for a fixed point after some 100 000 steps, which a few runs may overlook.
Trajectories much shorter than the longest, as those onto the attractor are, are left out. A short
series that has settled is compared with what comes after thousands of steps, for the same reason,
and runs from many more rows are asked whether they are caught by a fixed point or a small circle;
those of the parameters that are to be kept, for as long as the data. Runs are compared as they
would have been measured, with the observation noise of the data added. Without that, a clean
attractor beside a noisy one misses most of the cells that noise fills. Parameters with a run that
leaves the range of the data are worse than any without.
"""

from functools import partial
from itertools import cycle, islice
from math import comb
from typing import NamedTuple

import numpy as np

from .._model.objective import Objective
from .._model.simulation import simulate
from .._training.run import AS_GOOD
from ..metrics import power_spectrum_distance, state_space_divergence
from ._analogues import unpredicted
from ._spurious import (
    beside_repelling_points,
    points_among,
    without_attractors,
    without_circles,
)

N_SEGMENTS = 8  # at most
N_RUNS = 4, 32  # where no inputs tie them to segments, and as many as segments at least
STEPS = 300_000  # of all runs together, within these numbers of runs
SEGMENT = 50_000  # rows; the longer, the finer the frequencies that can be told apart
COMPARABLE = 0.1  # of the longest trajectory's length; shorter ones hold no geometry, no spectrum
TRANSIENT = 0.25  # of a segment's length, run before it is compared
LASTING = 10_000  # steps that are run before, at least, where the series has settled
N_SEARCHED = 1000  # rows from which fixed points are searched
N_TRIED, TRIED = 64, 5000  # runs of which it is asked whether they are caught, and their steps
LATE = 2000  # of these, the steps that tell
MAX_TIMES = 10  # that runs of parameters to be kept are longer, up to the length of the data
CAUGHT = 0.5  # of the quietest spread in the data; smaller runs rest or turn in small circles
INSIDE = 0.05, 0.2  # of that spread, from a fixed point: where runs begin that may stay around it
GETTING_OUT = 1.02  # times the size so many steps earlier: a run that is not caught, only slow
STILL = 1e-3  # of the spread of all data, which the quietest one is at least
MAX_NUMBERS = 4_000_000  # of all these runs
FAR = 10.0  # times the largest values of the data: where no run must get


class FreeRunScores(NamedTuple):
    """``scores(params)``: state-space divergence, power-spectrum distance; smaller is better."""

    objective: Objective
    segments: list  # of (rows, N), standardized, NaN where nothing was measured
    first: np.ndarray  # (B, N), from where runs start; run i is compared with segment i modulo n
    inputs: np.ndarray | None  # (T, B, K)
    limits: np.ndarray  # (N,), sizes of observed variables that no run must get to
    noise: np.ndarray  # (N,), standard deviations
    skipped: int  # steps of a run before it is compared
    rows: np.ndarray  # (n, N), complete ones from all over the data
    quietest: np.ndarray | None  # (N,), spread of the late rows of a run that is not caught

    @classmethod
    def of(cls, objective, series):
        """Scores against the segments of a standardized series."""
        observed, trajectories = _observed(series)
        pieces = _cut(trajectories)
        segments, inputs = [observed[piece] for piece in pieces], None
        begins, lengths = [piece.start for piece in pieces], [len(x) for x in segments]
        skipped, quietest = int(TRANSIENT * max(lengths)), None
        if objective.n_inputs:
            skipped = 0
            inputs = np.zeros((max(lengths), len(pieces), objective.n_inputs), series.inputs.dtype)
            for i, piece in enumerate(pieces):
                inputs[: lengths[i], i] = series.inputs[piece]
        elif len(trajectories) == 1:
            (only,) = trajectories
            if _has_settled(observed[only]):
                skipped, quietest = max(skipped, LASTING), _quietest(observed[only])
            fewest, most = max(N_RUNS[0], len(pieces)), N_RUNS[1]
            n_runs = int(np.clip(STEPS // (max(lengths) + skipped), fewest, most))
            # Not from the first row: many series begin far from where they are later.
            middles = (np.arange(n_runs) + 0.5) * _length(only) / n_runs
            begins = only.start + middles.astype(int)
        rows = np.concatenate([_spread_out(x, N_SEARCHED) for x in segments])
        rows = _spread_out(rows[~np.isnan(rows).any(axis=1)].astype(float), N_SEARCHED)
        quietest = quietest if len(rows) else None
        largest = [np.nanmax(np.abs(x), axis=0, initial=0) for x in segments]
        limits, noise = FAR * np.max(largest, axis=0), noise_level(segments)
        data = segments, observed[begins], inputs, limits, noise
        return cls(objective, *data, skipped, rows, quietest)

    def __call__(self, params):
        references, runs = self._references(), self._runs(params)
        if not all(np.all(np.abs(run) <= self.limits) for run in runs):
            return np.inf, np.inf
        pairs = zip(cycle(references), runs)
        distances = [power_spectrum_distance(*pair) for pair in pairs]
        distance = float(np.mean(distances))
        if self.quietest is not None:
            # More runs, if shorter ones, tell better whether one as long as the data would be
            # caught, which makes a distance of 1; the median is that of runs that are not.
            n_tries = max(sum(map(len, references)), LASTING) / TRIED
            caught = 1 - (1 - self._share_caught(params)) ** n_tries
            sizes = np.array([self._sizes(run[-LATE:]) for run in runs])
            caught = max(caught, np.mean(sizes < CAUGHT))
            distance = float(caught + (1 - caught) * np.median(distances))
        x = np.concatenate(references)
        if np.isnan(x).any(axis=1).all():  # no complete row: geometry cannot be compared
            return distance, distance
        return state_space_divergence(x, np.concatenate(runs)), distance

    def amended(self, params, H, loss):
        """Parameters without what catches runs, None if there is nothing of that or no way.

        `H` and `loss` are Gauss-Newton matrix and value, see `without_attractors`.
        """
        if self.inputs is not None or len(self.rows) == 0:
            return None
        amended = without_attractors(self.objective, params, H, loss, self.rows)
        if self.quietest is None:
            return amended
        nearby = params if amended is None else amended
        released = without_circles(self.objective, nearby, H, loss, self._caught, self.quietest)
        return amended if released is None else released

    def prefers_amended(self, score, of_given):
        """Whether to keep amended parameters with `score`, beside that of those that were given.

        If these are to last, they are kept only if they are clearly better: what attracts will
        catch a run some day, even if it has caught none yet. How long a run that nothing attracts
        lingers beside points that hardly repel is chance, and scores with it.
        """
        as_good = AS_GOOD if self._times_longer > 1 else 1.0
        return bool(np.prod(score) <= as_good * np.prod(of_given))

    def lasts(self, params):
        """Whether no run is caught or diverges: of many as long as the data, and of those inside.

        Nor may a fixed point attract within the range of the data, where others may begin. True
        where nothing is known of that; of runs that the scores have asked for it is not asked.
        """
        if self.quietest is None:
            return True
        points = points_among(self.objective, params, self.rows)
        if len(self._caught_inside(params, points)) > 0:
            return False
        if self._times_longer < 2:
            return True
        if any(point.stable for point in points):
            return False
        return self._share_caught(params, self._times_longer) == 0

    @property
    def _times_longer(self):
        """How many times longer runs are of parameters that are to last, 0 if none are."""
        if self.quietest is None:
            return 0
        return min(sum(map(len, self.segments)) // TRIED, MAX_TIMES)

    def _share_caught(self, params, n_times=1):
        """Of many runs from all over the data, those that are caught or diverge."""
        _, is_near, sizes = self._many_runs(params, n_times)
        return float(np.mean(~is_near | (sizes < CAUGHT)))

    def _caught(self, params, margin):
        """Last states (n, M) of runs smaller than `margin` times `CAUGHT`; None if some diverge."""
        params = {name: x.astype(self.first.dtype) for name, x in params.items()}
        states, is_near, sizes = self._many_runs(params)
        if not is_near.all():
            return None
        points = points_among(self.objective, params, self.rows)
        inside = self._caught_inside(params, points, margin)
        return np.concatenate([states[sizes < margin * CAUGHT], inside])

    def _caught_inside(self, params, points, margin=1.0):
        """Last states of such runs from beside fixed `points`, where no data may be, that stay.

        Runs that get out, if slowly, are not caught.
        """
        beside = partial(beside_repelling_points, self.objective, params, points)
        start = np.concatenate([beside(share * self.quietest) for share in INSIDE])
        if len(start) == 0:
            return start
        with np.errstate(all="ignore"):
            rows, states = self._simulated(params, start.astype(self.first.dtype), TRIED)
            before, late = (self._sizes(x) for x in (rows[-2 * LATE : -LATE], rows[-LATE:]))
        return states[(late < margin * CAUGHT) & (late <= GETTING_OUT * before)]

    def _many_runs(self, params, n_times=1):
        """Of many runs last states (B, M), which stay within limits, and sizes (B,)."""
        n_runs = max(1, min(N_TRIED, MAX_NUMBERS // (TRIED * self.rows.shape[1])))
        rows = _spread_out(self.rows, n_runs).astype(self.first.dtype)
        start = self._start(params, rows)
        with np.errstate(all="ignore"):
            rows, states = self._simulated(params, start, TRIED, n_times)
            late = rows[-LATE:]
            late += np.random.default_rng(0).normal(0, self.noise, late.shape)
            is_near = (np.abs(late) <= self.limits).all(axis=(0, 2))
            return states, is_near, self._sizes(late)

    def _sizes(self, late):
        """Spreads of late rows (T, ..., N) beside the quietest ones in the data, each 1 at most.

        Runs that rest or turn in small circles have small ones.
        """
        return np.minimum(late.std(axis=0) / self.quietest, 1).mean(axis=-1)

    def _references(self):
        return self.segments if self.inputs is None else [x[1:] for x in self.segments]

    def _runs(self, params):
        """Free runs, each as long as what it is compared with."""
        lengths = [len(x) for x in self._references()]
        start = self._start(params, self.first)
        rows, _ = self._simulated(params, start, max(lengths) + self.skipped)
        rows = rows + np.random.default_rng(0).normal(0, self.noise, rows.shape)
        lengths = islice(cycle(lengths), len(self.first))
        return [rows[self.skipped :][:n, i] for i, n in enumerate(lengths)]

    def _start(self, params, rows):
        """States (B, M) that rows (B, N) suggest."""
        return self.objective.readout.start(params, np.nan_to_num(rows), ~np.isnan(rows))

    def _simulated(self, params, state, n_timesteps, n_times=1):
        """Observed variables (T, B, N) of runs from (B, M), of `n_times` as long the end.

        And the last states (B, M).
        """
        readout, f = self.objective.readout, self.objective.cell.lower(params)
        output = lambda states: readout.output(params, states)
        inputs = None if self.inputs is None else self.inputs[1:]
        for _ in range(n_times):
            rows, state = simulate(f, params, output, state, n_timesteps, inputs)
        return rows, state


def _spread_out(x, n_rows):
    """So many rows at most, from all over `x`.

    Where some are left out, the first is, which may be far from the others.
    """
    step = max(1, -(-len(x) // n_rows))
    return x[step // 2 :: step]


def _quietest(x):
    """Smallest spread (N,) of pieces of a series (T, N) as long as what is late of a run."""
    pieces = [x[i : i + LATE] for i in range(0, len(x) - LATE + 1, LATE)]
    measured = [piece for piece in pieces if np.isnan(piece).mean(axis=0).max() <= 0.5]
    spreads = [np.nanstd(piece, axis=0) for piece in measured or [x]]
    return np.maximum(np.min(spreads, axis=0), STILL * np.nanstd(x, axis=0))


def _has_settled(x):
    """Whether both halves of a standardized series have about the same mean and spread."""
    halves = np.array_split(x, 2)
    if any(np.isnan(half).all(axis=0).any() for half in halves):
        return False
    (a, b), (s, t) = ([f(half, axis=0) for half in halves] for f in (np.nanmean, np.nanstd))
    return bool(np.all(np.abs(a - b) < 1) and np.all((s < 2 * t) & (t < 2 * s)))


def between_halves(series):
    """How well one half of a settled series tells the other: product of the scores.

    What comes closer to a series than its own halves do to each other is as good as can be told.
    0 where there are several series, inputs, or gaps.
    """
    observed, trajectories = _observed(series)
    if len(trajectories) > 1 or series.inputs.shape[1]:
        return 0.0
    x = observed[trajectories[0]]
    x = x[np.argmin(np.isnan(x).any(axis=1)) :]  # first rows have no delays
    if np.isnan(x).any() or not _has_settled(x):
        return 0.0
    half = len(x) // 2
    first, second = x[:half], x[-half:]
    return state_space_divergence(first, second) * power_spectrum_distance(first, second)


def noise_of(series):
    """Noise level (N,) of a standardized series."""
    observed, trajectories = _observed(series)
    return noise_level([observed[r] for r in _cut(trajectories)])


def _observed(series):
    """Rows with NaN where nothing was measured, and the slices of them to compare runs with."""
    observed, lengths = series.observed, series.lengths
    begins = np.cumsum(lengths) - lengths
    longest = np.sort(np.argsort(-lengths, kind="stable")[:N_SEGMENTS])
    longest = longest[lengths[longest] >= COMPARABLE * lengths.max()]
    return observed, [slice(begins[i], begins[i] + lengths[i]) for i in longest]


def noise_level(segments):
    """Standard deviation of white observation noise, from differences of the series.

    The k-th difference of white noise has variance ``binom(2k, k)`` times its own. Differences also
    hold what is left of the signal, so that every order overestimates, and so does what alike rows
    are followed by; the smallest is taken.
    """
    levels = [np.nan_to_num(unpredicted(segments), nan=np.inf)]
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
        n_segments = int(np.clip(_length(trajectories[0]) // SEGMENT, 1, N_SEGMENTS))
    segments = []
    for x in trajectories:
        step = _length(x) // n_segments
        begins = x.start + step * np.arange(n_segments)
        segments += [slice(b, b + min(step, SEGMENT)) for b in begins]
    return segments


def _length(rows):
    return rows.stop - rows.start

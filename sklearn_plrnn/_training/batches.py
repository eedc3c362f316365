"""From series to minibatches.

A `Series` holds the rows of all sequences one after another; a window is a stretch of rows within
one sequence. Gathering windows by row index is the one place where data turn into (time, batch,
feature), and weights are where a step stops counting: past the end of a short sequence, before a
window is warm, away from the last step when there is one target per sequence.
"""

from typing import NamedTuple

import numpy as np

from .._model.objective import Batch

MIN_WINDOWS = 200  # of those that decide, as far as a series has so many rows
MAX_SEQUENCES = 10_000  # that decide: a look at all after each epoch takes a fourth of its time
MAX_ROWS = 2**20  # in a batch of default size: what bounds the memory of a gradient


class Series(NamedTuple):
    """Rows of n sequences one after another, of one dtype.

    `targets` and `weights` have R rows, or n: one target per sequence, due at its last step.
    Inputs are standardized as they are gathered where there is a `scaling`, else they are already.
    """

    inputs: np.ndarray  # (R, K)
    lengths: np.ndarray  # (n,)
    targets: np.ndarray  # (R or n, N)
    weights: np.ndarray  # (R or n, N or 1), zero where nothing was measured
    scaling: object = None  # ``scaling.apply(rows)`` standardizes
    begins: np.ndarray | None = None  # (n,) first rows; None: sequences follow one another
    smoothed: np.ndarray | None = None  # (R, N), targets for training to begin with

    @property
    def per_step(self):
        """Whether there is a target for every row."""
        return len(self.targets) == len(self.inputs)

    @property
    def n_measured(self):
        """Numbers that were measured."""
        return np.count_nonzero(self.weights)

    def sequences(self, first, last):
        """The sequences `first` to `last - 1` as a series."""
        ends = np.r_[0, np.cumsum(self.lengths)]
        rows = slice(ends[first], ends[last])
        due = rows if self.per_step else slice(first, last)
        lengths = self.lengths[first:last]
        parts = self.inputs[rows], lengths, self.targets[due], self.weights[due]
        return Series(*parts, self.scaling)

    def choose(self, sequences):
        """Some of the sequences, by index, as a series that shares the rows."""
        chosen = self._replace(lengths=self.lengths[sequences], begins=self.first[sequences])
        if self.per_step:
            return chosen
        return chosen._replace(targets=self.targets[sequences], weights=self.weights[sequences])

    @property
    def first(self):
        """First row of each sequence."""
        return np.cumsum(self.lengths) - self.lengths if self.begins is None else self.begins

    def totals(self, power=0):
        """Of each sequence, weights times a power of the targets, added up over all of them."""
        by_target = np.zeros(len(self.targets))
        for i in range(self.targets.shape[1]):
            weights = self.weights[:, i % self.weights.shape[1]]
            by_target += weights * self.targets[:, i].astype(float) ** power
        if not self.per_step:
            return by_target
        until = np.r_[0, np.cumsum(by_target)]
        return until[self.first + self.lengths] - until[self.first]

    @property
    def target_power(self):
        """Weighted mean square of the targets: the loss of answering zero."""
        return self.totals(power=2).sum() / max(self.totals().sum(), np.finfo(float).tiny)

    @property
    def observed(self):
        """Targets, NaN where nothing was measured."""
        return np.where(self.weights > 0, self.targets, np.nan)

    def gather(self, rows):
        """Standardized inputs of rows (T, B), (T, B, K)."""
        return self.standardize(self.inputs.take(rows, axis=0))

    def standardize(self, inputs):
        """Inputs as the network is to see them."""
        return inputs if self.scaling is None else self.scaling.apply(inputs)


def split_tail(series, fraction, context=None):
    """Training series and a held-out one: the last sequences, or the last rows of the only one.

    Held-out rows keep `context` rows before them, by default all, with weight zero, to start from.
    """
    n = len(series.lengths)
    if n > 1:
        n_train = n - max(1, round(fraction * n))
        return series.sequences(0, n_train), series.sequences(n_train, n)
    if not series.per_step:
        raise ValueError("early_stopping=True needs at least two sequences, got one.")
    counted = np.flatnonzero(series.weights.any(axis=1))
    n_kept = len(counted) - max(1, round(fraction * len(counted)))
    if n_kept < 1:
        raise ValueError(
            f"Holding out the last rows of X needs two of positive weight or more, got "
            f"{len(counted)}."
        )
    n_train = counted[n_kept]  # rows before the first one that is held out
    first = 0 if context is None else max(0, n_train - context)
    weights = series.weights.copy()
    weights[:n_train] = 0
    part = lambda rows, weights: series._replace(
        inputs=series.inputs[rows],
        lengths=np.array([len(series.inputs[rows])]),
        targets=series.targets[rows],
        weights=weights[rows],
    )
    return part(slice(n_train), series.weights), part(slice(first, None), weights)


def split_sequences(series, fraction, rng):
    """Training series and a held-out one, of randomly chosen sequences that count."""
    counted = np.flatnonzero(series.totals() > 0)
    if len(counted) < 2:
        raise ValueError(
            f"Holding out sequences needs two of positive weight or more, got {len(counted)}."
        )
    n_held_out = min(max(1, round(fraction * len(counted))), len(counted) - 1)
    held_out = np.sort(rng.choice(counted, n_held_out, replace=False))
    kept = np.setdiff1d(np.arange(len(series.lengths)), held_out)
    return series.choose(kept), series.choose(held_out)


class SequenceBatches:
    """Every window once an epoch, in random order; for targets driven by inputs.

    Without `sequence_length` a window is a whole sequence. Otherwise windows overlap by half, and
    the first half of each only warms the state up, except at the beginning of its sequence.
    Without `batch_size` there are about 25 batches, each of 4 windows at least and `largest` at
    most, or more batches if windows are long.
    """

    n_longer = 0

    def __init__(self, series, batch_size=None, sequence_length=None, largest=100):
        self.series = series
        self._windows = _cover(series, sequence_length)
        self._sequences = _cover(series, None)
        self._totals = series.totals()
        self.target_power = series.target_power
        if batch_size is None:
            batch_size = int(np.clip(len(self._windows.first) // 25, 4, largest))
            batch_size = min(batch_size, max(MAX_ROWS // int(self._windows.length.max()), 1))
        self._batch_size = batch_size

    def epoch(self, rng):
        """Batches of all windows, shuffled."""
        order = rng.permutation(len(self._windows.first))
        return self._batches(self._windows, order, self._totals.sum())

    covering = epoch

    def ordered(self):
        """Batches of all windows, in order."""
        order = np.arange(len(self._windows.first))
        return self._batches(self._windows, order, self._totals.sum())

    def whole(self):
        """Batches of whole sequences, as predictions see them; of very many, some that count."""
        chosen = np.arange(len(self._totals))
        if len(chosen) > MAX_SEQUENCES:
            counted = np.flatnonzero(self._totals > 0)
            chosen = counted[:: -(-len(counted) // MAX_SEQUENCES)]
        return self._batches(self._sequences, chosen, self._totals[chosen].sum())

    @property
    def n_windows(self):
        """How many windows there are."""
        return len(self._windows.first)

    @property
    def span(self):
        """Steps that a target sums up: all of a sequence's, if it has only one, on average."""
        return 1.0 if self.series.per_step else float(self._windows.length.mean())

    @property
    def is_single(self):
        """Whether the one batch of an epoch holds all sequences whole."""
        n_windows = len(self._windows.first)
        return n_windows == len(self._sequences.first) <= self._batch_size

    def _batches(self, windows, order, total_weight):
        scale = len(order) / total_weight
        for i in range(0, len(order), self._batch_size):
            chosen = np.sort(order[i : i + self._batch_size])
            yield self._gather(_Windows(*(x[chosen] for x in windows)), scale)

    def _gather(self, windows, scale):
        series, (first, length, sequence, skip) = self.series, windows
        rows, inside = _rows_of(first, length)
        inputs = series.gather(rows)
        if series.per_step:
            targets = series.targets.take(rows, axis=0)
            weights = series.weights.take(rows, axis=0)
            if skip.any() or not inside.all():
                weights *= (inside & (np.arange(len(rows))[:, None] >= skip))[..., None]
        else:
            targets, weights = _at_last_step(series, sequence, length)
        weights *= scale / len(first)
        return Batch(_zero_outside(inputs, inside), targets, weights)


class WindowBatches:
    """Randomly placed windows, `n_batches` batches an epoch; for series that drive themselves.

    A window of k steps takes k + 1 rows: the first k are what each step starts from. Those of an
    epoch carry noise of a given standard deviation for each of some latent units. Where several
    lengths are given, windows have the first of them, and ``longer`` is the same with the
    `n_longer` others; all but the last are of smoothed rows, if the series has some.
    """

    def __init__(self, series, batch_size, sequence_lengths, n_batches, noise=0.0, n_units=0):
        first, *others = sequence_lengths
        is_smoothed = others and series.smoothed is not None
        self.series = series._replace(targets=series.smoothed) if is_smoothed else series
        self._noise, self._n_units = noise, n_units
        self._batch_size = batch_size
        self._n_batches = n_batches
        self._length = min(first, int(series.lengths.max()) - 1)
        self.n_longer = len(others)
        more = batch_size, others, n_batches, noise, n_units
        self.longer = WindowBatches(series, *more) if others else None
        self._sequence_ends = np.cumsum(series.lengths)
        starts_per_sequence = np.maximum(series.lengths - self._length, 0)
        short = (starts_per_sequence == 0) & (series.lengths > 1)
        self._starts_until = np.cumsum(np.where(short, 1, starts_per_sequence))
        self.target_power = series.target_power
        self._scale = 1 / (self._length * max(_mean(series.weights), np.finfo(float).tiny))

    is_single = False
    span = 1.0

    @property
    def n_windows(self):
        """How many windows there are to be drawn."""
        return int(self._starts_until[-1])

    def epoch(self, rng):
        """Batches of random windows."""
        for _ in range(self._n_batches):
            batch = self._gather(rng.integers(self._starts_until[-1], size=self._batch_size))
            if self._noise:
                shape = (*batch.inputs.shape[:2], self._n_units)
                noise = rng.normal(0, self._noise, shape).astype(batch.inputs.dtype)
                batch = batch._replace(noise=noise)
            yield batch

    def covering(self, rng):
        """Batches of windows that share no steps, in random order, of all rows before any again."""
        size, starts = self._batch_size, np.empty(0, int)
        n_phases = min(self._length, self.n_windows)
        for _ in range(self._n_batches):
            while len(starts) < size:
                more = np.arange(rng.integers(n_phases), self.n_windows, self._length)
                starts = np.append(starts, rng.permutation(more))
            yield self._gather(starts[:size])
            starts = starts[size:]

    def ordered(self):
        """Batches of windows that follow one another and cover all rows once."""
        return self._from(self._length)

    def whole(self):
        """The same, but where windows are few they overlap, so that no single one decides."""
        return self._from(int(np.clip(self.n_windows // MIN_WINDOWS, 1, self._length)))

    def _from(self, step):
        starts = np.arange(0, self.n_windows, step)
        for i in range(0, len(starts), self._batch_size):
            yield self._gather(starts[i : i + self._batch_size])

    def _gather(self, starts):
        series = self.series
        sequence = np.searchsorted(self._starts_until, starts, side="right")
        offset = starts - np.r_[0, self._starts_until][sequence]
        first = np.r_[0, self._sequence_ends][sequence] + offset
        length = np.minimum(self._length + 1, self._sequence_ends[sequence] - first)
        rows, inside = _rows_of(first, length)
        observed = series.targets.take(rows, axis=0)
        weights = series.weights.take(rows, axis=0) * inside[..., None]
        known = weights > 0
        weights *= self._scale / len(starts)
        inputs = _zero_outside(series.gather(rows[1:]), inside[1:])
        return Batch(inputs, observed[1:], weights[1:], observed[:-1], known[:-1])


def stretches(lengths, n_units, max_numbers=2**23):
    """Row indices (T, B) of successive sequences, a bounded number at a time, and their masks.

    States of `n_units` units then take about `max_numbers` numbers, or those of one sequence.
    """
    first = np.cumsum(lengths) - lengths
    size = max(1, int(max_numbers // (int(lengths.max()) * n_units)))
    for i in range(0, len(lengths), size):
        yield _rows_of(first[i : i + size], lengths[i : i + size])


class _Windows(NamedTuple):
    first: np.ndarray  # row
    length: np.ndarray
    sequence: np.ndarray  # which one
    skip: np.ndarray  # steps that only warm up


def _cover(series, sequence_length):
    windows = []
    for i, (begin, length) in enumerate(zip(series.first, series.lengths, strict=True)):
        if sequence_length is None or length <= sequence_length:
            windows.append((begin, length, i, 0))
            continue
        stride = max(sequence_length // 2, 1)
        counted = 0
        while counted < length:
            end = min(max(counted + stride, sequence_length), length)
            start = end - sequence_length
            windows.append((begin + start, sequence_length, i, counted - start))
            counted = end
    return _Windows(*np.array(windows).T)


def _rows_of(first, length):
    """Row indices (T, B) of windows, clipped at their ends, and where they are inside."""
    steps = np.arange(length.max())[:, None]
    return first + np.minimum(steps, length - 1), steps < length


def _zero_outside(inputs, inside):
    # What a finished sequence does next must stay finite, for weight zero times infinity is NaN.
    if not inside.all():
        inputs[~inside] = 0
    return inputs


def _at_last_step(series, sequence, length):
    if length.min() == length.max():
        return series.targets[sequence][None], series.weights[sequence][None]
    shape = (length.max(), len(sequence))
    targets = np.zeros((*shape, series.targets.shape[1]), series.targets.dtype)
    weights = np.zeros((*shape, series.weights.shape[1]), series.weights.dtype)
    at = length - 1, np.arange(len(sequence))
    targets[at], weights[at] = series.targets[sequence], series.weights[sequence]
    return targets, weights


def _mean(weights):
    return weights.sum(dtype=float) / max(len(weights), 1)

"""Windows and batches: every row counted once, none across sequences, weights that mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_plrnn._training import batches as module
from sklearn_plrnn._training.batches import (
    SequenceBatches,
    Series,
    WindowBatches,
    split_sequences,
    split_tail,
    stretches,
)


def numbered(lengths, per_step=True, weights=None):
    """A series whose input and target at each row are the row's number + 1 (0 is padding)."""
    lengths = np.asarray(lengths)
    rows = 1.0 + np.arange(lengths.sum())[:, None]
    targets = rows if per_step else 1.0 + np.arange(len(lengths))[:, None]
    return Series(rows, lengths, targets, np.ones_like(targets) if weights is None else weights)


lengths = st.lists(st.integers(1, 30), min_size=1, max_size=6)


@given(lengths, st.integers(1, 5), st.integers(1, 12), st.integers(0, 99))
def test_each_row_counts_once_an_epoch(lengths, batch_size, sequence_length, seed):
    batches = SequenceBatches(numbered(lengths), batch_size, sequence_length)
    counted = []
    for batch in batches.epoch(np.random.default_rng(seed)):
        assert batch.inputs.shape[0] <= max(sequence_length, 1)
        counted.extend(batch.targets[batch.weights > 0])
    assert sorted(counted) == list(range(1, sum(lengths) + 1))


@given(lengths, st.integers(2, 12))
def test_windows_have_half_their_length_to_warm_up(lengths, sequence_length):
    begins = np.r_[0, np.cumsum(lengths)[:-1]] + 1
    for batch in SequenceBatches(numbered(lengths), 1, sequence_length).ordered():
        first_counted = np.flatnonzero(batch.weights[:, 0, 0] > 0)[0]
        if batch.inputs[0, 0, 0] not in begins:
            assert first_counted >= sequence_length // 2
        else:
            assert first_counted == 0


@given(lengths, st.integers(1, 5), st.booleans())
def test_whole_batches_hold_the_sequences_and_padding(lengths, batch_size, per_step):
    series = numbered(lengths, per_step)
    inputs = [
        batch.inputs[: lengths_of(batch)[i], i, 0]
        for batch in SequenceBatches(series, batch_size, 3 if per_step else None).whole()
        for i in range(batch.inputs.shape[1])
    ]
    assert [len(x) for x in inputs] == lengths
    np.testing.assert_array_equal(np.concatenate(inputs), series.inputs[:, 0])


def test_of_very_many_sequences_some_that_count_decide(monkeypatch):
    monkeypatch.setattr(module, "MAX_SEQUENCES", 10)
    weights = np.arange(50.0)[:, None] % 2
    series = numbered([3] * 50, per_step=False, weights=weights)
    (batch,) = SequenceBatches(series, 100).whole()
    np.testing.assert_array_equal(batch.targets[-1, :, 0], series.targets[1::6, 0])
    np.testing.assert_allclose(batch.weights.sum(), 1)


def lengths_of(batch):
    """Lengths of the sequences in a batch of positive numbers, from the zeros that pad them."""
    return (batch.inputs[..., 0] > 0).sum(axis=0)


@given(lengths)
def test_one_target_per_sequence_is_due_at_its_last_step(lengths):
    for batch in SequenceBatches(numbered(lengths, per_step=False), 4).whole():
        steps, sequences = np.nonzero(batch.weights[..., 0])
        if batch.at_end:
            steps = steps + len(batch.inputs) - 1
        np.testing.assert_array_equal(steps[np.argsort(sequences)], lengths_of(batch) - 1)


@given(lengths, st.integers(1, 5), st.sampled_from([None, 4]), st.integers(0, 99))
def test_loss_over_batches_averages_to_the_weighted_mean(lengths, batch_size, window, seed):
    rng = np.random.default_rng(seed)
    series = numbered(lengths)
    series = series._replace(weights=rng.random(series.targets.shape) + 0.01)
    total, count = 0.0, 0
    for batch in SequenceBatches(series, batch_size, window).epoch(rng):
        size = batch.inputs.shape[1]
        total += size * np.sum(batch.weights * batch.targets**2)
        count += size
    expected = np.average(series.targets[:, 0] ** 2, weights=series.weights[:, 0])
    assert total / count == pytest.approx(expected)


@given(st.lists(st.integers(2, 30), min_size=1, max_size=6), st.integers(1, 12), st.integers(0, 99))
def test_random_windows_stay_within_a_sequence(lengths, sequence_length, seed):
    batches = WindowBatches(numbered(lengths), 5, [sequence_length], n_batches=3)
    sequence_of = np.r_[-1, np.repeat(np.arange(len(lengths)), lengths)]
    for batch in batches.epoch(np.random.default_rng(seed)):
        assert batch.inputs.shape[0] <= min(sequence_length, max(lengths) - 1)
        real = batch.weights[..., 0] > 0
        np.testing.assert_array_equal(batch.targets[real], batch.observed[real] + 1)
        np.testing.assert_array_equal(batch.targets[real], batch.inputs[real])
        for i in range(5):
            rows = np.r_[batch.observed[:1, i, 0], batch.targets[real[:, i], i, 0]].astype(int)
            assert len(set(sequence_of[rows])) == 1


@given(st.lists(st.integers(2, 9), min_size=1, max_size=4))
def test_every_window_can_be_drawn(lengths):
    batches = WindowBatches(numbered(lengths), 50, [3], n_batches=20)
    first = {
        x for b in batches.epoch(np.random.default_rng(0)) for x in b.observed[0, :, 0].astype(int)
    }
    window = min(3, max(lengths) - 1)
    begins = np.r_[0, np.cumsum(lengths)[:-1]]
    expected = {
        begin + offset + 1
        for begin, length in zip(begins, lengths, strict=True)
        for offset in range(max(length - window, 1))
    }
    assert first == expected


@pytest.mark.parametrize(("lengths", "window"), [([50], 7), ([5, 8, 30], 4), ([3], 2), ([2], 5)])
def test_no_step_comes_again_before_all_others_have_come(lengths, window):
    batches = WindowBatches(numbered(lengths), 3, [window], n_batches=100)
    starts = [
        int(x)
        for batch in batches.covering(np.random.default_rng(0))
        for x in batch.observed[0, :, 0]
    ]
    n, n_ordered = batches.n_windows, sum(b.targets.shape[1] for b in batches.ordered())
    first = starts[: n_ordered - 1]  # of a pass that begins late one may be missing
    assert len(set(first)) == len(first) and len(starts) == 300
    assert len(set(starts)) == n  # in the end each window there is
    if len(lengths) == 1:
        assert np.diff(np.sort(first)).min(initial=window) >= min(window, lengths[0] - 1)


def test_a_missing_observation_is_neither_scored_nor_known():
    series = numbered([6])
    series.weights[3] = 0
    (batch,) = WindowBatches(series, 1, [5], n_batches=1).ordered()
    np.testing.assert_array_equal(batch.weights[:, 0, 0] > 0, [True, True, False, True, True])
    np.testing.assert_array_equal(batch.known[:, 0, 0], [True, True, True, False, True])


@pytest.mark.parametrize(("n_rows", "n_expected"), [(101, 91), (1001, 248), (10_001, 1000)])
def test_windows_that_decide_overlap_where_they_are_few(n_rows, n_expected):
    batches = WindowBatches(numbered([n_rows]), 10_000, [10], n_batches=1)
    (whole,), (ordered,) = batches.whole(), batches.ordered()
    assert whole.targets.shape[1] == n_expected
    assert ordered.targets.shape[1] == (n_rows - 1) // 10
    rows = [set(batch.targets[..., 0].ravel()) for batch in (whole, ordered)]
    assert rows[0] <= rows[1] and len(rows[0]) > n_rows - 10


def test_longer_windows_come_after_short_ones():
    batches = WindowBatches(numbered([40, 4]), 20, [3, 6], n_batches=2)
    steps = [len(batch.targets) for x in (batches, batches.longer) for batch in x.ordered()]
    assert set(steps) == {3, 6} and batches.longer.longer is None


def test_all_windows_but_those_of_the_last_length_are_of_smoothed_rows():
    series = numbered([40])
    series = series._replace(smoothed=series.targets + 100)
    batches = WindowBatches(series, 20, [3, 6, 6], n_batches=2)
    stages = batches, batches.longer, batches.longer.longer
    for stage, least in zip(stages, (100, 100, 0), strict=True):
        assert {b.observed.min() // 100 * 100 for b in stage.ordered()} == {least}


def test_only_windows_of_an_epoch_carry_noise():
    series = numbered([400])
    batches = WindowBatches(series, 20, [10], n_batches=30, noise=0.3, n_units=4)
    noise = np.stack([batch.noise for batch in batches.epoch(np.random.default_rng(0))])
    assert noise.shape == (30, 10, 20, 4) and noise.dtype == series.inputs.dtype
    assert noise.std() == pytest.approx(0.3, rel=0.02) and abs(noise.mean()) < 0.01
    assert not np.array_equal(noise[0], noise[1])
    again = np.stack([batch.noise for batch in batches.epoch(np.random.default_rng(0))])
    np.testing.assert_array_equal(noise, again)
    for held_out in (batches.ordered(), batches.whole()):
        assert all(batch.noise is None for batch in held_out)


def test_split_tail_of_one_series_keeps_time_order_and_context():
    train, tail = split_tail(numbered([20]), 0.25, context=4)
    np.testing.assert_array_equal(train.inputs[:, 0], np.arange(1, 16))
    np.testing.assert_array_equal(tail.inputs[:, 0], np.arange(12, 21))
    np.testing.assert_array_equal(tail.weights[:, 0] > 0, np.arange(12, 21) > 15)


@pytest.mark.parametrize("per_step", [True, False])
def test_split_tail_of_many_holds_out_whole_sequences(per_step):
    train, tail = split_tail(numbered([3, 4, 5, 6], per_step), 0.3, context=0)
    np.testing.assert_array_equal(train.lengths, [3, 4, 5])
    np.testing.assert_array_equal(tail.inputs[:, 0], np.arange(13, 19))
    assert len(tail.targets) == (6 if per_step else 1)


@given(lengths, st.integers(1, 40))
def test_stretches_cover_all_rows_in_order(lengths, max_numbers):
    rows = [r.T[inside.T] for r, inside in stretches(np.array(lengths), 1, max_numbers=max_numbers)]
    np.testing.assert_array_equal(np.concatenate(rows), np.arange(sum(lengths)))


@given(lengths, st.booleans(), st.floats(0.05, 0.9), st.integers(0, 99))
def test_random_sequences_are_held_out_whole_and_once(lengths, per_step, fraction, seed):
    series = numbered(lengths, per_step=per_step)
    if len(lengths) < 2:
        with pytest.raises(ValueError, match="two of positive weight"):
            split_sequences(series, fraction, np.random.default_rng(seed))
        return
    parts = split_sequences(series, fraction, np.random.default_rng(seed))
    numbers = [
        batch.inputs[:n, i, 0]
        for part in parts
        for batch in SequenceBatches(part, 3).whole()
        for i, n in enumerate(lengths_of(batch))
    ]
    np.testing.assert_array_equal(np.sort(np.concatenate(numbers)), series.inputs[:, 0])
    assert len(parts[1].lengths) == min(max(1, round(fraction * len(lengths))), len(lengths) - 1)
    total = sum(part.totals(power=2).sum() for part in parts)
    np.testing.assert_allclose(total, np.sum(series.targets.astype(float) ** 2))


def test_what_does_not_count_is_not_held_out():
    series = numbered([5] * 20, per_step=False)
    weights = np.zeros((20, 1))
    weights[[3, 8, 11]] = 1
    series = series._replace(weights=weights)
    for seed in range(10):
        kept, held_out = split_sequences(series, 0.3, np.random.default_rng(seed))
        assert held_out.weights.all() and kept.weights.sum() == 2

"""What follows from the data: lengths of windows, by noise, by period, and how they grow."""

import numpy as np
import pytest

from sklearn_plrnn._training.batches import Series
from sklearn_plrnn.estimators._by_data import FIRST, FREE, ITERATIONS, free_steps, stages


def series_of(x):
    known = ~np.isnan(x)
    lengths = np.array([len(x)])
    return Series(np.empty((len(x), 0)), lengths, np.where(known, x, 0), known.astype(float))


def test_windows_grow_with_noise_within_bounds(rng):
    series = series_of(rng.normal(size=(500, 2)))
    (none,), (some,), (twice,), (much,) = (
        free_steps(series, np.array([s, 0.0])) for s in (0.0, 0.03, 0.06, 0.5)
    )
    assert (none, much) == FREE and none < some and twice == 2 * some


def test_windows_of_delays_hold_what_they_reach_back(rng):
    series, clean = series_of(rng.normal(size=(500, 3))), np.zeros(3)
    assert free_steps(series, clean, span=2) == free_steps(series, clean)
    (steps,) = free_steps(series, clean, span=40)
    assert steps > 2 * 40
    assert free_steps(series, clean, span=80) == [2 * steps]


def test_windows_hold_a_period_in_the_end_where_rows_come_back(rng):
    x = np.sqrt(2) * np.sin(2 * np.pi * np.arange(3000) / 220)[:, None]
    x[rng.random(x.shape) < 0.1] = np.nan
    first, last = free_steps(series_of(x), np.zeros(1))
    assert first == FREE[0] and last == pytest.approx(220, rel=0.05)
    lengths = np.array(stages([first, last], 100))
    ratios = lengths[1:] / lengths[:-1]
    assert len(lengths) == 7 and np.all((1.7 < ratios) & (ratios < 2.1))
    assert free_steps(series_of(x[:300]), np.zeros(1)) == [first]


def test_windows_of_a_chaotic_map_are_short(rng):
    x = np.full(3000, 0.3)
    for t in range(1, len(x)):
        x[t] = 3.9 * x[t - 1] * (1 - x[t - 1])
    x = ((x - x.mean()) / x.std() + rng.normal(0, 0.05, len(x)))[:, None]
    (steps,) = free_steps(series_of(x), np.array([0.1]))
    assert 5 < steps < 15
    assert free_steps(series_of(x), np.array([0.1]), span=10) == [3 * 10]
    driven = series_of(x)._replace(inputs=np.zeros((len(x), 1)))
    assert free_steps(driven, np.array([0.1])) == [FREE[1]]


@pytest.mark.parametrize("steps", [3, 10, 11, 50, 297])
def test_each_length_is_about_half_the_next(steps):
    lengths = np.array(stages([steps], 3))
    assert lengths[-1] == steps and lengths[0] < 2 * FIRST
    assert len(lengths) == 1 or lengths[0] >= FIRST
    np.testing.assert_array_equal(lengths[:-1], lengths[1:] // 2)


@pytest.mark.parametrize("period", [11, 20, 150, 700])
def test_lengths_lead_to_a_period_as_far_as_iterations_serve_them(period):
    lengths = np.array(stages([10, period], 100))
    assert lengths[-1] == period
    assert np.all(lengths[1:] > lengths[:-1]) and np.all(lengths[1:] < 2.1 * lengths[:-1])
    for n_iter in (0, 12, 15):
        few = stages([10, period], n_iter)
        assert few[:2] == [5, 10] and few[-1] == period
        assert len(few) <= max(3, n_iter // ITERATIONS)

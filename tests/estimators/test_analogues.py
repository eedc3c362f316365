"""Analogues: what they tell of noise, and for how long they stay alike."""

import numpy as np
import pytest

from sklearn_plrnn.datasets import make_lorenz63
from sklearn_plrnn.estimators._analogues import (
    MIN_PAIRS,
    Analogues,
    steps_together,
    unpredicted,
)


def logistic(n, rng, noise):
    """The logistic map x -> 4 x (1 - x), of which errors double at each step; standardized."""
    x = np.full(n, 0.3)
    for t in range(1, n):
        x[t] = 4 * x[t - 1] * (1 - x[t - 1])
    x = (x - 0.5) * np.sqrt(8)
    return (x + rng.normal(0, noise, n))[:, None]


def waves(n, noise, rng):
    x = np.sqrt(2) * np.stack([np.sin(np.arange(n) / 7), np.cos(np.arange(n) / 7)], axis=1)
    return x + rng.normal(0, noise, x.shape)


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_noise_of_a_map_is_bounded_from_above(rng, noise):
    """An error of a row is multiplied by 4 - 8 x in the next, by 8 in the mean of squares."""
    (found,) = unpredicted([logistic(4000, rng, noise)])
    assert noise**2 < found < (1 + 8) * noise**2


@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_noise_of_waves_is_found(rng, noise):
    found = unpredicted([waves(4000, noise, rng), waves(500, noise, rng)])
    assert np.all((0.9 * noise**2 < found) & (found < 2.2 * noise**2))


def test_what_comes_soon_after_is_no_analogue(rng):
    x = make_lorenz63(3000, random_state=0)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    analogues = Analogues.of([x], 10)
    assert np.abs(analogues.here - analogues.there).min() > 5
    distances = np.linalg.norm(x[analogues.here] - x[analogues.there], axis=1)
    assert np.median(distances) < 0.1


def test_segments_do_not_go_on_in_others(rng):
    """Beyond the end of the first one come rows that are far from all of it."""
    x = waves(1000, 0.01, rng)
    pairs = Analogues.of([x[:500], 100 + x[500:]], 3)
    assert pairs.differences(3).max() < 0.1
    assert np.isin([497, 498, 499], np.r_[pairs.here, pairs.there]).sum() == 0


def test_errors_that_double_are_soon_apart(rng):
    few, more = (steps_together([logistic(4000, rng, s)], 50) for s in (0.1, 0.001))
    assert 2 <= few < more <= 12


def test_what_repeats_stays_together(rng):
    assert steps_together([waves(3000, 0.1, rng)], 50) == 50


def test_of_white_noise_nothing_is_concluded(rng):
    assert steps_together([rng.normal(size=(2000, 2))], 50) == 50


def test_rows_that_were_not_measured_are_left_out(rng):
    x = logistic(4000, rng, 0.05)
    gappy = np.where(rng.random(x.shape) < 0.2, np.nan, x)
    np.testing.assert_allclose(unpredicted([gappy]), unpredicted([x]), rtol=0.2)
    assert abs(steps_together([gappy], 20) - steps_together([x], 20)) <= 1


@pytest.mark.parametrize("n", [1, 3, MIN_PAIRS])
def test_of_few_rows_nothing_is_concluded(rng, n):
    x = rng.normal(size=(n, 2))
    assert np.isnan(unpredicted([x])).all()
    assert steps_together([x], 20) == 20
    assert steps_together([np.full((500, 2), np.nan)], 20) == 20

"""Lags and periods found from the autocorrelation of series with known ones."""

import numpy as np
import pytest

from sklearn_plrnn.datasets import make_lorenz63
from sklearn_plrnn.estimators._autocorrelation import (
    MAX_PERIOD,
    autocorrelation,
    choose_lag,
    find_period,
)

SILENT = np.zeros(1)


def standardized(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


def test_autocorrelation_is_the_mean_over_pairs_within_trajectories(rng):
    rows, lengths = rng.normal(size=(12, 2)), np.array([5, 7])
    rows[rng.random(rows.shape) < 0.2] = np.nan
    parts = np.split(rows, [5])
    for lag, found in enumerate(autocorrelation(rows, lengths, 9)):
        products = np.concatenate([x[: max(len(x) - lag, 0)] * x[lag:] for x in parts])
        expected = [p[~np.isnan(p)].sum() / max((~np.isnan(p)).sum(), 1) for p in products.T]
        assert found == pytest.approx(np.mean(expected), abs=1e-12)


@pytest.mark.parametrize("period", [40, 100])
def test_the_lag_is_where_the_autocorrelation_has_decayed(period):
    x = np.cos(2 * np.pi * np.arange(2000) / period)[:, None]
    expected = np.arccos(0.8) / (2 * np.pi) * period
    assert choose_lag(x, np.array([2000])) == pytest.approx(expected, abs=1)
    gappy = np.where(np.random.default_rng(0).random(x.shape) < 0.2, np.nan, x)
    assert choose_lag(gappy, np.array([1200, 800])) == pytest.approx(expected, abs=2)


def test_the_lag_leaves_most_of_a_short_series():
    assert choose_lag(np.arange(40.0)[:, None] / 12, np.array([40])) <= 5


@pytest.mark.parametrize("period", [12, 90, 310])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_period_is_found_beneath_noise_and_among_faster_cycles(period, noise, rng):
    phase = 2 * np.pi * np.arange(4000) / period
    x = np.stack([np.cos(phase) + 0.3 * np.sin(5 * phase), np.sin(phase)], axis=1)
    x = standardized(x) + noise * rng.normal(size=x.shape)
    x[rng.random(x.shape) < 0.1] = np.nan
    found = find_period(x, np.array([1500, 2500]), np.full(2, noise))
    assert found == pytest.approx(period, rel=0.05)


def test_nothing_comes_back_in_chaos_noise_a_trend_or_too_few_rows(rng):
    assert find_period(standardized(make_lorenz63(5000, random_state=0)), [5000], SILENT) == 0
    assert find_period(rng.normal(size=(500, 1)), [500], SILENT) == 0
    assert find_period(standardized(np.arange(500.0)[:, None]), [500], SILENT) == 0
    once = np.cos(2 * np.pi * np.arange(80) / 60)[:, None]
    assert find_period(once, [80], SILENT) == 0
    assert find_period(once[:3], [3], SILENT) == 0
    slow = np.cos(np.pi * np.arange(5 * MAX_PERIOD) / MAX_PERIOD)[:, None]
    assert find_period(slow, [len(slow)], SILENT) == 0

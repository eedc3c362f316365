"""Forecast errors by hand-made models and textbook limits."""

import numpy as np
import pytest

from sklearn_plrnn.metrics import mase, prediction_error, smape


class Persistence:
    """Forecasts that nothing changes."""

    def split_inputs(self, X):
        return X, None

    def predict(self, X, lead=1):
        if isinstance(X, list):
            return [self.predict(x, lead) for x in X]
        return np.concatenate([np.full_like(X[:lead], np.inf), X[:-lead]])


def test_prediction_error_of_persistence(rng):
    X = rng.normal(2, 3, size=(500, 2))
    expected = np.mean(np.mean((X[5:] - X[:-5]) ** 2, axis=0) / X[5:].var(axis=0))
    assert prediction_error(Persistence(), X, n=5) == pytest.approx(expected)


def test_trajectories_are_pooled_and_gaps_left_out(rng):
    X = rng.normal(size=(60, 1))
    parts = [X[:40], X[40:]]
    pooled = np.concatenate([p[3:] - p[:-3] for p in parts])
    rows = np.concatenate([p[3:] for p in parts])
    error = prediction_error(Persistence(), parts, n=3)
    assert error == pytest.approx(np.mean(pooled**2) / rows.var())
    gap = np.vstack([X, [[np.nan]]])
    assert prediction_error(Persistence(), gap, n=3) == prediction_error(Persistence(), X, n=3)


def test_a_diverged_forecast_is_infinitely_bad(rng):
    class Diverged(Persistence):
        def predict(self, X, lead=1):
            return np.full_like(X, np.nan)

    assert prediction_error(Diverged(), rng.normal(size=(20, 1)), n=2) == np.inf


def test_too_short_a_series_is_named(rng):
    with pytest.raises(ValueError, match="more than 20 rows, the longest in X has 15"):
        prediction_error(Persistence(), rng.normal(size=(15, 1)))


def test_mase_of_the_naive_forecast_is_one_on_its_own_series(rng):
    y = np.cumsum(rng.normal(size=(300, 2)), axis=0)
    for period in (1, 7):
        assert mase(y[period:], y[:-period], y, period=period) == pytest.approx(1)
    assert mase(y, y, y) == 0
    assert mase(y, np.full_like(y, np.inf), y) == np.inf
    with pytest.raises(ValueError, match="more than period=3 rows"):
        mase(y, y, y[:3], period=3)


def test_smape_limits():
    y = np.array([[1.0], [0.0], [-3.0]])
    assert smape(y, y) == 0
    assert smape(y, -y) == pytest.approx(200 * 2 / 3)
    assert smape(y, np.full_like(y, np.nan)) == 200
    assert smape([[2.0]], [[1.0]]) == pytest.approx(200 / 3)
    with pytest.raises(ValueError, match="same shape"):
        smape(y, y[:2])

"""`PowerSpectrumDisplay` shows what the distance compares."""

import numpy as np
import pytest

from sklearn_plrnn.displays import PowerSpectrumDisplay
from sklearn_plrnn.metrics import power_spectrum_distance


def test_the_distance_is_that_of_the_curves(rng):
    X, Y = np.cumsum(rng.normal(size=(2, 300, 2)), axis=1)
    display = PowerSpectrumDisplay.from_predictions(X, Y, sigma=3)
    p, q = (
        np.stack([line.get_ydata() for line in lines])
        for lines in (display.observed_lines_, display.simulated_lines_)
    )
    np.testing.assert_allclose([p.sum(axis=1), q.sum(axis=1)], 1)
    distance = np.linalg.norm(np.sqrt(p) - np.sqrt(q), axis=1).mean() / np.sqrt(2)
    assert distance == pytest.approx(power_spectrum_distance(X, Y, sigma=3))


def test_an_oscillation_has_its_power_at_its_frequency():
    t = 0.1 * np.arange(500)[:, None]
    x = np.sin(2 * np.pi * 0.8 * t)
    display = PowerSpectrumDisplay.from_predictions(x, x, sigma=0, dt=0.1)
    line = display.observed_lines_[0]
    assert line.get_xdata()[np.argmax(line.get_ydata())] == pytest.approx(0.8)
    assert 0.8 < display.ax_.get_xlim()[1] < 1
    assert display.ax_.get_xlabel() == "frequency (1 / time)"


def test_what_has_no_spectrum_is_left_out(rng):
    X = rng.normal(size=(100, 2))
    Y = X.copy()
    Y[:, 1] = 3
    display = PowerSpectrumDisplay.from_predictions(X, Y)
    assert np.isfinite(display.observed).all() and np.isfinite(display.simulated[:, 0]).all()
    assert np.isnan(display.simulated[:, 1]).all()
    assert PowerSpectrumDisplay.from_predictions(Y[:, 1:], X[:, :1]).ax_.lines

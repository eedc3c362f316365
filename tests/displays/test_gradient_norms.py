"""`GradientNormDisplay`: norms within their bounds."""

import numpy as np
import pytest

from sklearn_plrnn.analysis import PiecewiseLinearMap, gradient_norms
from sklearn_plrnn.displays import GradientNormDisplay


def test_norms_and_bounds(rng):
    A, W = np.array([1.0, 0.98, 0.3, -0.2]), 0.1 * rng.normal(size=(4, 4))
    f, states = PiecewiseLinearMap(A, W, np.zeros(4)), rng.normal(size=(30, 4))
    display = GradientNormDisplay.from_estimator(f, states, units=[0, 1])
    norms = gradient_norms(f, states, units=[0, 1])
    for name in ("full", "bound", "largest", "smallest"):
        line = getattr(display, f"{name}_")
        np.testing.assert_array_equal(line.get_ydata(), getattr(norms, name))
    ends = display.band_.get_paths()[0].vertices[:, 1]
    assert (ends.min(), ends.max()) == (norms.lower.min(), norms.upper.max())
    assert display.ax_.get_xscale() == display.ax_.get_yscale() == "log"
    display = GradientNormDisplay.from_estimator(f, states)
    assert display.band_ is display.largest_ is display.smallest_ is None


@pytest.mark.parametrize("a", [0.0, 1e-5, 1.0, 1e5])
def test_numbers_beyond_the_range_do_not_harm(a):
    f = PiecewiseLinearMap(np.full(2, a), np.zeros((2, 2)), np.zeros(2))
    display = GradientNormDisplay.from_estimator(f, np.zeros((200, 2)), units=[0])
    display.figure_.canvas.draw()
    low, high = display.ax_.get_ylim()
    assert 0 < low < 1 < high < np.inf

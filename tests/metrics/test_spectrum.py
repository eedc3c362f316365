"""D_H against the smoothing written out, and its limits."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from sklearn_plrnn.metrics import power_spectrum_correlation, power_spectrum_distance


@given(st.integers(0, 999), st.integers(60, 200), st.integers(1, 3), st.floats(0.5, 6))
def test_distance_is_the_formula(seed, T, N, sigma):
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(T, N)), np.cumsum(rng.normal(size=(T, N)), axis=0)
    expected = reference.power_spectrum_distance(X, Y, sigma)
    assert power_spectrum_distance(X, Y, sigma=sigma) == pytest.approx(expected, rel=1e-9)


def wave(*frequencies, T=3000):
    return np.sin(np.arange(T)[:, None] * frequencies)


def test_equal_series_units_and_phase():
    X = wave(0.1, 0.37)
    assert power_spectrum_distance(X, X) == 0
    assert power_spectrum_distance(X, -1e9 * X + 5) == pytest.approx(0, abs=1e-6)
    assert power_spectrum_distance(X, wave(0.1, 0.37, T=3050)[50:]) < 0.02
    assert power_spectrum_correlation(X, X) == pytest.approx(1)


def test_other_frequencies_are_far_and_smoothing_forgives_small_shifts():
    X = wave(0.1)
    assert power_spectrum_distance(X, wave(1.1)) > 0.99
    near = wave(0.102)
    assert power_spectrum_distance(X, near) < power_spectrum_distance(X, near, sigma=1) < 1
    assert power_spectrum_correlation(X, near) > 0.9 > power_spectrum_correlation(X, wave(1.1))


@pytest.mark.parametrize("value", [0.0, 3.3, np.nan, np.inf])
def test_a_constant_or_diverged_variable_is_the_worst(value):
    X = wave(0.1, 0.4)
    Y = X.copy()
    Y[:, 1] = value
    assert power_spectrum_distance(X, Y) == pytest.approx(0.5)
    assert power_spectrum_correlation(X, Y) == pytest.approx(0.5)
    Y[7, 0] = np.nan
    assert power_spectrum_distance(X, Y) == 1


def test_gaps_are_interpolated():
    X = wave(0.05)
    gaps = X.copy()
    gaps[100:103] = np.nan
    assert power_spectrum_distance(gaps, X) < 0.01


def test_huge_values_do_not_overflow():
    assert power_spectrum_distance(wave(0.1), 1e300 * wave(0.1)) == pytest.approx(0, abs=1e-6)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="same number of time steps, got 100 and 90"):
        power_spectrum_distance(wave(0.1, T=100), wave(0.1, T=90))

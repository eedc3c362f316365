"""D_stsp against dense histograms and term-by-term mixtures, and its limits."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from sklearn_plrnn.metrics import state_space_divergence


def cloud(seed, n, N, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, N)) * np.arange(1, N + 1) + shift


@given(
    st.integers(0, 999),
    st.integers(1, 3),
    st.integers(1, 12),
    st.integers(2, 60),
    st.integers(1, 60),
    st.floats(-2, 2),
)
def test_sparse_counts_equal_dense_histograms(seed, N, n_bins, n_X, n_Y, shift):
    X, Y = cloud(seed, n_X, N), cloud(seed + 1, n_Y, N, shift)
    Y[0] = X[0]  # one point at least is inside
    value = state_space_divergence(X, Y, n_bins=n_bins, method="bins")
    expected = reference.state_space_divergence(X, Y, n_bins)
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_mixture_is_the_mean_log_ratio_of_densities():
    X, Y = cloud(0, 40, 3), cloud(1, 30, 3, 0.5)
    value = state_space_divergence(X, Y, method="gmm", sigma2=0.7, n_samples=2000)
    rng = np.random.default_rng(5)
    standard = lambda Z: (Z - X.mean(0)) / X.std(0)
    x, y = standard(X), standard(Y)
    samples = x[rng.integers(40, size=2000)] + np.sqrt(0.7) * rng.normal(size=(2000, 3))
    ratio = [
        reference.mixture_log_density(s, x, 0.7) - reference.mixture_log_density(s, y, 0.7)
        for s in samples
    ]
    error = np.std(ratio) / np.sqrt(2000)
    assert value == pytest.approx(np.mean(ratio), abs=5 * error)
    assert value > 5 * error


@pytest.mark.parametrize("method", ["bins", "gmm"])
def test_equal_series_do_not_diverge(method):
    X = cloud(0, 200, 3)
    assert state_space_divergence(X, X, method=method) == 0
    order = np.random.default_rng(0).permutation(200)
    assert state_space_divergence(X, X[order], method=method) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("method", ["bins", "gmm"])
def test_units_do_not_matter(method):
    X, Y = cloud(0, 300, 2), cloud(1, 300, 2, 0.3)
    value = state_space_divergence(X, Y, method=method)
    for unit in (1e-9, 1e9):
        scaled = state_space_divergence(X * unit + 7 * unit, Y * unit + 7 * unit, method=method)
        assert scaled == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("method", ["bins", "gmm"])
def test_farther_is_larger(method):
    X = cloud(0, 500, 2)
    values = [state_space_divergence(X, X + shift, method=method) for shift in (0, 0.5, 1, 2)]
    assert values == sorted(values) and values[0] < values[1]


@pytest.mark.parametrize("method", ["bins", "gmm"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_diverged_simulation_is_the_worst(method, value):
    X = cloud(0, 500, 2)
    Y = X.copy()
    Y[-1, 0] = value
    assert state_space_divergence(X, Y, method=method) == np.inf


def test_never_entering_a_bin_is_the_worst():
    X = cloud(0, 500, 2)
    assert state_space_divergence(X, X + 1e3) == np.inf
    assert state_space_divergence(X, X * 1e300 + 1e300) == np.inf


def test_a_constant_simulation_or_variable_is_no_error():
    X = cloud(0, 500, 2)
    for method in ("bins", "gmm"):
        assert np.isfinite(state_space_divergence(X, np.zeros((500, 2)), method=method))
        flat = X * [1, 0] + [0, 3]
        assert state_space_divergence(flat, flat, method=method) == 0


def test_rows_with_gaps_are_left_out():
    X, Y = cloud(0, 100, 2), cloud(1, 100, 2)
    gaps = np.vstack([X, [[np.nan, 1.0]]])
    assert state_space_divergence(gaps, Y) == state_space_divergence(X, Y)


def test_many_bins_in_many_variables_cost_no_memory():
    X = cloud(0, 300, 60)
    assert state_space_divergence(X, X, method="bins", n_bins=1000) == 0


def test_auto_takes_bins_up_to_five_variables():
    for N, method in ((5, "bins"), (6, "gmm")):
        X, Y = cloud(0, 80, N), cloud(1, 80, N)
        assert state_space_divergence(X, Y) == state_space_divergence(X, Y, method=method)


@pytest.mark.parametrize("binning", ["margin", "two-sigma", "range"])
def test_binnings_see_a_shift(binning):
    X = cloud(0, 400, 1)
    assert state_space_divergence(X, X, binning=binning) == 0
    assert state_space_divergence(X, X + 0.5, binning=binning) > 0.1


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        (np.zeros(5), np.zeros((5, 1)), "2D"),
        (np.zeros((5, 1)), np.zeros((5, 2)), "number of variables"),
        (np.full((5, 1), np.inf), np.zeros((5, 1)), "X contains infinity"),
        (np.full((5, 1), np.nan), np.zeros((5, 1)), "no row without NaN"),
    ],
)
def test_bad_input_is_named(X, Y, message):
    with pytest.raises(ValueError, match=message):
        state_space_divergence(X, Y)

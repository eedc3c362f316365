"""Smoothed series: how much noise they lose, and what is left alone."""

import numpy as np
import pytest
from scipy.interpolate import make_smoothing_spline

from sklearn_plrnn._training.batches import Series
from sklearn_plrnn._training.smoothing import MIN_ROWS, smooth

NOISE = np.array([0.1, 0.5])


def series_of(X, lengths=None, weights=None):
    lengths = np.array([len(X)] if lengths is None else lengths)
    return Series(
        np.zeros((len(X), 0)), lengths, X, np.ones_like(X) if weights is None else weights
    )


def waves(n=600, noise=NOISE, seed=0):
    """A fast and a slow wave, without noise and with it."""
    t = np.arange(n)
    clean = np.stack([np.sin(t / 4), np.sin(t / 40)], axis=1)
    return clean, clean + np.random.default_rng(seed).normal(0, noise, clean.shape)


def test_noise_is_lost_as_far_as_the_share_says():
    errors, shares = [], []
    for seed in range(20):
        clean, noisy = waves(seed=seed)
        smoothed, left = smooth(series_of(noisy), NOISE)
        errors.append(np.mean((smoothed - clean) ** 2, axis=0))
        shares.append(left)
    error, share = np.mean(errors, axis=0), np.mean(shares, axis=0)
    assert share[1] < 0.1 < share[0] < 0.7
    # Half the share or so is variance, and as much bias where the stiffness is best.
    assert np.all((0.5 * share < error / NOISE**2) & (error / NOISE**2 < 1.2 * share))


def test_smoothing_is_as_good_as_that_of_cubic_splines():
    clean, noisy = waves()
    smoothed = smooth(series_of(noisy), NOISE)[0]
    splines = [make_smoothing_spline(np.arange(len(x)), x)(np.arange(len(x))) for x in noisy.T]
    error, expected = (
        np.sqrt(np.mean((x - clean) ** 2, axis=0)) for x in (smoothed, np.c_[*splines])
    )
    assert np.all(error < 1.1 * expected)


def test_what_is_straight_stays_as_it_is():
    x = np.linspace([0, 1], [5, -2], 50)
    np.testing.assert_allclose(smooth(series_of(x), NOISE)[0], x, atol=1e-6)


def test_clean_rows_are_hardly_smoothed():
    clean, _ = waves()
    smoothed, _ = smooth(series_of(clean), NOISE)
    assert np.abs(smoothed - clean).max() < 0.01


def test_no_more_is_taken_away_than_noise(rng):
    """Of what is white in time cross-validation would leave nothing."""
    x = rng.normal(size=(500, 2))
    smoothed, left = smooth(series_of(x), np.array([0.1, 10]))
    assert np.sqrt(np.mean((smoothed - x) ** 2, axis=0))[0] < 0.2
    assert np.abs(smoothed[:, 1]).mean() < 0.2 and left[1] < 0.1


def test_what_was_not_measured_tells_nothing():
    _, noisy = waves()
    weights = np.ones_like(noisy)
    weights[100:140, 0] = 0
    spoiled = np.where(weights > 0, noisy, 1e6)
    (a, left), (b, again) = (smooth(series_of(x, weights=weights), NOISE) for x in (noisy, spoiled))
    np.testing.assert_array_equal(a[weights > 0], b[weights > 0])
    np.testing.assert_array_equal(left, again)
    assert np.all(b[weights == 0] == 1e6)


def test_trajectories_are_smoothed_each_by_itself():
    _, noisy = waves()
    short = noisy[: MIN_ROWS - 1] + 50
    smoothed, left = smooth(series_of(np.concatenate([noisy, short]), [600, len(short)]), NOISE)
    alone, share = smooth(series_of(noisy), NOISE)
    np.testing.assert_array_equal(smoothed[:600], alone)
    np.testing.assert_array_equal(smoothed[600:], short)
    np.testing.assert_allclose(left, (600 * share + len(short)) / (600 + len(short)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_and_input_are_kept(dtype):
    noisy = waves()[1].astype(dtype)
    given = noisy.copy()
    smoothed, _ = smooth(series_of(noisy), NOISE)
    assert smoothed.dtype == dtype
    np.testing.assert_array_equal(noisy, given)

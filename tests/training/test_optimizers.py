"""Optimizers against their formulas, schedules, clipping."""

from itertools import pairwise

import numpy as np
import pytest

from sklearn_plrnn._training.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Adam,
    Average,
    clip_by_norm,
)


def test_adam_is_the_formula(rng):
    gradients = rng.normal(size=(6, 4))
    x = np.zeros(4)
    optimizer = Adam(4, float)
    m, v, expected = np.zeros(4), np.zeros(4), np.zeros(4)
    for t, g in enumerate(gradients, start=1):
        rate = 0.1 / t
        optimizer.step(x, g, rate)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        expected -= rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        np.testing.assert_allclose(x, expected, rtol=1e-12)


def test_sgd_is_nesterov_momentum(rng):
    x, velocity, expected = np.zeros(3), np.zeros(3), np.zeros(3)
    optimizer = SGD(3, float)
    for g in rng.normal(size=(5, 3)):
        optimizer.step(x, g, 0.2)
        velocity = 0.9 * velocity - 0.2 * g
        expected += 0.9 * velocity - 0.2 * g
        np.testing.assert_allclose(x, expected)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_quadratic_is_minimized_in_place_and_in_its_dtype(name, dtype):
    scale, target = np.array([1, 3, 9], dtype), np.array([1, -2, 3], dtype)
    x = np.zeros(3, dtype)
    view, optimizer = x[:], OPTIMIZERS[name](3, dtype)
    for step in range(3000):
        gradient = scale * (x - target)
        kept = gradient.copy()
        optimizer.step(x, gradient, 0.02 * (1 - step / 3000))
        np.testing.assert_array_equal(gradient, kept)
    assert view is x or np.shares_memory(view, x)
    assert x.dtype == dtype
    np.testing.assert_allclose(x, target, atol=1e-3)


def test_the_average_forgets_the_start_and_quiets_noise(rng):
    average, wandering = Average(np.full(2, 100.0, np.float32)), rng.normal(size=(3000, 2))
    for n, x in enumerate(wandering, start=1):
        average.add(x)
        if n == 100:
            assert np.abs(average.parameters).max() < 1
    assert np.abs(average.parameters).max() < 4 / np.sqrt(2 * Average.MOST)
    assert average.parameters.dtype == float


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_schedules_start_at_one_and_never_rise(name):
    values = [SCHEDULES[name](done) for done in np.linspace(0, 1, 11)]
    assert values[0] == 1
    assert all(a >= b >= 0 for a, b in pairwise(values))
    assert name == "constant" or values[-1] < 0.01


def test_clipping_keeps_direction_and_returns_the_norm():
    gradient = np.array([3.0, 4.0])
    assert clip_by_norm(gradient, 1.0) == 5
    np.testing.assert_allclose(gradient, [0.6, 0.8])
    assert clip_by_norm(gradient, 2.0) == pytest.approx(1)
    assert clip_by_norm(gradient, None) == pytest.approx(1)
    np.testing.assert_allclose(gradient, [0.6, 0.8])

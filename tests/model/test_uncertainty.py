"""Noise estimates and sampled forecasts, against linear systems for which both are known."""

import numpy as np
import pytest

from sklearn_plrnn._model.cells import PLRNN
from sklearn_plrnn._model.readouts import Affine, Identity
from sklearn_plrnn._model.uncertainty import Noise, Windows, estimate_noise, sample_paths

A = np.array([0.9, 0.5])
DECAY = {"A": A, "W": np.zeros((2, 2)), "h": np.zeros(2), "initial_state": np.zeros(2)}
MAP = PLRNN(2).lower(DECAY)


def windows_of(process, observation, drift=0.0, n_timesteps=20_000):
    rng = np.random.default_rng(0)
    x = np.zeros((n_timesteps, 2))
    for t in range(1, n_timesteps):
        x[t] = A * x[t - 1] + drift + process * rng.normal(size=2)
    rows = x + observation * rng.normal(size=x.shape)
    known = np.random.default_rng(1).random(rows.shape) < 0.9
    pieces = [slice(0, 300), slice(300, None)]
    return Windows.of(
        [(rows[p], rows[p, :0], np.where(known, rows, 1e6)[p], known[p]) for p in pieces]
    )


def estimated(windows, level):
    return estimate_noise(MAP, DECAY, Identity(2, 2), windows, np.full(2, level))


@pytest.mark.parametrize(
    ("process", "observation"), [(0.3, 0.0), (0.0, 0.2), (np.array([0.1, 0.3]), 0.2)]
)
def test_process_and_measurement_are_told_apart(process, observation):
    found = estimated(windows_of(process, observation), observation)
    np.testing.assert_allclose(found.observation, observation, rtol=0.05)
    np.testing.assert_allclose(found.process, process, rtol=0.2, atol=0.06)


def test_a_level_that_cannot_be_is_lowered_to_the_errors():
    found = estimated(windows_of(0.0, 0.2), 5.0)
    np.testing.assert_allclose(found.observation, 0.2, rtol=0.1)
    np.testing.assert_allclose(found.process, 0, atol=0.06)


def test_errors_of_many_steps_count():
    """A drift of a tenth of the noise hides in one step, and is ten times as much after twenty."""
    windows = windows_of(0.0, 0.2, drift=0.05)
    found = estimated(windows, 0.2)
    assert estimated(windows_of(0.0, 0.2), 0.2).process.mean() < 0.5 * found.process.mean()
    rng = np.random.default_rng(2)
    args = MAP, DECAY, Identity(2, 2), windows.starts, found, 20, 20, None
    samples = sample_paths(*args, rng)[-1]
    errors = np.where(windows.known, windows.rows - windows.starts * A**20, 0)[-1]
    np.testing.assert_allclose(samples.var(axis=0).mean(), np.mean(errors**2) / 0.9, rtol=0.3)


@pytest.mark.parametrize("affine", [False, True])
def test_samples_spread_as_the_process_does(affine):
    """Start, process and measurement have normal shares that add up."""
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    params = DECAY | ({"B": turn, "b": np.ones(2)} if affine else {})
    readout = Affine(2, 2) if affine else Identity(2, 2)
    noise = Noise(np.full(2, 0.2), np.full(2, 0.3))
    start, rng = np.array([[1.0, -2.0]]), np.random.default_rng(0)
    rows = sample_paths(MAP, params, readout, start, noise, 6, 40_000, None, rng)[:, :, 0]
    h = np.arange(1, 7)[:, None]
    variances = 0.2**2 * A ** (2 * h) + 0.3**2 * (1 - A ** (2 * h)) / (1 - A**2)
    means = A**h * start
    if affine:
        means = means @ turn.T + 1
        variances = variances @ (turn**2).T
    np.testing.assert_allclose(rows.mean(axis=1), means, atol=0.02)
    np.testing.assert_allclose(rows.var(axis=1), variances + 0.2**2, rtol=0.03)


def test_samples_are_driven_by_the_inputs_of_their_trajectory():
    params = DECAY | {"C": np.ones((2, 1))}
    noise, start = Noise(np.zeros(2), np.zeros(2)), np.zeros((3, 2))
    inputs = np.arange(3.0).reshape(1, 3, 1).repeat(4, axis=0)
    rng = np.random.default_rng(0)
    rows = sample_paths(MAP, params, Identity(2, 2), start, noise, 4, 5, inputs, rng)
    assert rows.shape == (4, 5, 3, 2)
    expected = (
        np.arange(3)[None, None, :, None]
        * np.cumsum(A ** np.arange(4)[:, None], axis=0)[:, None, None]
    )
    np.testing.assert_allclose(rows, np.broadcast_to(expected, rows.shape))

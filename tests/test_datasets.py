"""Tasks by their definition, systems by their equations and known limits."""

import inspect

import numpy as np
import pytest

from sklearn_plrnn import datasets
from sklearn_plrnn.datasets import (
    make_addition,
    make_bursting_neuron,
    make_lorenz63,
    make_lorenz96,
    make_mackey_glass,
    make_multiplication,
    make_van_der_pol,
)

TASKS = [make_addition, make_multiplication]
SYSTEMS = [getattr(datasets, name) for name in datasets.__all__]
SYSTEMS = [make for make in SYSTEMS if make not in TASKS]


@pytest.mark.parametrize(
    ("make", "combine"), [(make_addition, np.sum), (make_multiplication, np.prod)]
)
@pytest.mark.parametrize("n_timesteps", [4, 21, 100])
def test_targets_combine_the_two_marked_numbers(make, combine, n_timesteps):
    X, y = make(400, n_timesteps, random_state=0)
    numbers, marks = X[..., 0], X[..., 1]
    assert set(np.unique(marks)) == {0, 1} and (marks.sum(axis=1) == 2).all()
    assert numbers.min() >= 0 and numbers.max() < 1
    np.testing.assert_allclose(y, combine(numbers[marks == 1].reshape(400, 2), axis=1))
    first, second = np.nonzero(marks)[1].reshape(400, 2).T
    n_first = min(10, n_timesteps // 4)
    assert set(first) == set(range(n_first))
    assert second.min() == n_first and second.max() == n_timesteps // 2 - 1


def test_task_noise_is_on_the_targets_only():
    clean, noisy = (make_addition(2000, 10, noise=s, random_state=0) for s in (0.0, 0.1))
    np.testing.assert_array_equal(clean[0], noisy[0])
    assert np.std(noisy[1] - clean[1]) == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("make", TASKS + SYSTEMS)
def test_seeds_are_reproducible_and_differ(make):
    small = {"n_timesteps": 60} | ({"transient": 10} if make in SYSTEMS else {"n_sequences": 5})
    first, same, other = (make(**small, random_state=seed) for seed in (0, 0, 1))
    pick = lambda data: data[0] if isinstance(data, tuple) else data
    np.testing.assert_array_equal(pick(first), pick(same))
    assert not np.array_equal(pick(first), pick(other))
    state = np.random.get_state()[1].copy()
    make(**small)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("make", SYSTEMS)
def test_options_common_to_all_systems(make):
    clean = make(500, random_state=0)
    assert clean.shape[0] == 500 and clean.dtype == np.float64
    standard = make(500, random_state=0, standardize=True)
    np.testing.assert_allclose(standard, (clean - clean.mean(0)) / clean.std(0))
    noise = make(500, random_state=0, noise=0.2) - clean
    np.testing.assert_allclose(noise.std(0), 0.2 * clean.std(0), rtol=0.15)
    later = make(
        400, random_state=0, transient=inspect.signature(make).parameters["transient"].default + 100
    )
    np.testing.assert_allclose(later, clean[100:], atol=1e-3 * clean.std())
    with pytest.raises(ValueError, match="initial_state must hold"):
        make(10, initial_state=[0.0] * 40)
    with pytest.raises(ValueError, match="dt"):
        make(10, dt=0)


def central_differences(x, dt):
    return (x[2:] - x[:-2]) / (2 * dt)


def test_lorenz63_obeys_its_equations_and_symmetry():
    X = make_lorenz63(2000, dt=0.001, random_state=0)
    x, y, z = X[1:-1].T
    velocity = np.c_[10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]
    np.testing.assert_allclose(central_differences(X, 0.001), velocity, atol=0.05)
    start = np.array([1.0, 2.0, 20.0])
    a, b = (
        make_lorenz63(300, initial_state=start * sign, transient=0)
        for sign in (np.ones(3), np.array([-1, -1, 1]))
    )
    np.testing.assert_allclose(a, b * [-1, -1, 1], atol=1e-5)
    fixed = [np.sqrt(8 / 3 * 27), np.sqrt(8 / 3 * 27), 27]
    np.testing.assert_allclose(make_lorenz63(50, initial_state=fixed, transient=0)[-1], fixed)


def test_lorenz96_obeys_its_equations_on_a_ring():
    X = make_lorenz96(500, n_variables=7, dt=0.002, random_state=0)
    x = X[1:-1]
    velocity = (np.roll(x, -1, 1) - np.roll(x, 2, 1)) * np.roll(x, 1, 1) - x + 8
    np.testing.assert_allclose(central_differences(X, 0.002), velocity, atol=0.05)
    rest = make_lorenz96(50, n_variables=5, initial_state=[8.0] * 5, transient=0)
    np.testing.assert_allclose(rest, 8.0)
    start = 8 + np.arange(6) / 10
    a = make_lorenz96(50, n_variables=6, initial_state=start, transient=0)
    b = make_lorenz96(50, n_variables=6, initial_state=np.roll(start, 2), transient=0)
    np.testing.assert_allclose(np.roll(a, 2, axis=1), b, atol=1e-6)


def test_van_der_pol_has_the_known_cycle():
    mu, dt = 0.1, 0.01
    x = make_van_der_pol(20_000, mu=mu, dt=dt, transient=20_000, random_state=0)[:, 0]
    assert x.max() == pytest.approx(2, abs=0.01)
    upward = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    assert np.diff(upward).mean() * dt == pytest.approx(2 * np.pi * (1 + mu**2 / 16), rel=1e-3)


def test_mackey_glass_rests_where_growth_equals_decay_and_converges():
    rest = make_mackey_glass(300, initial_state=[1.0], transient=0)
    np.testing.assert_allclose(rest, 1.0)
    coarse, fine, finer = (
        make_mackey_glass(200, initial_state=[0.9], transient=0, n_substeps=n) for n in (5, 10, 40)
    )
    assert np.abs(fine - finer).max() < 1e-4
    assert np.abs(fine - finer).max() < np.abs(coarse - finer).max()
    assert make_mackey_glass(2000, random_state=0).std() > 0.1


def test_mackey_glass_without_delayed_growth_decays():
    x = make_mackey_glass(30, beta=0.0, initial_state=[2.0], transient=0)
    np.testing.assert_allclose(x[:, 0], 2 * np.exp(-0.1 * np.arange(30)), rtol=1e-6)


def test_bursting_neuron_bursts():
    X = make_bursting_neuron(4000, random_state=0)
    V = X[:, 0]
    spikes = np.diff(np.flatnonzero((V[:-1] < -15) & (V[1:] >= -15)))
    assert len(spikes) > 20
    assert spikes.max() > 5 * np.median(spikes)


def test_bursting_neuron_is_the_one_of_the_paper(shared_data):
    X = make_bursting_neuron(initial_state=(-38.0822, 0.0665914, 0.0260464))
    with np.load(shared_data / "bursting_neuron_paper.npz") as data:
        measured = data["series1"]
    assert X.shape == measured.shape
    assert np.corrcoef(X[:, 0], measured[:, 0])[0, 1] > 0.99
    assert np.corrcoef(X[:, 1], measured[:, 1])[0, 1] > 0.97

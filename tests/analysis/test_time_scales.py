"""Time constants and slow manifolds of maps that have them by construction."""

import numpy as np
import pytest

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.analysis import PiecewiseLinearMap, line_attractor_directions, time_constants
from sklearn_plrnn.datasets import make_van_der_pol


def test_time_constants_are_those_of_decay():
    tau = np.array([3.0, 20.0])
    f = PiecewiseLinearMap(np.exp(-0.1 / tau), np.zeros((2, 2)), np.ones(2))
    found = time_constants(f, dt=0.1)
    np.testing.assert_allclose(found.units, tau)
    np.testing.assert_allclose(found.modes, [[20.0, 3.0]])
    z = found.states[0] + 1
    for _ in range(50):
        z = f.step(z)
    np.testing.assert_allclose(z - found.states[0], np.exp(-5 / tau))


def test_growth_and_what_stays():
    f = PiecewiseLinearMap(np.array([1.0, np.e, 0.0]), np.zeros((3, 3)), np.zeros(3))
    found = time_constants(f, states=np.ones((4, 3)))
    np.testing.assert_allclose(found.units, [np.inf, -1, 0], atol=1e-12)
    np.testing.assert_allclose(found.modes, np.tile([-1, np.inf, 0], (4, 1)), atol=1e-12)


@pytest.fixture
def integrator(rng):
    """Two integrators, with drift, that three fast units follow."""
    M = 5
    A, W = np.r_[1, 1, 0.3 * rng.random(3)], np.zeros((M, M))
    W[2:] = 0.2 * rng.normal(size=(3, M)) * (1 - np.eye(M))[2:]
    return PiecewiseLinearMap(A, W, np.r_[0.01, 0.0, rng.normal(size=3)])


def test_integrators_are_slow_directions(integrator, rng):
    states = 3 * rng.normal(size=(200, 5))
    found = line_attractor_directions(integrator, states)
    assert found.counts.sum() == 200 and np.all(np.diff(found.counts) <= 0)
    assert np.all(found.n_slow == 2)
    np.testing.assert_allclose(found.eigenvalues[:, :2], 1)
    for i in range(len(found.counts)):
        J = integrator.jacobian(states[found.regions == i][0])
        slow = found.directions[i, :, :2]
        np.testing.assert_allclose(J @ slow, slow, atol=1e-12)


def test_relaxed_states_only_drift(integrator, rng):
    states = 3 * rng.normal(size=(200, 5))
    found = line_attractor_directions(integrator, states)
    np.testing.assert_allclose(found.points[:, :2], states[:, :2])  # what is slow is not touched
    inside = found.points[found.inside]
    assert len(inside) > 20
    drift = integrator.step(inside) - inside
    np.testing.assert_allclose(drift[:, :2], np.tile([0.01, 0], (len(inside), 1)), atol=1e-12)
    slow = np.linalg.norm(found.drift[found.inside], axis=0) / np.sqrt(len(inside))
    assert slow < 0.05 < np.linalg.norm(integrator.step(states) - states, axis=1).mean()


def test_nothing_slow_relaxes_to_the_fixed_point(rng):
    f = PiecewiseLinearMap(rng.uniform(0, 0.5, 3), np.zeros((3, 3)), np.ones(3))
    found = line_attractor_directions(f, rng.normal(size=(10, 3)))
    np.testing.assert_allclose(found.points, np.tile(1 / (1 - f.A), (10, 1)))
    np.testing.assert_allclose(found.drift, 0, atol=1e-12)


def test_a_defective_jacobian_is_no_error():
    f = PiecewiseLinearMap(np.full(2, 0.5), np.array([[0, 1.0], [0, 0]]), np.ones(2))
    found = line_attractor_directions(f, [[1.0, 1.0]])
    assert np.isfinite(found.points).all()


def test_estimators_give_observations():
    X = make_van_der_pol(600, random_state=0)
    model = DSReconstructor(n_hidden=8, max_iter=1, random_state=0).fit(X)
    found = line_attractor_directions(model, model.transform(X), tol=0.2)
    np.testing.assert_allclose(found.observations, found.points @ model.B_.T + model.b_)
    assert line_attractor_directions(model.to_map(), model.transform(X)).observations is None
    assert time_constants(model).units.shape == (2,)

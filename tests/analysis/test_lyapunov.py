"""Lyapunov exponents of maps whose exponents are known."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.analysis import (
    PiecewiseLinearMap,
    kaplan_yorke_dimension,
    lyapunov_spectrum,
)
from sklearn_plrnn.datasets import make_lorenz63

LORENZ = np.array([0.906, 0.0, -14.57])  # per unit of time


class RungeKutta:
    """Steps of a vector field, and their derivative by the same method."""

    def __init__(self, velocity, slope, dt):
        self.velocity, self.slope, self.dt = velocity, slope, dt

    def stages(self, z):
        k, points = np.zeros(len(z)), []
        for share in (0, 0.5, 0.5, 1):
            points.append(z + share * self.dt * k)
            k = self.velocity(points[-1])
            yield points[-1], k

    def step(self, z):
        a, b, c, d = (k for _, k in self.stages(z))
        return z + self.dt / 6 * (a + 2 * b + 2 * c + d)

    def jacobian(self, z):
        K, total = np.zeros((len(z),) * 2), 0
        for (point, _), share, weight in zip(
            self.stages(z), (0, 0.5, 0.5, 1), (1, 2, 2, 1), strict=True
        ):
            K = self.slope(point) @ (np.eye(len(z)) + share * self.dt * K)
            total = total + weight * K
        return np.eye(len(z)) + self.dt / 6 * total


def lorenz(dt, sigma=10.0, rho=28.0, beta=8 / 3):
    def velocity(state):
        x, y, z = state
        return np.array([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])

    def slope(state):
        x, y, z = state
        return np.array([[-sigma, sigma, 0], [rho - z, -1, -x], [y, x, -beta]])

    return RungeKutta(velocity, slope, dt)


def test_derivative_of_a_lorenz_step():
    system, z, step = lorenz(0.02), np.array([1.0, 2.0, 20.0]), 1e-6
    columns = [(system.step(z + step * e) - system.step(z - step * e)) / 2e-6 for e in np.eye(3)]
    np.testing.assert_allclose(system.jacobian(z), np.transpose(columns), atol=1e-7)


def test_lorenz_exponents_from_the_equations():
    exponents = lyapunov_spectrum(lorenz(0.025), 7000, start=[1.0, 2.0, 20.0], dt=0.025)
    assert exponents[0] == pytest.approx(LORENZ[0], rel=0.05)
    assert exponents[1] == pytest.approx(0, abs=0.02)
    assert exponents[2] == pytest.approx(LORENZ[2], rel=0.01)
    assert exponents.sum() == pytest.approx(-(10 + 1 + 8 / 3), abs=0.01)  # the divergence
    assert kaplan_yorke_dimension(exponents) == pytest.approx(2.062, abs=0.01)


def test_lorenz_exponents_from_a_fitted_model():
    X = make_lorenz63(10_000, random_state=0)
    model = DSReconstructor(max_iter=0, random_state=1).fit(X)
    exponents = lyapunov_spectrum(model, 8000, dt=0.01)
    assert exponents[0] == pytest.approx(LORENZ[0], rel=0.2)
    assert exponents[1] == pytest.approx(0, abs=0.15)
    assert exponents[2] < -5
    assert kaplan_yorke_dimension(exponents) == pytest.approx(2.06, abs=0.05)


def test_exponents_of_a_linear_map_are_logs_of_moduli(rng):
    W = rng.normal(size=(4, 4)) / 3
    f = PiecewiseLinearMap(np.zeros(4), W, np.zeros(4), always_on=np.ones(4, bool))
    moduli = np.sort(np.abs(np.linalg.eigvals(W)))[::-1]
    found = lyapunov_spectrum(f, 3000, start=np.ones(4))
    np.testing.assert_allclose(found, np.log(moduli), atol=3e-3)
    run = {"n_timesteps": 50, "transient": 0, "start": np.ones(4)}
    np.testing.assert_allclose(lyapunov_spectrum(f, **run, dt=0.5), 2 * lyapunov_spectrum(f, **run))


def test_sum_of_exponents_is_the_mean_loss_of_volume(rng):
    f = PiecewiseLinearMap(
        rng.uniform(0.3, 0.9, 3), rng.normal(size=(3, 3)) * (1 - np.eye(3)) / 3, rng.normal(size=3)
    )
    z, volume = np.ones(3), 0.0
    for _ in range(200):
        volume += np.log(abs(np.linalg.det(f.jacobian(z))))
        z = f.step(z)
    assert lyapunov_spectrum(f, 200, transient=0, start=np.ones(3)).sum() == pytest.approx(
        volume / 200
    )


def test_object_pair_and_fewer_exponents():
    system = lorenz(0.02)
    run = {"n_timesteps": 300, "transient": 10, "start": [1.0, 2.0, 20.0]}
    found = lyapunov_spectrum(system, **run)
    np.testing.assert_array_equal(lyapunov_spectrum((system.step, system.jacobian), **run), found)
    np.testing.assert_allclose(lyapunov_spectrum(system, **run, n_exponents=2), found[:2])


@pytest.mark.parametrize(
    ("exponents", "dimension"),
    [
        (LORENZ, 2.0622),
        ([-0.1, -2], 0),
        ([0, -1], 1),
        ([0.5, 0.1], 2),
        ([0.2, 0.0, -0.1, -0.4], 3.25),
        ([0.3, -np.inf], 1),
        ([-1, 0.5], 1.5),
    ],
)
def test_kaplan_yorke_dimension(exponents, dimension):
    assert kaplan_yorke_dimension(exponents) == pytest.approx(dimension, abs=1e-4)


def test_bad_input_is_named():
    f = PiecewiseLinearMap(np.full(1, 3.0), np.zeros((1, 1)), np.ones(1))
    with pytest.raises(ValueError, match="start is None"):
        lyapunov_spectrum(f)
    with pytest.raises(ValueError, match=r"start has shape \(2,\); expected \(1,\)"):
        lyapunov_spectrum(f, start=[1.0, 2.0])
    with pytest.raises(ValueError, match="left the floating-point range at step"):
        lyapunov_spectrum(f, start=[1.0])
    with pytest.raises(TypeError, match="pair of functions"):
        lyapunov_spectrum(3, start=[1.0])
    with pytest.raises(TypeError, match=r"got Pipeline\. .* last step.*pipeline\[-1\]"):
        lyapunov_spectrum(make_pipeline(StandardScaler(), DSReconstructor()))
    search = GridSearchCV(DSReconstructor(max_iter=0), {"alpha": [1.0]}, cv=2)
    search.fit(np.eye(2)[np.arange(60) % 2])
    with pytest.raises(TypeError, match=r"got GridSearchCV\. .*best_estimator_"):
        lyapunov_spectrum(search)
    with pytest.raises(ValueError, match="neither NaN"):
        kaplan_yorke_dimension([1, np.nan])

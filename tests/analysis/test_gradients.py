"""Gradient norms against products of Jacobians, and the theorems on them."""

import numpy as np
import pytest

from sklearn_plrnn import DSReconstructor, RegularizedPLRNNRegressor
from sklearn_plrnn.analysis import PiecewiseLinearMap, gradient_norms
from sklearn_plrnn.datasets import make_addition

REGULARIZED = np.arange(3)


def random_map(rng, deviation, strength=0.4, M=7):
    """A PLRNN whose first three units are integrators but for a deviation."""
    A, W = rng.uniform(-0.4, 0.4, M), rng.normal(0, strength / np.sqrt(M), (M, M))
    A[REGULARIZED] = 1 + deviation * rng.normal(size=3)
    W[REGULARIZED] = deviation * rng.normal(size=(3, M))
    return PiecewiseLinearMap(A, W * (1 - np.eye(M)), rng.normal(size=M))


def run(f, n_timesteps, rng, noise=0.3):
    """States (T, M) of a run that is pushed about."""
    states = [rng.normal(size=f.n_components)]
    while len(states) < n_timesteps:
        states.append(f.step(states[-1]) + noise * rng.normal(size=f.n_components))
    return np.array(states)


def test_norms_are_those_of_the_products(rng):
    f = random_map(rng, 0.1)
    states = run(f, 30, rng)
    norms, product, bound = gradient_norms(f, states, units=REGULARIZED), np.eye(7), 1.0
    for t, z in enumerate(states):
        product = f.jacobian(z) @ product
        bound *= np.linalg.norm(f.jacobian(z), 2)
        assert norms.full[t] == pytest.approx(np.linalg.norm(product, 2))
        assert norms.bound[t] == pytest.approx(bound)
        values = np.linalg.svd(product[:, REGULARIZED], compute_uv=False)
        assert norms.largest[t] == pytest.approx(values[0])
        assert norms.smallest[t] == pytest.approx(values[-1])


def test_a_product_is_the_derivative_of_a_run(rng):
    f = random_map(rng, 0.1)
    z = run(f, 12, rng, noise=0)
    step = 1e-7
    later = z[0] + step * np.vstack([np.zeros(7), np.eye(7)])
    for _ in range(12):
        later = f.step(later)
    derivative = (later[1:] - later[0]).T / step
    norm = gradient_norms(f, z).full[-1]
    assert norm == pytest.approx(np.linalg.norm(derivative, 2), rel=1e-4)


@pytest.mark.parametrize("deviation", [0.0, 0.003, 0.03, 0.3])
def test_theorem_2_bounds_hold(deviation, rng):
    for _ in range(10):
        f = random_map(rng, deviation)
        norms = gradient_norms(f, run(f, 60, rng), units=REGULARIZED)
        assert np.all(norms.lower <= norms.smallest * (1 + 1e-9))
        assert np.all(norms.largest <= norms.upper * (1 + 1e-9))
        assert np.all(norms.full <= norms.bound * (1 + 1e-9))


def test_perfect_integrators_neither_forget_nor_explode(rng):
    f = random_map(rng, 0.0)
    states = run(f, 2000, rng)
    norms = gradient_norms(f, states, units=REGULARIZED)
    assert norms.contraction_of_others < 1
    S = f.jacobian(states)[:, 3:, :3]
    gain = np.linalg.norm(S, 2, axis=(1, 2)).max() / (1 - norms.contraction_of_others)
    np.testing.assert_allclose(norms.lower, 1)
    assert np.all(norms.upper <= np.hypot(1, gain) * (1 + 1e-9))
    assert np.all(norms.smallest >= 1 - 1e-9)


def test_the_closer_to_integrators_the_tighter(rng):
    gaps = []
    for deviation in (0.03, 0.01, 0.003, 0.001):
        f = random_map(np.random.default_rng(0), deviation)
        norms = gradient_norms(f, run(f, 200, np.random.default_rng(1)), units=REGULARIZED)
        gaps.append(np.log(norms.upper[-1] / norms.lower[-1]))
    assert gaps == sorted(gaps, reverse=True)


def test_theorem_1_a_run_into_a_stable_point_loses_its_gradients(rng):
    f = random_map(rng, 0.0)
    f = f._replace(A=f.A * 0.4)
    norms = gradient_norms(f, run(f, 400, rng, noise=0))
    assert norms.contraction < 1
    assert norms.full[-1] <= norms.bound[-1] < 1e-10
    half = len(norms.full) // 2
    assert norms.full[-1] <= norms.full[half - 1] * norms.contraction**half * (1 + 1e-9)


@pytest.mark.parametrize(("a", "limit"), [(0.1, 0.0), (10.0, np.inf)])
def test_numbers_beyond_the_range_do_not_harm(a, limit):
    f = PiecewiseLinearMap(np.full(2, a), np.zeros((2, 2)), np.zeros(2))
    norms = gradient_norms(f, np.zeros((500, 2)), units=[0])
    assert norms.full[99] == pytest.approx(a**100)
    assert all(x[-1] == limit for x in (norms.full, norms.bound, norms.largest, norms.upper))


@pytest.fixture(scope="module")
def addition():
    """Latent states of two trained models along a sequence of 1000 steps, and the models."""
    X, y = (part[:400] for part in make_addition(1000, 60, random_state=0))
    x = make_addition(1, 1000, random_state=2)[0][0]
    settings = {
        "regularized": {},
        "plain": {"alpha": 0.0, "init": "random", "solver": "adam", "max_iter": 20},
    }
    norms = {}
    for name, parameters in settings.items():
        model = RegularizedPLRNNRegressor(20, random_state=0, **parameters).fit(X, y)
        f, drive = model.to_map(), (x - model.input_mean_) / model.input_scale_ @ model.C_.T
        states = [model.initial_state_]
        for push in drive[:-1]:
            states.append(f.step(states[-1]) + push)
        norms[name] = gradient_norms(model, states)
    return norms


def test_regularized_gradients_stay_within_their_bounds_over_1000_steps(addition):
    norms = addition["regularized"]
    assert norms.contraction_of_others < 1  # the premise of Theorem 2
    assert np.all(norms.lower <= norms.smallest * (1 + 1e-6))
    assert np.all(norms.largest <= norms.upper * (1 + 1e-6))
    assert norms.lower[-1] > 0.5
    assert norms.upper[-1] < 2 * norms.upper[50:100].max()


def test_without_regularization_they_vanish_or_explode(addition):
    assert abs(np.log10(addition["plain"].largest[199])) > 10
    assert abs(np.log10(addition["regularized"].smallest[199])) < 0.1


@pytest.mark.parametrize(("fraction", "units"), [(0.5, [2, 3, 4]), (0.0, None), (1.0, None)])
def test_an_estimator_knows_its_regularized_units(fraction, units, rng):
    X = rng.normal(size=(60, 2))
    model = DSReconstructor(
        6, architecture="plrnn", regularized_fraction=fraction, max_iter=1, random_state=0
    ).fit(X)
    states = model.transform(X)
    found = gradient_norms(model, states)
    if units is None:
        assert found.largest is None and found.lower is None
    else:
        assert model.regularized_units_.tolist() == units  # not the observed ones
        expected = gradient_norms(model.to_map(), states, units=units)
        np.testing.assert_array_equal(found.largest, expected.largest)
        np.testing.assert_array_equal(found.upper, expected.upper)


def test_bad_input_is_named(rng):
    f = random_map(rng, 0.0)
    with pytest.raises(ValueError, match=r"states has shape \(5, 3\); expected \(time, 7\)"):
        gradient_norms(f, np.zeros((5, 3)))
    for units in ([7], [-1], np.arange(7), [0.5]):
        with pytest.raises(ValueError, match="units must be indices"):
            gradient_norms(f, np.zeros((5, 7)), units=units)

"""Losses: value and gradient against their plain form, factors against the exact Hessian."""

import numpy as np
import pytest
import reference
from autograd import grad, hessian

from sklearn_plrnn._model.losses import LOSSES


def arguments_of(name, rng, n_steps, dtype=float):
    """Outputs, targets and weights (n_steps, 4, 3) or (n_steps, 4, 1)."""
    outputs, targets = rng.normal(size=(2, n_steps, 4, 3)).astype(dtype)
    if name == "cross_entropy":
        targets = np.eye(3, dtype=dtype)[rng.integers(0, 3, (n_steps, 4))]
    return outputs, targets, rng.random((n_steps, 4, 1)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_equal_their_plain_form(name, dtype, rng):
    outputs, targets, weights = arguments_of(name, rng, 5, dtype)
    loss, plain = LOSSES[name]().value, reference.LOSSES[name]
    tolerance = {"rtol": 200 * np.finfo(dtype).eps, "atol": 20 * np.finfo(dtype).eps}
    assert loss(outputs, targets, weights).dtype == dtype
    np.testing.assert_allclose(
        loss(outputs, targets, weights), plain(outputs, targets, weights), **tolerance
    )
    found, expected = (grad(f)(outputs, targets, weights) for f in (loss, plain))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, **tolerance)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("n_steps", "n_samples"), [(1, 3), (2, 6), (1, 1), (2, 2)])
def test_factors_are_a_root_of_the_hessian(name, n_steps, n_samples, rng):
    outputs, targets, weights = arguments_of(name, rng, n_steps)
    loss = LOSSES[name]()
    exact = hessian(reference.LOSSES[name])(outputs, targets, weights)
    exact = np.einsum("tbnsbm->btnsm", exact).reshape(4, 3 * n_steps, 3 * n_steps)
    draws = 1 if n_samples >= 3 * n_steps and n_steps == 1 else 20_000
    total = 0.0
    for _ in range(draws):
        v, _ = loss.factors(outputs, targets, weights, n_samples, rng)
        rows = v.transpose(2, 0, 1, 3).reshape(4, len(v), -1)
        total = total + rows.swapaxes(1, 2) @ rows
    tolerance = 1e-12 if draws == 1 else 0.08
    np.testing.assert_allclose(total / draws, exact, atol=tolerance * np.abs(exact).max())


@pytest.mark.parametrize("n_steps", [1, 2])
def test_all_factors_of_a_squared_error_give_its_gradient(n_steps, rng):
    arguments = arguments_of("squared_error", rng, n_steps)
    v, residual = LOSSES["squared_error"]().factors(*arguments, 3 * n_steps, rng)
    found = np.einsum("rtbn,rb->tbn", v, residual)
    np.testing.assert_allclose(found, grad(reference.LOSSES["squared_error"])(*arguments))


def test_cross_entropy_of_large_outputs_is_finite():
    outputs = np.array([[[800.0, 0.0, -800.0]]])
    targets, weights = np.array([[[0.0, 1.0, 0.0]]]), np.full((1, 1, 1), 1 / 3)
    assert LOSSES["cross_entropy"]().value(outputs, targets, weights) == 800

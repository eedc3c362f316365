"""Gradients by name against autograd's own, operations with hand-written derivatives."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from sklearn_plrnn._model.gradient import pull, value_and_gradients, without_diagonal


def test_gradients_equal_autograd_of_the_dict(rng):
    params = {"a": rng.normal(size=3), "b": rng.normal(size=(2, 3)), "c": rng.normal(size=2)}

    def value(params, shift):
        x = anp.dot(params["b"], params["a"] - shift) * params["c"]
        return anp.sum(anp.tanh(x) ** 2) + anp.sum(params["a"]) * anp.sum(params["a"] ** 3)

    found, gradients = value_and_gradients(value, params, 0.3)
    assert found == value(params, 0.3)
    for name, expected in grad(value)(params, 0.3).items():
        np.testing.assert_allclose(gradients[name], expected)


def test_parameters_without_influence_have_no_gradient():
    params = {"a": np.ones(2), "b": np.ones(2)}
    assert value_and_gradients(lambda p: anp.sum(p["a"]), params)[1]["b"] is None
    assert value_and_gradients(lambda p: 3.0, params) == (3.0, {"a": None, "b": None})


def mean_pull(A, W, h, units, anchor, n_couplings, alpha):
    A, W, h = A[units], W[units], h[units]
    scatter = anp.mean((A - anchor) ** 2) + anp.sum(W**2) / n_couplings + anp.mean(h**2)
    return alpha * scatter


PLAIN = {
    "without_diagonal": (without_diagonal, lambda W: W * (1 - np.eye(len(W)))),
    "pull": (pull, mean_pull),
}


def arguments_of(name, rng, dtype):
    draw = lambda *shape: rng.normal(size=shape).astype(dtype)
    if name == "without_diagonal":
        return (draw(4, 4),), (0,)
    return (draw(5), draw(5, 7), draw(5), np.array([0, 3]), 1.0, 12, 0.7), (0, 1, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", PLAIN)
def test_operations_equal_their_plain_form(name, dtype, rng):
    operation, plain = PLAIN[name]
    arguments, argnums = arguments_of(name, rng, dtype)
    tolerance = {"rtol": 200 * np.finfo(dtype).eps, "atol": 20 * np.finfo(dtype).eps}
    found = operation(*arguments)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, plain(*arguments), **tolerance)
    bar = rng.normal(size=np.shape(found)).astype(dtype)
    for argnum in argnums:
        gradients = [
            grad(lambda *a, f=f: anp.sum(bar * f(*a)), argnum)(*arguments)
            for f in (operation, plain)
        ]
        assert gradients[0].dtype == dtype
        np.testing.assert_allclose(*gradients, **tolerance)
    if name == "without_diagonal":
        assert arguments[0].diagonal().all(), "its argument is left as it was"

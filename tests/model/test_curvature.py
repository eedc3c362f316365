"""The Gauss-Newton matrix and gradient against autograd's Jacobian, over all cells and losses."""

import autograd.numpy as anp
import numpy as np
import pytest
import reference
from autograd import grad, hessian, jacobian

from sklearn_plrnn._model.cells import CELLS, make_cell
from sklearn_plrnn._model.losses import LOSSES
from sklearn_plrnn._model.objective import Batch, Objective
from sklearn_plrnn._model.readouts import Affine
from sklearn_plrnn._model.regularization import PENALTIES
from sklearn_plrnn._training.run import flatten

M, N, K, T, B = 4, 3, 2, 6, 5
EXACT = 10**6  # samples: as many as there are outputs


def problem(rng, cell, loss, due, learn_start=True):
    """Objective, parameters and two batches; `due` is the number of steps with a target."""
    penalty = PENALTIES["manifold-attractor"](0.7, np.array([0, 2]))
    objective = Objective(
        make_cell(cell, n_components=M, n_hidden=6, n_nonlinear=3),
        Affine(M, N),
        penalty,
        K,
        LOSSES[loss](),
        None,
        0.3,
        learn_start,
    )
    params = {
        name: x + rng.normal(0, 0.1, x.shape) for name, x in objective.init(rng, float).items()
    }
    batches = []
    for size in (B, 3):
        targets = rng.normal(size=(due, size, N))
        if loss == "cross_entropy":
            targets = np.eye(N)[rng.integers(0, N, (due, size))]
        batches.append(Batch(rng.normal(size=(T, size, K)), targets, rng.random((due, size, 1))))
    return objective, params, batches


def expected(objective, params, batches, loss):
    """H and gradient from whole Jacobians of outputs and the loss's own derivatives."""
    vector, views = flatten(params)
    of = lambda v: _unflatten(v, views)
    H, gradient, count = 0.0, 0.0, 0
    for batch in batches:
        given, size = batch.targets, batch.inputs.shape[1]
        outputs_of = lambda v, batch=batch: anp.ravel(_outputs(objective, of(v), batch))
        loss_of = lambda x, batch=batch: reference.LOSSES[loss](
            anp.reshape(x, batch.targets.shape), batch.targets, batch.weights
        )
        J, x = jacobian(outputs_of)(vector), outputs_of(vector)
        gradient = gradient + size * J.T @ grad(loss_of)(x)
        H = H + size * J.T @ hessian(loss_of)(x) @ J
        count += given.shape[1]
    of_penalties = grad(lambda v: objective.penalties(of(v), objective.cell.lower(of(v))))
    second = of_penalties(vector + 1.0) - of_penalties(vector)
    return H / count + np.diag(second), gradient / count + of_penalties(vector)


def _outputs(objective, params, batch):
    states = objective.states(params, batch)[-len(batch.targets) :]
    return objective.readout.output(params, states)


def _unflatten(vector, like):
    params, begin = {}, 0
    for name, x in like.items():
        params[name] = anp.reshape(vector[begin : begin + x.size], x.shape)
        begin += x.size
    return params


@pytest.mark.parametrize("due", [1, T])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("cell", CELLS)
def test_matrix_and_gradient_equal_autograd(cell, loss, due, rng):
    if loss == "cross_entropy" and due > 1:
        pytest.skip("labels of every step are sampled; the next test has them in the mean")
    objective, params, batches = problem(rng, cell, loss, due)
    H, gradient = objective.curvature()(params, iter(batches), EXACT, EXACT, rng)
    expected_H, expected_gradient = expected(objective, params, batches, loss)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(H, expected_H, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("loss", "due"), [("squared_error", T), ("cross_entropy", 1)])
def test_samples_give_the_matrix_in_the_mean_and_the_gradient_at_once(loss, due, rng):
    objective, params, batches = problem(rng, "plrnn", loss, due)
    curvature = objective.curvature()
    exact, gradient = curvature(params, iter(batches), EXACT, EXACT, rng)
    draws = [curvature(params, iter(batches), EXACT, 1, rng) for _ in range(1500)]
    np.testing.assert_allclose(draws[0][1], gradient, atol=1e-10)
    scale = np.sqrt(np.outer(exact.diagonal(), exact.diagonal())) + 1e-12
    assert np.abs((np.mean([H for H, _ in draws], axis=0) - exact) / scale).max() < 0.25


def test_it_asks_for_no_more_sequences_than_wanted(rng):
    objective, params, batches = problem(rng, "plrnn", "squared_error", 1)
    rest = iter(batches)
    objective.curvature()(params, rest, B, 1, rng)
    assert next(rest) is batches[1]


def test_float32_is_added_up_in_double_precision(rng):
    objective, params, batches = problem(rng, "plrnn", "squared_error", 1, learn_start=False)
    single = lambda x: x.astype(np.float32)
    in_single = (
        {k: single(x) for k, x in params.items()},
        [Batch(*map(single, b[:3])) for b in batches],
    )
    exact = objective.curvature()(params, iter(batches), EXACT, EXACT, rng)
    found = objective.curvature()(in_single[0], iter(in_single[1]), EXACT, EXACT, rng)
    for x, y in zip(found, exact, strict=True):
        assert x.dtype == float
        np.testing.assert_allclose(x, y, atol=1e-5 * np.abs(y).max())

"""The gradient by hand equals autograd's, for every combination of parts that know their own."""

from itertools import product

import numpy as np
import pytest

from sklearn_plrnn._model.cells import CELLS, make_cell
from sklearn_plrnn._model.explicit_gradient import is_explicit
from sklearn_plrnn._model.forcing import Generalized
from sklearn_plrnn._model.gradient import value_and_gradients
from sklearn_plrnn._model.losses import LOSSES
from sklearn_plrnn._model.objective import Batch, Objective
from sklearn_plrnn._model.readouts import READOUTS, Affine
from sklearn_plrnn._model.regularization import PENALTIES

M, N, K, T, B = 5, 3, 2, 12, 4


def problem(
    rng, cell="plrnn", penalty="manifold-attractor", loss="squared_error", due=T, **options
):
    """Objective, parameters in double precision and a batch with `due` steps of targets."""
    parts = (
        make_cell(cell, n_components=M, n_hidden=7, n_nonlinear=3),
        Affine(M, N),
        PENALTIES[penalty](0.7, np.array([0, 3])),
    )
    objective = Objective(*parts, K, LOSSES[loss](), l2=0.2, **options)
    targets = rng.normal(size=(due, B, N))
    if loss == "cross_entropy":
        targets = np.eye(N)[rng.integers(0, N, (due, B))]
    batch = Batch(rng.normal(size=(T, B, K)), targets, rng.random((due, B, 1)))
    params = objective.init(rng, float)
    return objective, {k: x + 0.1 * rng.normal(size=x.shape) for k, x in params.items()}, batch


@pytest.mark.parametrize("due", [1, T])
@pytest.mark.parametrize(("cell", "penalty", "loss"), [*product(CELLS, PENALTIES, LOSSES)])
@pytest.mark.parametrize("options", [{}, {"learn_start": False}, {"checkpointing": True}])
def test_it_equals_autograd(cell, penalty, loss, due, options, rng):
    objective, params, batch = problem(rng, cell, penalty, loss, due, **options)
    assert is_explicit(objective)
    before = {name: x.copy() for name, x in params.items()}
    value, gradients = objective.buffered()[1](params, batch)
    expected_value, expected = value_and_gradients(objective.value, params, batch)
    assert value == pytest.approx(expected_value)
    assert list(gradients) == list(params)
    for name, x in expected.items():
        np.testing.assert_allclose(gradients[name], x, rtol=1e-10, atol=1e-12, err_msg=name)
        np.testing.assert_array_equal(params[name], before[name])


def test_with_process_noise_it_equals_autograd(rng):
    objective, params, batch = problem(rng)
    batch = batch._replace(noise=rng.normal(size=(T, B, M)))
    gradients = objective.buffered()[1](params, batch)[1]
    for name, x in value_and_gradients(objective.value, params, batch)[1].items():
        np.testing.assert_allclose(gradients[name], x, rtol=1e-10, atol=1e-12, err_msg=name)


def test_single_precision_stays_single(rng):
    objective, params, batch = problem(rng)
    single = lambda x: x.astype(np.float32)
    params = {name: single(x) for name, x in params.items()}
    batch = Batch(*map(single, batch[:3]))
    value, gradients = objective.buffered()[1](params, batch)
    assert {value.dtype, *(x.dtype for x in gradients.values())} == {np.dtype(np.float32)}


class Mute:
    """A penalty that does not know its derivative."""

    alpha, units = 0.5, np.array([0])

    def value(self, cell, f):
        return self.alpha * (f.A[0] - 1) ** 2


def test_what_has_no_derivative_by_hand_is_left_to_autograd(rng):
    objective, params, batch = problem(rng)
    free = objective._replace(penalty=Mute())
    assert not is_explicit(free)
    gradients = free.buffered()[1](params, batch)[1]
    expected = value_and_gradients(free.value, params, batch)[1]
    np.testing.assert_allclose(gradients["A"], expected["A"])
    assert not is_explicit(objective._replace(forcing=Generalized(0.1, 1)))
    assert not is_explicit(objective._replace(readout=READOUTS["identity"](M, N)))

"""Readouts that are solved for: exact relations, units, held-out choice of the ridge, labels."""

import numpy as np
import pytest

from sklearn_plrnn._model.cells import CELLS
from sklearn_plrnn._model.losses import LOSSES
from sklearn_plrnn._model.objective import Objective
from sklearn_plrnn._model.readouts import Affine
from sklearn_plrnn._model.regularization import ManifoldAttractor
from sklearn_plrnn._model.solved_readout import RIDGES, ridge_regression, solve_readout
from sklearn_plrnn._training.batches import SequenceBatches, Series


def test_an_exact_relation_is_found(rng):
    design, B, b = rng.normal(3, 1, (200, 5)), rng.normal(size=(5, 2)), np.array([10.0, -1.0])
    solution, offset = ridge_regression(design, design @ B + b, np.ones(200))
    np.testing.assert_allclose(solution, B, rtol=1e-4)
    np.testing.assert_allclose(offset, b, rtol=1e-3)


@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_units_do_not_matter(factor, rng):
    design, targets = rng.normal(size=(100, 4)), rng.normal(size=(100, 2))
    weights = rng.random(100)
    scale = np.array([1, factor, 1, 1])
    solution, offset = ridge_regression(design, targets, weights)
    scaled, scaled_offset = ridge_regression(design * scale, targets, weights)
    np.testing.assert_allclose(scaled * scale[:, None], solution, rtol=1e-8)
    np.testing.assert_allclose(scaled_offset, offset, rtol=1e-8)


def test_noise_in_many_dimensions_is_answered_by_a_large_ridge(rng):
    design, targets = rng.normal(size=(60, 40)), rng.normal(size=(60, 1))
    solution, _ = ridge_regression(design, targets, np.ones(60))
    careless = np.linalg.lstsq(np.c_[design, np.ones(60)], targets, rcond=None)[0][:-1]
    assert np.linalg.norm(solution) < 0.7 * np.linalg.norm(careless)


def test_constant_and_repeated_columns_are_no_problem(rng):
    x = rng.normal(size=(50, 1))
    solution, offset = ridge_regression(np.hstack([x, x, np.ones((50, 1))]), 3 * x, np.ones(50))
    np.testing.assert_allclose(solution.sum(), 3, rtol=1e-4)
    assert solution[2] == 0 and abs(offset[0]) < 1e-6


def network(n_outputs, loss):
    """An objective whose states are the inputs, shifted: A = 0, W = 0, C = 1."""
    objective = Objective(
        CELLS["plrnn"](3),
        Affine(3, n_outputs),
        ManifoldAttractor(0.0, np.arange(0)),
        3,
        LOSSES[loss](),
    )
    params = objective.init(np.random.default_rng(0), float)
    params["A"][:], params["W"][:], params["h"][:], params["C"] = 0, 0, 1, np.eye(3)
    return objective, params


def solved(objective, params, X, targets, weights=None):
    n, T, _ = X.shape
    weights = np.ones((n, 1)) if weights is None else weights
    series = Series(X.reshape(n * T, 3), np.full(n, T), targets, weights)
    return solve_readout(objective, params, SequenceBatches(series))


def test_targets_of_sequences_are_read_from_their_last_state(rng):
    X = rng.normal(size=(300, 4, 3))
    B = np.array([[1.0, -2.0, 0.5]])
    params = solved(*network(1, "squared_error"), X, X[:, -1] @ B.T + 5)
    np.testing.assert_allclose(params["B"], B, rtol=1e-3)
    np.testing.assert_allclose(params["b"], 5 - B.sum(), rtol=1e-3)


def test_weights_of_zero_do_not_count(rng):
    X, y = rng.normal(size=(200, 2, 3)), rng.normal(size=(200, 1))
    weights = (np.arange(200) % 3 > 0).astype(float)[:, None]
    changed = np.where(weights > 0, y, 1e6)
    a, b = (solved(*network(1, "squared_error"), X, t, weights) for t in (y, changed))
    np.testing.assert_array_equal(a["B"], b["B"])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_labels_are_told_apart(n_classes, rng):
    X = rng.normal(size=(600, 2, 3))
    labels = X[:, -1, :n_classes].argmax(axis=1)
    objective, params = network(n_classes, "cross_entropy")
    params = solved(objective, params, X, np.eye(n_classes)[labels])
    logits = (X[:, -1] + 1) @ params["B"].T + params["b"]
    assert np.mean(logits.argmax(axis=1) == labels) > 0.97


def test_a_class_without_rows_is_improbable(rng):
    X = rng.normal(size=(100, 2, 3))
    labels = (X[:, -1, 0] > 0) * 2  # never 1
    params = solved(*network(3, "cross_entropy"), X, np.eye(3)[labels])
    logits = (X[:, -1] + 1) @ params["B"].T + params["b"]
    assert not (logits.argmax(axis=1) == 1).any()


def test_ridges_are_in_order():
    assert list(RIDGES) == sorted(RIDGES)

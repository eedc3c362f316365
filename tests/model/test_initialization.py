"""Starts: shapes and precision of all, what the identity-like and the closed-form ones solve."""

import numpy as np
import pytest

from sklearn_plrnn._model import lift
from sklearn_plrnn._model.cells import CELLS, PLRNN, make_cell
from sklearn_plrnn._model.forcing import Generalized
from sklearn_plrnn._model.initialization import INITS, RIDGE, initialize
from sklearn_plrnn._model.objective import Objective
from sklearn_plrnn._model.readouts import READOUTS, Affine
from sklearn_plrnn._model.regularization import ManifoldAttractor, regularized_units
from sklearn_plrnn._model.solved_readout import solve_readout
from sklearn_plrnn._training.batches import SequenceBatches, Series, WindowBatches
from sklearn_plrnn.datasets import make_lorenz63


def objective_of(cell="shallow", readout="identity", M=5, N=3, K=0, alpha=1.0, forcing=True):
    """An objective for N observed variables and K inputs."""
    readout = READOUTS[readout](M, N)
    penalty = ManifoldAttractor(alpha, regularized_units(M, readout.n_observed, 0.4))
    forcing = Generalized(0.1, 1) if forcing else None
    return Objective(
        make_cell(cell, n_components=M, n_hidden=40, n_nonlinear=max(M - 3, 2)),
        readout,
        penalty,
        K,
        forcing=forcing,
    )


def lorenz(n_inputs=0, dtype=np.float64):
    """A standardized Lorenz series, with noise as inputs, and its windows."""
    X = make_lorenz63(1500, random_state=0)
    X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(dtype)
    inputs = np.random.default_rng(0).normal(size=(1500, n_inputs)).astype(dtype)
    series = Series(inputs, np.array([1500]), X, np.ones_like(X))
    return series, WindowBatches(series, 16, [50], 5)


@pytest.mark.parametrize("init", sorted(INITS))
@pytest.mark.parametrize("cell", sorted(CELLS))
@pytest.mark.parametrize("readout", sorted(READOUTS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_start_has_the_shapes_and_precision_of_the_problem(init, cell, readout, dtype):
    objective = objective_of(cell, readout, K=2)
    series, batches = lorenz(2, dtype)
    params = initialize(init, objective, series, batches, np.random.default_rng(0))
    expected = objective.init(np.random.default_rng(0), dtype)
    assert {k: x.shape for k, x in params.items()} == {k: x.shape for k, x in expected.items()}
    assert {x.dtype for x in params.values()} == {np.dtype(dtype)}
    assert all(np.isfinite(x).all() for x in params.values())
    again = initialize(init, objective, series, batches, np.random.default_rng(0))
    for name, x in params.items():
        np.testing.assert_array_equal(again[name], x)


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_regularized_units_start_as_integrators(cell):
    objective = objective_of(cell, M=6, K=1)
    series, batches = lorenz(1)
    units = objective.penalty.units
    for init in ("identity", "lift"):
        params = initialize(init, objective, series, batches, np.random.default_rng(0))
        f = objective.cell.lower(params)
        np.testing.assert_array_equal(f.A[units], 1)
        assert not f.W[units].any() and not f.h[units].any()
    states = np.random.default_rng(1).normal(size=(4, 6))
    np.testing.assert_allclose(f.step(states)[:, units], states[:, units])


@pytest.mark.parametrize("cell", sorted(CELLS))
@pytest.mark.parametrize("readout", sorted(READOUTS))
def test_the_lifted_start_predicts_the_next_row(cell, readout):
    has_hidden = bool(CELLS[cell].kinks)
    if not has_hidden and readout != "identity":
        pytest.skip("forcing would reach every latent unit, so that none can be a feature")
    objective = objective_of(cell, readout, M=3 if has_hidden else 33, alpha=0.0)
    series, batches = lorenz()
    params = initialize("lift", objective, series, batches, np.random.default_rng(0))
    random = initialize("random", objective, series, batches, np.random.default_rng(0))
    X = series.targets
    errors = []
    for p in (params, random):
        start = objective.readout.start(p, X[:-1], np.ones_like(X[:-1], bool))
        following = objective.readout.output(p, objective.cell.lower(p).step(start))
        errors.append(np.mean((following - X[1:]) ** 2))
    copying = np.mean(np.diff(X, axis=0) ** 2)
    # Both kinks of a clipped unit cannot be drawn: the second is where the data have their mean.
    assert errors[0] < (0.15 if cell == "clipped-shallow" else 0.05) * copying < errors[1]


def test_runs_of_the_lifted_start_get_nowhere_far_where_hidden_units_saturate():
    """Ridge regression alone finds A_i of up to 1.15 here, which hold as far as there are data."""
    series, batches = lorenz()
    objective, far = objective_of("clipped-shallow", "affine", M=3, alpha=0.0), 1e5 * np.eye(3)
    for seed in range(8):
        params = initialize("lift", objective, series, batches, np.random.default_rng(seed))
        f = objective.cell.lower(params)
        assert np.all(np.linalg.norm(f.step(far), axis=1) < np.linalg.norm(far, axis=1))


def test_of_more_draws_the_lifted_start_follows_the_longest_windows_better(monkeypatch):
    series, _ = lorenz()
    batches = WindowBatches(series, 500, [5, 40], 1)
    objective, errors = objective_of(M=3, alpha=0.0), []
    for n_draws in (1, 2, 10):
        monkeypatch.setattr(lift, "N_DRAWS", n_draws)
        params = initialize("lift", objective, series, batches, np.random.default_rng(0))
        errors.append(sum(objective.value(params, batch) for batch in batches.longer.ordered()))
    assert errors[0] >= errors[1] >= errors[2] and errors[2] < 0.9 * errors[0]


@pytest.mark.parametrize(
    ("cell", "readout", "M"),
    [
        ("shallow", "identity", 1),
        ("shallow", "affine", 1),
        ("plrnn", "identity", 31),
        ("almost-linear", "identity", 31),
    ],
)
def test_growth_of_errors_is_that_of_the_logistic_map_which_doubles_them(cell, readout, M):
    X = np.full((1500, 1), 0.2)
    for t in range(1, len(X)):
        X[t] = 4 * X[t - 1] * (1 - X[t - 1])
    series = Series(np.empty((1500, 0)), np.array([1500]), 4 * X - 2, np.ones_like(X))
    objective = objective_of(cell, readout, M=M, N=1, alpha=0.0)
    growth = lambda series, length: lift.error_growth(
        objective, WindowBatches(series, 16, [length], 5)
    )
    assert growth(series, 50) == pytest.approx(np.log(2), rel=0.15)
    many = series._replace(lengths=np.full(25, 60))
    assert growth(many, 50) == pytest.approx(np.log(2), rel=0.15)
    assert growth(series._replace(weights=np.arange(1500)[:, None] % 2.0), 50) == 0
    resting = series._replace(targets=np.zeros_like(X))
    assert growth(resting, 50) == 0


def test_the_lifted_start_finds_the_weights_of_the_inputs():
    rng = np.random.default_rng(0)
    u, X = rng.normal(size=(800, 1)), np.zeros((800, 2))
    for t in range(1, 800):
        X[t] = 0.8 * X[t - 1] + [0.5, -0.25] * u[t]
    series = Series(u, np.array([800]), X, np.ones_like(X))
    objective = objective_of(M=2, N=2, K=1, alpha=0.0)
    batches = WindowBatches(series, 16, [50], 5)
    params = initialize("lift", objective, series, batches, rng)
    np.testing.assert_allclose(params["C"][:, 0], [0.5, -0.25], rtol=0.02)


def test_transitions_never_cross_a_gap_or_the_end_of_a_trajectory():
    series, _ = lorenz()
    spoiled, weights = series.targets.copy(), np.ones_like(series.targets)
    weights[100] = weights[700, 1] = 0
    spoiled[100] = spoiled[700, 1] = 0
    spoiled[900:] += 50  # a second trajectory elsewhere
    lengths = np.array([900, 600])
    parts = [
        Series(series.inputs, lengths, spoiled, weights),
        Series(series.inputs[:900], lengths[:1], spoiled[:900], weights[:900]),
    ]
    f = []
    for part in parts:
        objective, batches = objective_of(M=3, alpha=0.0), WindowBatches(part, 16, [50], 5)
        params = initialize("lift", objective, part, batches, np.random.default_rng(0))
        f.append(objective.cell.lower(params))
        now = np.r_[0:99, 101:699, 701:899]
        error = np.abs(f[-1].step(spoiled[now]) - spoiled[now + 1]).max()
        assert error < 1
    assert not np.array_equal(f[0].A, f[1].A)


def test_the_readout_is_the_ridge_regression_on_the_states(rng):
    X, weights = rng.normal(size=(200, 2)), rng.integers(0, 2, size=(200, 1)).astype(float)
    series = Series(X, np.array([120, 80]), rng.normal(size=(200, 1)), weights)
    objective = Objective(PLRNN(4), Affine(4, 1), ManifoldAttractor(0.0, np.empty(0, int)), 2)
    params = objective.init(rng, np.float64)
    batches = SequenceBatches(series, 1)
    solved = solve_readout(objective, params, batches, (RIDGE,))
    states = np.concatenate([objective.states(params, b)[:, 0] for b in batches.ordered()])
    Z, y = states[weights[:, 0] > 0], series.targets[weights[:, 0] > 0]
    centred = Z - Z.mean(axis=0)
    ridge = 1e-2 * np.diag(centred.var(axis=0)) * len(Z)
    B = np.linalg.solve(centred.T @ centred + ridge, centred.T @ (y - y.mean(axis=0))).T
    np.testing.assert_allclose(solved["B"], B, rtol=1e-6)
    np.testing.assert_allclose(solved["b"], y.mean(axis=0) - B @ Z.mean(axis=0), rtol=1e-6)


def test_integrators_hold_sums_of_the_order_of_one():
    T = 400
    X = np.random.default_rng(0).normal(size=(50 * T, 1))
    series = Series(X, np.full(50, T), X[::T], np.ones((50, 1)))
    objective = objective_of("plrnn", "affine", N=1, K=1, forcing=False)
    batches = SequenceBatches(series, 50)
    params = initialize("identity", objective, series, batches, np.random.default_rng(0))
    last = objective.states(params, next(batches.ordered()))[-1][:, objective.penalty.units]
    assert 0.1 < last.std() < 3

"""Multiple shooting: gradients against finite differences, start states, windows that are lost."""

from itertools import product

import numpy as np
import pytest

from sklearn_plrnn._model import shooting, starts
from sklearn_plrnn._model.cells import CELLS, make_cell
from sklearn_plrnn._model.curvature import to_parameters
from sklearn_plrnn._model.objective import Batch, Objective
from sklearn_plrnn._model.readouts import READOUTS
from sklearn_plrnn._model.regularization import ManifoldAttractor, regularized_units
from sklearn_plrnn._model.shooting import Shooting
from sklearn_plrnn._training.run import flatten

T, B, N, K = 6, 5, 2, 1


def problem(rng, cell, readout, M=N, missing=0.0, n_inputs=0, alpha=0.0, noise=0.01):
    """An objective, its parameters, and noisy windows of the system with these parameters."""
    readout = READOUTS[readout](M, N)
    penalty = ManifoldAttractor(alpha, regularized_units(M, readout.n_observed, 0.5))
    objective = Objective(
        make_cell(cell, n_components=M, n_hidden=4, n_nonlinear=M // 2), readout, penalty, n_inputs
    )
    params = {
        name: x + 0.3 * rng.normal(size=x.shape) for name, x in objective.init(rng, float).items()
    }
    f, z = objective.cell.lower(params), rng.normal(size=(B, M))
    inputs, rows = rng.normal(size=(T, B, n_inputs)), [readout.output(params, z)]
    for s in inputs:
        z = f.step(z) + (s @ params["C"].T if n_inputs else 0)
        rows.append(readout.output(params, z))
    rows = np.array(rows) + noise * rng.normal(size=(T + 1, B, N))
    known = rng.random(rows.shape) >= missing
    weights = known / (T * B * N)
    batch = Batch(inputs, rows[1:], weights[1:], rows[:-1], known[:-1])
    return Shooting(objective), params, batch


def distance_to_kinks(goal, params, batch):
    """Of free runs from the best start states; where one sits on a kink there is no gradient."""
    f, z = goal.objective.cell.lower(params), goal.best_starts(params, batch)[0]
    bends, is_read = [], goal.objective.readout.linear(params) is None
    for s in batch.inputs:
        bends += [f.preactivation(z), z] if is_read else [f.preactivation(z)]
        z = f.step(z) + (s @ params["C"].T if "C" in params else 0)
    bends += [z] if is_read else []
    return min(np.abs(x).min() for x in bends)


PARTS = [
    (cell, readout, M, missing, n_inputs)
    for cell, (readout, M), missing, n_inputs in product(
        CELLS, [("identity", 2), ("identity", 4), ("affine", 2), ("relu", 2)], [0.0, 0.2], [0, K]
    )
]


@pytest.mark.parametrize(("cell", "readout", "M", "missing", "n_inputs"), PARTS)
def test_gradient_is_that_of_the_value_at_the_best_starts(
    cell, readout, M, missing, n_inputs, rng, monkeypatch
):
    """By variable projection the start states, at their best, do not count."""
    monkeypatch.setattr(starts, "INNER_STEPS", 50)
    monkeypatch.setattr(starts, "SETTLED", 0.0)
    for name in ("NUMBERS", "WINDOWS"):
        monkeypatch.setattr(shooting, f"{name}_PER_PARAMETER", 0)
    monkeypatch.setattr(shooting, "STEPS_BESIDE", 0.0)
    # The start that B suggests depends on it, which the prior leaves out; what no unit that is on
    # tells needs a prior all the same.
    prior = {"identity": 0.3, "affine": 0.0, "relu": 1e-6}[readout]
    monkeypatch.setitem(shooting.PRIOR, "unobserved", prior)
    is_smooth = False
    while not is_smooth:
        goal, params, batch = problem(rng, cell, readout, M, missing, n_inputs, alpha=0.5)
        is_smooth = distance_to_kinks(goal, params, batch) > 1e-3
    goal = goal._replace(tolerated=1e-4)  # about what noise makes of errors
    _, gradient = goal.curvature()(params, [batch], 1, 1, rng)
    # The second time the batch is met, it only adds to the gradient.
    twice = goal.curvature()(params, [batch, batch], 10**9, 1, rng)[1]
    np.testing.assert_allclose(twice, gradient, rtol=1e-6, atol=1e-9)
    # The rows of the matrix give the same gradient.
    runs = next(goal._all_runs(params, batch))
    J = np.concatenate(list(goal._rows(params, [runs])))
    r = np.sqrt(goal._shares(runs, slice(None)))[:, None] * runs.found.residuals
    from_rows = to_parameters(goal.objective, params, 0.0, J.T @ r.ravel())[1]
    tolerance = 1e-4 * np.abs(gradient).max()
    np.testing.assert_allclose(from_rows, gradient, rtol=1e-4, atol=tolerance)
    vector, slopes = flatten(params)
    vector[...], step = gradient, 1e-5
    for name, x in params.items():
        direction = rng.normal(size=x.shape)
        if name == "initial_state" and readout != "identity":
            continue
        value = [
            goal.values(params | {name: x + s * step * direction}, batch).mean() for s in (1, -1)
        ]
        measured = (value[0] - value[1]) / (2 * step)
        assert np.sum(slopes[name] * direction) == pytest.approx(measured, rel=2e-3, abs=1e-5), name


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_gradient_of_runs_from_beside_is_that_at_where_they_begin(cell, readout, rng, monkeypatch):
    monkeypatch.setattr(shooting, "PRIOR", dict.fromkeys(shooting.PRIOR, 0.0))
    goal, params, batch = problem(rng, cell, readout, n_inputs=K)
    _, beside = goal._all_runs(params, batch)
    assert 0 < np.abs(beside.start - goal.best_starts(params, batch)[0]).max() < 6 * goal.beside
    gradient = goal._gradient_of_runs(params, beside)

    def value(p):
        found = goal._run(p, beside.batch, beside.start).residuals
        errors = 0.5 * np.sum(found**2, axis=1) * B
        return beside.weight * np.mean(goal.tolerated * np.log1p(errors / goal.tolerated))

    vector, slopes = flatten(params)
    vector[...], step = gradient, 1e-7
    for name in params.keys() - {"initial_state", "E"}:  # which the prior alone is about
        direction = rng.normal(size=params[name].shape)
        values = [value(params | {name: params[name] + s * step * direction}) for s in (1, -1)]
        measured = (values[0] - values[1]) / (2 * step)
        assert np.sum(slopes[name] * direction) == pytest.approx(measured, rel=1e-3, abs=1e-6), name


@pytest.mark.parametrize("cell", CELLS)
def test_steps_find_the_system_again(cell, rng, monkeypatch):
    """From parameters near the true ones, on windows without noise."""
    monkeypatch.setattr(shooting, "STEPS_BESIDE", 0.0)
    goal, truth, batch = problem(rng, cell, "identity", noise=0.0)
    vector, params = flatten(
        {name: x + 0.02 * rng.normal(size=x.shape) for name, x in truth.items()}
    )
    values = [goal.values(params, batch).mean()]
    for _ in range(4):
        H, gradient = goal.curvature()(params, [batch], 1, 1, rng)
        vector -= np.linalg.solve(H + 1e-5 * np.eye(len(H)), gradient)
        values.append(goal.values(params, batch).mean())
    assert values[-1] < 0.01 * values[0]


def test_start_states_are_better_than_noisy_rows(rng):
    goal, params, batch = problem(rng, "shallow", "identity", noise=0.3)
    start, *_ = goal.best_starts(params, batch)
    f, z = goal.objective.cell.lower(params), np.stack([start, batch.observed[0]])
    errors = np.zeros(2)
    for targets in batch.targets:
        z = f.step(z)
        errors += np.sum((z - targets) ** 2, axis=(1, 2))
    assert errors[0] < errors[1]


def tent_map(rng, n_steps, n_windows=100, noise=0.02):
    """Its parameters as a network, and noisy windows of it; errors double with every step."""
    rows = [rng.uniform(-0.9, 0.9, size=(n_windows, 1))]
    for _ in range(n_steps):
        rows.append(1 - 1.9 * np.abs(rows[-1]))
    rows = np.array(rows) + noise * rng.normal(size=(n_steps + 1, n_windows, 1))
    cell, readout = make_cell("shallow", n_components=1, n_hidden=2), READOUTS["identity"](1, 1)
    params = {
        "A": np.zeros(1),
        "W1": np.array([[-1.9, -1.9]]),
        "W2": np.array([[1.0], [-1.0]]),
        "initial_state": np.zeros(1),
        "h1": np.ones(1),
        "h2": np.zeros(2),
    }
    weights = np.full((n_steps, n_windows, 1), 1 / (n_steps * n_windows))
    known = np.ones_like(weights, bool)
    batch = Batch(np.empty((n_steps, n_windows, 0)), rows[1:], weights, rows[:-1], known)
    objective = Objective(cell, readout, ManifoldAttractor(0.0, regularized_units(1, 1, 0.5)), 0)
    return Shooting(objective), params, batch


def test_starts_of_chaotic_windows_are_not_lost_in_wrong_minima(rng):
    goal, params, batch = tent_map(rng, n_steps=12)
    _, errors, _ = goal._replace(tries_again=False).best_starts(params, batch)
    assert np.mean(errors < 3 * 0.02**2) > 0.9


def test_windows_that_were_missed_are_found_in_smaller_portions(rng, monkeypatch):
    goal, params, batch = tent_map(rng, n_steps=6)
    monkeypatch.setattr(starts, "_stages", lambda *args: [])
    share = lambda errors: np.mean(errors < 3 * 0.02**2)
    start, errors, found = goal.best_starts(params, batch)
    assert share(errors) > 0.9
    again = goal._run(params, batch, start)
    for x, expected in zip(found[:2], again[:2], strict=True):
        np.testing.assert_allclose(x, expected)
    np.testing.assert_allclose(errors, starts.errors_of(again, len(start)))
    assert share(goal._replace(tries_again=False).best_starts(params, batch)[1]) < 0.7


def test_a_lost_window_teaches_nothing(rng):
    goal, params, batch = problem(rng, "plrnn", "identity")
    sane = goal.curvature()(params, [batch], 1, 1, rng)
    wild = batch.targets.copy()
    wild[:, 0] = 1e30
    value = goal.values(params, batch._replace(targets=wild)).mean()
    counted = goal.tolerated * np.log1p(shooting.LOST / goal.tolerated)
    assert counted / B <= value < counted
    H, gradient = goal.curvature()(params, [batch._replace(targets=wild)], 1, 1, rng)
    assert np.isfinite(H).all() and np.isfinite(gradient).all()
    assert np.trace(H) < np.trace(sane[0])


def test_where_all_windows_are_lost_penalties_are_left(rng):
    goal, params, batch = problem(rng, "plrnn", "identity", alpha=0.5)
    wild = batch._replace(targets=np.full_like(batch.targets, 1e30))
    found = goal.curvature()(params, [wild, wild], 10**9, 1, rng)
    nothing = batch._replace(weights=0 * batch.weights, known=0 * batch.known)
    for x, expected in zip(found, goal.curvature()(params, [nothing], 1, 1, rng), strict=True):
        np.testing.assert_allclose(x, expected, atol=1e-8)
        assert np.abs(x).max() > 0


def test_single_precision_is_never_left(rng):
    goal, params, batch = problem(rng, "shallow", "identity", M=3, missing=0.2)
    params = {name: x.astype(np.float32) for name, x in params.items()}
    batch = batch._replace(
        **{
            n: getattr(batch, n).astype(np.float32)
            for n in ("inputs", "targets", "weights", "observed")
        }
    )
    assert goal.best_starts(params, batch)[0].dtype == np.float32


@pytest.mark.parametrize("piece", [1, 2, 10])
def test_windows_are_as_well_taken_a_few_at_a_time_and_by_any_number_of_threads(
    piece, rng, monkeypatch
):
    goal, params, batch = problem(rng, "shallow", "identity", M=3, missing=0.2, alpha=0.5)
    monkeypatch.setattr(shooting, "STEPS_BESIDE", 0.0)  # draws states for each piece
    whole = goal.values(params, batch), *goal.curvature()(params, [batch], 1, 1, rng)
    monkeypatch.setattr(shooting, "PIECE", 0)
    monkeypatch.setattr(shooting, "MIN_PIECE", piece)
    found = []
    for n_threads in (1, 3):
        value, curvature = goal.buffered(n_threads)[0], goal.curvature(n_threads)
        found.append((value(params, batch), *curvature(params, [batch], 1, 1, rng)))
    for one, several, expected in zip(*found, whole, strict=True):
        np.testing.assert_array_equal(one, several)
        np.testing.assert_allclose(one, expected, rtol=1e-5, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("n_windows", [8, 9])
def test_a_few_runs_from_beside_stand_for_all_in_the_matrix(n_windows, rng, monkeypatch):
    goal, params, batch = problem(rng, "shallow", "identity", M=3)
    goal = goal._replace(beside=0.0)
    alike = batch.part(windows=np.zeros(n_windows, int))
    few = goal.curvature()(params, [alike], 1, 1, rng)
    monkeypatch.setattr(shooting, "ONE_IN_BESIDE", 1)
    every = goal.curvature()(params, [alike], 1, 1, rng)
    for x, expected in zip(few, every, strict=True):
        np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    monkeypatch.setattr(shooting, "STEPS_BESIDE", 0.0)
    assert np.abs(goal.curvature()(params, [alike], 1, 1, rng)[0] - every[0]).max() > 0.01


def test_the_matrix_is_of_more_windows_where_these_are_long(rng, monkeypatch):
    """Four times as many numbers, in the same number of windows, but not more than there are."""
    taken = []
    monkeypatch.setattr(shooting, "NUMBERS_PER_PARAMETER", 0)

    def counted(self, params, piece, is_curved):
        if is_curved:
            taken.append(piece)
        return np.eye(1), np.zeros(1)

    monkeypatch.setattr(Shooting, "_matrix_and_gradient", counted)
    monkeypatch.setattr(shooting, "to_parameters", lambda objective, params, H, g: (H, g))
    goal, params, batch = problem(rng, "plrnn", "identity")
    n_parameters = sum(x.size for x in params.values())
    for n_timesteps, n_measured, n_expected in [
        (T, np.inf, shooting.WINDOWS_PER_PARAMETER * n_parameters),
        (T // 2, np.inf, shooting.WINDOWS_PER_PARAMETER * n_parameters),
        (T, 3 * T * N, 3),
    ]:
        taken.clear()
        batches = [batch.part(n_timesteps)] * 100
        goal._replace(n_measured=n_measured).curvature()(params, batches, 0, 1, rng)
        n_windows = sum(piece.targets.shape[1] for piece in taken)
        assert n_expected <= n_windows < n_expected + B

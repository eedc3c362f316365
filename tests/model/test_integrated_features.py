"""The closed-form start for sequences: what it solves, and where its integrators stand."""

import numpy as np
import pytest

from sklearn_plrnn._model import integrated_features
from sklearn_plrnn._model.cells import CELLS, make_cell
from sklearn_plrnn._model.fast_units import reservoir, separate_units
from sklearn_plrnn._model.initialization import initialize
from sklearn_plrnn._model.losses import LOSSES
from sklearn_plrnn._model.objective import Objective
from sklearn_plrnn._model.readouts import Affine
from sklearn_plrnn._model.regularization import ManifoldAttractor, regularized_units
from sklearn_plrnn._training.batches import SequenceBatches, Series
from sklearn_plrnn.datasets import make_addition, make_multiplication


def objective_of(
    cell="plrnn", M=16, n_outputs=1, loss="squared_error", fraction=0.5, learn_start=True
):
    """An objective for two inputs."""
    penalty = ManifoldAttractor(1.0, regularized_units(M, 0, fraction))
    loss = LOSSES[loss]()
    return Objective(
        make_cell(cell, n_components=M, n_hidden=40, n_nonlinear=M // 2),
        Affine(M, n_outputs),
        penalty,
        2,
        loss,
        learn_start=learn_start,
    )


def task(make=make_addition, n=1500, T=50, seed=0, lengths=None, dtype=float):
    """A series of standardized targets, one for each sequence; cut to `lengths`."""
    X, y = make(n, T, random_state=seed)
    y = (y - y.mean()) / y.std()
    lengths = np.full(n, T) if lengths is None else lengths
    rows = np.concatenate([x[:k] for x, k in zip(X, lengths, strict=True)])
    return Series(rows.astype(dtype), lengths, y[:, None].astype(dtype), np.ones((n, 1), dtype))


def start(objective, series, seed=0):
    batches = SequenceBatches(series)
    return initialize("closed-form", objective, series, batches, np.random.default_rng(seed))


def mean_error(objective, params, series):
    """Mean squared error, or cross-entropy, without penalties."""
    total, batches = 0.0, SequenceBatches(series)
    for batch in batches.whole():
        f = objective.cell.lower(params)
        value = objective.value(params, batch) - objective.penalties(params, f)
        total += value * batch.inputs.shape[1]
    return total / len(series.lengths)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("make", [make_addition, make_multiplication])
def test_new_sequences_are_answered_without_any_training(make, cell):
    objective = objective_of(cell, M=24)
    params = start(objective, task(make))
    error = mean_error(objective, params, task(make, seed=1))
    # A product is bent by the relu of integrators, which are linear in an almost linear cell.
    is_bent = make is make_addition or cell != "almost-linear"
    assert error < (0.05 if is_bent else 0.3)  # 1 is chance


def test_integrators_are_the_best_of_many(monkeypatch):
    """A product takes kinks in the right places, which one draw of integrators rarely has."""
    objective, series, new = objective_of(M=24), task(make_multiplication), {}
    later = task(make_multiplication, seed=1)
    for draws in (1, 40):
        effort = integrated_features.FULL._replace(n_draws=draws)
        monkeypatch.setattr(integrated_features, "FULL", effort)
        starts = [start(objective, series, seed) for seed in range(5)]
        new[draws] = [mean_error(objective, params, later) for params in starts]
    assert np.mean(new[40]) < 0.7 * np.mean(new[1])


def test_unequal_lengths():
    lengths = np.random.default_rng(0).integers(30, 51, 1500)
    objective = objective_of()
    params = start(objective, task(lengths=lengths))
    assert mean_error(objective, params, task(lengths=lengths[::-1], seed=1)) < 0.05


@pytest.mark.parametrize("ragged", [False, True])
def test_integrators_do_not_drift_on_average(ragged):
    """At the step that readers see at the end, they are on average where they were set off."""
    lengths = np.random.default_rng(0).integers(30, 51, 400) if ragged else None
    objective, series = objective_of(), task(n=400, lengths=lengths)
    params = start(objective, series)
    units = objective.penalty.units
    seen = []
    for batch in SequenceBatches(series).whole():
        states = objective.states(params, batch)
        last = (batch.inputs[..., 0] > 0).sum(axis=0) - 2
        seen.append(states[last, np.arange(len(last))][:, units])
    seen = np.concatenate(seen)
    expected = (params["initial_state"] + params["h"])[units]
    np.testing.assert_allclose(seen.mean(axis=0), expected, atol=0.05 * seen.std(axis=0).max())


def test_the_penalty_has_next_to_nothing_to_pull_at():
    objective, series = objective_of(), task()
    params = start(objective, series)
    penalty = objective.penalties(params, objective.cell.lower(params))
    assert penalty < 0.05 * mean_error(objective, params, series)


def test_an_order_of_events_is_told_by_reservoir_and_clock(monkeypatch):
    """Which of two marked numbers is larger: a sum over time cannot tell, a clock can."""
    X, _ = make_addition(2500, 40, random_state=0)
    marked = [x[x[:, 1] > 0, 0] for x in X]
    labels = np.eye(2)[[int(a > b) for a, b in marked]]
    series = Series(X.reshape(-1, 2), np.full(2500, 40), labels, np.ones((2500, 1)))
    objective = objective_of(M=40, n_outputs=2, loss="cross_entropy")
    errors = {}
    for draw in (reservoir, separate_units):
        monkeypatch.setattr(integrated_features, "DRAWS", (draw,) * 4)
        params = start(objective, series.sequences(0, 2000))
        errors[draw] = mean_error(objective, params, series.sequences(2000, 2500))
    assert errors[reservoir] < 0.9 * np.log(2) < errors[separate_units]


@pytest.mark.parametrize("options", [{"fraction": 0.0}, {"fraction": 1.0}, {"learn_start": False}])
@pytest.mark.parametrize("cell", CELLS)
def test_it_makes_do_with_what_there_is(cell, options):
    objective, series = objective_of(cell, **options), task(n=100, T=12)
    params = start(objective, series)
    expected = objective.init(np.random.default_rng(0), float)
    assert {k: x.shape for k, x in params.items()} == {k: x.shape for k, x in expected.items()}
    assert mean_error(objective, params, series) < 1.01


@pytest.mark.parametrize("T", [4, 5])
@pytest.mark.parametrize("n", [1, 3, 8])
def test_hardly_any_data(n, T):
    objective, series = objective_of(), task(n=10, T=T).sequences(0, n)
    assert np.isfinite(mean_error(objective, start(objective, series), series))


def test_single_precision_stays_single():
    params = start(objective_of(), task(n=200, dtype=np.float32))
    assert {x.dtype for x in params.values()} == {np.dtype(np.float32)}

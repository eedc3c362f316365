"""The objective over all combinations of cells, readouts, penalties and forcings."""

import tracemalloc
from itertools import product

import numpy as np
import pytest
from autograd import grad

from sklearn_plrnn._model.cells import CELLS, make_cell
from sklearn_plrnn._model.forcing import FORCINGS
from sklearn_plrnn._model.objective import Batch, Objective
from sklearn_plrnn._model.readouts import READOUTS
from sklearn_plrnn._model.regularization import PENALTIES

M, N, K, T, B = 4, 3, 2, 8, 5
PARTS = [
    (cell, readout, penalty, forcing)
    for cell, readout, penalty, forcing in product(CELLS, READOUTS, PENALTIES, [None, *FORCINGS])
    if forcing is not None or readout == "affine"
]


def assemble(cell, readout, penalty, forcing, n_inputs=K, **options):
    """Objective of M units, every second one regularized."""
    return Objective(
        make_cell(cell, n_components=M, n_hidden=6, n_nonlinear=3),
        READOUTS[readout](M, N),
        PENALTIES[penalty](0.7, np.array([0, 2])),
        n_inputs,
        forcing=None if forcing is None else FORCINGS[forcing](0.3, 3),
        **options,
    )


def random_batch(rng, observed, dtype=np.float64, missing=0.2):
    """A batch with gaps; forcing data only if asked for."""
    draw = lambda *shape: rng.normal(size=shape).astype(dtype)
    rows, known = draw(T + 1, B, N), rng.random((T + 1, B, N)) >= missing
    rows = np.where(known, rows, 0)
    batch = Batch(draw(T, B, K), rows[1:], known[1:].astype(dtype))
    return batch._replace(observed=rows[:-1], known=known[:-1]) if observed else batch


@pytest.mark.parametrize(("cell", "readout", "penalty", "forcing"), PARTS)
def test_gradient_equals_finite_differences(cell, readout, penalty, forcing, rng):
    objective = assemble(cell, readout, penalty, forcing, l2=0.3)
    batch = random_batch(rng, observed=forcing is not None)
    params = {
        name: x + 0.1 * rng.normal(size=x.shape) for name, x in objective.init(rng, float).items()
    }
    gradient = grad(objective.value)(params, batch)
    assert gradient.keys() == params.keys()
    step = 1e-6
    for name, x in params.items():
        direction = rng.normal(size=x.shape)
        value = [objective.value(params | {name: x + s * step * direction}, batch) for s in (1, -1)]
        measured = (value[0] - value[1]) / (2 * step)
        assert np.sum(gradient[name] * direction) == pytest.approx(measured, rel=1e-5, abs=1e-7), (
            name
        )


@pytest.mark.parametrize(("cell", "readout", "penalty", "forcing"), PARTS)
def test_float32_is_never_left(cell, readout, penalty, forcing, rng):
    objective = assemble(cell, readout, penalty, forcing, l2=0.3)
    batch = random_batch(rng, observed=forcing is not None, dtype=np.float32)
    params = objective.init(rng, np.float32)
    assert objective.states(params, batch).dtype == np.float32
    gradient = grad(objective.value)(params, batch)
    assert {x.dtype for x in gradient.values()} == {np.dtype(np.float32)}


def shared_unequally(objective, rng):
    """The same forcing, another share of it for every unit."""
    return objective._replace(forcing=objective.forcing._replace(shares=rng.random(M)))


@pytest.mark.parametrize("n_inputs", [0, K])
@pytest.mark.parametrize("forcing", sorted(FORCINGS))
def test_gradient_with_noise_and_unequal_shares_equals_finite_differences(forcing, n_inputs, rng):
    objective = assemble("shallow", "identity", "l2", forcing, n_inputs, l2=0.3)
    objective = shared_unequally(objective, rng)
    batch = random_batch(rng, observed=True)
    batch = batch._replace(inputs=batch.inputs[..., :n_inputs], noise=rng.normal(size=(T, B, M)))
    params = objective.init(rng, float)
    gradient = grad(objective.value)(params, batch)
    for name, x in params.items():
        direction = rng.normal(size=x.shape)
        value = [objective.value(params | {name: x + s * 1e-6 * direction}, batch) for s in (1, -1)]
        measured = (value[0] - value[1]) / 2e-6
        assert np.sum(gradient[name] * direction) == pytest.approx(measured, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("n_inputs", [0, K])
def test_noise_is_added_to_every_state(n_inputs, rng):
    objective = assemble("plrnn", "affine", "l2", None, n_inputs)
    batch = random_batch(rng, observed=False)
    batch = batch._replace(inputs=batch.inputs[..., :n_inputs], noise=rng.normal(size=(T, B, M)))
    params = objective.init(rng, float)
    f, z = objective.cell.lower(params), params["initial_state"]
    for t, states in enumerate(objective.states(params, batch)):
        z = f.step(z) + batch.noise[t]
        z = z + batch.inputs[t] @ params["C"].T if n_inputs else z
        np.testing.assert_allclose(states, z)


@pytest.mark.parametrize("forcing", sorted(FORCINGS))
def test_no_share_of_forcing_is_like_not_having_measured_but_for_the_start(forcing, rng):
    objective = assemble("shallow", "identity", "l2", forcing)
    shares = np.array([1.0, 0.0, 1.0, 1.0])
    batch, params = random_batch(rng, observed=True), objective.init(rng, float)
    unmeasured = batch._replace(known=batch.known & (np.arange(N) != 1))
    unmeasured.known[0] = batch.known[0]
    unforced = objective._replace(forcing=objective.forcing._replace(shares=shares))
    assert unforced.value(params, batch) == objective.value(params, unmeasured)
    assert unforced.value(params, batch) != objective.value(params, batch)


def test_forced_states_are_corrected_where_something_was_measured(rng):
    objective = assemble("plrnn", "identity", "l2", "generalized")
    batch, params = random_batch(rng, observed=True), objective.init(rng, float)
    forced, gain = objective.forced(params, batch)
    f = objective.cell.lower(params)
    states = objective.states(params, batch)
    np.testing.assert_allclose(f.step(forced) + batch.inputs @ params["C"].T, states)
    free = np.concatenate([forced[:1], states[:-1]])
    np.testing.assert_array_equal(gain[..., :N], np.where(batch.known, 0.3, 0))
    np.testing.assert_array_equal(gain[..., N:], 0)
    moved = free[..., :N] + 0.3 * batch.known * (batch.observed - free[..., :N])
    np.testing.assert_allclose(forced[1:, :, :N], moved[1:])


@pytest.mark.parametrize("forcing", [None, *FORCINGS])
def test_what_has_no_weight_has_no_influence(forcing, rng):
    objective = assemble("plrnn", "affine", "manifold-attractor", forcing)
    batch = random_batch(rng, observed=forcing is not None)
    params = objective.init(rng, float)
    targets = np.where(batch.weights > 0, batch.targets, 1e6)
    assert objective.value(params, batch) == objective.value(
        params, batch._replace(targets=targets)
    )
    if forcing is not None:
        observed = np.where(batch.known, batch.observed, 1e6)
        other = objective.value(params, batch._replace(observed=observed))
        assert objective.value(params, batch) == pytest.approx(other)


def test_value_without_penalties_is_the_weighted_sum(rng):
    objective = assemble("plrnn", "affine", "l2", None)
    objective = objective._replace(penalty=objective.penalty._replace(alpha=0.0))
    batch, params = random_batch(rng, observed=False), objective.init(rng, float)
    outputs = objective.readout.output(params, objective.states(params, batch))
    expected = np.sum(batch.weights * (outputs - batch.targets) ** 2)
    assert objective.value(params, batch) == pytest.approx(expected)


def test_ridge_counts_weights_but_no_offsets(rng):
    plain, ridge = (assemble("plrnn", "affine", "l2", None, l2=l2) for l2 in (0.0, 2.0))
    batch, params = random_batch(rng, observed=False), plain.init(rng, float)
    expected = 2 * sum(np.mean(params[name] ** 2) for name in "WCB")
    difference = ridge.value(params, batch) - plain.value(params, batch)
    assert difference == pytest.approx(expected)


def test_without_learned_start_states_begin_at_zero(rng):
    objective = assemble("plrnn", "affine", "l2", None, learn_start=False)
    params = objective.init(rng, float)
    assert "initial_state" not in params
    batch = random_batch(rng, observed=False)
    first = objective.states(params, batch)[0]
    np.testing.assert_allclose(first, params["h"] + batch.inputs[0] @ params["C"].T)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("forcing", [None, *FORCINGS])
@pytest.mark.parametrize("cell", CELLS)
def test_memory_of_a_gradient_is_as_documented(cell, forcing, checkpointing, rng):
    n_components, n_hidden, n_timesteps, n_sequences = 40, 60, 400, 6
    objective = Objective(
        make_cell(
            cell, n_components=n_components, n_hidden=n_hidden, n_nonlinear=n_components // 2
        ),
        READOUTS["affine"](n_components, N),
        PENALTIES["manifold-attractor"](0.7, np.arange(20)),
        K,
        forcing=None if forcing is None else FORCINGS[forcing](0.3, 3),
        checkpointing=checkpointing,
    )
    draw = lambda *shape: rng.normal(size=shape)
    rows = draw(n_timesteps + 1, n_sequences, N)
    batch = Batch(draw(n_timesteps, n_sequences, K), rows[1:], np.ones_like(rows[1:]))
    if forcing:
        batch = batch._replace(observed=rows[:-1], known=np.ones(rows[:-1].shape, bool))
    params = objective.init(rng, float)
    value_and_gradients = objective.buffered()[1]
    value_and_gradients(params, batch)  # compiled before anything is counted
    tracemalloc.start()
    objective.buffered()[1](params, batch)
    peak = tracemalloc.get_traced_memory()[1] / 8
    tracemalloc.stop()
    n_relu = {"shallow": n_hidden, "clipped-shallow": 2 * n_hidden}.get(cell, 0)
    numbers = (10 if forcing else 6) * n_components + 2 * n_relu
    data = 4 * (N + K)
    if checkpointing and not forcing:
        numbers *= 3 / np.sqrt(n_timesteps)
    copies = 10 * sum(x.size for x in objective.cell.lower(params) if x is not None)
    assert peak < 1.1 * n_timesteps * n_sequences * (numbers + data) + copies


def test_rates_hold_back_what_integrators_add_up(rng):
    objective = assemble("plrnn", "affine", "manifold-attractor", None)
    params = objective.init(rng, np.float32)
    rates, units = objective.rates(params, 100), objective.penalty.units
    assert {k: x.shape for k, x in rates.items()} == {k: x.shape for k, x in params.items()}
    assert {x.dtype for x in rates.values()} == {np.dtype(np.float32)}
    for name, x in rates.items():
        held_back = np.full(x.shape, 1.0)
        if name in "AWhC":
            held_back[units] = 0.1
        np.testing.assert_allclose(x, held_back, rtol=1e-6)

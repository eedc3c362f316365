"""Every registered readout: output and estimate undo each other where they can."""

import numpy as np
import pytest

from sklearn_plrnn._model.readouts import READOUTS, Affine, Identity, Relu


def parameters(readout, rng):
    """Random parameters, as an objective would hold them."""
    params = readout.init(rng, np.float64)
    params = {name: rng.normal(size=x.shape) for name, x in params.items()}
    M = readout.n_components
    return params | {"A": rng.normal(size=M), "initial_state": rng.normal(size=M)}


def rows_of(readout, params, rng, *shape):
    """Rows that the readout can undo: with relu, those that no unit is negative for."""
    if not isinstance(readout, Relu):
        return rng.normal(size=(*shape, readout.n_outputs))
    params["B"][0] = 1  # so that states near one are among those that rows suggest
    near = rng.normal(size=(*shape, readout.n_outputs)) @ params["B"]
    return (1 + 0.9 * near / np.abs(near).max()) @ params["B"].T + params["b"]


@pytest.mark.parametrize("name", sorted(READOUTS))
def test_estimate_gives_states_that_read_out_as_the_rows(name, rng):
    readout = READOUTS[name](5, 3)
    params = parameters(readout, rng)
    rows = rows_of(readout, params, rng, 7, 2)
    targets, determined = readout.estimate(params, rows, np.ones(rows.shape, bool))
    np.testing.assert_allclose(readout.output(params, targets), rows)
    assert np.broadcast_to(determined, targets.shape).shape == (7, 2, 5)


@pytest.mark.parametrize("name", sorted(READOUTS))
def test_start_reads_out_as_the_first_row(name, rng):
    readout = READOUTS[name](5, 3)
    params = parameters(readout, rng)
    row = rows_of(readout, params, rng, 4)
    start = readout.start(params, row, np.ones(row.shape, bool))
    np.testing.assert_allclose(readout.output(params, start), row)


@pytest.mark.parametrize("name", sorted(READOUTS))
def test_output_is_the_matrix_times_features(name, rng):
    readout = READOUTS[name](5, 3)
    params, states = parameters(readout, rng), rng.normal(size=(7, 2, 5))
    B, b = readout.matrix(params)
    assert B.shape == (3, 5)
    outputs = readout.output(params, states)
    np.testing.assert_allclose(outputs, readout.features(states) @ B.T + b)
    assert np.array_equal(readout.features(states), states) == (readout.linear(params) is not None)


@pytest.mark.parametrize("name", sorted(READOUTS))
def test_slope_is_the_derivative_of_the_output(name, rng):
    readout, step = READOUTS[name](5, 3), 1e-6
    params, states = parameters(readout, rng), rng.normal(size=(7, 2, 5))
    slope = np.broadcast_to(readout.slope(params, states), (7, 2, 3, 5))
    for unit, e in enumerate(np.eye(5)):
        ends = [readout.output(params, states + s * step * e) for s in (1, -1)]
        np.testing.assert_allclose(slope[..., unit], (ends[0] - ends[1]) / (2 * step), atol=1e-8)


def test_rows_of_the_data_and_near_them_start_where_relu_is_linear(rng):
    readout, rows = Relu(4, 3), rng.normal(size=(50, 3))
    embedded, solved = readout.embed(rows)
    params = parameters(readout, rng) | solved
    nearby = rows.mean(axis=0) + 1.2 * (rows - rows.mean(axis=0))
    states, _ = readout.estimate(params, nearby, np.ones(nearby.shape, bool))
    assert embedded.min() > 0 and states.min() > -1e-12
    np.testing.assert_allclose(readout.output(params, states), nearby)


@pytest.mark.parametrize("name", sorted(READOUTS))
@pytest.mark.parametrize("n_components", [2, 3, 5])
def test_embedding_is_what_estimate_gives(name, n_components, rng):
    if name == "identity" and n_components < 3:
        pytest.skip("an identity readout has at least as many units as variables")
    readout = READOUTS[name](n_components, 3)
    rows = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)) + 2
    embedded, solved = readout.embed(rows)
    params = parameters(readout, rng) | solved
    targets, _ = readout.estimate(params, rows[:, None], np.ones((40, 1, 3), bool))
    np.testing.assert_allclose(targets[:, 0, : embedded.shape[1]], embedded, atol=1e-10)


def test_identity_determines_just_the_observed_units(rng):
    readout = Identity(4, 2)
    known = np.array([[[True, False]]])
    _, determined = readout.estimate({}, rng.normal(size=(1, 1, 2)), known)
    np.testing.assert_array_equal(determined[0, 0], [True, False, False, False])


def test_a_missing_value_does_not_reach_the_start(rng):
    readout, row = Identity(4, 2), rng.normal(size=(1, 2))
    params, known = parameters(readout, rng), np.array([[True, False]])
    start = readout.start(params, row, known)
    np.testing.assert_array_equal(start, readout.start(params, row + [[0.0, 9.0]], known))
    assert start[0, 0] == row[0, 0] and start[0, 1] == params["initial_state"][1]


def test_affine_takes_nothing_from_an_incomplete_row(rng):
    readout = Affine(3, 2)
    params = parameters(readout, rng)
    known = np.array([[True, False]])
    start = readout.start(params, rng.normal(size=(1, 2)), known)
    np.testing.assert_array_equal(start[0], params["initial_state"])

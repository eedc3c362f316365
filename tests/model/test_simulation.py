"""Free runs, assimilation and looking ahead, against a plain step-by-step loop."""

import numpy as np
import pytest

from sklearn_plrnn._model import simulation
from sklearn_plrnn._model.cells import CELLS, make_cell
from sklearn_plrnn._model.readouts import Identity


@pytest.fixture(params=sorted(CELLS))
def system(request, rng):
    """A stable cell of 4 units with one input: parameters and map."""
    cell = make_cell(request.param, n_components=4, n_hidden=6, n_nonlinear=3)
    params = cell.init(rng, np.float64) | {"C": rng.normal(size=(4, 1))}
    params |= {"initial_state": rng.normal(size=4), "E": rng.normal(size=(2, 2))}
    return params, cell.lower(params)


@pytest.mark.parametrize("driven", [False, True])
def test_a_free_run_repeats_the_step_whatever_the_block(system, driven, rng, monkeypatch):
    params, f = system
    start, inputs = rng.normal(size=(3, 4)), rng.normal(size=(23, 1, 1)) if driven else None
    z, expected = start, []
    for t in range(23):
        z = f.step(z) + (inputs[t] @ params["C"].T if driven else 0)
        expected.append(z[:, :2])
    for block in (4096, 23, 7, 1):
        monkeypatch.setattr(simulation, "MAX_NUMBERS", block * 3 * f.n_hidden)
        rows, last = simulation.simulate(f, params, lambda z: z[..., :2], start, 23, inputs)
        np.testing.assert_allclose(rows, expected, rtol=1e-12)
        np.testing.assert_allclose(last, z, rtol=1e-12)


def test_a_run_that_overflows_is_quiet_and_not_finite(system):
    params, f = system
    f = f._replace(A=np.full(4, 1e100))
    rows, _ = simulation.simulate(f, params, lambda z: z, np.ones((1, 4)), 10)
    assert not np.isfinite(rows[-1]).all()


def test_rows_are_taken_in_where_they_are_known(system, rng):
    params, f = system
    readout, rows, inputs = Identity(4, 2), rng.normal(size=(9, 2)), rng.normal(size=(9, 1))
    known = rng.random((9, 2)) < 0.6
    known[4] = False
    start = rng.normal(size=(1, 4))
    states = simulation.assimilate(f, params, readout, start, rows, known, inputs)
    z = start[0].copy()
    for t in range(9):
        z = f.step(z) + params["C"] @ inputs[t] if t else z
        z[:2] = np.where(known[t], rows[t], z[:2])
        np.testing.assert_allclose(states[t], z, rtol=1e-12)


@pytest.mark.parametrize("lead", [1, 3, 9, 20])
def test_looking_ahead_is_that_many_steps(system, rng, lead):
    params, f = system
    states, inputs = rng.normal(size=(9, 4)), rng.normal(size=(9, 1))
    ahead = simulation.run_ahead(f, params, states, inputs, lead)
    assert ahead.shape == (9, 4)
    for t in range(9):
        z, begin = (states[t - lead], t - lead) if t >= lead else (params["initial_state"], 0)
        for step in range(begin + 1, t + 1):
            z = f.step(z) + params["C"] @ inputs[step]
        np.testing.assert_allclose(ahead[t], z, rtol=1e-12)

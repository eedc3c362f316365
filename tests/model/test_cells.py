"""Every registered cell: shapes, stability of its start, lowering."""

import numpy as np
import pytest

from sklearn_plrnn._model.cells import CELLS


@pytest.fixture(params=sorted(CELLS))
def cell(request):
    return CELLS[request.param].make(6, 9)


def test_start_has_the_requested_dtype_and_one_row_per_unit(cell, rng):
    for dtype in (np.float32, np.float64):
        params = cell.init(rng, dtype)
        assert {x.dtype for x in params.values()} == {np.dtype(dtype)}
        assert all(len(params[name]) == 6 for name in cell.rows)


def test_start_does_not_explode(cell, rng):
    f = cell.lower(cell.init(rng, np.float64))
    z = 10 * rng.normal(size=(50, 6))
    for _ in range(500):
        z = f.step(z)
    assert np.abs(z).max() < 10


def test_lowering_keeps_dtype_and_rows(cell, rng):
    params = cell.init(rng, np.float32)
    f = cell.lower(params)
    assert f.W.dtype == np.float32
    np.testing.assert_array_equal(f.A, params[cell.rows[0]])
    np.testing.assert_array_equal(f.h, params[cell.rows[2]])


def test_free_couplings_count_what_the_map_can_change(cell, rng):
    params = cell.init(rng, np.float64)
    params[cell.rows[1]] = np.ones_like(params[cell.rows[1]])
    assert cell.free_couplings(6) == np.count_nonzero(cell.lower(params).W)


def test_plrnn_has_no_coupling_of_a_unit_to_itself(rng):
    cell = CELLS["plrnn"].make(5, 0)
    params = cell.init(rng, np.float64) | {"W": np.full((5, 5), 3.0)}
    np.testing.assert_array_equal(cell.lower(params).W, 3 * (1 - np.eye(5)))


def test_shallow_step_is_the_formula(rng):
    p = CELLS["shallow"].make(4, 7).init(rng, np.float64)
    z = rng.normal(size=4)
    expected = p["A"] * z + p["W1"] @ np.maximum(p["W2"] @ z + p["h2"], 0) + p["h1"]
    np.testing.assert_allclose(CELLS["shallow"].make(4, 7).lower(p).step(z), expected)

"""Every registered cell: shapes, stability of its start, lowering."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_plrnn._model.cells import (
    CELLS,
    PLRNN,
    AlmostLinear,
    ClippedShallow,
    Shallow,
    make_cell,
)


@pytest.fixture(params=sorted(CELLS))
def cell(request):
    """Six units, three of them without a relu if that can be, and nine hidden ones."""
    return make_cell(request.param, n_components=6, n_hidden=9, n_nonlinear=3)


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


def test_a_step_is_made_of_rows_and_features(cell, rng):
    params = cell.init(rng, np.float64)
    z = rng.normal(size=(5, 6))
    A, W, h = (params[name] for name in cell.rows)
    expected = A * z + cell.features(params, z) @ W.T + h
    np.testing.assert_allclose(cell.lower(params).step(z), expected)


def test_the_map_of_a_plrnn_can_be_embedded(cell, rng):
    n_integrators = 3
    assert cell.n_relu >= cell.n_relu_to_embed(n_integrators)
    parts = PLRNN(6).init(rng, np.float64)
    params = cell.embed(cell.init(rng, np.float64), *parts.values())
    z = 3 * rng.normal(size=(20, 6))
    z[:, :n_integrators] = np.abs(z[:, :n_integrators])  # their relu is not promised
    np.testing.assert_allclose(cell.lower(params).step(z), PLRNN(6).lower(parts).step(z))


def test_hidden_units_bend_at_their_kinks(cell, rng):
    if not cell.kinks:
        pytest.skip("units bend at zero")
    params = cell.init(rng, np.float64)
    V, theta = (params[name] for name in cell.kinks)
    assert V.shape == (9, 6) and theta.shape == (9,)
    for unit in range(9):
        on_kink = -theta[unit] * V[unit] / (V[unit] @ V[unit])
        around = on_kink + 1e-3 * np.outer([-1, 0, 1], V[unit])
        feature = cell.features(params, around)[:, unit]
        assert abs(np.diff(feature, 2)[0]) > 1e-4


def test_hidden_units_saturate_where_they_say_so(cell, rng):
    if not cell.kinks:
        pytest.skip("no hidden units")
    params, states = cell.init(rng, np.float64), rng.normal(size=(100, 6))
    near, far = (np.abs(cell.features(params, r * states)).max() for r in (10, 1000))
    assert (far < 2 * near) == cell.saturate


def test_plrnn_has_no_coupling_of_a_unit_to_itself(rng):
    params = PLRNN(5).init(rng, np.float64) | {"W": np.full((5, 5), 3.0)}
    np.testing.assert_array_equal(PLRNN(5).lower(params).W, 3 * (1 - np.eye(5)))


def test_shallow_step_is_the_formula(rng):
    cell, z = Shallow(4, 7), rng.normal(size=4)
    p = cell.init(rng, np.float64)
    expected = p["A"] * z + p["W1"] @ np.maximum(p["W2"] @ z + p["h2"], 0) + p["h1"]
    np.testing.assert_allclose(cell.lower(p).step(z), expected)


def test_clipped_shallow_step_is_the_formula(rng):
    cell, z = ClippedShallow(4, 7), rng.normal(size=4)
    p = cell.init(rng, np.float64)
    clipped = np.maximum(p["W2"] @ z + p["h2"], 0) - np.maximum(p["W2"] @ z, 0)
    np.testing.assert_allclose(cell.lower(p).step(z), p["A"] * z + p["W1"] @ clipped + p["h1"])


@given(st.integers(0, 2**32 - 1))
def test_clipped_shallow_is_bounded_wherever_A_is_small(seed):
    rng = np.random.default_rng(seed)
    cell = ClippedShallow(3, 8)
    p = {k: 5 * rng.normal(size=x.shape) for k, x in cell.init(rng, np.float64).items()}
    p["A"] = rng.uniform(-0.95, 0.95, 3)
    bound = (np.abs(p["W1"]) @ np.abs(p["h2"]) + np.abs(p["h1"])) / (1 - np.abs(p["A"]))
    f, z = cell.lower(p), 2 * bound * rng.uniform(-1, 1, (20, 3))
    for _ in range(300):
        z = f.step(z)
        assert (np.abs(z) <= 2 * bound).all()
    assert (np.abs(z) <= bound * (1 + 1e-6)).all()


def test_almost_linear_has_relu_on_its_last_units(rng):
    cell, z = AlmostLinear(5, 2), rng.normal(size=(20, 5))
    p = cell.init(rng, np.float64)
    passed = np.c_[z[:, :3], np.maximum(z[:, 3:], 0)]
    np.testing.assert_allclose(cell.lower(p).step(z), p["A"] * z + passed @ p["W"].T + p["h"])


def test_almost_linear_lies_between_a_linear_map_and_a_plrnn(rng):
    p, z = PLRNN(5).init(rng, np.float64), rng.normal(size=(20, 5))
    linear, whole = (AlmostLinear(5, n).lower(p) for n in (0, 5))
    np.testing.assert_allclose(linear.step(z), z @ (np.diag(p["A"]) + p["W"]).T + p["h"])
    np.testing.assert_allclose(whole.step(z), PLRNN(5).lower(p).step(z))

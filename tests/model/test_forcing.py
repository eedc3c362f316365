"""Every registered forcing and schedule: where and how strong, and what adapting achieves."""

import numpy as np
import pytest

from sklearn_plrnn._model.cells import CELLS, make_cell
from sklearn_plrnn._model.forcing import (
    FORCING_SCHEDULES,
    FORCINGS,
    STRONGEST,
    Adaptive,
    Annealed,
    Generalized,
    Sparse,
    bounding_strength,
    log_growth,
)
from sklearn_plrnn._model.objective import Batch, Objective
from sklearn_plrnn._model.readouts import READOUTS
from sklearn_plrnn._model.regularization import PENALTIES


@pytest.mark.parametrize("name", sorted(FORCINGS))
@pytest.mark.parametrize("shares", [1.0, np.array([1.0, 0.25, 0.0])])
def test_gain_is_a_share_of_the_strength(name, shares):
    gain = FORCINGS[name](0.4, 3, shares).gain(10, np.float32)
    assert gain.shape == (10, 1, np.size(shares)) and gain.dtype == np.float32
    forced = gain.any(axis=(1, 2))
    assert forced.any()
    expected = np.broadcast_to(np.float32(0.4 * shares), gain[forced].shape)
    np.testing.assert_allclose(gain[forced], expected)


def test_generalized_forces_always_sparse_at_intervals():
    np.testing.assert_array_equal(Generalized(0.2, 4).gain(6, float)[:, 0, 0], [0.2] * 6)
    np.testing.assert_array_equal(Sparse(1.0, 4).gain(6, float)[:, 0, 0], [1, 0, 0, 0, 1, 0])


@pytest.mark.parametrize("given", [0.0, 0.1, 1.0])
def test_annealing_goes_down_from_one_to_what_was_given(given):
    strengths = [Annealed(given).strength(None, p, None, None) for p in np.linspace(0, 1, 21)]
    assert strengths[0] == 1 and strengths[10:] == [given] * 11
    assert (np.diff(strengths) <= 0).all()


def problem(rng, cell="plrnn", forcing="generalized", M=3, N=3, T=40, B=6, scale=1.2):
    """A recurrence that expands by about `scale`, windows of data, and what is to be minimized."""
    objective = Objective(
        make_cell(cell, n_components=M, n_hidden=8, n_nonlinear=2),
        READOUTS["identity"](M, N),
        PENALTIES["l2"](0.0, np.arange(0)),
        0,
        forcing=FORCINGS[forcing](0.05, 4),
    )
    params = objective.init(rng, float)
    params["A"] = np.full(M, scale)
    rows = rng.normal(size=(T + 1, B, N))
    known = np.ones((T, B, N), bool)
    batch = Batch(np.zeros((T, B, 0)), rows[1:], np.ones((T, B, N)), rows[:-1], known)
    return objective._replace(schedule=Adaptive(0.05)), params, batch


def growth_along_data(objective, params, batch):
    """Norms of products of forced Jacobians at states that are pulled onto the data."""
    f = objective.cell.lower(params)
    close = objective._replace(forcing=objective.forcing._replace(strength=STRONGEST))
    states, gain = close.forced(params, batch)[0], objective.forcing.gain(len(batch.inputs), float)
    norms = []
    for b in range(states.shape[1]):
        product = np.eye(f.n_components)
        for z, g in zip(states[:, b], gain, strict=True):
            product = f.jacobian(z) @ np.diag(np.broadcast_to(1 - g[0], len(product))) @ product
        norms.append(np.linalg.norm(product, 2))
    return np.array(norms)


def with_strength(objective, strength):
    return objective._replace(forcing=objective.forcing._replace(strength=strength))


@pytest.mark.parametrize("forcing", sorted(FORCINGS))
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_products_of_forced_jacobians_do_not_grow(cell, forcing, rng):
    objective, params, batch = problem(rng, cell, forcing)
    assert growth_along_data(objective, params, batch).max() > 10
    strength = objective.at_epoch(0.0, params, lambda: batch).forcing.strength
    assert 0.06 < strength < STRONGEST
    enough, too_little = (with_strength(objective, strength + x) for x in (1e-3, -1e-2))
    assert growth_along_data(enough, params, batch).max() < 1
    assert growth_along_data(too_little, params, batch).max() > 1


def test_one_gain_for_all_has_the_closed_form(rng):
    jacobians = rng.normal(size=(12, 4, 3, 3))
    product = lambda b: np.linalg.multi_dot(jacobians[::-1, b])
    norm = max(np.linalg.norm(product(b), 2) for b in range(4))
    expected = 1 - norm ** (-1 / 12)
    assert bounding_strength(jacobians, np.ones((12, 4, 3))) == pytest.approx(expected, abs=2e-3)
    assert bounding_strength(jacobians / 10, np.ones((12, 4, 3))) == 0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_log_growth_is_that_of_the_plain_product(scale, rng):
    jacobians, factors = scale * rng.normal(size=(30, 2, 3, 3)), rng.random((30, 2, 3))
    for b, found in enumerate(log_growth(jacobians, factors)):
        product = np.eye(3)
        for J, kept in zip(jacobians[:, b], factors[:, b], strict=True):
            product = J @ np.diag(kept) @ product
        assert found == pytest.approx(np.log(np.linalg.norm(product, 2)))
    with np.errstate(all="ignore"):
        assert (log_growth(jacobians * np.inf, factors) == np.inf).all()
        assert (log_growth(jacobians * 0, factors) < -700).all()


def test_what_unforced_units_do_is_not_held_against_forcing(rng):
    growing = np.diag([1.3, 1.02])
    jacobians = np.broadcast_to(growing, (50, 2, 2, 2))
    shares = np.broadcast_to([1.0, 0.0], (50, 2, 2))
    strength = bounding_strength(jacobians, shares)
    # The second unit grows by 1.02 a step, whatever is done; the first need not grow faster.
    assert (1 - strength) * 1.3 == pytest.approx(2 ** (1 / 50) * 1.02, rel=1e-2)


def test_adaptive_strength_rises_at_once_and_falls_slowly(rng):
    objective, params, batch = problem(rng, scale=1.2)
    strong = objective.at_epoch(0.0, params, lambda: batch)
    calm = params | {"A": np.full(3, 0.1), "W": np.zeros((3, 3))}
    strengths = [strong.forcing.strength]
    for _ in range(40):
        strong = strong.at_epoch(0.5, calm, lambda: batch)
        strengths.append(strong.forcing.strength)
    assert strengths[1] > 0.5 * strengths[0] and (np.diff(strengths) <= 0).all()
    assert strengths[-1] == 0.05  # what was given


@pytest.mark.parametrize("name", sorted(FORCING_SCHEDULES))
def test_a_schedule_keeps_shares_and_does_not_touch_the_objective_given(name, rng):
    objective, params, batch = problem(rng)
    shares = np.array([1.0, 0.5, 0.0])
    forcing = objective.forcing._replace(shares=shares)
    objective = objective._replace(forcing=forcing, schedule=FORCING_SCHEDULES[name](0.05))
    later = objective.at_epoch(0.2, params, lambda: batch)
    np.testing.assert_array_equal(later.forcing.shares, shares)
    assert objective.forcing == forcing and (later is objective) == (name == "constant")


def test_without_forcing_there_is_nothing_to_schedule(rng):
    objective, params, _ = problem(rng)
    free = objective._replace(forcing=None)
    assert free.at_epoch(0.0, params, None) is free

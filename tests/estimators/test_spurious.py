"""What attracts beside the data: derivatives, and the cheapest way out of it."""

import numpy as np
import pytest

from sklearn_plrnn._model.cells import CELLS, make_cell
from sklearn_plrnn._model.objective import Objective
from sklearn_plrnn._model.readouts import READOUTS
from sklearn_plrnn._model.regularization import ManifoldAttractor
from sklearn_plrnn._model.stability import largest_modulus, logarithmic_size
from sklearn_plrnn._training.run import Run, Settings, flatten, views
from sklearn_plrnn.analysis import PiecewiseLinearMap
from sklearn_plrnn.estimators._spurious import (
    BEYOND,
    GROWTH,
    MAX_GROWTHS,
    TOLERATED,
    TURNING,
    attracting_points,
    without_attractors,
    without_circles,
)

M = 3
NOTHING = ManifoldAttractor(0.0, np.empty(0, int))
FREE = 1e6  # loss of which any cost is a small share


def with_an_attractor(cell, readout="identity"):
    """An objective, parameters with one attracting fixed point, rows around it."""
    objective = Objective(
        make_cell(cell, n_components=M, n_hidden=6, n_nonlinear=2),
        READOUTS[readout](M, M),
        NOTHING,
        0,
    )
    for seed in range(100):
        rng = np.random.default_rng(seed)
        params = {
            k: x + 0.3 * rng.normal(size=x.shape) for k, x in objective.init(rng, float).items()
        }
        A, _, _ = objective.cell.rows
        params[A] *= 0.9 / np.abs(params[A]).max()
        rows = rng.normal(0, 20, (200, M))
        points = attracting_points(objective, params, rows)
        if len(points) == 1 and np.abs(points[0].eigenvalues[0].imag) > 1e-3:
            return objective, params, rows, points[0]
    raise AssertionError("no such parameters")


def metric(n, seed=0):
    """A positive definite matrix."""
    root = np.random.default_rng(seed).normal(size=(n, n)) / np.sqrt(n)
    return root @ root.T + 0.1 * np.eye(n)


def assert_slope_is_that_of_differences(value_and_slope, params):
    """In a random direction of the parameters."""
    vector, params = flatten(params)
    direction, eps = np.random.default_rng(0).normal(size=vector.size), 1e-6
    moved = (views(vector + sign * eps * direction, params) for sign in (1, -1))
    ahead, behind = (value_and_slope(p)[0] for p in moved)
    slope = value_and_slope(params)[1]
    assert slope @ direction == pytest.approx((ahead - behind) / (2 * eps), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("readout", ["identity", "affine"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_derivative_of_the_modulus_is_that_of_finite_differences(cell, readout):
    objective, params, _, point = with_an_attractor(cell, readout)
    value_and_slope = lambda p: largest_modulus(objective, p, point.patterns[0])
    assert value_and_slope(params)[0] == pytest.approx(np.abs(point.eigenvalues).max())
    assert_slope_is_that_of_differences(value_and_slope, params)


@pytest.mark.parametrize("readout", ["identity", "affine", "relu"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_derivative_of_the_size_is_that_of_finite_differences(cell, readout):
    objective, params, _, point = with_an_attractor(cell, readout)
    state, scale = point.states[0] + np.array([3.0, -1, 2]), np.array([1.0, 2, 0.5])
    value_and_slope = lambda p: logarithmic_size(objective, p, state, 30, scale)
    f, z, states = PiecewiseLinearMap(*objective.cell.lower(params)), state, []
    for _ in range(30):
        z = f.step(z)
        states.append(z)
    variances = (objective.readout.output(params, np.array(states)) / scale).var(axis=0)
    assert value_and_slope(params)[0] == pytest.approx(0.5 * np.log(variances.mean()))
    assert_slope_is_that_of_differences(value_and_slope, params)


@pytest.mark.parametrize("cell", CELLS)
def test_nothing_within_the_data_attracts_any_more(cell):
    objective, params, rows, point = with_an_attractor(cell)
    given = {name: x.copy() for name, x in params.items()}
    found = without_attractors(objective, params, metric(flatten(params)[0].size), FREE, rows)
    assert attracting_points(objective, found, rows) == []
    f = PiecewiseLinearMap(*objective.cell.lower(found))
    z = point.states[0] + 1e-3 * np.random.default_rng(0).normal(size=(20, M))
    moved = z
    for _ in range(3000):
        with np.errstate(all="ignore"):
            moved = f.step(moved)
    assert not np.any(np.abs(f.step(moved) - moved).max(axis=1) < 1e-9)
    for name, x in given.items():
        np.testing.assert_array_equal(params[name], x)


def test_no_other_change_that_is_as_effective_costs_less():
    objective, params, rows, point = with_an_attractor("plrnn")
    vector, params = flatten(params)
    H = metric(vector.size)
    change = flatten(without_attractors(objective, params, H, FREE, rows))[0] - vector
    modulus, slope = largest_modulus(objective, params, point.patterns[0])
    needed = 1 - modulus + max(BEYOND[0] * (1 - modulus), BEYOND[1])
    least = needed**2 / (slope @ np.linalg.solve(H, slope))
    assert change @ H @ change == pytest.approx(least, rel=0.01)


def test_what_has_no_influence_does_not_do_it_alone():
    objective, params, rows, point = with_an_attractor("plrnn")
    vector, params = flatten(params)
    H = metric(vector.size)
    _, slope = largest_modulus(objective, params, point.patterns[0])
    free = np.argmax(np.abs(slope))
    H[free] = H[:, free] = 0
    change = flatten(without_attractors(objective, params, H, FREE, rows))[0] - vector
    assert np.linalg.norm(np.delete(change, free)) > 1e-4 * np.abs(change[free])
    assert np.abs(change).max() < 1


def test_what_data_say_is_not_amended():
    objective, params, rows, _ = with_an_attractor("shallow")
    H = metric(flatten(params)[0].size)
    change = flatten(without_attractors(objective, params, H, FREE, rows))[0] - flatten(params)[0]
    cost = 0.5 * change @ H @ change
    assert without_attractors(objective, params, H, 1.01 * cost / TOLERATED, rows) is not None
    assert without_attractors(objective, params, H, 0.99 * cost / TOLERATED, rows) is None
    assert without_attractors(objective, params, -H, FREE, rows) is None
    assert without_attractors(objective, params, H * np.nan, FREE, rows) is None


def test_a_point_that_attracts_at_once_is_left():
    """Where the Jacobian is 0, its largest modulus has no derivative."""
    objective, params, rows, _ = with_an_attractor("shallow")
    for name in objective.cell.rows[:2]:
        params[name] *= 0
    assert len(attracting_points(objective, params, rows)) == 1
    assert (
        without_attractors(objective, params, metric(flatten(params)[0].size), FREE, rows) is None
    )


def test_fixed_points_beside_the_data_are_left_alone():
    objective, params, rows, point = with_an_attractor("plrnn")
    elsewhere = rows + 100 + np.abs(point.states).max() + np.abs(rows).max()
    H = metric(flatten(params)[0].size)
    assert without_attractors(objective, params, H, FREE, elsewhere) is None


def caught_times(n, state):
    """Says of the first `n` parameters that it is asked of that a run is caught, at `state`."""
    answers = iter([state[None]] * n)
    return lambda params, margin: next(answers, np.empty((0, M)))


def test_a_circle_grows_by_the_change_that_costs_least():
    objective, params, _, point = with_an_attractor("plrnn")
    vector, params = flatten(params)
    state, H = point.states[0] + 1.0, metric(vector.size)
    found = without_circles(objective, params, H, FREE, caught_times(1, state), np.ones(M))
    change = flatten(found)[0] - vector
    size, slope = logarithmic_size(objective, params, state, TURNING, 1)
    assert change @ H @ change == pytest.approx(
        GROWTH**2 / (slope @ np.linalg.solve(H, slope)), rel=0.01
    )
    slightly = views(vector + 1e-3 * change, params)
    grown, _ = logarithmic_size(objective, slightly, state, TURNING, 1)
    assert grown - size == pytest.approx(1e-3 * GROWTH, rel=0.05)


def test_circles_that_stay_or_cost_too_much_are_left():
    objective, params, _, point = with_an_attractor("shallow")
    vector, params = flatten(params)
    state, H = point.states[0] + 1.0, metric(vector.size)
    found = lambda n, loss=FREE, H=H, state=state: without_circles(
        objective, params, H, loss, caught_times(n, state), np.ones(M)
    )
    change = flatten(found(1))[0] - vector
    cost = 0.5 * change @ H @ change
    assert found(1, loss=1.01 * cost / TOLERATED) is not None
    assert found(1, loss=0.99 * cost / TOLERATED) is None
    assert found(0) is None and found(MAX_GROWTHS + 1) is None
    assert found(1, H=-H) is None and found(1, H=H * np.nan) is None
    assert found(1, state=point.states[0] * np.nan) is None
    assert found(1, state=point.states[0] + 1e-3) is None  # next to rest
    diverges = lambda params, margin: state[None] if margin == 1 else None
    assert without_circles(objective, params, H, FREE, diverges, np.ones(M)) is None


class Scores:
    """Prefers large entries, or whatever is amended to unless that is half of what was given."""

    def __init__(self, amended):
        self.amended = lambda params, H, loss: amended

    def prefers_amended(self, score, of_given):
        return score[0] < 2 * of_given[0]

    def __call__(self, params):
        return 1 / params["x"][0], 1.0


@pytest.mark.parametrize(
    ("amended", "kept"), [(None, 2.0), (3.0, 3.0), (1.5, 1.5), (1.0, 2.0), (np.nan, 2.0)]
)
def test_a_checkpoint_is_what_is_given_or_what_is_amended(amended, kept):
    class Nothing:
        saved = {}

        def buffered(self, n_threads):
            return None, None

    select = Scores(None if amended is None else {"x": np.array([amended])})
    run = Run(Nothing(), {"x": np.array([2.0])}, None, None, Settings(), select, Nothing(), None)
    run.checkpoint(np.eye(1))
    assert run.checkpoints[0].tolist() == [kept]
    assert run.checkpoint_scores == [(1 / kept, 1.0)]
    assert run.vector.tolist() == [2.0]
    run.checkpoint()
    assert run.checkpoints[1].tolist() == [2.0]

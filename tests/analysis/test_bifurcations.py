"""Bifurcations at parameters that are known."""

import numpy as np
import pytest

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.analysis import PiecewiseLinearMap, bifurcation_diagram
from sklearn_plrnn.datasets import make_van_der_pol

TENT = PiecewiseLinearMap(np.array([0.5]), np.zeros((1, 1)), np.ones(1))


def n_distinct(states):
    return len(np.unique(states.round(8), axis=0))


def test_a_period_doubling_where_the_slope_passes_minus_one():
    slopes = np.array([-0.5, -0.9, -1.1, -1.5])
    diagram = bifurcation_diagram(TENT, "W", (0, 0), slopes - 0.5, start=[0.1], max_order=2)
    assert [n_distinct(states) for states in diagram.states] == [1, 1, 2, 2]
    for orbits, stable in zip(diagram.orbits, slopes > -1, strict=True):
        assert orbits[0].stable == stable
        assert [orbit.order for orbit in orbits] == ([1] if stable else [1, 2])
        np.testing.assert_allclose(orbits[0].states, 1 / (1 - orbits[0].eigenvalues.real[:, None]))


def test_two_fixed_points_meet_and_vanish():
    """Slopes 0.5 below the kink and 1.5 above: one point on each side, for h < 0 only."""
    f = TENT._replace(W=np.ones((1, 1)))
    diagram = bifurcation_diagram(f, "h", 0, [-0.2, -0.1, 0.1], start=[0.0])
    assert [len(orbits) for orbits in diagram.orbits] == [2, 2, 0]
    assert [[orbit.stable for orbit in orbits] for orbits in diagram.orbits[:2]] == [
        [True, False]
    ] * 2
    assert not np.isfinite(diagram.states[2]).all() or diagram.states[2].max() > 1e10


def test_going_up_and_down_shows_hysteresis():
    rivals = PiecewiseLinearMap(np.full(2, 0.5), np.array([[0, -1.0], [-1.0, 0]]), np.ones(2))
    values = np.linspace(0.2, 3, 15)
    options = {"start": [-1.0, 1.0], "max_order": 0}
    up = bifurcation_diagram(rivals, "h", 0, values, **options)
    down = bifurcation_diagram(rivals, "h", [0], values[::-1], **options)
    ends = up.states[:, -1, 0], down.states[::-1, -1, 0]
    middle = np.argmin(np.abs(values - 1))
    assert ends[0][middle] < 0 < ends[1][middle]
    assert up.orbits == [[]] * 15


def test_a_run_that_diverged_does_not_spoil_the_next():
    diagram = bifurcation_diagram(TENT, "A", 0, [3.0, 0.5], start=[1.0], max_order=0)
    assert not np.isfinite(diagram.states[0]).all()
    np.testing.assert_allclose(diagram.states[1], 2.0)


def test_an_estimator_starts_where_its_data_ended_and_is_left_as_it_was():
    X = make_van_der_pol(600, random_state=0)
    model = DSReconstructor(n_hidden=8, max_iter=1, random_state=0).fit(X)
    before = model.h1_.copy()
    diagram = bifurcation_diagram(model, "h1", 1, [before[1], 0.3], transient=50, n_last=20)
    assert diagram.observations.shape == (2, 20, 2)
    np.testing.assert_allclose(diagram.observations[0], model.forecast(70)[50:])
    np.testing.assert_array_equal(model.h1_, before)


@pytest.mark.parametrize(
    ("architecture", "parameter", "index"),
    [
        ("plrnn", "W", (0, 1)),
        ("almost-linear", "A", -1),
        ("shallow", "W2", (3, 0)),
        ("clipped-shallow", "W1", (1, 2)),
    ],
)
def test_parameters_are_those_of_the_estimator(architecture, parameter, index):
    X = make_van_der_pol(300, random_state=0)
    model = DSReconstructor(
        3, architecture=architecture, n_hidden=6, max_iter=0, random_state=0
    ).fit(X)
    run = {"transient": 2, "n_last": 3}
    diagram = bifurcation_diagram(model, parameter, index, [0.2, -0.1], max_order=0, **run)
    for value, states, start in zip(
        diagram.values, diagram.states, [model.last_state_, diagram.states[0, -1]], strict=True
    ):
        getattr(model, f"{parameter}_")[index] = value  # all that is made of it changes
        model.last_state_ = start
        np.testing.assert_allclose(states @ model.B_.T + model.b_, model.forecast(5)[2:])
    with pytest.raises(ValueError, match=rf"parameter must be one of .*'{parameter}'.*, got 'C'"):
        bifurcation_diagram(model, "C", 0, [0.0])


@pytest.mark.parametrize(
    ("parameter", "index", "message"),
    [
        ("h", 1, r"\(1,\) is no entry of h, of shape \(1,\)"),
        ("W", 0, "no entry of W"),
        ("V", (0, 0), r"one of \['A', 'W', 'h'\], got 'V'"),
    ],
)
def test_bad_input_is_named(parameter, index, message):
    with pytest.raises(ValueError, match=message):
        bifurcation_diagram(TENT, parameter, index, [0.0], start=[0.0])
    with pytest.raises(ValueError, match=r"values has shape \(1, 2\)"):
        bifurcation_diagram(TENT, "h", 0, [[0.0, 1.0]], start=[0.0])

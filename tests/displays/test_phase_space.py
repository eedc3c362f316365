"""`PhaseSpaceDisplay`: trajectories, and orbits where they are."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sklearn_plrnn.analysis import fixed_points
from sklearn_plrnn.analysis._orbits import Orbit
from sklearn_plrnn.displays import PhaseSpaceDisplay


def orbit(observations, eigenvalues):
    observations = np.array(observations, dtype=float)
    pattern = np.zeros((len(observations), 1), bool)
    return Orbit(observations, observations, np.array(eigenvalues, dtype=complex), pattern)


def test_the_free_run_starts_where_the_data_do(model, frame):
    display = PhaseSpaceDisplay.from_estimator(model, frame)
    run = model.simulate(500, x0=frame.iloc[0])[100:]
    np.testing.assert_array_equal(np.transpose(display.simulated_.get_data_3d()), run)
    np.testing.assert_array_equal(np.transpose(display.observed_.get_data_3d()), frame)
    assert display.ax_.get_zlabel() == "a&b"
    n_shown = sum(len(line.get_data_3d()[0]) for line in display.orbits_)
    assert n_shown + display.n_outside_ == len(fixed_points(model))


def test_a_driven_run_gets_the_inputs_of_the_data(driven):
    X, model = driven
    display = PhaseSpaceDisplay.from_estimator(model, X, orbits=())
    expected = model.simulate(len(X) - 1, x0=X[0, :2], inputs=X[1:, 2:])
    np.testing.assert_array_equal(display.simulated_.get_xydata(), expected)
    np.testing.assert_array_equal(display.observed_.get_xydata(), X[1:, :2])


def test_orbits_are_marked_by_kind_and_cycles_are_closed():
    circle = np.stack([np.cos(np.arange(50)), np.sin(np.arange(50))], axis=1)
    orbits = [
        orbit([[0, 0]], [0.5, 0.2]),
        orbit([[0.5, 0]], [0.5, 0.1]),
        orbit([[0, 0.5]], [1.5, 0.5]),
        orbit([[0.5, 0.5]], [1.5 + 1j, 1.5 - 1j]),
        orbit([[100, 0]], [0.5, 0.2]),
        orbit([[0.1, 0], [0, 0.1], [0.2, 0.2]], [0.3, 0.2]),
    ]
    display = PhaseSpaceDisplay.from_predictions(circle, circle, orbits=orbits)
    drawn = {line.get_label(): line for line in display.orbits_}
    assert drawn["stable node"].get_xydata().tolist() == [[0, 0], [0.5, 0]]
    assert drawn["saddle"].get_marker() != drawn["stable node"].get_marker()
    assert drawn["unstable focus"].get_markerfacecolor() == "none"
    cycle = drawn["stable cycle"].get_xydata()
    assert len(cycle) == 4 and cycle[0].tolist() == cycle[-1].tolist()
    assert display.n_outside_ == 1
    assert display.ax_.get_xlim()[1] < 2


@pytest.mark.parametrize("features", [[0, 1], [0, 1, 2]])
def test_a_run_that_explodes_hides_nothing(features, rng):
    X = rng.uniform(size=(50, 3))
    run = X * np.geomspace(1, 1e300, 50)[:, None]
    run[-1] = np.inf
    display = PhaseSpaceDisplay.from_predictions(X, run, features=features)
    display.figure_.canvas.draw()
    assert display.ax_.get_xlim()[0] > -0.6 and display.ax_.get_xlim()[1] < 1.6


def test_the_picture_has_two_or_three_dimensions(rng):
    X = rng.normal(size=(20, 4))
    assert PhaseSpaceDisplay.from_predictions(None, X).ax_.name == "3d"
    display = PhaseSpaceDisplay.from_predictions(X, X, features=[3, 0])
    assert display.ax_.name == "rectilinear" and display.ax_.get_xlabel() == "x3"
    with pytest.raises(ValueError, match="features are 1 variables; expected 2 or 3"):
        display.plot(features=[0])
    with pytest.raises(ValueError, match='projection="3d"'):
        display.plot(plt.subplots()[1], features=[0, 1, 2])

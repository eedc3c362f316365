"""`EigenvalueDisplay`: a circle, and eigenvalues where they are."""

import numpy as np

from sklearn_plrnn.analysis import PiecewiseLinearMap, cycles
from sklearn_plrnn.displays import EigenvalueDisplay

WINNERS = PiecewiseLinearMap(A=np.full(2, 0.5), W=np.array([[0, -1], [-1, 0]]), h=np.ones(2))


def test_eigenvalues_of_fixed_points():
    display = EigenvalueDisplay.from_estimator(WINNERS)
    drawn = {line.get_label(): line.get_xydata() for line in display.points_}
    np.testing.assert_allclose(sorted(drawn["saddle"].tolist()), [[-0.5, 0], [1.5, 0]], atol=1e-12)
    np.testing.assert_allclose(drawn["stable node"], np.tile([0.5, 0], (4, 1)))
    assert display.circle_.get_radius() == 1
    assert display.ax_.get_aspect() == 1


def test_those_far_out_are_counted():
    tent = PiecewiseLinearMap(A=np.array([1.5]), W=np.array([[-3.5]]), h=np.ones(1))
    display = EigenvalueDisplay.from_estimator(tent, orbits=cycles(tent, 3))
    assert display.n_outside_ == 3 and len(display.points_) == 1


def test_a_model_without_fixed_points():
    shift = PiecewiseLinearMap(A=np.ones(1), W=np.zeros((1, 1)), h=np.ones(1))
    assert EigenvalueDisplay.from_estimator(shift).points_ == []


def test_eigenvalues_alone():
    display = EigenvalueDisplay(eigenvalues=[np.array([0.5j]), np.array([-0.5j])]).plot()
    assert display.points_[0].get_ydata().tolist() == [0.5, -0.5]
    assert display.ax_.get_legend() is None

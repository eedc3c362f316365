"""`TrainingCurveDisplay`: the curves of the fit."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.displays import TrainingCurveDisplay


def test_curves_are_those_of_the_fit(model):
    display = TrainingCurveDisplay.from_estimator(model)
    assert display.training_line_.get_ydata().tolist() == model.loss_curve_
    assert display.validation_line_.get_ydata().tolist() == model.validation_curve_
    assert display.training_line_.get_xdata()[0] == 1
    assert display.ax_.get_yscale() == "log"
    with pytest.raises(NotFittedError):
        TrainingCurveDisplay.from_estimator(DSReconstructor())


def test_gauss_newton_knows_the_held_out_loss_alone(frame):
    settings = {"n_hidden": 5, "solver": "gauss-newton", "max_iter": 2, "random_state": 0}
    model = DSReconstructor(**settings).fit(frame)
    display = TrainingCurveDisplay.from_estimator(model)
    assert display.training_line_ is None
    assert display.validation_line_.get_ydata().tolist() == model.validation_curve_
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["held out"]


def test_losses_that_have_no_logarithm():
    display = TrainingCurveDisplay(loss_curve=[1, 0, -1]).plot()
    assert display.validation_line_ is None and display.ax_.get_yscale() == "linear"
    assert TrainingCurveDisplay(loss_curve=[]).plot().ax_.get_yscale() == "linear"
    assert np.all(np.mod(display.ax_.get_xticks(), 1) == 0)  # epochs are whole

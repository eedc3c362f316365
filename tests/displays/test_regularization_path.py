"""`RegularizationPathDisplay`: means, folds, the chosen strength."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from sklearn_plrnn.displays import RegularizationPathDisplay


class Path(BaseEstimator):
    """What a cross-validated estimator has after its fit."""

    def fit(self, X=None, y=None):
        self.alphas_, self.alpha_ = np.array([10.0, 1.0, 0.1]), 1.0
        self.scores_path_ = np.array([[0.1, 0.3, 0.2], [0.9, 0.7, 0.8], [0.5, 0.5, 0.5]])
        return self


def test_the_path_of_an_estimator():
    display = RegularizationPathDisplay.from_estimator(Path().fit())
    assert display.mean_line_.get_xdata().tolist() == [0.1, 1, 10]
    np.testing.assert_allclose(display.mean_line_.get_ydata(), [0.5, 0.8, 0.2])
    assert len(display.fold_lines_) == 3
    assert display.fold_lines_[1].get_ydata().tolist() == [0.5, 0.7, 0.3]
    assert display.chosen_line_.get_xdata() == [1, 1]
    ends = display.band_.get_paths()[0].vertices[:, 1]
    assert ends.max() == pytest.approx(0.8 + 0.1 / np.sqrt(3))
    assert display.ax_.get_xscale() == "log"
    with pytest.raises(NotFittedError):
        RegularizationPathDisplay.from_estimator(Path())


def test_an_estimator_without_a_path_is_named(model):
    with pytest.raises(TypeError, match=r"alphas_.*a DSReconstructor has no alphas_"):
        RegularizationPathDisplay.from_estimator(model)


def test_no_regularization_belongs_to_the_path():
    display = RegularizationPathDisplay(alphas=[0, 0.1, 1], scores=np.ones((3, 1))).plot()
    assert display.ax_.get_xscale() == "symlog" and display.chosen_line_ is None
    x = display.ax_.transData.transform([(a, 1) for a in (0, 0.1, 1)])[:, 0]
    assert np.all(np.diff(x) > 1)

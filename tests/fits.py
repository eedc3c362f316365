"""Small fits that joblib may share out, to compare where it does and where it does not."""

import os

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sklearn_plrnn import (
    DSReconstructor,
    DSReconstructorCV,
    RegularizedPLRNNClassifierCV,
    RegularizedPLRNNRegressor,
    RegularizedPLRNNRegressorCV,
)

X = np.random.default_rng(0).normal(size=(480, 2))
y = X[:, 0] + np.roll(X[:, 1], 1)
FOLDS = list(TimeSeriesSplit(3).split(X))

QUICK = {"max_iter": 2, "random_state": 0}
PATH = QUICK | {"alphas": [0.1, 1.0], "cv": 2}
SHOOTING = {"n_hidden": 4, "solver": "gauss-newton", "max_iter": 1}


def search(score=RegularizedPLRNNRegressor.score, n_init=1):
    """A grid search that also tells in which process each score is from."""
    return GridSearchCV(
        RegularizedPLRNNRegressor(3, n_init=n_init, **QUICK),
        {"alpha": [0.1, 1.0, 10.0]},
        scoring={"score": score, "process": lambda *args: os.getpid()},
        refit="score",
        cv=FOLDS,
    )


MODELS = {
    "search": search(),
    "search of restarts": search(n_init=2),
    "restarts": DSReconstructor(n_init=2, keep_restarts=True, **QUICK | SHOOTING),
    "regressor": RegularizedPLRNNRegressorCV(3, **PATH),
    "classifier": RegularizedPLRNNClassifierCV(3, **PATH),
    "reconstructor": DSReconstructorCV(**PATH | SHOOTING),
}
DATA = {
    "restarts": (X[:120],),
    "classifier": (X.reshape(80, 12), y[:80] > 0),
    "reconstructor": (X[:120],),
}


def fits(names=MODELS):
    """Models of these names, fitted."""
    return [clone(MODELS[name]).fit(*DATA.get(name, (X, y))) for name in names]


def folds(search, what):
    """Scores of that name, in each fold and of each candidate."""
    return np.array([search.cv_results_[f"split{i}_test_{what}"] for i in range(len(FOLDS))])


def learned(model):
    """Fitted attributes by name, also of restarts that were kept."""
    found = {name: x for name, x in vars(model).items() if name.endswith("_")}
    return found | {"restarts_": [learned(other) for other in found.get("restarts_", ())]}


def assert_same(fitted, expected):
    """All that two fits or searches have left is equal to the last bit."""
    if isinstance(expected, GridSearchCV):
        np.testing.assert_array_equal(folds(fitted, "score"), folds(expected, "score"))
        fitted, expected = fitted.best_estimator_, expected.best_estimator_
    np.testing.assert_equal(learned(fitted), learned(expected))

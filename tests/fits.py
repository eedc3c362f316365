"""Small fits that joblib may share out, to compare where it does and where it does not."""

import os
from functools import cache

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from small_models import MODELS, data_for

SEARCHED = MODELS["RegularizedPLRNNRegressor"]
X, y = data_for(SEARCHED, 480)
FOLDS = list(TimeSeriesSplit(3).split(X))
NAMES = (
    "search",
    "search of restarts",
    "DSReconstructor",
    *(n for n in MODELS if n.endswith("CV")),
)


def fit(name):
    """One of `NAMES`."""
    if name.startswith("search"):
        return search(n_init=2 if name == "search of restarts" else 1)
    return clone(MODELS[name]).fit(*data_for(MODELS[name]))


def search(score=None, n_init=1):
    """A grid search, which also tells in which process each score is from."""
    return GridSearchCV(
        clone(SEARCHED).set_params(n_init=n_init),
        {"alpha": [0.1, 1.0, 10.0]},
        scoring={"score": score or type(SEARCHED).score, "process": lambda *args: os.getpid()},
        refit="score",
        cv=FOLDS,
    ).fit(X, y)


@cache
def fitted_here(name):
    """The same, in this process; to be called where joblib has not been told otherwise."""
    return fit(name)


def of_folds(search, what):
    """Scores of that name, in each fold and of each candidate."""
    return np.array([search.cv_results_[f"split{i}_test_{what}"] for i in range(len(FOLDS))])


def learned(model):
    """Fitted attributes by name, also of restarts that were kept."""
    found = {name: x for name, x in vars(model).items() if name.endswith("_")}
    return found | {"restarts_": [learned(other) for other in found.get("restarts_", ())]}


def assert_same(fitted, expected):
    """All that two fits or searches have left is equal to the last bit."""
    if isinstance(expected, GridSearchCV):
        np.testing.assert_array_equal(of_folds(fitted, "score"), of_folds(expected, "score"))
        fitted, expected = fitted.best_estimator_, expected.best_estimator_
    np.testing.assert_equal(learned(fitted), learned(expected))

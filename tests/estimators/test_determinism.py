"""The same numbers give the same bits, in whatever container and memory layout they come."""

from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from small_models import MODELS, answers, data_for

from sklearn_plrnn import DSReconstructor, RegularizedPLRNNClassifier, RegularizedPLRNNRegressor


def names(X):
    return [f"x{i}" for i in range(X.shape[1])]


def locked(X):
    X.flags.writeable = False
    return X


def stacked(X):
    """One sequence, or what the classifier takes for one in each row."""
    return X.reshape(len(X), -1, 2) if X.shape[1] == 8 else X[None]


FORMS = {
    "fortran": np.asfortranarray,
    "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "backwards": lambda X: X[::-1].copy()[::-1],
    "columns of a table": lambda X: np.hstack([X, X])[:, : X.shape[1]],
    "read-only": lambda X: locked(X.copy()),
    "single precision": lambda X: X.astype(np.float32),
    "objects": lambda X: X.astype(object),
    "nested lists": np.ndarray.tolist,
    "pandas": lambda X: pd.DataFrame(X, columns=names(X)),
    "pandas, mixed": lambda X: pd.DataFrame(X, columns=names(X)).astype({"x0": np.float32}),
    "polars": lambda X: pl.DataFrame(X, schema=names(X)),
    "stack": stacked,
    "stack, fortran": lambda X: np.asfortranarray(stacked(X)),
    "list": lambda X: list(stacked(X)),
    "list of frames": lambda X: [pd.DataFrame(x, columns=names(x)) for x in stacked(X)],
}
# What chooses alpha fits as the plain estimator does; it does not split a single sequence.
OF_PATHS = ("fortran", "pandas", "polars")
CASES = [(name, form) for name in MODELS for form in (OF_PATHS if name.endswith("CV") else FORMS)]


def learned(model):
    """Fitted attributes by name, but for what tells of the container."""
    told = {"feature_names_in_", "n_features_in_", "single_output_"}
    return {name: x for name, x in vars(model).items() if name.endswith("_") and name not in told}


def unfitted(name, **params):
    """The model of that name, with a single restart."""
    return clone(MODELS[name]).set_params(n_init=1, **params)


@cache
def fitted_to_arrays(name):
    """A model fitted to a plain array, and its data."""
    model = unfitted(name, dtype="float64")
    data = data_for(model)
    return model.fit(*data), data


@pytest.mark.parametrize(("name", "form"), CASES)
def test_containers_and_layouts_change_nothing(name, form):
    plain, (X, *y) = fitted_to_arrays(name)
    given, kept = FORMS[form](X), FORMS[form](X)
    if type(plain) is RegularizedPLRNNRegressor and np.ndim(given) == 3:
        y = [y[0][None, :, None]]
    model = clone(plain).fit(given, *y)
    np.testing.assert_equal(learned(model), learned(plain))
    found = answers(model, given)
    for name, x in answers(plain, X).items():
        np.testing.assert_array_equal(np.reshape(found[name], x.shape), x, err_msg=name)
    np.testing.assert_array_equal(np.asarray(given), np.asarray(kept))


SEQUENCES = np.round(8 * np.random.default_rng(1).normal(size=(60, 6, 2))) / 8
SUMS = SEQUENCES[:, :, 0].sum(axis=1)


@pytest.mark.parametrize("solver", ["adam", "gauss-newton"])
def test_stacks_and_lists_of_sequences_are_one(solver):
    reconstructor = DSReconstructor(n_hidden=4, n_components=3, solver=solver, max_iter=1)
    regressor = RegularizedPLRNNRegressor(3, solver=solver, max_iter=2)
    steps = SEQUENCES.cumsum(axis=1)[:, :, :1]
    for model, *y in (
        (reconstructor,),
        (regressor, SUMS),
        (regressor, steps),
        (RegularizedPLRNNClassifier(3, solver=solver, max_iter=2), SUMS > 0),
    ):
        model.set_params(random_state=0).fit(SEQUENCES, *y)
        y = [list(steps)] if y and y[0] is steps else y
        listed = clone(model).fit(list(SEQUENCES), *y)
        np.testing.assert_equal(learned(listed), learned(model))
        expected = model.predict(SEQUENCES)
        np.testing.assert_array_equal(np.stack(listed.predict(list(SEQUENCES))), expected)


@pytest.mark.parametrize("make", [list, pd.Series, pl.Series, lambda x: np.repeat(x, 2)[::2]])
def test_targets_labels_and_weights_may_be_in_anything(make):
    weights = np.arange(60) % 4 / 4
    for model, y in (
        (RegularizedPLRNNRegressor(3, max_iter=2, random_state=0), SUMS),
        (RegularizedPLRNNClassifier(3, max_iter=2, random_state=0), np.where(SUMS > 0, "u", "d")),
    ):
        model.fit(SEQUENCES, y, sample_weight=weights)
        other = clone(model).fit(SEQUENCES, make(y), sample_weight=make(weights))
        np.testing.assert_equal(learned(other), learned(model))
        score = model.score(SEQUENCES, y, sample_weight=weights)
        assert other.score(SEQUENCES, make(y), sample_weight=make(weights)) == score


@pytest.mark.parametrize("name", [name for name in MODELS if not name.endswith("CV")])
def test_precision_is_asked_for_or_given(name):
    """Values that single precision can hold are converted before or inside."""
    X, *y = data_for(MODELS[name])
    for dtype in (np.float32, np.float64):
        asked = unfitted(name, dtype=np.dtype(dtype).name).fit(X, *y)
        given = unfitted(name).fit(X.astype(dtype), *y)
        np.testing.assert_equal(learned(given), learned(asked))
        assert asked.A_.dtype == dtype

"""Containers in, rows out, containers back; errors that name array and axis."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator

from sklearn_plrnn.estimators._sequences import (
    Scaling,
    check_sequences,
    check_targets,
    check_weights,
)

DTYPES = [np.float64, np.float32]


def check(X, **options):
    return check_sequences(BaseEstimator(), X, reset=True, dtype=DTYPES, **options)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_lists_come_back_as_they_were(lengths):
    X = [np.random.default_rng(n).normal(size=(n, 3)) for n in lengths]
    sequences = check(X)
    for given_, restored in zip(X, sequences.restore(sequences.rows), strict=True):
        np.testing.assert_array_equal(given_, restored)


def test_stacks_and_series_come_back_as_they_were(rng):
    for X in (rng.normal(size=(7, 2)), rng.normal(size=(4, 7, 2))):
        sequences = check(X)
        np.testing.assert_array_equal(sequences.restore(sequences.rows), X)


def test_every_container_gives_the_same_rows(rng):
    X = rng.normal(size=(5, 2)).astype(np.float32)
    frames = [pd.DataFrame(X, columns=["a", "b"]), pl.DataFrame(X, schema=["a", "b"])]
    for other in (X, X[None], [X], (X,), X.tolist(), np.asfortranarray(X), *frames, [frames[0]]):
        np.testing.assert_array_equal(check(other).rows, X)


def test_dtype_is_kept_or_becomes_float64(rng):
    X = rng.integers(0, 5, size=(6, 2))
    assert check(X).rows.dtype == np.float64
    assert check(X > 2).rows.dtype == np.float64
    assert check(X.astype(np.float32)).rows.dtype == np.float32
    assert check([X.astype(np.float32), X.astype(np.float64)]).rows.dtype == np.float64


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros(5), "Reshape your data"),
        (np.zeros((2, 3, 4, 5)), r"4 dimensions.*\(sequence, time, feature\)"),
        (np.array([np.zeros((3, 2)), np.zeros((4, 2))], dtype=object), "object array.*as a list"),
        ([np.zeros((3, 2)), np.zeros((3, 4))], r"X\[1\].*4 features.*2 features"),
        ([np.zeros((3, 2)), np.zeros(3)], r"X\[1\].*1-D"),
        ([np.zeros((3, 2)), np.full((2, 2), np.nan)], r"X\[1\].*NaN"),
        ([np.zeros(3), np.zeros(2)], "unequal rows"),
        (np.full((3, 2), np.inf), "infinity"),
        (np.zeros((3, 2), "datetime64[s]"), "dates"),
        (np.zeros((3, 2), complex), "[Cc]omplex"),
        (np.array([["a", "b"]]), "string"),
        (np.zeros((2, 0, 3)), r"0 time step"),
        ([], "Reshape|minimum|array"),
    ],
)
def test_bad_input_is_named(X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        check(X)


@pytest.mark.parametrize(
    ("X", "y", "shape", "single"),
    [
        (np.zeros((4, 2)), np.arange(4), (4, 1), True),
        (np.zeros((4, 2)), np.zeros((4, 3)), (4, 3), False),
        (np.zeros((3, 4, 2)), np.arange(3), (3, 1), True),
        (np.zeros((3, 4, 2)), np.zeros((3, 2)), (3, 2), False),
        (np.zeros((3, 4, 2)), np.zeros((3, 4, 2)), (12, 2), False),
        (np.zeros((3, 4, 2)), [np.zeros(4)] * 3, (12, 1), True),
        ([np.zeros((4, 2)), np.zeros((5, 2))], [1.0, 2.0], (2, 1), True),
        ([np.zeros((4, 2)), np.zeros((5, 2))], [np.zeros(4), np.zeros(5)], (9, 1), True),
        ([np.zeros((4, 2)), np.zeros((5, 2))], [np.zeros((4, 3)), np.zeros((5, 3))], (9, 3), False),
        ([np.zeros((4, 2)), np.zeros((5, 2))], [[1.0, 2, 3], [4, 5, 6]], (2, 3), False),
    ],
)
def test_every_form_of_targets(X, y, shape, single):
    targets, is_single = check_targets(BaseEstimator(), y, check(X), float)
    assert targets.shape == shape and is_single == single


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((4, 2)), np.zeros(5), r"4 rows.*\[4, 5\].*\(time,\)"),
        (np.zeros((3, 4, 2)), np.zeros((3, 5, 1)), "5 steps, X of 4"),
        (np.zeros((3, 4, 2)), np.zeros(12), "3 sequences of 4 steps"),
        ([np.zeros((4, 2)), np.zeros((5, 2))], [np.zeros(4), np.zeros(4)], "4 steps, X of 4 to 5"),
        (np.zeros((4, 2)), [0, 1, 2, np.nan], "y contains NaN"),
        (np.zeros((4, 2)), None, "target y is None"),
    ],
)
def test_bad_targets_are_named(X, y, message):
    with pytest.raises(ValueError, match=message):
        check_targets(BaseEstimator(), y, check(X), float)


def test_weights_are_checked():
    np.testing.assert_array_equal(check_weights([0, 2.0], 2, float), [[0], [2]])
    np.testing.assert_array_equal(check_weights(None, 2, float), [[1], [1]])
    for weights, message in [
        ([1.0, -1.0], "Negative"),
        ([0.0, 0.0], "zero for every"),
        ([1.0], r"shape == \(1,\), expected \(2,\)"),
        ([1.0, np.nan], "sample_weight contains NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            check_weights(weights, 2, float)


@pytest.mark.parametrize("unit", [1.0, 1e-12, 1e12, 1e200, 1e-200])
def test_scaling_does_not_depend_on_units(unit, rng):
    x = rng.normal(3, 2, size=(50, 2))
    scaled = Scaling.of(x * unit).apply(x * unit)
    np.testing.assert_allclose(scaled, (x - x.mean(0)) / x.std(0), rtol=1e-9)


def test_scaling_undoes_itself_and_can_be_off(rng):
    x = rng.normal(3, 2, size=(50, 2))
    scaling = Scaling.of(x)
    np.testing.assert_allclose(scaling.undo(scaling.apply(x)), x)
    np.testing.assert_array_equal(Scaling.of(x, enabled=False).apply(x), x)


def test_constant_columns_become_zero(rng):
    x = np.c_[np.full(50, 1e9 / 3), rng.normal(size=50)]
    scaled = Scaling.of(x).apply(x)
    np.testing.assert_allclose(scaled[:, 0], 0, atol=1e-6)


def test_scaling_leaves_out_what_has_no_weight_and_gaps(rng):
    x, weights = rng.normal(size=(50, 1)), rng.integers(0, 3, size=(50, 1)).astype(float)
    spoiled = np.where(weights > 0, x, 1e300)
    repeated = np.repeat(x[:, 0], weights[:, 0].astype(int))
    for rows in (x, spoiled, np.where(weights > 0, x, np.nan)):
        mean, scale = Scaling.of(rows, weights)
        np.testing.assert_allclose([mean[0], scale[0]], [repeated.mean(), repeated.std()])


SCRAMBLED = "index of X is not increasing"


def indexed(index):
    return pd.DataFrame({"a": np.arange(4.0), "b": np.ones(4)}, index=index)


@pytest.mark.parametrize(
    "index",
    [
        [2, 0, 1, 3],
        [3.0, 2.0, 1.0, 0.0],
        pd.to_datetime(["2020-01-02", "2020-01-01", "2020-01-03", "2020-01-04"]),
        pd.PeriodIndex(["2020-02", "2020-01", "2020-03", "2020-04"], freq="M"),
    ],
)
def test_rows_out_of_order_are_told_where_the_index_knows(index):
    with pytest.warns(UserWarning, match=SCRAMBLED):
        check(indexed(index))
    with pytest.warns(UserWarning, match=SCRAMBLED):
        check([indexed(range(4)), indexed(index)])


@pytest.mark.parametrize("index", [range(4), [0, 0, 3, 9], list("dacb"), None])
def test_other_indices_are_no_reason_to_warn(index, recwarn):
    X = indexed(index)
    check(X)
    check([X, X])
    check(pl.from_pandas(X))
    assert not recwarn.list

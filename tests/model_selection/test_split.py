"""`ContextTimeSeriesSplit`: blocks are scikit-learn's, context leads up to them."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sklearn_plrnn import RegularizedPLRNNRegressor
from sklearn_plrnn.model_selection import ContextTimeSeriesSplit


@pytest.mark.parametrize(
    "options", [{}, {"gap": 3}, {"test_size": 5}, {"max_train_size": 9, "gap": 1}]
)
@pytest.mark.parametrize("n_context", [0, 1, 7])
def test_blocks_are_those_without_context(n_context, options):
    X = np.zeros((50, 2))
    ours = ContextTimeSeriesSplit(3, n_context=n_context, **options).split(X)
    for (train, test), (expected, block) in zip(
        ours, TimeSeriesSplit(3, **options).split(X), strict=True
    ):
        np.testing.assert_array_equal(train, expected)
        np.testing.assert_array_equal(test[n_context:], block)
        np.testing.assert_array_equal(np.diff(test), 1)


@pytest.mark.parametrize(
    ("n_context", "error", "message"),
    [
        (13, ValueError, "first begins at row 12"),
        (-1, ValueError, "n_context"),
        (1.5, TypeError, "n_context"),
    ],
)
def test_context_must_be_there(n_context, error, message):
    with pytest.raises(error, match=message):
        list(ContextTimeSeriesSplit(3, n_context=n_context).split(np.zeros((48, 1))))


def test_its_parameters_are_shown():
    assert "n_context=4" in repr(ContextTimeSeriesSplit(2, n_context=4))


def test_a_slow_state_is_judged_fairly_with_context():
    """With a memory of 30 steps a fresh start spoils the score of a short block, context does not.

    The last state of training, exact where a block follows, is the standard of comparison.
    """
    X = np.random.default_rng(0).normal(size=(800, 1)) + np.sin(np.arange(800) / 30)[:, None]
    y = np.convolve(X[:, 0], 0.97 ** np.arange(300))[:800]
    model = RegularizedPLRNNRegressor(4, max_iter=60, random_state=0, batch_size=8)
    for train, test in ContextTimeSeriesSplit(2, n_context=200, test_size=40).split(X):
        model.set_params(washout=0, initial_state="learned").fit(X[train], y[train])
        block = test[200:]
        fresh = model.score(X[block], y[block])
        with_context = model.set_params(washout=200).score(X[test], y[test])
        model.set_params(washout=0, initial_state="last")
        exact = model.score(X[block], y[block])
        assert abs(with_context - exact) < 0.1 * abs(with_context - fresh)


def test_searches_take_it():
    X = np.random.default_rng(0).normal(size=(80, 1))
    search = GridSearchCV(
        RegularizedPLRNNRegressor(3, max_iter=2, washout=5, random_state=0),
        {"alpha": [0.1, 1.0]},
        cv=ContextTimeSeriesSplit(2, n_context=5),
    ).fit(X, X[:, 0])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()

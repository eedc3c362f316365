"""The classifier: forms of X, probabilities, weights, streams, its solvers and starts."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_plrnn import RegularizedPLRNNClassifier

LENGTH = 12


def sequences(n=120, seed=0, n_channels=2):
    """X (n, LENGTH, n_channels) and three labels: where the sum of the first channel falls."""
    X = np.random.default_rng(seed).normal(size=(n, LENGTH, n_channels))
    return X, np.array(["low", "middle", "top"])[np.digitize(X[..., 0].sum(axis=1), [-1.5, 1.5])]


def classifier(**kwargs):
    defaults = {"n_components": 8, "max_iter": 40, "random_state": 0}
    return RegularizedPLRNNClassifier(**defaults | kwargs)


@pytest.fixture(scope="module")
def fitted():
    X, y = sequences()
    return classifier().fit(X, y), X, y


def test_it_learns(fitted):
    model, *_ = fitted
    X_test, y_test = sequences(500, seed=1)
    assert model.score(X_test, y_test) > 0.85  # the most frequent class: 0.39


def test_flattened_rows_stacks_and_lists_are_the_same(fitted):
    model, X, y = fitted
    flat = classifier(n_channels=2).fit(X.reshape(len(X), -1), y)
    listed = classifier().fit(list(X), y)
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(flat.predict_proba(X.reshape(len(X), -1)), expected)
    np.testing.assert_array_equal(listed.predict_proba(list(X)), expected)
    assert flat.n_features_in_ == 2 * LENGTH and model.n_features_in_ == 2


def test_frames_keep_their_names():
    X, y = sequences(n_channels=1)
    frame = pd.DataFrame(X[..., 0], columns=[f"t{i}" for i in range(LENGTH)])
    model = classifier(max_iter=2).fit(frame, y)
    assert list(model.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"t0": "other"}))


def test_sequences_of_unequal_lengths_are_read_out_at_their_own_end(fitted):
    _, X, y = fitted
    lengths = np.random.default_rng(0).integers(3, LENGTH + 1, len(X))
    ragged = [x[:n] for x, n in zip(X, lengths, strict=True)]
    model = classifier(max_iter=5).fit(ragged, y)
    together = model.predict_log_proba(ragged)
    for i in (0, 7, 50):
        alone = model.predict_log_proba([ragged[i]])
        np.testing.assert_allclose(together[i], alone[0], rtol=1e-10)


def test_answers_agree_with_each_other(fitted):
    model, X, _ = fitted
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(p), model.predict_log_proba(X))
    logits = model.decision_function(X)
    assert logits.shape == (len(X), 3)
    np.testing.assert_array_equal(model.predict(X), model.classes_[logits.argmax(axis=1)])
    np.testing.assert_allclose(model.transform(X) @ model.B_.T + model.b_, logits)


def test_two_classes_have_one_decision_value(fitted):
    _, X, y = fitted
    model = classifier(max_iter=5).fit(X, y == "top")
    decision = model.decision_function(X)
    p = model.predict_proba(X)
    np.testing.assert_allclose(decision, np.log(p[:, 1] / p[:, 0]))
    np.testing.assert_array_equal(model.predict(X), decision > 0)


def test_probabilities_are_calibrated_where_labels_are_random():
    X, _ = sequences(2000)
    y = np.random.default_rng(5).random(2000) < 0.3
    model = classifier(max_iter=3).fit(X, y)
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.02)


@pytest.mark.parametrize("init", ["closed-form", "identity"])
def test_without_iterations_the_readout_is_a_logistic_regression(init, fitted):
    _, X, y = fitted
    model = classifier(max_iter=0, init=init).fit(X, y)
    states = model.transform(X)
    scale = states.std(axis=0)
    states = (states / np.where(scale > 1e-8, scale, np.inf))[:, scale > 1e-8]
    best = LogisticRegression(C=1e6, max_iter=5000).fit(states, y)
    loss = lambda p: -np.mean(np.log(p[np.arange(len(y)), np.searchsorted(best.classes_, y)]))
    chance = np.log(3)
    assert loss(model.predict_proba(X)) < loss(best.predict_proba(states)) + 0.3 * chance


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "gauss-newton"])
def test_every_solver_improves_on_the_start(solver):
    X, y = sequences(600)
    X_test, y_test = sequences(2000, seed=1)
    loss = lambda m: (
        -np.mean(m.predict_log_proba(X_test)[np.arange(2000), np.searchsorted(m.classes_, y_test)])
    )
    make = lambda n: classifier(solver=solver, init="random", max_iter=n).fit(X, y)
    assert loss(make(30)) < 0.7 * loss(make(0))


def test_weights_of_zero_are_no_influence(fitted):
    _, X, y = fitted
    weights = np.ones(len(X))
    weights[:20] = 0
    other = y.copy()
    other[:20] = y[np.arange(20) + 40]
    a, b = (classifier(max_iter=3).fit(X, labels, weights) for labels in (y, other))
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))


def test_class_weight_equals_the_sample_weight_it_stands_for(fitted):
    _, X, y = fitted
    by_class = {"low": 1.0, "middle": 3.0, "top": 0.5}
    a = classifier(max_iter=3, class_weight=by_class).fit(X, y)
    b = classifier(max_iter=3).fit(X, y, np.vectorize(by_class.get)(y))
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))
    heavy = classifier(max_iter=10, class_weight={"low": 100.0}).fit(X, y)
    assert (heavy.predict(X) == "low").sum() > (y == "low").sum()


def test_streams_equal_nothing_forgotten():
    X, y = sequences(300)
    X_test, y_test = sequences(500, seed=1)
    model = classifier().partial_fit(X[:100], y[:100], classes=["low", "middle", "top"])
    early = model.score(X_test, y_test)
    for _ in range(15):
        for part in np.split(np.arange(300), 3):
            model.partial_fit(X[part], y[part])
    assert model.n_iter_ == len(model.loss_curve_) == 46
    assert model.score(X_test, y_test) > max(early, 0.8)


def test_one_epoch_of_a_stream_goes_on_from_saved_moments():
    X, y = sequences(100)
    model = classifier().partial_fit(X, y)
    restored = pickle.loads(pickle.dumps(model))
    for m in (model, restored):
        m.partial_fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), restored.predict_proba(X))
    assert model.optimizer_state_["_n_steps"] > 25


def test_streams_refuse_what_they_cannot_do(fitted):
    _, X, y = fitted
    model = classifier().partial_fit(X[y != "top"], y[y != "top"])
    with pytest.raises(ValueError, match=r"'top'.*not among the classes"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match=r'solver="adam" or "sgd", got \'lbfgs\''):
        classifier(solver="lbfgs").partial_fit(X, y)
    with pytest.raises(ValueError, match="early_stopping"):
        classifier(early_stopping=True).partial_fit(X, y)


@pytest.mark.parametrize("solver", ["adam", "gauss-newton"])
def test_same_seed_same_bits(solver):
    X, y = sequences(200)
    one, two = (classifier(max_iter=3, n_init=2, solver=solver).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_precision_follows_the_parameter(dtype):
    X, y = sequences(60)
    model = classifier(max_iter=2, dtype=dtype).fit(X, y)
    assert model.A_.dtype == model.B_.dtype == model.predict_proba(X).dtype == np.dtype(dtype)


def test_early_stopping_holds_sequences_out(fitted):
    _, X, y = fitted
    order = np.argsort(y)  # the last ones are then of one class
    model = classifier(early_stopping=True, n_iter_no_change=3, max_iter=200)
    model.fit(X[order], y[order])
    assert len(model.validation_curve_) == model.n_iter_ < 200
    assert model.best_loss_ == pytest.approx(min(model.validation_curve_))
    assert model.score(X, y) > 0.8


def test_inside_a_search_and_a_pipeline(fitted):
    _, X, y = fitted
    search = GridSearchCV(classifier(max_iter=5), {"alpha": [0.1, 5.0]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.5
    states = make_pipeline(classifier(max_iter=20), LogisticRegression())
    assert cross_val_score(states, X, y, cv=2).mean() > 0.5


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((6, 7)), np.arange(6) % 2, r"7 columns, which n_channels=2 does not divide"),
        (np.zeros((6, 8, 2)), np.arange(5) % 2, r"5 labels, but X holds 6 sequences"),
        (np.zeros((6, 8)), np.linspace(0, 1, 6), "continuous"),
        (np.full((6, 8), np.nan), np.arange(6) % 2, "NaN"),
        (np.zeros((6, 8)), None, "requires y to be passed"),
    ],
)
def test_bad_input_is_named(X, y, message):
    with pytest.raises(ValueError, match=message):
        classifier(n_channels=2).fit(X, y)


@pytest.mark.parametrize("n", [3, 5])
def test_a_closed_form_start_from_hardly_any_sequences(n):
    X, _ = sequences(n)
    model = classifier(init="closed-form", max_iter=0).fit(X, np.arange(n) % 2)
    assert np.isfinite(model.predict_proba(X)).all()


def test_sorted_labels_are_all_seen():
    X, y = sequences(6000, n_channels=1)
    order = np.argsort(y)
    model = classifier(max_iter=0, init="closed-form").fit(X[order], y[order])
    assert model.score(X, y) > 0.6


def test_class_weights_are_those_of_the_classes_not_of_the_part():
    X, y = sequences(60)
    model = classifier(class_weight={"low": 2.0})
    model.partial_fit(X[y != "low"], y[y != "low"], classes=["low", "middle", "top"])
    with pytest.raises(ValueError, match=r"class_weight names \['none'\]"):
        classifier(class_weight={"none": 2.0}).fit(X, y)
    with pytest.raises(ValueError, match='class_weight="balanced" needs all labels'):
        classifier(class_weight="balanced").partial_fit(X, y)


def test_classes_do_not_change_on_the_way():
    X, y = sequences(60)
    model = classifier(warm_start=True, max_iter=1).fit(X, y == "top")
    with pytest.raises(ValueError, match="goes on from classes"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="goes on from classes"):
        model.partial_fit(X, y == "top", classes=[False, True, 2])

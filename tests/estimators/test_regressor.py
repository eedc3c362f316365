"""RegularizedPLRNNRegressor: every form of X and y, what it promises of a fitted model."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from regressors import FORMS, filtered_noise, quick

from sklearn_plrnn import RegularizedPLRNNRegressor
from sklearn_plrnn._model.cells import CELLS
from sklearn_plrnn.datasets import make_addition


@pytest.mark.parametrize("form", FORMS)
def test_predictions_have_the_form_of_the_targets(form):
    X, y = FORMS[form](*filtered_noise())
    model = quick().fit(X, y)
    predictions = model.predict(X)
    if isinstance(y, list) and isinstance(X, list) and np.ndim(y[0]) > 0:
        assert isinstance(predictions, list)
        assert [p.shape for p in predictions] == [v.shape for v in y]
    else:
        assert predictions.shape == np.shape(y)
    assert -np.inf < model.score(X, y) <= 1
    assert model.n_features_in_ == 2


@pytest.mark.parametrize("form", FORMS)
def test_states_have_the_container_of_the_inputs(form):
    X, y = FORMS[form](*filtered_noise())
    model = quick().fit(X, y)
    states = model.transform(X)
    if isinstance(X, list):
        assert [s.shape for s in states] == [(len(x), 6) for x in X]
    else:
        assert states.shape == (*X.shape[:-1], 6)


def test_predictions_are_the_recurrence_of_the_fitted_attributes():
    X, y = filtered_noise(60)
    model = quick(max_iter=20).fit(X, y)
    z, f = model.initial_state_, model.to_map()
    scaled = (X - model.input_mean_) / model.input_scale_
    expected = []
    for s in scaled:
        z = model.A_ * z + model.W_ @ np.maximum(z, 0) + model.C_ @ s + model.h_
        expected.append(model.B_ @ z + model.b_)
    np.testing.assert_allclose(model.predict(X), np.array(expected)[:, 0])
    np.testing.assert_allclose(f.step(np.zeros(6)), model.h_)
    np.testing.assert_allclose(model.last_state_, z)
    assert not np.diag(model.W_).any()


def test_a_linear_filter_is_learned_and_generalizes():
    X, y = filtered_noise(900)
    model = RegularizedPLRNNRegressor(random_state=0).fit(X[:600], y[:600])
    assert model.score(X[600:], y[600:]) > 0.97


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_units_do_not_matter(unit):
    X, y = filtered_noise(150)
    model = quick().fit(X, y)
    scaled = quick().fit(X * unit, y * unit)
    np.testing.assert_allclose(scaled.predict(X * unit) / unit, model.predict(X), rtol=1e-6)
    assert scaled.score(X * unit, y * unit) == pytest.approx(model.score(X, y), abs=1e-6)


def test_washout_counts_in_loss_and_score_but_not_in_predictions():
    X, y = filtered_noise(200)
    spoiled = np.r_[np.full(10, 1e3), y[10:]]
    a, b = (quick(washout=10).fit(X, v) for v in (y, spoiled))
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    assert len(a.predict(X)) == 200
    assert a.score(X, y) == b.score(X, spoiled)


def test_last_state_continues_the_training_series():
    X, y = filtered_noise(900, decay=0.95)
    options = {"n_components": 10, "random_state": 0}
    fresh = RegularizedPLRNNRegressor(**options).fit(X[:800], y[:800])
    last = RegularizedPLRNNRegressor(initial_state="last", **options).fit(X[:800], y[:800])
    whole = fresh.predict(X)[800:]
    np.testing.assert_allclose(last.predict(X[800:]), whole, rtol=1e-8, atol=1e-8)
    assert last.score(X[800:], y[800:]) > fresh.score(X[800:], y[800:])
    assert not quick(initial_state="zero").fit(X, y).initial_state_.any()


def test_global_random_state_is_left_alone():
    X, y = filtered_noise(30)
    before = np.random.get_state()[1].copy()
    quick(random_state=None, max_iter=1).fit(X, y)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_no_warnings_on_healthy_data():
    X, y = filtered_noise(100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick().fit(X, y).predict(X)


def test_a_failed_refit_leaves_the_old_model_whole():
    X, y = filtered_noise(100)
    frame = pd.DataFrame(X, columns=["a", "b"])
    model = quick().fit(frame, y)
    before = pickle.dumps(model)
    for bad in (
        lambda: model.fit(X[:, :1], np.full(100, np.nan)),
        lambda: model.set_params(washout=200).fit(pd.DataFrame(X, columns=["c", "d"]), y),
    ):
        with pytest.raises(ValueError):
            bad()
        model.set_params(washout=0)
        assert pickle.dumps(model) == before
    np.testing.assert_array_equal(model.feature_names_in_, ["a", "b"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_follows_the_data_or_the_parameter(dtype):
    X, y = filtered_noise(80)
    model = quick().fit(X.astype(dtype), y)
    other = quick(dtype=np.dtype(dtype).name).fit(X, y)
    for fitted in (model, other):
        names = [*fitted.parameter_names_, "last_state", "input_mean", "output_scale"]
        assert {getattr(fitted, f"{name}_").dtype for name in names} == {np.dtype(dtype)}
        assert fitted.predict(X).dtype == dtype
    np.testing.assert_allclose(model.predict(X), quick().fit(X, y).predict(X), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("kind", ["integer", "boolean", "memmap"])
def test_numbers_of_any_kind_give_the_same_fit(kind, tmp_path):
    X, y = filtered_noise(60)
    X = np.round(3 * X)
    if kind == "boolean":
        X = X > 0
    plain = np.array(X, float)
    given = {
        "integer": lambda: X.astype(int),
        "boolean": lambda: X,
        "memmap": lambda: np.memmap(tmp_path / "X", float, "w+", shape=X.shape),
    }[kind]()
    if kind == "memmap":
        given[:] = X
    given.flags.writeable = False
    kept = np.array(given)
    fitted = quick().fit(given, y)
    np.testing.assert_array_equal(fitted.predict(given), quick().fit(plain, y).predict(plain))
    np.testing.assert_array_equal(given, kept)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"alpha": -1.0}, "alpha"),
        ({"alpha": "strong"}, "alpha"),
        ({"regularized_fraction": 1.5}, "regularized_fraction"),
        ({"architecture": "lstm"}, "architecture"),
        ({"init": "lift"}, "init"),
        ({"solver": "newton"}, "solver"),
        ({"learning_rate_init": 0}, "learning_rate_init"),
        ({"sequence_length": 500}, "sequence_length=500 needs.*at least 500 rows.*has 100"),
        ({"washout": 100}, "washout=100 needs.*at least 101 rows"),
        ({"dtype": "int8"}, "dtype"),
        ({"initial_state": "first"}, "initial_state"),
    ],
)
def test_bad_parameters_are_named(params, message):
    X, y = filtered_noise(100)
    with pytest.raises(ValueError, match=message):
        quick(**params).fit(X, y)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda m, X: m.predict(X[:, :1]), "1 features"),
        (lambda m, X: m.predict(X.reshape(-1, 4, 1)), "1 features"),
        (lambda m, X: m.predict(X[0]), "Reshape your data"),
        (lambda m, X: m.predict(np.full_like(X, np.nan)), "NaN"),
        (lambda m, X: m.score(X, np.zeros(3)), r"\[100, 3\]"),
    ],
)
def test_bad_input_to_a_fitted_model_is_named(use, message):
    X, y = filtered_noise(100)
    with pytest.raises(ValueError, match=message):
        use(quick().fit(X, y), X)


def test_one_sequence_for_a_sequence_model_needs_its_axis():
    X, y = make_addition(10, 12, random_state=0)
    model = quick().fit(X, y)
    with pytest.raises(ValueError, match=r"X\[np.newaxis\]"):
        model.predict(X[0])
    assert model.predict(X[:1]).shape == (1,)
    for params, message in [
        ({"sequence_length": 5}, "one target per sequence"),
        ({"initial_state": "last"}, "10 sequences"),
    ]:
        with pytest.raises(ValueError, match=message):
            quick(**params).fit(X, y)


def test_frames_keep_their_names():
    X, y = filtered_noise(60)
    frame = pd.DataFrame(X, columns=["rain", "wind"])
    model = quick().fit(frame, y)
    np.testing.assert_array_equal(model.feature_names_in_, ["rain", "wind"])
    np.testing.assert_array_equal(model.predict(frame), quick().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["wind", "rain"]])


def test_progress_is_shown_only_if_asked(capsys):
    X, y = filtered_noise(30)
    quick(max_iter=2).fit(X, y)
    assert capsys.readouterr().out == ""
    quick(max_iter=2, verbose=1).fit(X, y)
    assert "epoch 2/2" in capsys.readouterr().out


def test_no_more_units_can_be_nonlinear_than_there_are():
    X, y = make_addition(60, 8, random_state=0)
    with pytest.raises(ValueError, match="n_nonlinear=7 is larger than n_components=6"):
        quick(architecture="almost-linear", n_nonlinear=7).fit(X, y)
    assert quick(n_nonlinear=7, max_iter=0).fit(X, y).sizes_ == {"n_components": 6}


@pytest.mark.parametrize("architecture", CELLS)
def test_the_map_is_what_was_fitted(architecture):
    X, y = filtered_noise(60)
    model = quick(architecture=architecture, n_hidden=4).fit(X, y)
    predicted = model.predict(X)
    model = pickle.loads(pickle.dumps(model)).set_params(n_hidden=9, n_nonlinear=1)
    np.testing.assert_array_equal(model.predict(X), predicted)
    z = model.initial_state_
    drive = ((X - model.input_mean_) / model.input_scale_) @ model.C_.T
    for row in drive:
        z = model.to_map().step(z) + row
    np.testing.assert_allclose(z @ model.B_[0] + model.b_[0], np.ravel(predicted)[-1])

"""DSReconstructor: every form of X, what its methods mean, what it promises."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from reconstructors import FORMS, driven_oscillation, quick
from sklearn.exceptions import NotFittedError

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn._model.cells import CELLS
from sklearn_plrnn._model.readouts import READOUTS
from sklearn_plrnn.datasets import make_lorenz63


def as_list(container, like):
    return container if isinstance(like, list) else list(np.atleast_3d(container))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "options",
    [
        {"architecture": "shallow"},
        {"architecture": "shallow", "readout": "affine", "forcing": "sparse"},
        {"architecture": "plrnn", "n_components": 8},
        {"architecture": "plrnn", "n_components": 8, "readout": "affine", "forcing": None},
        {"architecture": "clipped-shallow", "readout": "relu"},
        {"architecture": "almost-linear", "n_components": 8, "init": "random", "readout": "relu"},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_results_have_the_container_of_the_data(form, options, lorenz):
    X = FORMS[form](lorenz)
    model = quick(**options).fit(X)
    M = options.get("n_components", 3)
    for result, width in ((model.predict(X), 3), (model.transform(X), M)):
        if form == "list":
            assert [x.shape for x in result] == [(len(x), width) for x in X]
        else:
            assert np.shape(result) == (*np.shape(X)[:-1], width)
    n = {"stack": (4,), "list": (4,)}.get(form, ())
    assert model.forecast(7, X).shape == (*n, 7, 3)
    assert model.forecast(7).shape == (7, 3)
    assert model.simulate(5, random_state=0).shape == (5, 3)
    assert model.simulate(5, n_trajectories=2, random_state=0).shape == (2, 5, 3)
    assert -np.inf < model.score(X) <= 1
    last = model.forecast(7, X).reshape(-1, 7, 3)[-1]
    np.testing.assert_allclose(last, model.forecast(7), rtol=1e-9)


@pytest.mark.parametrize("lead", [1, 3])
@pytest.mark.parametrize("readout", READOUTS)
def test_predictions_use_rows_up_to_the_lead_before(readout, lead, lorenz):
    X = lorenz[:80]
    model = quick(architecture="plrnn", n_components=9, readout=readout).fit(X)
    changed = X.copy()
    changed[40] += 5
    same = np.isclose(model.predict(X, lead=lead), model.predict(changed, lead=lead)).all(axis=1)
    assert same[: 40 + lead].all() and not same[40 + lead]


def test_a_prediction_is_a_step_from_the_row_before(lorenz):
    model = quick().fit(lorenz)
    f, states = model.to_map(), model.transform(lorenz)
    np.testing.assert_allclose(states @ model.B_.T + model.b_, lorenz, rtol=1e-9)
    later = f.step(f.step(states))
    np.testing.assert_allclose(
        model.predict(lorenz, lead=2)[2:], (later @ model.B_.T + model.b_)[:-2], rtol=1e-9
    )
    first = model.initial_state_ @ model.B_.T + model.b_
    np.testing.assert_allclose(model.predict(lorenz, lead=2)[0], first)


def test_forecasts_and_simulations_are_one_free_run(lorenz):
    model = quick(max_iter=10).fit(lorenz)
    run = model.simulate(50, x0=lorenz[-1])
    np.testing.assert_allclose(model.forecast(50), run, rtol=1e-9)
    np.testing.assert_allclose(model.forecast(50, lorenz), run, rtol=1e-9)
    np.testing.assert_allclose(model.simulate(40, x0=run[9]), run[10:], rtol=1e-6)
    np.testing.assert_allclose(model.predict(np.r_[lorenz, run[:3]], lead=3)[-1], run[2])
    both = model.simulate(20, x0=np.stack([lorenz[-1], lorenz[7]]), n_trajectories=2)
    np.testing.assert_allclose(both[0], run[:20])
    draws = [model.simulate(3, n_trajectories=4, random_state=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize("architecture", CELLS)
def test_inputs_drive_the_system(architecture):
    X = driven_oscillation()
    options = {"architecture": architecture, "n_components": 6, "max_iter": 10}
    model = quick(input_features=[2], **options).fit(X[:400])
    assert model.n_outputs_ == 2 and model.C_.shape == (6, 1)
    observed, inputs = model.split_inputs(X)
    np.testing.assert_array_equal(observed, X[:, :2])
    np.testing.assert_array_equal(inputs, X[:, 2:])
    assert model.predict(X).shape == (600, 2)
    forecast = model.forecast(60, X[:400], inputs=X[400:460, 2:])
    error = np.mean((forecast - X[400:460, :2]) ** 2) / X[400:460, :2].var()
    assert error < 0.1
    wrong = model.forecast(60, inputs=-X[400:460, 2:])
    assert np.mean((wrong - X[400:460, :2]) ** 2) > 10 * np.mean((forecast - X[400:460, :2]) ** 2)
    np.testing.assert_allclose(model.forecast(60, inputs=X[400:460, 2:]), forecast)
    runs = model.simulate(60, x0=X[399, :2], inputs=X[400:460, 2:], n_trajectories=2)
    assert runs.shape == (2, 60, 2)


def test_inputs_by_name_or_index():
    X = driven_oscillation(200)[:, [2, 0, 1]]
    frame = pd.DataFrame(X, columns=["push", "x", "y"])
    models = [quick(input_features=which).fit(frame) for which in (["push"], [0], [-3])]
    models.append(quick(input_features=[0]).fit(X))
    for model in models:
        assert model.input_features_ == [0]
        given = frame if hasattr(model, "feature_names_in_") else X
        np.testing.assert_array_equal(model.predict(given), models[0].predict(frame))
    # Without inputs all three columns are the system.
    assert quick().fit(X).n_outputs_ == 3


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["pull"], r"'pull', but the columns of X are \['push'"),
        ([7], "has 7, but X has 3 columns"),
        ([0, 0], "each column once"),
        ([0, 1, 2], "at least one of the 3 columns"),
    ],
)
def test_input_features_that_do_not_exist_are_named(features, message):
    frame = pd.DataFrame(driven_oscillation(100), columns=["push", "x", "y"])
    with pytest.raises(ValueError, match=message):
        quick(input_features=features).fit(frame)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda m, X: m.forecast(5), r"inputs of shape \(5, 1\)"),
        (lambda m, X: m.simulate(5), r"inputs of shape \(5, 1\)"),
        (lambda m, X: m.forecast(5, inputs=X[:4, 2:]), r"\(4, 1\); expected \(5, 1\)"),
        (lambda m, X: m.forecast(5, inputs=np.full((5, 1), np.nan)), "inputs contains NaN"),
        (lambda m, X: m.predict(np.full((5, 3), np.nan)), "NaN in an input column"),
        (lambda m, X: m.forecast(0, inputs=X[:0, 2:]), "n_timesteps"),
        (lambda m, X: m.simulate(5, x0=X[0], inputs=X[:5, 2:]), r"x0 has shape \(3,\)"),
    ],
)
def test_missing_or_misshapen_inputs_are_named(use, message):
    X = driven_oscillation(100)
    model = quick(input_features=[2]).fit(X)
    with pytest.raises(ValueError, match=message):
        use(model, X)


def test_inputs_without_input_features_are_refused(lorenz):
    with pytest.raises(ValueError, match="no input_features"):
        quick().fit(lorenz).forecast(3, inputs=np.zeros((3, 1)))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 2, "readout": "identity"}, r"n_components=2.*observed variables, 3"),
        ({"sequence_length": 400}, "sequence_length=400 needs.*401 rows.*has 400"),
        ({"n_hidden": -1}, "n_hidden"),
        ({"alpha": "strong"}, "alpha"),
        ({"forcing": "strict"}, "forcing"),
        ({"forcing_strength": 1.5}, "forcing_strength"),
        ({"forcing_interval": 0}, "forcing_interval"),
        ({"forcing_strength": [0.1, 0.1]}, r"forcing_strength has shape \(2,\).*\(3,\)"),
        ({"forcing_strength": [0.1, 0.1, -1]}, r"forcing_strength.*\[0, 1\].*-1.0"),
        ({"forcing_strength": [0.1, 0.1, np.nan]}, "forcing_strength contains NaN"),
        ({"forcing_strength": [0.1] * 3, "n_components": 2}, 'one value.*readout="identity"'),
        ({"forcing_schedule": "sometimes"}, "forcing_schedule"),
        ({"process_noise": -0.1}, "process_noise"),
        ({"readout": "relu6"}, "readout"),
        ({"score_horizon": 0}, "score_horizon"),
    ],
)
def test_bad_parameters_are_named(params, message, lorenz):
    with pytest.raises(ValueError, match=message):
        quick(**params).fit(lorenz)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros(10), "Reshape your data"),
        (np.zeros((2, 2, 2, 2)), r"2-D \(time, feature\)"),
        (np.array([np.zeros((3, 1)), np.zeros((4, 1))], dtype=object), "pass sequences.*list"),
        (np.full((20, 2), np.inf), "infinity"),
        (np.c_[np.arange(20.0), np.full(20, np.nan)], r"nothing but NaN.*\[1\]"),
        (np.ones((1, 2)), "minimum of 2 is required"),
        ([np.ones((9, 2)), np.ones((9, 3))], r"X\[1\].*3 features"),
        (np.array([["a", "b"]] * 9), "could not convert"),
    ],
)
def test_bad_data_are_named(X, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(X)


@pytest.mark.parametrize("solver", ["adam", "gauss-newton"])
def test_a_constant_or_tiny_series_is_no_problem(solver):
    for X in (np.ones((30, 2)), np.arange(4.0).reshape(2, 2), np.tile([[1.0, 2.0]], (50, 1))):
        model = quick(solver=solver).fit(X)
        assert np.isfinite(model.forecast(5)).all()
        assert np.isfinite(model.predict(X)).all()
    np.testing.assert_allclose(quick().fit(np.full((30, 1), 7.0)).forecast(5), 7.0, atol=0.1)


@pytest.mark.parametrize("unit", [2.0**-40, 2.0**40])
def test_units_do_not_matter(unit, lorenz):
    """Powers of 2 round nothing, which free runs that choose the checkpoint would make larger."""
    a, b = quick().fit(lorenz), quick().fit(lorenz * unit)
    np.testing.assert_array_equal(b.predict(lorenz * unit) / unit, a.predict(lorenz))
    assert b.checkpoint_scores_ == a.checkpoint_scores_
    assert b.score(lorenz * unit) == pytest.approx(a.score(lorenz), abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_follows_the_data_or_the_parameter(dtype, lorenz):
    for model in (quick().fit(lorenz.astype(dtype)), quick(dtype=np.dtype(dtype).name).fit(lorenz)):
        names = [*model.parameter_names_, "last_state", "start_states", "output_scale", "B"]
        assert {getattr(model, f"{name}_").dtype for name in names} == {np.dtype(dtype)}
        results = (
            model.predict(lorenz),
            model.forecast(3),
            model.simulate(3),
            model.transform(lorenz),
        )
        assert {x.dtype for x in results} == {np.dtype(dtype)}


def test_same_seed_same_bits(lorenz):
    one, two = (quick(n_init=3).fit(lorenz) for _ in range(2))
    np.testing.assert_array_equal(one.simulate(20, x0=lorenz[0]), two.simulate(20, x0=lorenz[0]))
    assert one.restart_scores_ == two.restart_scores_ and len(one.restart_scores_) == 3
    other = quick(random_state=1).fit(lorenz)
    assert not np.array_equal(other.forecast(5), quick().fit(lorenz).forecast(5))


def test_an_unstable_free_run_says_so(lorenz):
    model = quick(max_iter=0).fit(lorenz)
    model.A_ = np.full(3, 1.5)
    with pytest.warns(RuntimeWarning, match="left the range of the training data"):
        model.simulate(200, x0=lorenz[0])


def test_a_failed_refit_leaves_the_old_model_whole(lorenz):
    frame = pd.DataFrame(lorenz, columns=["a", "b", "c"])
    model = quick().fit(frame)
    before = pickle.dumps(model)
    with pytest.raises(ValueError):
        model.fit(np.full((30, 2), np.inf))
    with pytest.raises(ValueError):
        model.set_params(sequence_length=4000).fit(frame.rename(columns={"a": "d"}))
    model.set_params(sequence_length=None)
    assert pickle.dumps(model) == before


def test_what_is_not_fitted_foresees_nothing(lorenz):
    for foresee in (lambda m: m.forecast(3), lambda m: m.simulate(3), lambda m: m.predict(lorenz)):
        with pytest.raises(NotFittedError):
            foresee(quick())


def test_global_state_is_left_alone(lorenz):
    before, errors, filters = np.random.get_state()[1].copy(), np.geterr(), warnings.filters[:]
    quick(random_state=None, max_iter=1).fit(lorenz).simulate(5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert np.geterr() == errors and warnings.filters == filters


def test_wide_data_choose_an_affine_readout(rng):
    X = make_lorenz63(300, random_state=0) @ rng.normal(size=(3, 12))
    model = quick(n_components=3).fit(X)
    assert model.readout_ == "affine" and model.B_.shape == (12, 3)
    assert model.score(X) > 0.5
    assert quick().fit(X).readout_ == "identity"


def test_forecasts_cover_what_is_measured_as_often_as_they_say():
    X = make_lorenz63(8000, noise=0.05, random_state=0)
    model = DSReconstructor(max_iter=10, random_state=0).fit(X[:6000])
    starts = range(6050, 7900, 50)
    past = [X[i - 50 : i] for i in starts]
    future = np.stack([X[i : i + 40] for i in starts])
    forecast, std, (low, high) = model.forecast(
        40, past, return_std=True, quantiles=[0.05, 0.95], random_state=0
    )
    assert forecast.shape == std.shape == low.shape == future.shape
    np.testing.assert_array_equal(forecast, model.forecast(40, past))
    inside = (low <= future) & (future <= high)
    assert 0.8 < inside[:, :10].mean() < 0.97 and 0.75 < inside.mean() < 0.97
    relative = model.observation_noise_ / X.std(axis=0)
    np.testing.assert_allclose(relative, 0.05, rtol=0.3)
    again = model.forecast(40, past, return_std=True, random_state=0)[1]
    np.testing.assert_array_equal(again, std)


def test_forecasts_spread_over_the_restarts_that_are_kept(lorenz):
    settings = {"n_hidden": 20, "max_iter": 2, "n_init": 3, "solver": "adam", "random_state": 0}
    one = DSReconstructor(**settings).fit(lorenz)
    model = DSReconstructor(**settings, keep_restarts=True).fit(lorenz)
    assert one.restarts_ == [] and len(model.restarts_) == 2
    assert not any(np.array_equal(other.W1_, model.W1_) for other in model.restarts_)
    np.testing.assert_array_equal(model.forecast(30), one.forecast(30))
    options = {"quantiles": [0.25, 0.5, 0.75], "return_std": True, "random_state": 0}
    _, pooled, (low, middle, high) = model.forecast(60, n_samples=3000, **options)
    _, stds, quartiles = zip(
        *(m.forecast(60, n_samples=1000, **options) for m in (one, *model.restarts_)), strict=True
    )
    medians = np.stack([q[1] for q in quartiles])
    # The median of a mixture is amid its members', its variance more than the mean of theirs.
    assert np.mean((medians.min(axis=0) <= middle) & (middle <= medians.max(axis=0))) > 0.9
    assert np.mean(pooled**2 > 0.9 * np.mean(np.square(stds), axis=0)) > 0.9
    assert np.all((low <= middle) & (middle <= high))


@pytest.mark.parametrize("quantiles", [[-0.1], [0.5, 1.5], [[0.5]], [np.nan]])
def test_quantiles_are_checked(lorenz, quantiles):
    model = DSReconstructor(max_iter=0, random_state=0).fit(lorenz)
    with pytest.raises(ValueError, match="quantiles"):
        model.forecast(3, quantiles=quantiles)

"""The estimators inside scikit-learn's tools: checks, pipelines, searches, cross-validation."""

import pickle
from importlib.metadata import PackageNotFoundError

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_plrnn import (
    DSReconstructor,
    DSReconstructorCV,
    RegularizedPLRNNClassifier,
    RegularizedPLRNNClassifierCV,
    RegularizedPLRNNRegressor,
    RegularizedPLRNNRegressorCV,
)
from sklearn_plrnn.datasets import make_addition, make_lorenz63, make_van_der_pol
from sklearn_plrnn.estimators import _documentation
from sklearn_plrnn.metrics import (
    forecast_r2_scorer,
    neg_power_spectrum_scorer,
    neg_state_space_divergence_scorer,
)

ROWS_ARE_TIME = "rows are time steps: what comes before a row decides its prediction"
EXPECTED_FAILURES = {
    "check_methods_sample_order_invariance": ROWS_ARE_TIME,
    "check_methods_subset_invariance": ROWS_ARE_TIME,
}
WEIGHTS_ARE_STEPS = {
    "check_sample_weight_equivalence_on_dense_data": "a repeated row is one more time step, "
    "a row of zero weight still drives the state"
}

BATCHES_ARE_RANDOM = {
    "check_sample_weight_equivalence_on_dense_data": "batches are drawn by row, repeated or not"
}


def expected_failures(estimator):
    """What a row that is a time step cannot fulfil; passing would be an error (xfail_strict)."""
    if isinstance(estimator, RegularizedPLRNNClassifier):
        return BATCHES_ARE_RANDOM
    has_weights = isinstance(estimator, RegularizedPLRNNRegressor)
    return EXPECTED_FAILURES | (WEIGHTS_ARE_STEPS if has_weights else {})


@parametrize_with_checks(
    [
        RegularizedPLRNNRegressor(max_iter=20),
        RegularizedPLRNNClassifier(8, max_iter=20),
        DSReconstructor(max_iter=2),
        RegularizedPLRNNRegressorCV(alphas=[0.1, 1.0], cv=2, max_iter=20, max_iter_warm=2),
        RegularizedPLRNNClassifierCV(
            8, alphas=[0.1, 1.0], cv=2, max_iter=12, max_iter_warm=2, early_stopping=True
        ),
        DSReconstructorCV(
            n_hidden=5, alphas=[0.1, 1.0], cv=2, solver="adam", max_iter=1, score_horizon=1
        ),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_api(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def filtered():
    """A series and its running sum with decay: X (300, 2), y (300,)."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    y = np.convolve(X[:, 0] - X[:, 1], 0.7 ** np.arange(30))[:300]
    return X, y


def regressor(**kwargs):
    return RegularizedPLRNNRegressor(
        **{"n_components": 6, "max_iter": 30, "random_state": 0} | kwargs
    )


def reconstructor(**kwargs):
    return DSReconstructor(**{"n_hidden": 20, "max_iter": 2, "random_state": 0} | kwargs)


def test_pipeline_equals_its_parts(filtered):
    X, y = filtered
    X = X * [100, 0.01] + 3
    pipeline = make_pipeline(StandardScaler(), regressor()).fit(X, y)
    alone = regressor().fit(StandardScaler().fit_transform(X), y)
    np.testing.assert_array_equal(
        pipeline.predict(X), alone.predict(StandardScaler().fit_transform(X))
    )
    # Standardizing inside makes the scaler before it superfluous.
    np.testing.assert_allclose(pipeline.predict(X), regressor().fit(X, y).predict(X), rtol=1e-5)


def test_states_are_features_for_what_follows(filtered):
    X, y = filtered
    model = make_pipeline(regressor(), Ridge(1e-6)).fit(X, y)
    assert model.score(X, y) >= regressor().fit(X, y).score(X, y) - 1e-6


def test_grid_search_over_alpha_on_one_series(filtered):
    X, y = filtered
    folds = TimeSeriesSplit(3)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), regressor(initial_state="last", max_iter=100)),
        {"regularizedplrnnregressor__alpha": [0.01, 1.0, 1e4]},
        cv=folds,
    ).fit(X, y)
    by_hand = [
        [
            clone(search.estimator)
            .set_params(**params)
            .fit(X[train], y[train])
            .score(X[test], y[test])
            for train, test in folds.split(X)
        ]
        for params in search.cv_results_["params"]
    ]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], np.mean(by_hand, axis=1))
    assert search.best_index_ == np.argmax(np.mean(by_hand, axis=1))
    assert search.best_score_ > 0.8
    np.testing.assert_array_equal(
        search.predict(X), clone(search.best_estimator_).fit(X, y).predict(X)
    )


@pytest.mark.parametrize("ragged", [False, True])
def test_grid_search_over_alpha_on_sequences(ragged):
    X, y = make_addition(60, 12, random_state=0)
    if ragged:
        X = [x[i % 3 :] for i, x in enumerate(X)]
        y = np.array([np.prod(x, axis=1).sum() for x in X])
    search = GridSearchCV(
        regressor(max_iter=60, batch_size=10),
        {"alpha": [0.1, 5.0], "init": ["identity", "random"]},
        cv=KFold(3),
    ).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all() and len(set(scores)) == 4
    assert search.best_params_["init"] == "identity"
    assert search.predict(X).shape == (60,)


def test_cross_validation_scores_are_those_of_the_folds(filtered):
    X, y = filtered
    scores = cross_val_score(regressor(), X, y, cv=TimeSeriesSplit(3))
    expected = [
        regressor().fit(X[train], y[train]).score(X[test], y[test])
        for train, test in TimeSeriesSplit(3).split(X)
    ]
    np.testing.assert_array_equal(scores, expected)


def test_cross_val_predict_of_sequences_is_out_of_sample():
    X, y = make_addition(30, 12, random_state=0)
    predicted = cross_val_predict(regressor(), X, y, cv=KFold(3))
    expected = regressor().fit(X[10:], y[10:]).predict(X[:10])
    np.testing.assert_array_equal(predicted[:10], expected)


def test_reconstructions_are_searched_with_their_own_scorers():
    X = make_lorenz63(900, random_state=0)
    scoring = {
        "forecast": forecast_r2_scorer(5),
        "geometry": neg_state_space_divergence_scorer,
        "spectrum": neg_power_spectrum_scorer,
    }
    search = RandomizedSearchCV(
        reconstructor(),
        {"n_hidden": [3, 60]},
        n_iter=2,
        cv=TimeSeriesSplit(2),
        scoring=scoring,
        refit="forecast",
        random_state=0,
    ).fit(X)
    for name in scoring:
        assert np.isfinite(search.cv_results_[f"mean_test_{name}"]).all()
    assert search.best_params_ == {"n_hidden": 60}


@pytest.mark.parametrize("form", ["stack", "list"])
def test_trajectories_are_cross_validated_whole(form):
    X = make_van_der_pol(800, random_state=0).reshape(8, 100, 2)
    X = X if form == "stack" else list(X)
    result = cross_validate(reconstructor(), X, cv=KFold(2), return_train_score=True)
    assert (result["test_score"] > 0.9).all() and (result["train_score"] > 0.9).all()
    parts = (X[4:], X[:4])
    assert result["test_score"][0] == reconstructor().fit(parts[0]).score(parts[1])


@pytest.mark.parametrize("make", [regressor, reconstructor])
def test_clones_have_the_parameters_and_nothing_fitted(make, filtered):
    fitted = make(alpha=0.3).fit(*filtered)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]
    again = copy.fit(*filtered)
    np.testing.assert_array_equal(again.predict(filtered[0]), fitted.predict(filtered[0]))


@pytest.mark.parametrize("make", [regressor, reconstructor])
def test_searches_and_pipelines_pickle(make, filtered):
    X, y = filtered
    model = make_pipeline(StandardScaler(), make()).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


@pytest.mark.parametrize("frames", [pd, pl])
@pytest.mark.parametrize("make", [regressor, reconstructor])
def test_latent_states_come_as_frames_on_request(make, frames, filtered):
    X, y = filtered
    frame = frames.DataFrame({"rain": X[:, 0], "wind": X[:, 1]})
    name = frames.__name__
    model = make().set_output(transform=name).fit(frame, y)
    states = model.transform(frame)
    assert isinstance(states, frames.DataFrame)
    prefix = type(model).__name__.lower()
    columns = [f"{prefix}{i}" for i in range(len(model.A_))]
    assert list(states.columns) == columns == list(model.get_feature_names_out())
    plain = make().fit(X, y).transform(X)
    np.testing.assert_allclose(states.to_numpy(), plain, rtol=1e-9)


@pytest.mark.parametrize("make", [regressor, reconstructor])
def test_html_shows_what_was_changed(make, filtered):
    html = make(alpha=0.25)._repr_html_()
    assert type(make()).__name__ in html and "0.25" in html
    assert "Not fitted" in html
    assert "Not fitted" not in make().fit(*filtered)._repr_html_()


def test_states_join_other_features(filtered):
    X, y = filtered
    union = make_union(StandardScaler(), regressor()).fit(X, y)
    columns = np.hstack([StandardScaler().fit_transform(X), regressor().fit(X, y).transform(X)])
    np.testing.assert_array_equal(union.transform(X), columns)
    names = union.get_feature_names_out(["rain", "sun"])
    assert [name.split("__")[0] for name in names] == 2 * ["standardscaler"] + 6 * [
        "regularizedplrnnregressor"
    ]
    assert make_pipeline(union, Ridge(1e-6)).fit(X, y).score(X, y) > 0.8


def test_targets_may_be_transformed(filtered):
    X, y = filtered
    model = TransformedTargetRegressor(regressor(), func=np.log, inverse_func=np.exp)
    model.fit(X, np.exp(y / 4))
    np.testing.assert_allclose(
        model.predict(X), np.exp(regressor().fit(X, y / 4).predict(X)), rtol=1e-6
    )


def test_inputs_keep_their_names_through_a_column_transformer():
    path = make_van_der_pol(200, random_state=0)
    frame = pd.DataFrame({"drive": np.sin(np.arange(200.0)), "x": path[:, 0], "v": path[:, 1]})
    columns = make_column_transformer(
        (FunctionTransformer(feature_names_out="one-to-one"), ["x", "v"]),
        (StandardScaler(), ["drive"]),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    pipeline = make_pipeline(columns, reconstructor(input_features=["drive"])).fit(frame)
    model = pipeline[-1]
    assert list(model.feature_names_in_) == ["x", "v", "drive"] and model.input_features_ == [2]
    drive = (frame["drive"] - frame["drive"].mean()) / frame["drive"].std(ddof=0)
    alone = reconstructor(input_features=[2]).fit(np.c_[path, drive])
    np.testing.assert_allclose(
        pipeline.predict(frame), alone.predict(np.c_[path, drive]), rtol=1e-6, atol=1e-9
    )


def test_weights_are_routed_through_searches_and_pipelines(filtered):
    X, y = filtered
    weights = np.random.default_rng(0).uniform(size=len(y))
    train, test = next(iter(TimeSeriesSplit(2).split(X)))
    with sklearn.config_context(enable_metadata_routing=True):
        model = regressor().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        search = GridSearchCV(
            make_pipeline(scaler, model),
            {"regularizedplrnnregressor__alpha": [0.1]},
            cv=[(train, test)],
        ).fit(X, y, sample_weight=weights)
    scaler = StandardScaler().fit(X[train])
    by_hand = regressor(alpha=0.1).fit(scaler.transform(X[train]), y[train], weights[train])
    expected = by_hand.score(scaler.transform(X[test]), y[test], weights[test])
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected)


def test_votes_and_stacks(filtered):
    X, y = filtered
    members = [("plrnn", regressor()), ("ridge", Ridge())]
    vote = VotingRegressor(members).fit(X, y)
    each = [model.fit(X, y).predict(X) for _, model in members]
    np.testing.assert_allclose(vote.predict(X), np.mean(each, axis=0))
    stack = StackingRegressor(members, final_estimator=Ridge(1e-3), cv=KFold(2)).fit(X, y)
    assert stack.score(X, y) > max(Ridge().fit(X, y).score(X, y), 0.8)


def test_what_is_shuffled_across_time_matters_where_it_is_used(filtered):
    X, y = filtered
    X = np.c_[X, np.random.default_rng(1).normal(size=len(y))]
    importance = permutation_importance(
        regressor().fit(X, y), X, y, n_repeats=3, random_state=0
    ).importances_mean
    assert importance[:2].min() > 0.2 and abs(importance[2]) < 0.1


def test_labels_are_voted_and_stacked():
    X = np.random.default_rng(0).normal(size=(80, 8))
    y = np.where(np.abs(X.sum(axis=1)) > 2, "far", "near")
    network = RegularizedPLRNNClassifier(6, max_iter=10, random_state=0)
    members = [("network", network), ("linear", LogisticRegression())]
    vote = VotingClassifier(members, voting="soft").fit(X, y)
    each = [clone(model).fit(X, y).predict_proba(X) for _, model in members]
    np.testing.assert_allclose(vote.predict_proba(X), np.mean(each, axis=0), rtol=1e-6)
    stack = StackingClassifier(members, cv=2).fit(X, y)
    np.testing.assert_allclose(stack.transform(X)[:, 0], each[0][:, 1], rtol=1e-6)
    assert stack.score(X, y) > members[1][1].fit(X, y).score(X, y)


def test_recordings_of_a_group_stay_together():
    X, y = make_addition(24, 12, random_state=0)
    groups = np.arange(24) % 4
    scores = cross_val_score(regressor(), list(X), y, groups=groups, cv=GroupKFold(4))
    found = []
    for group in range(4):
        train = groups != group
        found.append(regressor().fit(X[train], y[train]).score(X[~train], y[~train]))
    np.testing.assert_allclose(sorted(scores), sorted(found))


def test_several_metrics_at_once(filtered):
    X, y = filtered
    scoring, folds = ["r2", "neg_mean_absolute_error"], TimeSeriesSplit(2)
    result = cross_validate(regressor(initial_state="last"), X, y, cv=folds, scoring=scoring)
    for i, (train, test) in enumerate(folds.split(X)):
        model = regressor(initial_state="last").fit(X[train], y[train])
        assert result["test_r2"][i] == model.score(X[test], y[test])
        error = -np.abs(model.predict(X[test]) - y[test]).mean()
        assert result["test_neg_mean_absolute_error"][i] == pytest.approx(error)


def test_html_shows_the_parts_of_a_pipeline():
    html = make_pipeline(StandardScaler(), regressor(alpha=0.25))._repr_html_()
    assert "RegularizedPLRNNRegressor" in html and "StandardScaler" in html and "0.25" in html


def test_html_links_to_the_documentation_if_the_package_says_where_it_is(monkeypatch):
    class Metadata:
        def get_all(self, field, default):
            urls = ["Source, https://source.example", "Documentation, https://docs.example/"]
            return urls if field == "Project-URL" else default

    def missing(name):
        raise PackageNotFoundError

    def html():
        return make_pipeline(StandardScaler(), model)._repr_html_()

    model = DSReconstructorCV()
    page = "https://docs.example/generated/sklearn_plrnn.DSReconstructorCV.html"
    monkeypatch.setattr(_documentation, "metadata", lambda name: Metadata())
    assert f'href="{page}"' in html()
    monkeypatch.setattr(_documentation, "metadata", missing)
    assert "StandardScaler.html" in html() and "DSReconstructorCV.html" not in html()


FEW = {"max_iter": 1}
OUT_OF_ORDER = "index of X is not increasing"
HALVING = HalvingGridSearchCV(
    regressor(**FEW), {"alpha": [0.1, 1.0]}, cv=TimeSeriesSplit(2), random_state=0, min_resources=60
)


@pytest.mark.parametrize(
    "scramble",
    [
        lambda X, y: regressor(**FEW).fit(*train_test_split(X, y, random_state=0)[::2]),
        lambda X, y: HALVING.fit(X, y),
        lambda X, y: learning_curve(
            regressor(**FEW), X, y, cv=TimeSeriesSplit(2), shuffle=True, random_state=0
        ),
    ],
    ids=["train_test_split", "halving", "learning_curve"],
)
def test_scrambled_frames_are_told(scramble, filtered):
    X, y = filtered
    with pytest.warns(UserWarning, match=OUT_OF_ORDER):
        scramble(pd.DataFrame(X, columns=["rain", "sun"]), y)


def test_bags_of_rows_keep_time_by_weights(filtered):
    X, y = filtered
    bag = BaggingRegressor(regressor(**FEW), n_estimators=2, random_state=0).fit(X, y)
    for member, rows in zip(bag.estimators_, bag.estimators_samples_, strict=True):
        weights = np.bincount(rows, minlength=len(y))
        again = clone(member).fit(X, y, sample_weight=weights)
        np.testing.assert_array_equal(again.predict(X), member.predict(X))

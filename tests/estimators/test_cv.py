"""The estimators that choose `alpha`: paths, folds, and what they share with the plain ones."""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.metrics import make_scorer, max_error
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_plrnn import (
    DSReconstructor,
    DSReconstructorCV,
    RegularizedPLRNNClassifier,
    RegularizedPLRNNClassifierCV,
    RegularizedPLRNNRegressor,
    RegularizedPLRNNRegressorCV,
)
from sklearn_plrnn.datasets import make_addition, make_van_der_pol
from sklearn_plrnn.metrics import neg_power_spectrum_scorer

ALPHAS = [0.01, 100.0, 1.0]
DOWN = [100.0, 1.0, 0.01]


def regressor(plain=False, **kwargs):
    kwargs = {"n_components": 5, "max_iter": 8, "random_state": 0} | kwargs
    if plain:
        return RegularizedPLRNNRegressor(**kwargs)
    return RegularizedPLRNNRegressorCV(**{"alphas": ALPHAS, "cv": 2} | kwargs)


def classifier(plain=False, **kwargs):
    kwargs = {"n_components": 5, "max_iter": 8, "random_state": 0} | kwargs
    if plain:
        return RegularizedPLRNNClassifier(**kwargs)
    return RegularizedPLRNNClassifierCV(**{"alphas": ALPHAS, "cv": 2} | kwargs)


def reconstructor(plain=False, **kwargs):
    kwargs = {"n_hidden": 8, "max_iter": 4, "solver": "adam", "random_state": 0} | kwargs
    if plain:
        return DSReconstructor(**kwargs)
    return DSReconstructorCV(**{"alphas": ALPHAS, "cv": 2} | kwargs)


def series_data():
    X = np.random.default_rng(0).normal(size=(120, 2))
    return X, np.convolve(X[:, 0] - X[:, 1], 0.7 ** np.arange(30))[:120]


def sequences_data():
    return make_addition(60, 12, random_state=0)


def labels_data():
    X = np.random.default_rng(0).normal(size=(60, 12))
    return X, np.where(X.sum(axis=1) > 0, "up", "down")


def trajectory_data():
    return make_van_der_pol(300, random_state=0), None


def trajectories_data():
    return make_van_der_pol(600, random_state=0).reshape(6, 100, 2), None


CASES = {
    "series": (regressor, series_data, TimeSeriesSplit),
    "sequences": (regressor, sequences_data, KFold),
    "labels": (classifier, labels_data, StratifiedKFold),
    "trajectory": (reconstructor, trajectory_data, TimeSeriesSplit),
    "trajectories": (reconstructor, trajectories_data, KFold),
}


@pytest.fixture(params=CASES)
def case(request):
    make, data, splitter = CASES[request.param]
    return make, *data(), splitter


def walk(model, X, y, alphas, max_iter_warm, **weights):
    """Plain fits down the path by hand, each a model of its own."""
    models = []
    for alpha in alphas:
        if not models:
            model = clone(model).set_params(alpha=alpha)
        else:
            model = pickle.loads(pickle.dumps(models[-1]))
            model.set_params(
                alpha=alpha,
                warm_start=True,
                max_iter=max_iter_warm,
                learning_rate_init=0.3 * models[0].learning_rate_init,
                n_init=1,
                solver=model.solver_,
            )
        models.append(model.fit(X, y, **weights))
    return models


def take(data, rows):
    return None if data is None else data[rows]


def test_scores_are_those_of_warm_fits_down_the_path_in_the_right_folds(case):
    make, X, y, splitter = case
    model = make(max_iter_warm=3).fit(X, y)
    np.testing.assert_array_equal(model.alphas_, DOWN)
    expected = []
    for train, test in splitter(2).split(X, y):
        models = walk(make(plain=True), X[train], take(y, train), DOWN, 3)
        expected.append([m.score(X[test], take(y, test)) for m in models])
    np.testing.assert_array_equal(model.scores_path_, np.transpose(expected))
    means = model.scores_path_.mean(axis=1)
    assert model.best_score_ == means.max()
    assert model.alpha_ == DOWN[means.argmax()]
    by_hand = walk(make(plain=True), X, y, DOWN[: means.argmax() + 1], 3)[-1]
    np.testing.assert_array_equal(model.predict(X), by_hand.predict(X))
    assert {k for k in vars(by_hand) if k.endswith("_")} < set(vars(model))


def test_by_default_further_fits_take_a_quarter(case):
    make, X, y, _ = case
    same = make(max_iter_warm=int(np.ceil(make().max_iter / 4))).fit(X, y)
    np.testing.assert_array_equal(make().fit(X, y).scores_path_, same.scores_path_)


def test_one_alpha_is_the_plain_estimator(case):
    make, X, y, splitter = case
    model = make(alphas=[0.3]).fit(X, y)
    plain = make(plain=True, alpha=0.3)
    np.testing.assert_array_equal(model.predict(X), clone(plain).fit(X, y).predict(X))
    scores = cross_val_score(plain, X, y, cv=splitter(2))
    np.testing.assert_array_equal(model.scores_path_, [scores])


def test_without_a_seed_a_path_holds_out_the_same_data():
    model = regressor(random_state=None, solver="gauss-newton", max_iter=2).fit(*sequences_data())
    assert np.isfinite(model.scores_path_).all()


@pytest.mark.parametrize("make", [regressor, classifier, reconstructor])
def test_parameters_are_those_of_the_plain_estimator(make):
    own, plain = make(), make(plain=True)
    names = set(own.get_params()) ^ set(plain.get_params())
    left_out = {"alpha", "warm_start"} | ({"keep_restarts"} & set(plain.get_params()))
    assert names == {"alphas", "cv", "scoring", "max_iter_warm"} | left_out
    defaults = {
        n: p.default for n, p in inspect.signature(type(plain)).parameters.items() if n not in names
    }
    assert {n: type(own)().get_params()[n] for n in defaults} == defaults
    assert clone(own).get_params() == own.get_params()
    with pytest.raises(TypeError, match="alpha"):
        type(own)(alpha=1.0)
    with pytest.raises(TypeError):
        type(own)(4, ALPHAS)


def test_a_number_of_alphas_is_a_grid_from_strong_to_weak():
    alphas = regressor(alphas=3, max_iter=0).fit(*series_data()).alphas_
    np.testing.assert_allclose(alphas[:-1] / alphas[1:], alphas[0] / alphas[1])
    assert alphas[0] > alphas[-1] and len(alphas) == 3


def test_of_equally_good_ones_the_strongest():
    model = regressor(scoring=lambda model, X, y: 1.0).fit(*series_data())
    assert model.alpha_ == 100.0 and model.best_score_ == 1.0


def test_scoring_decides():
    X, y = series_data()
    by_size = regressor(scoring=lambda model, X, y: -abs(model.alpha - 1)).fit(X, y)
    assert by_size.alpha_ == 1.0
    named = regressor(scoring="neg_mean_squared_error").fit(X, y)
    assert (named.scores_path_ <= 0).all()
    X = make_van_der_pol(300, random_state=0)
    spectrum = reconstructor(scoring=neg_power_spectrum_scorer).fit(X)
    assert ((spectrum.scores_path_ >= -1) & (spectrum.scores_path_ <= 0)).all()


def test_a_score_that_fails_loses():
    def scorer(model, X, y):
        if model.alpha == 0.01:
            raise ValueError("inf")
        return np.nan if model.alpha == 100 else -5.0

    with pytest.warns(UserWarning, match=r"alpha=0.01, which counts as NaN: inf"):
        assert regressor(scoring=scorer).fit(*series_data()).alpha_ == 1.0
    with pytest.raises(ValueError, match="Every alpha has a score of NaN"):
        regressor(scoring=lambda model, X, y: np.nan).fit(*series_data())


def test_weights_are_sliced_for_training_and_score():
    X, y = series_data()
    weights = np.random.default_rng(1).uniform(size=len(y))
    model = regressor(max_iter_warm=3).fit(X, y, sample_weight=weights)
    for i, (train, test) in enumerate(TimeSeriesSplit(2).split(X)):
        fitted = walk(regressor(plain=True), X[train], y[train], DOWN, 3)  # unweighted
        weighted = walk(
            regressor(plain=True), X[train], y[train], DOWN, 3, sample_weight=weights[train]
        )
        scores = [m.score(X[test], y[test], weights[test]) for m in weighted]
        np.testing.assert_array_equal(model.scores_path_[:, i], scores)
        assert scores != [m.score(X[test], y[test], weights[test]) for m in fitted]


def test_a_missing_target_does_not_count_in_scores():
    X, y = series_data()
    weights = (np.arange(len(y)) % 7 > 0).astype(float)
    spoilt = np.where(weights > 0, y, 1e9)
    for scoring in (None, "neg_mean_squared_error"):
        clean, with_gaps = (
            regressor(scoring=scoring).fit(X, target, sample_weight=weights)
            for target in (y, spoilt)
        )
        np.testing.assert_array_equal(clean.scores_path_, with_gaps.scores_path_)


def test_scores_that_know_no_weights_do_without():
    X, y = sequences_data()
    for scoring in (make_scorer(max_error, greater_is_better=False), lambda m, X, y: 0.0):
        model = regressor(scoring=scoring).fit(X, y, sample_weight=np.ones(len(y)))
        assert np.isfinite(model.scores_path_).all()


def test_weights_are_routed_to_it_through_a_pipeline():
    X, y = series_data()
    weights = np.random.default_rng(1).uniform(size=len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            regressor().set_fit_request(sample_weight=True),
        )
        routed = pipeline.fit(X, y, sample_weight=weights)[-1]
    alone = regressor().fit(StandardScaler().fit_transform(X), y, sample_weight=weights)
    np.testing.assert_array_equal(routed.scores_path_, alone.scores_path_)


def test_groups_and_splits_by_hand():
    X, y = sequences_data()
    groups = np.repeat(np.arange(6), 10)
    grouped = regressor(cv=GroupKFold(3)).fit(X, y, groups=groups)
    by_hand = regressor(cv=list(GroupKFold(3).split(X, y, groups))).fit(X, y)
    np.testing.assert_array_equal(grouped.scores_path_, by_hand.scores_path_)
    assert grouped.scores_path_.shape == (3, 3)


def test_lists_and_frames_are_as_good_as_arrays():
    X, y = sequences_data()
    stacked, listed = regressor().fit(X, y), regressor().fit(list(X), y)
    np.testing.assert_array_equal(stacked.scores_path_, listed.scores_path_)
    X, y = series_data()
    frame = pd.DataFrame(X, columns=["rain", "sun"])
    named, plain = regressor().fit(frame, pd.Series(y)), regressor().fit(X, y)
    np.testing.assert_array_equal(named.scores_path_, plain.scores_path_)
    assert list(named.feature_names_in_) == ["rain", "sun"]


def test_a_failed_fit_leaves_the_old_model():
    X, y = series_data()
    model = regressor().fit(X, y)
    before = model.predict(X)
    for bad in (np.where(np.arange(120)[:, None] == 119, np.nan, X), X[:1]):
        with pytest.raises(ValueError):
            model.fit(bad, y[: len(bad)])
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.alphas_ is not None


@pytest.mark.parametrize("alphas", [[-1.0, 1.0], [[1.0], [2.0]], [np.nan], [], 1, "many"])
def test_bad_alphas_are_refused(alphas):
    with pytest.raises(ValueError, match="alphas"):
        regressor(alphas=alphas).fit(*series_data())


@pytest.mark.parametrize("make", [regressor, classifier])
def test_there_is_no_partial_fit(make):
    assert not hasattr(make(), "partial_fit")


def test_it_finds_which_penalty_is_good():
    """A sum over 12 steps needs integrators, from which l2 pulls the units away."""
    X = np.random.default_rng(0).normal(size=(80, 12, 1))
    y = X.sum(axis=(1, 2))
    model = regressor(penalty="l2", alphas=[1e-3, 1e3], solver="adam", max_iter=40).fit(X, y)
    assert model.alpha_ == 1e-3
    assert (model.scores_path_[1] > model.scores_path_[0]).all()

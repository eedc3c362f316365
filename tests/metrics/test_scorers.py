"""Scorers on a hand-made oscillator, alone and inside a grid search."""

import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    TimeSeriesSplit,
    cross_validate,
)

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.datasets import make_van_der_pol
from sklearn_plrnn.metrics import (
    combined_rank,
    forecast_r2_scorer,
    free_run_scorer,
    neg_power_spectrum_scorer,
    neg_state_space_divergence_scorer,
)

SCORERS = [
    neg_state_space_divergence_scorer,
    neg_power_spectrum_scorer,
    forecast_r2_scorer(10),
]


class Rotation(BaseEstimator):
    """Turns by `angle` and grows by `factor` each step, inputs added; nothing is learned."""

    def __init__(self, angle=0.1, factor=1.0, n_inputs=0):
        self.angle = angle
        self.factor = factor
        self.n_inputs = n_inputs

    def fit(self, X, y=None):
        return self

    def split_inputs(self, X):
        if isinstance(X, list):
            parts = [self.split_inputs(x) for x in X]
            return [p[0] for p in parts], [p[1] for p in parts] if self.n_inputs else None
        return X[:, :2], X[:, 2:] if self.n_inputs else None

    def simulate(self, n_timesteps, x0, inputs=None):
        c, s = np.cos(self.angle), np.sin(self.angle)
        turn, rows = self.factor * np.array([[c, -s], [s, c]]), []
        with np.errstate(all="ignore"):
            for t in range(n_timesteps):
                x0 = turn @ x0 + (0 if inputs is None else inputs[t])
                rows.append(x0)
        return np.array(rows)

    def predict(self, X, lead=1):
        if isinstance(X, list):
            return [self.predict(x, lead) for x in X]
        ahead = [self.simulate(lead, x)[-1] for x in X[:-lead, :2]]
        return np.concatenate([np.zeros((lead, 2)), ahead])


def circle(T=600, angle=0.1):
    return np.c_[np.cos(angle * np.arange(T)), np.sin(angle * np.arange(T))]


@pytest.mark.parametrize("scorer", SCORERS)
def test_the_true_model_scores_best(scorer):
    X = circle()
    right, wrong, bad = (
        scorer(Rotation(**kwargs), X) for kwargs in ({}, {"angle": 0.3}, {"factor": 50.0})
    )
    best = 1 if scorer is SCORERS[2] else 0
    assert right == pytest.approx(best, abs=0.06)
    assert right > bad
    assert wrong < right or scorer is neg_state_space_divergence_scorer
    assert np.isfinite([right, wrong, bad]).all()


@pytest.mark.parametrize("scorer", SCORERS)
def test_trajectories_gaps_and_inputs(scorer):
    X = circle()
    gaps = X.copy()
    gaps[-3:, 0] = np.nan
    several = scorer(Rotation(), [X[:300], X[300:]])
    assert scorer(Rotation(), gaps) == pytest.approx(scorer(Rotation(), X), abs=0.05)
    assert several > -0.2
    if scorer is not SCORERS[2]:
        pushed = np.c_[
            Rotation().simulate(599, X[0], np.full((599, 2), 0.01)), np.full((599, 2), 0.01)
        ]
        pushed = np.vstack([np.r_[X[0], 0, 0], pushed])
        assert scorer(Rotation(n_inputs=2), pushed) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("scorer", SCORERS)
def test_a_search_finds_the_true_model_beside_a_diverging_one(scorer):
    search = GridSearchCV(
        Rotation(), {"factor": [1.0, 1e9, 0.9]}, scoring=scorer, cv=TimeSeriesSplit(3)
    )
    search.fit(circle())
    assert search.best_params_ == {"factor": 1.0}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_several_at_once():
    scoring = {"geometry": SCORERS[0], "spectrum": SCORERS[1], "forecast": SCORERS[2]}
    results = cross_validate(Rotation(), circle(), scoring=scoring, cv=TimeSeriesSplit(2))
    assert (results["test_forecast"] > 0.99).all() and (results["test_spectrum"] > -0.1).all()


def test_the_horizon_scorer_can_be_sent_to_a_worker():
    scorer = pickle.loads(pickle.dumps(forecast_r2_scorer(7)))
    assert scorer.horizon == 7 and repr(scorer) == "forecast_r2_scorer(7)"


def test_one_number_for_geometry_and_spectrum():
    X = circle()
    for kwargs in ({}, {"angle": 0.3}, {"factor": 1.01}):
        model = Rotation(**kwargs)
        d, h = -SCORERS[0](model, X), -SCORERS[1](model, X)
        assert free_run_scorer(model, X) == pytest.approx(1 - (d / (1 + d) + h) / 2)
    scores = [free_run_scorer(Rotation(**k), X) for k in ({}, {"angle": 0.3}, {"factor": 50.0})]
    assert 1 >= scores[0] > scores[1] > scores[2] >= 0


def ranked(**scores):
    return {f"mean_test_{name}": np.array(values) for name, values in scores.items()}


def test_the_least_sum_of_ranks_wins():
    refit = combined_rank("a", "b")
    assert refit(ranked(a=[3.0, 2.0, 1.0], b=[1.0, 30.0, 2.0])) == 1
    # Ranks do not care for units.
    assert refit(ranked(a=[3e9, 2.0, 1.0], b=[1.0, 30.0, 2.0])) == 1
    assert refit(ranked(a=[np.nan, -1e6, -1e6], b=[0.0, -1.0, -2.0])) == 1
    assert refit(ranked(a=[1.0, 2.0], b=[2.0, 1.0])) == 0
    assert combined_rank("b")(ranked(a=[9.0, 1.0], b=[1.0, 2.0])) == 1
    assert repr(pickle.loads(pickle.dumps(refit))) == "combined_rank('a', 'b')"


@pytest.mark.parametrize("names", [(), (1,), (["a", "b"],)])
def test_ranks_are_of_named_scores(names):
    with pytest.raises(ValueError, match="names must be"):
        combined_rank(*names)


def test_a_random_search_by_ranks_finds_the_true_model():
    scoring = {"geometry": SCORERS[0], "spectrum": SCORERS[1], "forecast": SCORERS[2]}
    search = RandomizedSearchCV(
        Rotation(),
        {"factor": [1.0, 1e9, 0.9], "angle": [0.1, 0.3]},
        n_iter=6,
        scoring=scoring,
        refit=combined_rank(*scoring),
        cv=TimeSeriesSplit(2),
        random_state=0,
    ).fit(circle())
    assert search.best_params_ == {"factor": 1.0, "angle": 0.1}


@pytest.mark.parametrize("scorer", [*SCORERS, free_run_scorer])
def test_halving_gives_more_epochs_to_fewer(scorer):
    search = HalvingGridSearchCV(
        DSReconstructor(init="random", solver="adam", random_state=0),
        {"n_hidden": [2, 5, 10, 20]},
        resource="max_iter",
        min_resources=1,
        max_resources=4,
        factor=2,
        scoring=scorer,
        cv=TimeSeriesSplit(2),
        random_state=0,
    ).fit(make_van_der_pol(200, random_state=0))
    assert search.n_candidates_ == [4, 2, 1] and search.n_resources_ == [1, 2, 4]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()

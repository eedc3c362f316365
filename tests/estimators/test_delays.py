"""Delay coordinates: where rows end up, which lag is chosen, how well they do."""

import numpy as np
import pytest

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.datasets import make_lorenz63
from sklearn_plrnn.estimators._delays import embed


def test_delays_stay_within_their_trajectory():
    rows = np.arange(14.0).reshape(7, 2)
    found = embed(rows, [4, 3], 3, 2)
    nan = [np.nan] * 2
    np.testing.assert_array_equal(found[:, :2], rows)
    np.testing.assert_array_equal(found[:, 2:4], [nan, nan, [0, 1], [2, 3], nan, nan, [8, 9]])
    assert np.isnan(found[:, 4:]).all()
    np.testing.assert_array_equal(embed(rows, [7], 1, 5), rows)


@pytest.fixture(scope="module")
def first_variable():
    return make_lorenz63(6000, noise=0.01, random_state=0)[:, :1]


def test_one_variable_of_three_is_reconstructed(first_variable):
    """What is seen of x alone tells its next steps, and its future, only with delays."""
    train, test = first_variable[:3000], first_variable[3000:4000]
    options = {"max_iter": 6, "score_horizon": 20, "random_state": 0}
    model = DSReconstructor(delay_embedding=3, **options).fit(train)
    assert (model.delay_embedding_, len(model.A_)) == (3, 3) and 5 <= model.delay_lag_ <= 20
    assert model.score(test) > 0.9 > DSReconstructor(**options).fit(train).score(test)
    free = model.simulate(5000, x0=test[0])
    assert free.shape == (5000, 1) and np.abs(free).max() < 1.5 * np.abs(train).max()
    assert free[2500:].std() == pytest.approx(train.std(), rel=0.3)


def test_shapes_and_units_are_those_of_what_is_measured(first_variable):
    pair = np.c_[first_variable, -100 * first_variable][:1500]
    model = DSReconstructor(
        delay_embedding=2, delay_lag=7, n_hidden=20, max_iter=2, random_state=0
    ).fit(pair)
    assert model.B_.shape == (2, 4) and model.observation_noise_.shape == (2,)
    assert model.predict(pair).shape == pair.shape
    assert model.transform(pair).shape == (1500, 4)
    assert model.get_feature_names_out().shape == (4,)
    forecast, std = model.forecast(5, pair, return_std=True, random_state=0)
    assert forecast.shape == std.shape == (5, 2)
    np.testing.assert_allclose(std[:, 1] / std[:, 0], 100, rtol=0.3)
    assert np.all(np.abs(forecast[0] - pair[-1]) < 0.3 * pair.std(axis=0))
    states = model.transform(pair)
    start = model._start_at(model.b_ + states[0] @ model.B_.T, 1)
    np.testing.assert_allclose(start[0, :2], states[0, :2])


def test_one_row_begins_a_run_from_a_state_beside_those_in_training(first_variable):
    train = [first_variable[:1000], first_variable[1000:1800]]
    options = {"delay_embedding": 3, "delay_lag": 10, "n_hidden": 20, "random_state": 0}
    model = DSReconstructor(max_iter=2, **options).fit(train)
    for row in first_variable[2000::400]:
        expected = model.simulate(20, x0=row)
        np.testing.assert_allclose(model.forecast(20, row[None]), expected, rtol=1e-5, atol=1e-8)
    reached = np.vstack([x[20:] for x in model.transform(train)])
    for state in model.start_states_:
        assert np.abs(reached - state).max(axis=1).min() < 1e-6


def test_too_many_delays_are_refused(first_variable):
    with pytest.raises(ValueError, match=r"delay_embedding=4 with a lag of 20 needs.*62 rows.*50"):
        DSReconstructor(delay_embedding=4, delay_lag=20).fit(first_variable[:50])
    with pytest.raises(ValueError, match=r"identity readout.*at least 3 units"):
        DSReconstructor(2, delay_embedding=3).fit(first_variable[:500])

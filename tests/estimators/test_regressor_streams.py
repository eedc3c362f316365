"""RegularizedPLRNNRegressor: training that goes on, by parts or from an earlier fit."""

import copy

import numpy as np
import pytest
from regressors import filtered_noise, quick


def test_warm_start_goes_on():
    X, y = filtered_noise(200)
    model = quick(max_iter=30, warm_start=True, learning_rate="constant").fit(X, y)
    first = model.best_loss_
    assert model.fit(X, y).best_loss_ < first
    cold = quick(max_iter=30, learning_rate="constant").fit(X, y)
    assert cold.fit(X, y).best_loss_ == first
    with pytest.raises(ValueError, match=r"The previous fit left parameters.*warm_start=True"):
        model.set_params(n_components=7).fit(X, y)


def test_a_warm_start_on_new_data_begins_as_the_model_that_there_was():
    X, y = filtered_noise()
    model = quick(warm_start=True).fit(X, y)
    expected = model.predict(X)
    model.set_params(max_iter=0).fit(10 + 3 * X[:50], y[:50] - 5)
    np.testing.assert_array_equal(model.predict(X), expected)


def test_streams_go_on_where_they_were():
    X, y = filtered_noise()
    parts = [(X[rows], y[rows]) for rows in (slice(0, 200), slice(200, 400))]
    model = quick(learning_rate_init=0.02)  # an epoch of a part is a single step
    for _ in range(100):
        for part in parts:
            model.partial_fit(*part)
    assert model.n_iter_ == len(model.loss_curve_) == 200
    assert all(model.score(*part) > 0.9 for part in parts)
    with pytest.raises(ValueError, match="feature"):
        model.partial_fit(X[:, :1], y)
    assert model.n_iter_ == 200


def test_epochs_of_a_stream_draw_other_batches(monkeypatch):
    from sklearn_plrnn._training.batches import SequenceBatches

    orders, epoch = [], SequenceBatches.epoch

    def watched(self, rng):
        orders.append(copy.deepcopy(rng).permutation(50))
        return epoch(self, rng)

    monkeypatch.setattr(SequenceBatches, "epoch", watched)
    X, y = filtered_noise()
    model = quick(random_state=0)
    for _ in range(2):
        model.partial_fit(X, y)
    quick(random_state=0).partial_fit(X, y)
    assert not np.array_equal(orders[0], orders[1])
    np.testing.assert_array_equal(orders[0], orders[2])


def test_a_stream_goes_on_in_the_precision_of_its_data():
    X, y = filtered_noise(60)
    model = quick().partial_fit(X.astype(np.float32), y)
    assert model.A_.dtype == np.float32
    assert model.partial_fit(X, y).A_.dtype == np.float64

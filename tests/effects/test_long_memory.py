"""The paper's effect at small scale: what the penalty alone does to memory."""

import numpy as np
import pytest

from sklearn_plrnn import RegularizedPLRNNRegressor
from sklearn_plrnn.datasets import make_addition

CHANCE = 1 / 6  # variance of the sum of two uniform numbers


@pytest.fixture(scope="module")
def errors():
    """Mean squared error on new sequences by (alpha, init), all else equal."""
    X, y = make_addition(1000, 50, random_state=0)
    X_test, y_test = make_addition(2000, 50, random_state=1)
    found = {}
    for alpha, init in ((0.0, "random"), (5.0, "random"), (5.0, "identity")):
        model = RegularizedPLRNNRegressor(
            20,
            alpha=alpha,
            init=init,
            solver="adam",
            max_iter=80,
            dtype="float32",
            random_state=0,
        ).fit(X, y)
        found[alpha, init] = np.mean((model.predict(X_test) - y_test) ** 2)
    return found


@pytest.mark.slow
def test_without_regularizer_training_stays_at_chance(errors):
    assert errors[0.0, "random"] > 0.8 * CHANCE


@pytest.mark.slow
def test_the_penalty_alone_carries_memory_across_the_sequence(errors):
    assert errors[5.0, "random"] < 0.1 * CHANCE


@pytest.mark.slow
def test_starting_on_the_manifold_is_better_still(errors):
    assert errors[5.0, "identity"] < 0.5 * errors[5.0, "random"]

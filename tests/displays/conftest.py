"""A small reconstruction of named variables, and figures closed after each test."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.datasets import make_lorenz63


@pytest.fixture(autouse=True)
def figures_closed():
    """No figure outlives its test."""
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def frame():
    """A noisy piece of the Lorenz attractor, (400, 3), with names that are no markup."""
    X = make_lorenz63(400, noise=0.02, random_state=0)
    return pd.DataFrame(X, columns=["<script>document.title=1</script>", "$\\frac{", "a&b"])


@pytest.fixture(scope="session")
def model(frame):
    """Fitted to it, with a held-out loss."""
    return DSReconstructor(
        n_hidden=10, solver="adam", max_iter=3, early_stopping=True, random_state=0
    ).fit(frame)


@pytest.fixture(scope="session")
def driven():
    """A damped oscillator pushed by its last column, and a reconstruction of the others."""
    rng = np.random.default_rng(0)
    u, x = np.repeat(rng.normal(size=15), 20), np.zeros((300, 2))
    J = 0.98 * np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    for t in range(1, 300):
        x[t] = J @ x[t - 1] + [0.3 * u[t], 0]
    X = np.c_[x, u]
    return X, DSReconstructor(
        n_hidden=5, input_features=[2], solver="adam", max_iter=2, random_state=0
    ).fit(X)

"""Small reconstructors, and what they are fitted to."""

import numpy as np
import pandas as pd

from sklearn_plrnn import DSReconstructor

FORMS = {
    "series": lambda X: X,
    "stack": lambda X: X.reshape(4, -1, X.shape[1]),
    "list": lambda X: np.split(X, [50, 130, 250]),
    "frame": lambda X: pd.DataFrame(X, columns=["x", "y", "z"]),
}


def quick(**kwargs):
    """A small reconstructor."""
    return DSReconstructor(**{"n_hidden": 20, "max_iter": 2, "random_state": 0} | kwargs)


def driven_oscillation(n_timesteps=600, seed=0):
    """A damped oscillator, (n, 2), pushed by a random input that is the last column."""
    u = np.repeat(np.random.default_rng(seed).normal(size=n_timesteps // 20), 20)
    x = np.zeros((n_timesteps, 2))
    J = 0.98 * np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    for t in range(1, n_timesteps):
        x[t] = J @ x[t - 1] + [0.3 * u[t], 0]
    return np.c_[x, u]

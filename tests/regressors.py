"""Series and small regressors that several test modules train."""

import numpy as np

from sklearn_plrnn import RegularizedPLRNNRegressor


def filtered_noise(n_timesteps=400, seed=0, decay=0.8):
    """One series whose target is a decaying sum of past inputs."""
    X = np.random.default_rng(seed).normal(size=(n_timesteps, 2))
    y = np.zeros(n_timesteps)
    for t in range(n_timesteps):
        y[t] = decay * y[t - 1] * (t > 0) + X[t, 0] - 0.5 * X[t, 1]
    return X, y


def quick(**kwargs):
    """A small regressor."""
    return RegularizedPLRNNRegressor(
        **{"n_components": 6, "max_iter": 5, "random_state": 0} | kwargs
    )


FORMS = {
    "series": lambda X, y: (X, y),
    "series, two outputs": lambda X, y: (X, np.c_[y, -y]),
    "stack, per sequence": lambda X, y: (X.reshape(20, 20, 2), y[19::20]),
    "stack, two per sequence": lambda X, y: (X.reshape(20, 20, 2), np.c_[y, -y][19::20]),
    "stack, per step": lambda X, y: (X.reshape(20, 20, 2), y.reshape(20, 20, 1)),
    "list, per sequence": lambda X, y: (np.split(X, [15, 40, 300]), [1.0, 2.0, 3.0, 4.0]),
    "list, per step": lambda X, y: (np.split(X, [15, 40, 300]), np.split(y, [15, 40, 300])),
    "list, two per step": lambda X, y: (
        np.split(X, [15, 40, 300]),
        np.split(np.c_[y, -y], [15, 40, 300]),
    ),
}

"""A small model of each estimator with data for it, and the files that a version saves them to.

``python tests/small_models.py`` writes those of the present version into ``tests/fixtures``, once
for each release: later versions have to read them as they are.
"""

import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

import sklearn_plrnn
from sklearn_plrnn import (
    DSReconstructor,
    DSReconstructorCV,
    RegularizedPLRNNClassifier,
    RegularizedPLRNNClassifierCV,
    RegularizedPLRNNRegressor,
    RegularizedPLRNNRegressorCV,
)
from sklearn_plrnn.datasets import make_van_der_pol

FIXTURES = Path(__file__).parent / "fixtures"
FORMATS = ("pickle", "joblib", "skops")
QUICK = {"max_iter": 2, "random_state": 0}
PATH = QUICK | {"alphas": [0.1, 1.0], "cv": 2}

MODELS = {
    type(model).__name__: model
    for model in (
        RegularizedPLRNNRegressor(3, **QUICK),
        RegularizedPLRNNClassifier(3, n_channels=2, **QUICK),
        DSReconstructor(n_hidden=4, solver="gauss-newton", n_init=2, keep_restarts=True, **QUICK),
        RegularizedPLRNNRegressorCV(3, **PATH),
        RegularizedPLRNNClassifierCV(3, n_channels=2, **PATH),
        DSReconstructorCV(n_hidden=4, solver="adam", **PATH | {"max_iter": 1}),
    )
}


def data_for(model, n=60):
    """X, and y where there is one, that are exact in single precision."""
    X = np.round(8 * np.random.default_rng(0).normal(size=(n, 8))) / 8
    if isinstance(model, DSReconstructor):
        return (np.round(64 * make_van_der_pol(2 * n, random_state=0)) / 64,)
    if isinstance(model, RegularizedPLRNNClassifier):
        return X, np.where(X[:, ::2].sum(axis=1) > 0, "up", "down")
    return X[:, :2], X[:, 0] - X[:, 1]


def answers(model, X):
    """All that a fitted model says, by name."""
    found = {name: getattr(model, name)(X) for name in ("predict", "transform")}
    if isinstance(model, DSReconstructor):
        forecast, std = model.forecast(5, return_std=True, n_samples=4, random_state=0)
        found |= {"forecast": forecast, "std": std, "simulate": model.simulate(5, random_state=0)}
    if isinstance(model, RegularizedPLRNNClassifier):
        found["predict_proba"] = model.predict_proba(X)
    return found


def save(model, path):
    """Write a model in the format that the suffix of `path` names."""
    if path.suffix == ".skops":
        import skops.io

        skops.io.dump(model, path, compression=8)  # deflate
    elif path.suffix == ".joblib":
        joblib.dump(model, path)
    else:
        path.write_bytes(pickle.dumps(model))


def load(path, estimator_class):
    """Read it back, trusting that class alone where the format asks for it."""
    if path.suffix == ".skops":
        import skops.io

        return skops.io.load(path, trusted=[estimator_class])
    return joblib.load(path) if path.suffix == ".joblib" else pickle.loads(path.read_bytes())


def save_all(folder):
    """Files of all models, and what they say of which X."""
    folder.mkdir(parents=True)
    for name, model in MODELS.items():
        X, *y = data_for(model)
        if isinstance(model, RegularizedPLRNNRegressor):
            X = pd.DataFrame(X, columns=["rain", "sun"])
        model.fit(X, *y)
        np.savez_compressed(folder / f"{name}.npz", X=X, **answers(model, X))
        for suffix in FORMATS:
            save(model, folder / f"{name}.{suffix}")


if __name__ == "__main__":
    save_all(FIXTURES / sklearn_plrnn.__version__)

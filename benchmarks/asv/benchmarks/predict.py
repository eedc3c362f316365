"""Predictions of fitted regressors."""

import numpy as np

from sklearn_plrnn import RegularizedPLRNNRegressor
from sklearn_plrnn.datasets import make_addition


class RegressorOnSeries:
    """A target for every row of one long series."""

    params = ["float32", "float64"]
    param_names = ["dtype"]

    def setup(self, dtype):
        self.X = np.random.default_rng(0).normal(size=(50_000, 3))
        self.model = RegularizedPLRNNRegressor(40, max_iter=1, random_state=0, dtype=dtype)
        self.model.fit(self.X[:500], self.X[:500, 0])
        self.model.predict(self.X)

    def time_predict(self, dtype):
        self.model.predict(self.X)

    def peakmem_predict(self, dtype):
        self.model.predict(self.X)


class RegressorOnSequences:
    """One target for each of many sequences."""

    params = ["float32", "float64"]
    param_names = ["dtype"]

    def setup(self, dtype):
        self.X, y = make_addition(5000, 100, random_state=0)
        self.model = RegularizedPLRNNRegressor(40, max_iter=1, random_state=0, dtype=dtype)
        self.model.fit(self.X[:100], y[:100])
        self.model.predict(self.X)

    def time_predict(self, dtype):
        self.model.predict(self.X)

    def peakmem_predict(self, dtype):
        self.model.predict(self.X)

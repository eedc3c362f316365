"""Fits of a few epochs, compiled before they are timed."""

import numpy as np

from sklearn_plrnn import DSReconstructor, RegularizedPLRNNRegressor
from sklearn_plrnn.datasets import make_addition, make_lorenz63


class RegressorOnSeries:
    """One series, a target at every row, windows of 100 rows."""

    params = ["float32", "float64"]
    param_names = ["dtype"]

    def setup(self, dtype):
        X = np.random.default_rng(0).normal(size=(5000, 3))
        y = np.cumsum(X[:, 0]) - np.cumsum(X[:, 1])
        self.data = X, y
        self.model = RegularizedPLRNNRegressor(40, max_iter=5, random_state=0, dtype=dtype)
        self.model.fit(*self.data)

    def time_fit(self, dtype):
        self.model.fit(*self.data)

    def peakmem_fit(self, dtype):
        self.model.fit(*self.data)


class RegressorOnSequences:
    """Many sequences, one target each, by either kind of solver."""

    params = (["float32", "float64"], ["adam", "gauss-newton"])
    param_names = ["dtype", "solver"]

    def setup(self, dtype, solver):
        self.data = make_addition(1000, 100, random_state=0)
        self.model = RegularizedPLRNNRegressor(
            40, solver=solver, max_iter=2, random_state=0, dtype=dtype
        )
        self.model.fit(*self.data)

    def time_fit(self, dtype, solver):
        self.model.fit(*self.data)

    def peakmem_fit(self, dtype, solver):
        self.model.fit(*self.data)


class Reconstructor:
    """Forced windows of a chaotic series, and the free runs that judge checkpoints."""

    params = (["float32", "float64"], ["shallow", "plrnn"])
    param_names = ["dtype", "architecture"]

    def setup(self, dtype, architecture):
        self.X = make_lorenz63(5000, random_state=0)
        self.model = DSReconstructor(
            architecture=architecture, max_iter=5, random_state=0, dtype=dtype
        )
        self.model.fit(self.X)

    def time_fit(self, dtype, architecture):
        self.model.fit(self.X)

    def peakmem_fit(self, dtype, architecture):
        self.model.fit(self.X)

"""Forecasts and free runs of fitted reconstructions."""

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.datasets import make_lorenz63


class Reconstructor:
    """Long runs of one trajectory, shorter ones of many."""

    params = (["shallow", "plrnn"], [(100_000, 1), (2000, 100)])
    param_names = ["architecture", "timesteps_trajectories"]

    def setup(self, architecture, size):
        X = make_lorenz63(2000, random_state=0)
        self.model = DSReconstructor(architecture=architecture, max_iter=1, random_state=0).fit(X)
        self.model.simulate(size[0], n_trajectories=size[1], random_state=0)

    def time_simulate(self, architecture, size):
        self.model.simulate(size[0], n_trajectories=size[1], random_state=0)

    def peakmem_simulate(self, architecture, size):
        self.model.simulate(size[0], n_trajectories=size[1], random_state=0)


class Forecast:
    """What comes after a series that is read first."""

    params = ["shallow", "plrnn"]
    param_names = ["architecture"]

    def setup(self, architecture):
        self.X = make_lorenz63(10_000, random_state=0)
        self.model = DSReconstructor(architecture=architecture, max_iter=1, random_state=0)
        self.model.fit(self.X[:2000])
        self.model.forecast(100, self.X)

    def time_forecast(self, architecture):
        self.model.forecast(10_000, self.X)

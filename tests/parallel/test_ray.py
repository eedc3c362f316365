"""Fits on a Ray cluster of two processes: the same bits."""

import os

import pytest
from fits import assert_same, fit, fitted_here, of_folds
from joblib import parallel_config
from joblib.pool import PicklingPool

from sklearn_plrnn._training.loop import threads_within

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray", reason="fits on Ray need ray")


@pytest.fixture(scope="module")
def cluster():
    from ray.util.joblib import register_ray

    register_ray()
    bases = PicklingPool.__bases__  # which Ray replaces, and with it joblib's "multiprocessing"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # no token in the home folder
        ray.init(num_cpus=2, include_dashboard=False, object_store_memory=80_000_000)
        yield
        ray.shutdown()
    PicklingPool.__bases__ = bases


def test_fits_are_those_of_one_process(cluster):
    # Each starts processes of its own, for seconds.
    names = "search", "DSReconstructor", "RegularizedPLRNNRegressorCV"
    with parallel_config("ray", n_jobs=-1):
        fitted = [fit(name) for name in names]
        assert threads_within(1, None) == 1
    assert os.getpid() not in of_folds(fitted[0], "process")
    for name, model in zip(names, fitted, strict=True):
        assert_same(model, fitted_here(name))

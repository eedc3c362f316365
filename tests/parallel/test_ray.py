"""Fits on a Ray cluster of two processes: the same bits."""

import os

import pytest
from fits import assert_same, fits, folds
from joblib import parallel_config
from joblib.pool import PicklingPool

from sklearn_plrnn._training.loop import threads_within

ray = pytest.importorskip("ray", reason="fits on Ray need ray")


@pytest.fixture(scope="module")
def cluster():
    from ray.util.joblib import register_ray

    register_ray()
    bases = PicklingPool.__bases__  # which Ray replaces, with joblib's "multiprocessing"
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=80_000_000)
    yield
    ray.shutdown()
    PicklingPool.__bases__ = bases


def test_fits_are_those_of_one_process(cluster):
    names = "search", "restarts", "regressor"  # each starts two processes of its own
    here = fits(names)
    with parallel_config("ray", n_jobs=-1):
        there = fits(names)
        assert threads_within(1, None) == 1
    assert os.getpid() not in folds(there[0], "process")
    for fitted, expected in zip(there, here, strict=True):
        assert_same(fitted, expected)

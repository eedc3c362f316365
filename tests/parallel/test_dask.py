"""Fits on a Dask cluster of two processes: the same bits, and none is lost with a worker."""

import itertools
import os
import signal

import pytest
from fits import FOLDS, NAMES, X, assert_same, fit, fitted_here, of_folds, search, y
from joblib import parallel_config
from sklearn.utils.parallel import Parallel, delayed

from sklearn_plrnn._training.loop import threads_within

pytestmark = pytest.mark.slow
distributed = pytest.importorskip("distributed", reason="fits on Dask need dask[distributed]")


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_fits_are_those_of_one_process(client):
    with parallel_config("dask"):
        fitted = [fit(name) for name in NAMES]
        threads_there = Parallel()(delayed(threads_within)(1, None) for _ in range(2))
        assert threads_there == [1, 1] and threads_within(1, None) == 1
    assert os.getpid() not in of_folds(fitted[0], "process")
    for name, model in zip(NAMES, fitted, strict=True):
        assert_same(model, fitted_here(name))


def test_a_search_survives_a_worker_that_is_killed(client, tmp_path):
    """Every worker is given all data: what one alone has would die with it."""
    here, killed = os.getpid(), tmp_path / "killed"

    def score(model, X, y):
        if model.alpha == 1.0 and os.getpid() != here and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return model.score(X, y)

    client.amm.stop()
    with parallel_config("dask", scatter=[X, y, *itertools.chain(*FOLDS)]):
        searched = search(score)
    assert killed.exists()
    assert_same(searched, fitted_here("search"))

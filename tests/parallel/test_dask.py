"""Fits on a Dask cluster of two processes: the same bits, and none is lost with a worker."""

import itertools
import os
import signal

import pytest
from fits import FOLDS, X, assert_same, fits, folds, search, y
from joblib import parallel_config
from sklearn.utils.parallel import Parallel, delayed

from sklearn_plrnn._training.loop import threads_within

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
    here = fits()
    with parallel_config("dask"):
        there = fits()
        threads_elsewhere = Parallel()(delayed(threads_within)(1, None) for _ in range(2))
        assert threads_elsewhere == [threads_within(1, None)] * 2 == [1, 1]
    assert os.getpid() not in folds(there[0], "process")
    for fitted, expected in zip(there, here, strict=True):
        assert_same(fitted, expected)


def test_a_search_survives_a_worker_that_is_killed(client, tmp_path):
    """Every worker is given all data: what one alone has would die with it."""

    def score(model, X, y):
        if model.alpha == 1.0 and os.getpid() != own:
            try:
                (tmp_path / "killed").touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return model.score(X, y)

    own, expected = os.getpid(), search().fit(X, y)
    client.amm.stop()
    with parallel_config("dask", scatter=[X, y, *itertools.chain(*FOLDS)]):
        searched = search(score).fit(X, y)
    assert (tmp_path / "killed").exists()
    assert_same(searched, expected)

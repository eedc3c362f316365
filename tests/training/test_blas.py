"""Thread limits: one inside, as found afterwards, also with several fits at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_plrnn._training.blas import single_threaded_blas


def n_threads():
    """Threads of each BLAS that is loaded."""
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_threads_are_restored_also_after_an_error():
    with threadpool_limits(2, user_api="blas"):
        before = n_threads()
        with pytest.raises(RuntimeError), single_threaded_blas():
            assert set(n_threads()) == {1}
            raise RuntimeError
        assert n_threads() == before


def test_overlapping_fits_restore_what_the_first_one_found():
    entered, left = Barrier(2), Barrier(2)

    def first():
        with single_threaded_blas():
            entered.wait()
        left.wait()

    def second():
        entered.wait()
        with single_threaded_blas():
            left.wait()
            return n_threads()

    with threadpool_limits(2, user_api="blas"):
        before = n_threads()
        with single_threaded_blas(), ThreadPoolExecutor(2) as pool:
            results = [pool.submit(first), pool.submit(second)]
            assert set(results[1].result()) == {1}
            results[0].result()
        assert n_threads() == before

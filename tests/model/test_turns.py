"""Threads that take turns: results in order, all of them, few at a time."""

import threading

import numpy as np
import pytest

from sklearn_plrnn._model.turns import AHEAD, in_turns


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("n_items", [0, 1, 2, 17])
def test_results_come_in_the_order_of_items(n_items, n_threads):
    square = lambda i: i * i
    assert list(in_turns(square, range(n_items), n_threads)) == [i * i for i in range(n_items)]


def test_a_slow_item_does_not_hold_up_the_next_ones():
    """The first is done only when the others within reach are."""
    others = threading.Semaphore(0)

    def work(i):
        if i == 0:
            assert all(others.acquire(timeout=60) for _ in range(AHEAD * 2 - 1))
        else:
            others.release()
        return i

    assert list(in_turns(work, range(6), 2)) == list(range(6))


def test_few_results_wait_to_be_taken():
    begun = []
    results = in_turns(lambda i: begun.append(i) or i, range(100), 2)
    next(results)
    results.close()  # which waits for all that were begun
    assert len(begun) <= AHEAD * 2


def test_threads_are_told_what_numpy_ignores():
    with np.errstate(all="raise"):
        found = list(in_turns(lambda x: np.log(x), np.zeros((2, 1)), 2))
    assert found == [-np.inf, -np.inf]

"""Threads that take turns at the parts of a sum, which is the same for any number of them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np


def in_turns(work, items, n_threads):
    """``work(item)`` of each, in their order, so many at a time.

    No more than that wait to be taken, for they may be large.
    """
    if n_threads == 1 or len(items) < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        for i in range(0, len(items), n_threads):
            yield from pool.map(_quietly(work), items[i : i + n_threads])


def _quietly(work):
    """What numpy is told to ignore, it is told in each thread by itself."""

    def quiet(item):
        with np.errstate(all="ignore"):
            return work(item)

    return quiet

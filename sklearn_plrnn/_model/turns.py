"""Threads that take turns at the parts of a sum, which is the same for any number of them."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

AHEAD = 2  # items for each thread, at most, that are begun or wait to be taken: they may be large


def in_turns(work, items, n_threads):
    """``work(item)`` of each, in their order, so many at a time."""
    if n_threads == 1 or len(items) < 2:
        yield from map(work, items)
        return
    quiet, waiting = _quietly(work), deque()
    pool = ThreadPoolExecutor(n_threads)
    try:
        for item in items:
            waiting.append(pool.submit(quiet, item))
            if len(waiting) == AHEAD * n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _quietly(work):
    """What numpy is told to ignore, it is told in each thread by itself."""

    def quiet(item):
        with np.errstate(all="ignore"):
            return work(item)

    return quiet

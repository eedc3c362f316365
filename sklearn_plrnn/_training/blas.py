"""One BLAS thread while training runs.

The products of a recurrence are too small to share between threads (4 to 13 times slower when
shared). Thread limits are global to the process: several fits at once, in threads, count as one, so
that the last to leave restores what the first one found.
"""

import threading
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

_lock = threading.Lock()
_inside = []  # one entry per fit under way; the first holds the limits


@contextmanager
def single_threaded_blas():
    """Limit BLAS to one thread until the last fit under way has left."""
    with _lock:
        _inside.append(None if _inside else threadpool_limits(1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            limits = _inside.pop(0)
            if limits is not None and not _inside:
                limits.restore_original_limits()
            elif limits is not None:
                _inside[0] = limits

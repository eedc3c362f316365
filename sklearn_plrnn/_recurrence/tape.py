"""What one pass of an engine leaves for another: states, cotangents, the buffers they live in."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np


class Ports(NamedTuple):
    """How a map is driven and read: ``+ C s_t``, and ``x_t = B z_t + b`` or the first units."""

    C: np.ndarray | None  # (M, K); None: inputs are added as they are, K = M
    B: np.ndarray | None  # (N, M); None: the first N units
    b: np.ndarray | None  # (N,)
    n_outputs: int


class Tape(NamedTuple):
    """What the forward pass leaves for the adjoint."""

    states: np.ndarray  # (T + 1, B, M), z_0 .. z_T
    outputs: np.ndarray  # (T, B, N); a view of `states` where all units are read as they are
    forced: np.ndarray  # (T, B, M), ztilde; a view of `states` where nothing is forced
    features: np.ndarray | None  # (T, B, L), g(ztilde); None where that is as quickly made again
    weights: tuple | None = None  # of map and ports, in the form that the engine takes


class Pullback(NamedTuple):
    """What the adjoint leaves: derivatives of a scalar, those of matrices yet to be multiplied."""

    A: np.ndarray  # (M,)
    h: np.ndarray  # (M,)
    theta: np.ndarray  # (L,)
    start: np.ndarray  # (B, M)
    drive: np.ndarray  # (T, B, M), of what is added to each step
    forced: np.ndarray | None  # (T, B, M), of ztilde; None where nothing is forced
    preactivation: np.ndarray | None  # (T, B, L), of V ztilde + theta; None without V


class Stretch(NamedTuple):
    """A number of steps, all that was given for them, and what both passes have left."""

    inputs: np.ndarray | None  # (T, B, K)
    targets: np.ndarray | None  # (T, B, M) or broadcast against that
    gain: np.ndarray | None
    outputs_bar: np.ndarray  # (T, B, N)
    tape: Tape
    pullback: Pullback


def negligible(dtype):
    """Size below which a cotangent is set to zero.

    What a unit forgets fades into subnormal numbers, on which processors take a hundred times as
    long as on others; products with what is left are none.
    """
    info = np.finfo(dtype)
    return info.tiny / info.eps


# A smaller batch is over before another thread is awake.
SHARED_BATCH = 64  # trajectories


class Workspace:
    """Buffers that outlive one call: made at first use, grown when a batch is larger.

    The states that `propagate` returns live in it and are overwritten by its next call with the
    same workspace. `n_threads` is how many threads an engine that can may share a batch between.
    """

    def __init__(self, n_threads=1):
        self._buffers = {}
        self._pool = ThreadPoolExecutor(n_threads) if n_threads > 1 else None
        self.n_threads = n_threads

    def array(self, name, shape, dtype):
        """An uninitialized array; equal names share memory between calls."""
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size or buffer.dtype != dtype:
            buffer = self._buffers[name] = np.empty(size, dtype)
        return buffer[:size].reshape(shape)

    def share(self, work, n_items):
        """Call ``work(first, last)`` on the ranges that `n_items` are shared out in to threads."""
        if self._pool is None or n_items < 2:
            work(0, n_items)
            return
        ends = np.linspace(0, n_items, min(self.n_threads, n_items) + 1).astype(int)
        list(self._pool.map(work, ends[:-1], ends[1:]))

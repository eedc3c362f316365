"""How kernels are compiled by numba, and kept on disk."""

from types import FunctionType

import numpy as np
from numba import njit

# Sums may be reordered, but NaN and infinity keep their meaning: they tell of divergence.
OPTIONS = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz", "arcp"}}

inlined = njit(inline="always")  # a call would count references to every row it is given


def compiled(kernel):
    """The kernel by precision, to be called with arrays of that precision only.

    Each precision has files of its own in the cache: of two processes that compile the two
    precisions at a time, one could otherwise overwrite what the other's index refers to.
    """
    variants = {}
    for dtype in map(np.dtype, ("float32", "float64")):
        name = f"{kernel.__name__}_{dtype}"
        variant = FunctionType(kernel.__code__, kernel.__globals__, name)
        variant.__qualname__ = name
        try:
            variants[dtype] = njit(cache=True, **OPTIONS)(variant)
        except RuntimeError:  # there is no place to write to
            variants[dtype] = njit(**OPTIONS)(variant)
    return variants

"""Derivatives of the weight matrices: what is left to multiply when the adjoint has been run.

Each is a sum over time and sequences of outer products of something that the adjoint has left with
something that was met on the way forward; summed up in chunks for a gradient, or kept apart by
sequence for a Jacobian.
"""

from typing import NamedTuple

import numpy as np

from .tape import SHARED_BATCH

CHUNK = 1024  # rows of (time, batch) in one product: what several have in common stays in cache


class WeightGradients(NamedTuple):
    """Derivatives of a scalar with respect to matrices and offset; None where there is none."""

    W: np.ndarray  # (M, L)
    V: np.ndarray | None  # (L, M)
    C: np.ndarray | None  # (M, K)
    B: np.ndarray | None  # (N, M)
    b: np.ndarray | None  # (N,)


def weight_gradients(f, ports, stretch, workspace):
    """`WeightGradients`, summed over all steps and sequences of a `Stretch`."""
    pairs = _pairs(f, ports, stretch)
    flat = [
        (x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1]), z) for x, y, z in pairs.values()
    ]
    n_chunks = -(-len(flat[0][0]) // CHUNK)
    parts = [
        workspace.array(f"part{k}", (n_chunks, left.shape[1], right.shape[1]), left.dtype)
        for k, (left, right, _) in enumerate(flat)
    ]

    def work(first, last):
        share = -(-first * workspace.n_threads // n_chunks)
        for i in range(first, last):
            rows = slice(i * CHUNK, (i + 1) * CHUNK)
            for (left, right, floor), part in zip(flat, parts, strict=True):
                x = right[rows]
                if floor is not None:
                    above = workspace.array(f"above{share}", x.shape, x.dtype)
                    x = np.maximum(x, floor, out=above)
                np.matmul(left[rows].T, x, out=part[i])

    if stretch.outputs_bar.shape[1] < SHARED_BATCH:
        work(0, n_chunks)
    else:
        workspace.share(work, n_chunks)
    sums = {name: part.sum(axis=0) for name, part in zip(pairs, parts, strict=True)}
    b = None if ports.B is None else stretch.outputs_bar.sum(axis=(0, 1))
    return WeightGradients(*map(sums.get, "WVCB"), b)


def weight_gradients_by_sequence(f, ports, stretch):
    """`WeightGradients` with an axis for sequences in front: one (M, T) by (T, L) product each."""
    products = {}
    for name, (left, right, floor) in _pairs(f, ports, stretch).items():
        right = right if floor is None else np.maximum(right, floor)
        products[name] = np.matmul(left.transpose(1, 2, 0), right.swapaxes(0, 1))
    b = None if ports.B is None else stretch.outputs_bar.sum(axis=0)
    return WeightGradients(*map(products.get, "WVCB"), b)


def _pairs(f, ports, stretch):
    """By name (left, right, floor): the derivative is the sum of ``left right'``, (T, B, .) each.

    With a floor, ``max(right, floor)`` takes the place of `right`.
    """
    tape, pullback = stretch.tape, stretch.pullback
    plain = tape.features is None
    features = (tape.forced, f.floor()) if plain else (tape.features, None)
    pairs = {"W": (pullback.drive, *features)}
    if f.V is not None:
        pairs["V"] = (pullback.preactivation, tape.forced, None)
    if ports.C is not None:
        pairs["C"] = (pullback.drive, stretch.inputs, None)
    if ports.B is not None:
        pairs["B"] = (stretch.outputs_bar, tape.states[1:], None)
    return pairs

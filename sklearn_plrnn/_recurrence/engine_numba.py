"""The forced recurrence and its adjoint, compiled: the same functions as in the numpy engine.

Batches are cut into blocks of trajectories, which know nothing of each other. Threads share the
blocks, and sums are made within blocks and then over them in order, so that results do not depend
on the number of threads. Two kernels, chosen by size from measurement
(``benchmarks/gradient_step.py``): *sparse* runs one trajectory at a time and multiplies active
features only, *dense* makes one BLAS product for each step of a block.

Empty arrays stand for what is absent (V of the identity, drive, gain): one compiled variant per
precision. numba caches them on disk.
"""

import numpy as np
from numba import njit

from .tape import Cotangents, Tape

# Sums may be reordered, but NaN and infinity keep their meaning: they tell of divergence.
compiled = njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})

SPARSE_BLOCK = 8  # trajectories
DENSE_BLOCK = 128
MIN_DENSE_BATCH = 12
MAX_DENSE_UNITS = 64
WIDE = 12  # units; below, rows of W are too short for vector instructions, its columns are not
CHUNK = 1024  # rows of (time, batch) in one product for weight gradients


def forward(f, start, drive, targets, gain, shape, workspace):
    """States z_0 .. z_T, (T, B, M) being `shape`, as a `Tape`; the rest broadcasts against it."""
    T, B, M = shape
    dtype = f.W.dtype
    states = workspace.array("states", (T + 1, B, M), dtype)
    features = workspace.array("features", (T, B, f.n_hidden), dtype)
    forced = states[:-1] if gain is None else workspace.array("forced", shape, dtype)
    full = lambda name, x: _full(name, x, shape, dtype, workspace)
    arguments = (
        *_weights(f),
        states,
        features,
        forced,
        full("full_drive", drive),
        full("full_targets", None if gain is None else targets),
        full("full_gain", gain),
    )
    states[0] = start
    block, dense = _blocks(f, B)
    kernel = _forward_dense if dense else _forward_sparse
    workspace.share(lambda i, j: kernel(*arguments, block, i, j), -(-B // block))
    return Tape(states, forced, features)


def adjoint(f, tape, gain, states_bar, workspace):
    """Pull the cotangent (T, B, M) of z_1 .. z_T back through the recurrence."""
    shape = T, B, M = states_bar.shape
    dtype, L = f.W.dtype, f.n_hidden
    drive_bar = workspace.array("drive_bar", shape, dtype)
    a_bar = workspace.array("a_bar", (T if f.V is not None else 0, B, L), dtype)
    forced_bar = workspace.array("forced_bar", shape if gain is not None else (0, B, M), dtype)
    start_bar = np.zeros((B, M), dtype)
    block, dense = _blocks(f, B)
    n_blocks = -(-B // block)
    sums = np.zeros((n_blocks, 2 * M + L), dtype)  # of A, h, theta
    arguments = (
        *_weights(f),
        np.require(tape.forced, dtype, "CW"),
        tape.features,
        _full("full_gain", gain, shape, dtype, workspace),
        np.require(states_bar, dtype, "CW"),
        drive_bar,
        a_bar,
        forced_bar,
        start_bar,
        sums,
    )
    kernel = _adjoint_dense if dense else _adjoint_sparse
    workspace.share(lambda i, j: kernel(*arguments, block, i, j), n_blocks)
    A_bar, h_bar, theta_bar = np.split(sums.sum(axis=0), [M, 2 * M])
    return Cotangents(
        A_bar,
        _product(drive_bar, tape.features, workspace),
        h_bar,
        None if f.V is None else _product(a_bar, tape.forced, workspace),
        theta_bar,
        start_bar,
        drive_bar,
        None if gain is None else forced_bar,
        None if f.V is None else a_bar,
    )


def _weights(f):
    """Writeable, contiguous A, W, W', h, V, V', theta, floor; V is empty where it is the identity."""
    dtype, L, M = f.W.dtype, f.n_hidden, f.n_components
    V = np.empty((0, M), dtype) if f.V is None else np.array(f.V, dtype, order="C")
    theta = np.zeros(L, dtype) if f.theta is None else np.array(f.theta, dtype)
    floor = np.zeros(L, dtype) + f.floor()
    A, W, h = (np.array(x, dtype, order="C") for x in f[:3])
    return A, W, np.ascontiguousarray(W.T), h, V, np.ascontiguousarray(V.T), theta, floor


def _full(name, x, shape, dtype, workspace):
    """`x` as a contiguous, writeable array of `shape`; no rows where it is None."""
    if x is None:
        return np.empty((0, *shape[1:]), dtype)
    flags = getattr(x, "flags", None)
    if type(x) is np.ndarray and x.shape == shape and x.dtype == dtype:
        if flags.c_contiguous and flags.writeable:
            return x
    out = workspace.array(name, shape, dtype)
    out[...] = x
    return out


def _blocks(f, n_sequences):
    """Trajectories in a block, and whether to make dense products."""
    dense = (
        f.W.dtype == np.float32
        and n_sequences >= MIN_DENSE_BATCH
        and WIDE <= f.n_components
        and f.n_hidden <= MAX_DENSE_UNITS
    )
    return (DENSE_BLOCK, True) if dense else (SPARSE_BLOCK, False)


def _product(left, right, workspace):
    """Sum over time and batch of outer products."""
    left, right = left.reshape(-1, left.shape[-1]), right.reshape(-1, right.shape[-1])
    n_chunks = -(-len(left) // CHUNK)
    parts = workspace.array("parts", (n_chunks, left.shape[1], right.shape[1]), left.dtype)

    def work(first, last):
        for i in range(first, last):
            rows = slice(i * CHUNK, (i + 1) * CHUNK)
            np.matmul(left[rows].T, right[rows], out=parts[i])

    workspace.share(work, n_chunks)
    return parts.sum(axis=0)


@compiled
def _add_rows(out, rows, index, weight, n):
    """``out += sum_k weight[k] rows[index[k]]``; both lists have room for three more."""
    for k in range(n, n + 3):
        index[k], weight[k] = 0, 0
    for k in range(0, n, 4):
        r0, r1, r2, r3 = rows[index[k]], rows[index[k + 1]], rows[index[k + 2]], rows[index[k + 3]]
        w0, w1, w2, w3 = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
        for i in range(out.size):
            out[i] += (w0 * r0[i] + w1 * r1[i]) + (w2 * r2[i] + w3 * r3[i])


@compiled
def _dot_rows(out, rows, index, x, n):
    """``out[k] = rows[index[k]] . x``; the list has room for three more."""
    for k in range(n, n + 3):
        index[k] = 0
    for k in range(0, n, 4):
        r0, r1, r2, r3 = rows[index[k]], rows[index[k + 1]], rows[index[k + 2]], rows[index[k + 3]]
        d0 = d1 = d2 = d3 = x.dtype.type(0)
        for i in range(x.size):
            d0 += r0[i] * x[i]
            d1 += r1[i] * x[i]
            d2 += r2[i] * x[i]
            d3 += r3[i] * x[i]
        out[k], out[k + 1], out[k + 2], out[k + 3] = d0, d1, d2, d3


@compiled
def _add_all(out, rows, x):
    """``out += sum_k x[k] rows[k]``."""
    for k in range(x.size):
        w, r = x[k], rows[k]
        for i in range(out.size):
            out[i] += w * r[i]


@compiled
def _add_dots(out, rows, x):
    """``out[k] += rows[k] . x``."""
    for k in range(out.size):
        r = rows[k]
        d = x.dtype.type(0)
        for i in range(x.size):
            d += r[i] * x[i]
        out[k] += d


@compiled
def _forward_sparse(
    A, W, WT, h, V, VT, theta, floor, states, features, forced, drive, targets, gain, block, i, j
):
    T, B, L = features.shape
    M = A.size
    index, weight = np.empty(L + 4, np.int64), np.empty(L + 4, W.dtype)
    for first in range(i * block, min(j * block, B), block):
        for t in range(T):
            for b in range(first, min(first + block, B)):
                z, new, g = states[t, b], states[t + 1, b], features[t, b]
                if gain.shape[0]:
                    z = forced[t, b]
                    for m in range(M):
                        z[m] = states[t, b, m] + gain[t, b, m] * (
                            targets[t, b, m] - states[t, b, m]
                        )
                if V.shape[0]:
                    g[:] = theta
                    _add_all(g, VT, z)
                else:
                    for k in range(L):
                        g[k] = z[k] + theta[k]
                n = 0
                for k in range(L):
                    on = g[k] > floor[k]
                    g[k] = g[k] if on else floor[k]
                    index[n], weight[n] = k, g[k]
                    n += on
                for m in range(M):
                    new[m] = A[m] * z[m] + h[m]
                if drive.shape[0]:
                    for m in range(M):
                        new[m] += drive[t, b, m]
                if M < WIDE:
                    _add_dots(new, W, g)
                else:
                    _add_rows(new, WT, index, weight, n)


@compiled
def _adjoint_sparse(
    A, W, WT, h, V, VT, theta, floor, forced, features, gain,
    states_bar, drive_bar, a_bars, forced_bar, start_bar, sums, block, i, j,
):  # fmt: skip
    T, B, L = features.shape
    M = A.size
    index, weight = np.empty(L + 4, np.int64), np.empty(L + 4, W.dtype)
    a_bar = np.empty(L, W.dtype)
    for first in range(i * block, min(j * block, B), block):
        part = sums[first // block]
        A_bar, h_bar, theta_bar = part[:M], part[M : 2 * M], part[2 * M :]
        for t in range(T - 1, -1, -1):
            for b in range(first, min(first + block, B)):
                bar, z_bar, g, z = drive_bar[t, b], start_bar[b], features[t, b], forced[t, b]
                for m in range(M):
                    bar[m] = states_bar[t, b, m] + z_bar[m]
                    z_bar[m] = A[m] * bar[m]
                    A_bar[m] += bar[m] * z[m]
                    h_bar[m] += bar[m]
                if M < WIDE:
                    a_bar[:] = 0
                    _add_all(a_bar, W, bar)
                    for k in range(L):
                        a_bar[k] = a_bar[k] if g[k] > floor[k] else 0
                else:
                    n = 0
                    for k in range(L):
                        index[n] = k
                        n += g[k] > floor[k]
                    _dot_rows(weight, WT, index, bar, n)
                    a_bar[:] = 0
                    for k in range(n):
                        a_bar[index[k]] = weight[k]
                for k in range(L):
                    theta_bar[k] += a_bar[k]
                if V.shape[0] == 0:
                    for m in range(M):
                        z_bar[m] += a_bar[m]
                else:
                    a_bars[t, b] = a_bar
                    if M < WIDE:
                        _add_dots(z_bar, VT, a_bar)
                    else:
                        _add_rows(z_bar, V, index, weight, n)
                if gain.shape[0]:
                    for m in range(M):
                        forced_bar[t, b, m] = z_bar[m]
                        z_bar[m] *= 1 - gain[t, b, m]


@compiled
def _forward_dense(
    A, W, WT, h, V, VT, theta, floor, states, features, forced, drive, targets, gain, block, i, j
):
    T, B, L = features.shape
    M = A.size
    for first in range(i * block, min(j * block, B), block):
        last = min(first + block, B)
        for t in range(T):
            z, new, g = states[t, first:last], states[t + 1, first:last], features[t, first:last]
            if gain.shape[0]:
                z = forced[t, first:last]
                for b in range(last - first):
                    for m in range(M):
                        free = states[t, first + b, m]
                        pull = gain[t, first + b, m]
                        z[b, m] = free + pull * (targets[t, first + b, m] - free)
            if V.shape[0]:
                np.dot(z, VT, g)
            else:
                g[:] = z
            for b in range(last - first):
                for k in range(L):
                    a = g[b, k] + theta[k]
                    g[b, k] = a if a > floor[k] else floor[k]
            np.dot(g, WT, new)
            for b in range(last - first):
                for m in range(M):
                    new[b, m] += A[m] * z[b, m] + h[m]
            if drive.shape[0]:
                for b in range(last - first):
                    for m in range(M):
                        new[b, m] += drive[t, first + b, m]


@compiled
def _adjoint_dense(
    A, W, WT, h, V, VT, theta, floor, forced, features, gain,
    states_bar, drive_bar, a_bars, forced_bar, start_bar, sums, block, i, j,
):  # fmt: skip
    T, B, L = features.shape
    M = A.size
    scratch = np.empty((block, L), W.dtype)
    product = np.empty((block, M), W.dtype)
    for first in range(i * block, min(j * block, B), block):
        last = min(first + block, B)
        part = sums[first // block]
        A_bar, h_bar, theta_bar = part[:M], part[M : 2 * M], part[2 * M :]
        z_bars = start_bar[first:last]
        for t in range(T - 1, -1, -1):
            bars, a_bar = drive_bar[t, first:last], scratch[: last - first]
            for b in range(last - first):
                bar, z_bar, z = bars[b], z_bars[b], forced[t, first + b]
                for m in range(M):
                    bar[m] = states_bar[t, first + b, m] + z_bar[m]
                    z_bar[m] = A[m] * bar[m]
                    A_bar[m] += bar[m] * z[m]
                    h_bar[m] += bar[m]
            np.dot(bars, W, a_bar)
            for b in range(last - first):
                g = features[t, first + b]
                for k in range(L):
                    a_bar[b, k] = a_bar[b, k] if g[k] > floor[k] else 0
                    theta_bar[k] += a_bar[b, k]
            if V.shape[0] == 0:
                for b in range(last - first):
                    for m in range(M):
                        z_bars[b, m] += a_bar[b, m]
            else:
                a_bars[t, first:last] = a_bar
                np.dot(a_bar, V, product[: last - first])
                for b in range(last - first):
                    for m in range(M):
                        z_bars[b, m] += product[b, m]
            if gain.shape[0]:
                for b in range(last - first):
                    for m in range(M):
                        forced_bar[t, first + b, m] = z_bars[b, m]
                        z_bars[b, m] *= 1 - gain[t, first + b, m]

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

from .compilation import compiled, inlined
from .tape import SHARED_BATCH, Pullback, Tape

MIN_DENSE_BATCH = 12  # trajectories
DENSE_BLOCK = 128
WIDE = 12  # units; below, rows of W are too short for vector instructions, its columns are not


def forward(f, ports, start, inputs, targets, gain, shape, workspace):
    """States and outputs as a `Tape`; `shape` is (T, B, M), against which the rest broadcasts."""
    T, B, M = shape
    dtype, N = f.W.dtype, ports.n_outputs
    full = lambda name, x, n: _full(name, x, (T, B, n), dtype, workspace)
    states = workspace.array("states", (T + 1, B, M), dtype)
    all_units = ports.B is None and N == M
    outputs = states[1:] if all_units else workspace.array("outputs", (T, B, N), dtype)
    forced = states[:-1] if gain is None else workspace.array("forced", shape, dtype)
    # Features that are max(z, floor) are as quickly made again: one step of them is enough.
    plain = f.V is None and f.theta is None
    features = workspace.array("features", (1 if plain else T, B, f.n_hidden), dtype)
    arguments = (
        *_weights(f),
        *_port_weights(ports, M, dtype),
        states,
        outputs,
        forced,
        features,
        full("full_inputs", inputs, 0 if inputs is None else inputs.shape[-1]),
        full("full_targets", None if gain is None else targets, M),
        full("full_gain", gain, M),
    )
    states[0] = start
    block, dense = _blocks(B)
    kernel = (_forward_dense if dense else _forward_sparse)[dtype]
    workspace.share(lambda i, j: kernel(*arguments, block, i, j), -(-B // block))
    return Tape(states, outputs, forced, None if plain else features)


def adjoint(f, ports, tape, gain, outputs_bar, end_bar, workspace):
    """Pull cotangents of outputs (T, B, N) and of the last state back through the recurrence."""
    shape = T, B, M = tape.forced.shape
    dtype, L = f.W.dtype, f.n_hidden
    drive_bar = workspace.array("drive_bar", shape, dtype)
    a_bar = workspace.array("a_bar", (T if f.V is not None else 0, B, L), dtype)
    forced_bar = workspace.array("forced_bar", shape if gain is not None else (0, B, M), dtype)
    start_bar = np.zeros((B, M), dtype) if end_bar is None else end_bar.copy()
    block, dense = _blocks(B)
    n_blocks = -(-B // block)
    sums = np.zeros((n_blocks, 2 * M + L), dtype)  # of A, h, theta
    outputs_bar = _full("outputs_bar", outputs_bar, outputs_bar.shape, dtype, workspace)
    arguments = (
        *_weights(f),
        *_port_weights(ports, M, dtype),
        tape.forced,
        tape.forced if tape.features is None else tape.features,
        _full("full_gain", gain, shape, dtype, workspace),
        outputs_bar,
        drive_bar,
        a_bar,
        forced_bar,
        start_bar,
        sums,
    )
    kernel = (_adjoint_dense if dense else _adjoint_sparse)[dtype]
    workspace.share(lambda i, j: kernel(*arguments, block, i, j), n_blocks)
    A_bar, h_bar, theta_bar = np.split(sums.sum(axis=0), [M, 2 * M])
    forced_bar = None if gain is None else forced_bar
    a_bar = None if f.V is None else a_bar
    return Pullback(A_bar, h_bar, theta_bar, start_bar, drive_bar, forced_bar, a_bar)


def _weights(f):
    """Writeable, contiguous A, W, W', h, V, V', theta, floor; V is empty for the identity."""
    dtype, L, M = f.W.dtype, f.n_hidden, f.n_components
    V = np.empty((0, M), dtype) if f.V is None else np.array(f.V, dtype, order="C")
    theta = np.zeros(L, dtype) if f.theta is None else np.array(f.theta, dtype)
    floor = np.zeros(L, dtype) + f.floor()
    A, W, h = (np.array(x, dtype, order="C") for x in f[:3])
    return A, W, np.ascontiguousarray(W.T), h, V, np.ascontiguousarray(V.T), theta, floor


def _port_weights(ports, n_components, dtype):
    """Writeable, contiguous C', B, b; empty where absent."""
    none = np.empty((0, n_components), dtype)
    CT = none if ports.C is None else np.array(ports.C.T, dtype, order="C")
    if ports.B is None:
        return CT, none, none[:, 0].copy()
    return CT, np.array(ports.B, dtype, order="C"), np.array(ports.b, dtype)


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


def _blocks(n_sequences):
    """Trajectories in a block, and whether to make dense products."""
    if n_sequences < MIN_DENSE_BATCH:
        return n_sequences, False
    n_blocks = max(-(-n_sequences // DENSE_BLOCK), 2 if n_sequences >= SHARED_BATCH else 1)
    return -(-n_sequences // n_blocks), True


@inlined
def _add_rows(out, rows, index, weight, n):
    """``out += sum_k weight[k] rows[index[k]]``; both lists have room for three more."""
    for k in range(n, n + 3):
        index[k], weight[k] = 0, 0
    for k in range(0, n, 4):
        r0, r1, r2, r3 = rows[index[k]], rows[index[k + 1]], rows[index[k + 2]], rows[index[k + 3]]
        w0, w1, w2, w3 = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
        for i in range(out.size):
            out[i] += (w0 * r0[i] + w1 * r1[i]) + (w2 * r2[i] + w3 * r3[i])


@inlined
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


@inlined
def _add_all(out, rows, x):
    """``out += sum_k x[k] rows[k]``."""
    for k in range(x.size):
        w, r = x[k], rows[k]
        for i in range(out.size):
            out[i] += w * r[i]


@inlined
def _add_dots(out, rows, x):
    """``out[k] += rows[k] . x``."""
    for k in range(out.size):
        r = rows[k]
        d = x.dtype.type(0)
        for i in range(x.size):
            d += r[i] * x[i]
        out[k] += d


@inlined
def _drive(new, CT, inputs, t, b):
    """``new += C inputs[t, b]``, C being the identity where it is empty."""
    if CT.shape[0]:
        for k in range(inputs.shape[2]):
            w = inputs[t, b, k]
            for m in range(new.size):
                new[m] += w * CT[k, m]
    else:
        for m in range(new.size):
            new[m] += inputs[t, b, m]


@inlined
def _read(outputs, t, b, Bm, bias, z):
    """``outputs[t, b] = B z + b``, or the first units; all of them are the output already."""
    if Bm.shape[0]:
        for n in range(outputs.shape[2]):
            d = bias[n]
            for m in range(z.size):
                d += Bm[n, m] * z[m]
            outputs[t, b, n] = d
    elif outputs.shape[2] < z.size:
        for n in range(outputs.shape[2]):
            outputs[t, b, n] = z[n]


@inlined
def _unread(z_bar, Bm, outputs_bar, t, b):
    """``z_bar += B' outputs_bar[t, b]``."""
    if Bm.shape[0]:
        for n in range(outputs_bar.shape[2]):
            w = outputs_bar[t, b, n]
            for m in range(z_bar.size):
                z_bar[m] += w * Bm[n, m]
    else:
        for n in range(outputs_bar.shape[2]):
            z_bar[n] += outputs_bar[t, b, n]


@compiled
def _forward_sparse(
    A, W, WT, h, V, VT, theta, floor, CT, Bm, bias,
    states, outputs, forced, features, inputs, targets, gain, block, i, j,
):  # fmt: skip
    T, B, M = forced.shape
    L = theta.size
    index, weight = np.empty(L + 4, np.int64), np.empty(L + 4, W.dtype)
    stored = features.shape[0] == T
    for first in range(i * block, min(j * block, B), block):
        for t in range(T):
            for b in range(first, min(first + block, B)):
                z, new, g = forced[t, b], states[t + 1, b], features[t * stored, b]
                if gain.shape[0]:
                    for m in range(M):
                        free = states[t, b, m]
                        z[m] = free + gain[t, b, m] * (targets[t, b, m] - free)
                if V.shape[0]:
                    for k in range(L):
                        g[k] = theta[k]
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
                if inputs.shape[0]:
                    _drive(new, CT, inputs, t, b)
                if M < WIDE:
                    _add_dots(new, W, g)
                else:
                    _add_rows(new, WT, index, weight, n)
                _read(outputs, t, b, Bm, bias, new)


@compiled
def _adjoint_sparse(
    A, W, WT, h, V, VT, theta, floor, CT, Bm, bias,
    forced, features, gain, outputs_bar, drive_bar, a_bars, forced_bar, start_bar, sums,
    block, i, j,
):  # fmt: skip
    T, B, M = forced.shape
    L = theta.size
    index, weight = np.empty(L + 4, np.int64), np.empty(L + 4, W.dtype)
    a_bar = np.empty(L, W.dtype)
    for first in range(i * block, min(j * block, B), block):
        part = sums[first // block]
        A_bar, h_bar, theta_bar = part[:M], part[M : 2 * M], part[2 * M :]
        for t in range(T - 1, -1, -1):
            for b in range(first, min(first + block, B)):
                bar, z_bar, z, g = drive_bar[t, b], start_bar[b], forced[t, b], features[t, b]
                for m in range(M):
                    bar[m] = z_bar[m]
                _unread(bar, Bm, outputs_bar, t, b)
                for m in range(M):
                    z_bar[m] = A[m] * bar[m]
                    A_bar[m] += bar[m] * z[m]
                    h_bar[m] += bar[m]
                n = 0
                if M < WIDE:
                    for k in range(L):
                        a_bar[k] = 0
                    _add_all(a_bar, W, bar)
                    for k in range(L):
                        a_bar[k] = a_bar[k] if g[k] > floor[k] else 0
                else:
                    for k in range(L):
                        index[n] = k
                        n += g[k] > floor[k]
                        a_bar[k] = 0
                    _dot_rows(weight, WT, index, bar, n)
                    for k in range(n):
                        a_bar[index[k]] = weight[k]
                for k in range(L):
                    theta_bar[k] += a_bar[k]
                if V.shape[0] == 0:
                    for m in range(M):
                        z_bar[m] += a_bar[m]
                else:
                    for k in range(L):
                        a_bars[t, b, k] = a_bar[k]
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
    A, W, WT, h, V, VT, theta, floor, CT, Bm, bias,
    states, outputs, forced, features, inputs, targets, gain, block, i, j,
):  # fmt: skip
    T, B, M = forced.shape
    L, N = theta.size, outputs.shape[2]
    stored = features.shape[0] == T
    BT = np.ascontiguousarray(Bm.T)
    drive = np.empty((block, M), W.dtype)
    A_rows, h_rows = _repeat(A, block), _repeat(h, block)
    theta_rows, floor_rows = _repeat(theta, block), _repeat(floor, block)
    for first in range(i * block, min(j * block, B), block):
        last = min(first + block, B)
        n = last - first
        for t in range(T):
            z, new = forced[t, first:last], states[t + 1, first:last]
            g = features[t * stored, first:last]
            z_flat, new_flat, g_flat = z.reshape(n * M), new.reshape(n * M), g.reshape(n * L)
            if gain.shape[0]:
                free = states[t, first:last].reshape(n * M)
                target = targets[t, first:last].reshape(n * M)
                pull = gain[t, first:last].reshape(n * M)
                for m in range(n * M):
                    z_flat[m] = free[m] + pull[m] * (target[m] - free[m])
            if V.shape[0]:
                np.dot(z, VT, g)
                for k in range(n * L):
                    a = g_flat[k] + theta_rows[k]
                    g_flat[k] = a if a > floor_rows[k] else floor_rows[k]
            else:
                for k in range(n * L):
                    a = z_flat[k] + theta_rows[k]
                    g_flat[k] = a if a > floor_rows[k] else floor_rows[k]
            np.dot(g, WT, new)
            if inputs.shape[0] == 0:
                for m in range(n * M):
                    new_flat[m] += A_rows[m] * z_flat[m] + h_rows[m]
            else:
                given = inputs[t, first:last]
                if CT.shape[0]:
                    np.dot(given, CT, drive[:n])
                added = drive[:n].reshape(n * M) if CT.shape[0] else given.reshape(n * M)
                for m in range(n * M):
                    new_flat[m] += A_rows[m] * z_flat[m] + h_rows[m] + added[m]
            if Bm.shape[0]:
                out = outputs[t, first:last]
                np.dot(new, BT, out)
                out += bias
            elif N < M:
                outputs[t, first:last] = new[:, :N]


@compiled
def _adjoint_dense(
    A, W, WT, h, V, VT, theta, floor, CT, Bm, bias,
    forced, features, gain, outputs_bar, drive_bar, a_bars, forced_bar, start_bar, sums,
    block, i, j,
):  # fmt: skip
    T, B, M = forced.shape
    L, N = theta.size, outputs_bar.shape[2]
    a_rows, product = np.empty((block, L), W.dtype), np.empty((block, M), W.dtype)
    A_rows, floor_rows = _repeat(A, block), _repeat(floor, block)
    A_bar, h_bar, theta_bar = np.empty((3, block * max(M, L)), W.dtype)
    for first in range(i * block, min(j * block, B), block):
        last = min(first + block, B)
        n = last - first
        A_bar[:], h_bar[:], theta_bar[:] = 0, 0, 0
        z_bar = start_bar[first:last].reshape(n * M)
        a_bar = a_rows[:n]
        a_flat, step = a_bar.reshape(n * L), product[:n].reshape(n * M)
        for t in range(T - 1, -1, -1):
            bar = drive_bar[t, first:last]
            bar_flat, z = bar.reshape(n * M), forced[t, first:last].reshape(n * M)
            g = features[t, first:last].reshape(n * L)
            if Bm.shape[0]:
                np.dot(outputs_bar[t, first:last], Bm, bar)
            else:
                bar[:, N:] = 0
                bar[:, :N] = outputs_bar[t, first:last]
            for m in range(n * M):
                x = bar_flat[m] + z_bar[m]
                bar_flat[m] = x
                z_bar[m] = A_rows[m] * x
                A_bar[m] += x * z[m]
                h_bar[m] += x
            np.dot(bar, W, a_bar)
            for k in range(n * L):
                a = a_flat[k] if g[k] > floor_rows[k] else 0
                a_flat[k] = a
                theta_bar[k] += a
            if V.shape[0]:
                np.dot(a_bar, V, product[:n])
                a_bars[t, first:last] = a_bar
                for m in range(n * M):
                    z_bar[m] += step[m]
            else:
                for m in range(n * M):
                    z_bar[m] += a_flat[m]
            if gain.shape[0]:
                pulled = forced_bar[t, first:last].reshape(n * M)
                pull = gain[t, first:last].reshape(n * M)
                for m in range(n * M):
                    pulled[m] = z_bar[m]
                    z_bar[m] *= 1 - pull[m]
        part = sums[first // block]
        for b in range(n):
            for m in range(M):
                part[m] += A_bar[b * M + m]
                part[M + m] += h_bar[b * M + m]
            for k in range(L):
                part[2 * M + k] += theta_bar[b * L + k]


@inlined
def _repeat(row, n):
    """`row` n times over, for loops without an inner one."""
    rows = np.empty((n, row.size), row.dtype)
    rows[:] = row
    return rows.reshape(n * row.size)

"""The recurrence and its adjoint, compiled, for few trajectories.

One trajectory at a time, which stays in cache, and products with active features only.
"""

import numpy as np

from .compilation import compiled, inlined

WIDE = 12  # units; below, rows of W are too short for vector instructions, its columns are not


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
def forward(
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
                    new[m] = h[m]
                if inputs.shape[0]:
                    _drive(new, CT, inputs, t, b)
                if M < WIDE:
                    _add_dots(new, W, g)
                else:
                    _add_rows(new, WT, index, weight, n)
                # What is added to an integrator is small and must be whole before it is rounded.
                for m in range(M):
                    new[m] += A[m] * z[m]
                _read(outputs, t, b, Bm, bias, new)


@compiled
def adjoint(
    A, W, WT, h, V, VT, theta, floor, CT, Bm, bias,
    forced, features, gain, outputs_bar, drive_bar, a_bars, forced_bar, start_bar, sums,
    least, block, i, j,
):  # fmt: skip
    T, B, M = forced.shape
    L = theta.size
    index, weight = np.empty(L + 4, np.int64), np.empty(L + 4, W.dtype)
    a_bar, zero = np.empty(L, W.dtype), W.dtype.type(0)
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
                    bar[m] = zero if abs(bar[m]) < least else bar[m]
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

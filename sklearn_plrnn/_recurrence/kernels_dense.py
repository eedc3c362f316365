"""The recurrence and its adjoint, compiled, for many trajectories: BLAS at each step of a block."""

import numpy as np

from .compilation import compiled, inlined


@compiled
def forward(
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
                    new_flat[m] = (new_flat[m] + h_rows[m]) + A_rows[m] * z_flat[m]
            else:
                given = inputs[t, first:last]
                if CT.shape[0]:
                    np.dot(given, CT, drive[:n])
                added = drive[:n].reshape(n * M) if CT.shape[0] else given.reshape(n * M)
                for m in range(n * M):
                    new_flat[m] = (new_flat[m] + h_rows[m] + added[m]) + A_rows[m] * z_flat[m]
            if Bm.shape[0]:
                out = outputs[t, first:last]
                np.dot(new, BT, out)
                out += bias
            elif N < M:
                outputs[t, first:last] = new[:, :N]


@compiled
def adjoint(
    A, W, WT, h, V, VT, theta, floor, CT, Bm, bias,
    forced, features, gain, outputs_bar, drive_bar, a_bars, forced_bar, start_bar, sums,
    least, block, i, j,
):  # fmt: skip
    T, B, M = forced.shape
    L, N = theta.size, outputs_bar.shape[2]
    a_rows, product = np.empty((block, L), W.dtype), np.empty((block, M), W.dtype)
    A_rows, floor_rows = _repeat(A, block), _repeat(floor, block)
    A_bar, h_bar, theta_bar = np.empty((3, block * max(M, L)), W.dtype)
    zero = W.dtype.type(0)
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
                x = zero if abs(x) < least else x
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

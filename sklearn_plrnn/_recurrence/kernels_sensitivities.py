"""Derivatives of all outputs by parameters and start, compiled: one trajectory at a time."""

import numpy as np

from .compilation import compiled, inlined
from .kernels_sparse import WIDE


@inlined
def _jacobian(J, A, W, WT, V, VT, is_on, pull):
    """``J = (diag(A) + W D V) (1 - G)``; no `pull` where nothing is forced."""
    M, L = A.size, is_on.size
    if V.shape[0] and M < WIDE:
        for m in range(M):
            w = W[m]
            for n in range(M):
                v, d = VT[n], A.dtype.type(0)
                for k in range(L):
                    d += (w[k] * is_on[k]) * v[k]
                J[m, n] = d
    else:
        for m in range(M):
            for n in range(M):
                J[m, n] = 0
        for k in range(L):
            if is_on[k] and V.shape[0]:
                for m in range(M):
                    w = WT[k, m]
                    for n in range(M):
                        J[m, n] += w * V[k, n]
            elif is_on[k]:
                for m in range(M):
                    J[m, k] += WT[k, m]
    for m in range(M):
        J[m, m] += A[m]
    if pull.size:
        for m in range(M):
            for n in range(M):
                J[m, n] *= 1 - pull[n]


@inlined
def _multiply(out, J, S):
    """``out = J S``."""
    M = J.shape[0]
    if M >= WIDE:
        np.dot(J, S, out)
    else:
        for m in range(M):
            row = out[m]
            row[:] = 0
            for k in range(M):
                w, r = J[m, k], S[k]
                for i in range(row.size):
                    row[i] += w * r[i]


@inlined
def _read_rows(out, Bm, S):
    """``out[n, : columns of S] = (B S)[n]``, or the first rows of S."""
    for n in range(out.shape[0]):
        if Bm.shape[0]:
            out[n, : S.shape[1]] = 0
            for m in range(S.shape[0]):
                w, r = Bm[n, m], S[m]
                for i in range(S.shape[1]):
                    out[n, i] += w * r[i]
        else:
            for i in range(S.shape[1]):
                out[n, i] = S[n, i]


@compiled
def sensitivities(
    A, W, WT, h, V, VT, theta, floor, CT, Bm, bias,
    states, forced, features, inputs, gain, begins, starts, parameters, i, j,
):  # fmt: skip
    T, M, L, K = forced.shape[0], A.size, theta.size, inputs.shape[2]
    of_A, of_W, of_h, of_V, of_theta, of_C, of_B, of_b = begins
    n_fed = of_B if Bm.shape[0] else parameters.shape[3]  # columns that act on later steps
    n_fed = n_fed if parameters.shape[0] else 0
    n_V = V.shape[0] * M
    J, g = np.empty((M, M), W.dtype), np.empty(L, W.dtype)
    is_on, of_own = np.empty(L, W.dtype), np.empty(n_V, W.dtype)
    W_of_V = np.empty((M, n_V), W.dtype)  # beside entries of V: what W makes of each
    for m in range(M):
        for i_V in range(n_V):
            W_of_V[m, i_V] = W[m, i_V // M]
    for b in range(i, j):
        S0, new0 = np.eye(M, dtype=W.dtype), np.empty((M, M), W.dtype)
        S, new = np.zeros((M, n_fed), W.dtype), np.empty((M, n_fed), W.dtype)
        for t in range(T):
            z = forced[t, b]
            for k in range(L):
                a = features[t, b, k] if features.shape[0] else z[k] + theta[k]
                on = a > floor[k]
                g[k] = a if on else floor[k]
                is_on[k] = on
            _jacobian(J, A, W, WT, V, VT, is_on, gain[t, b] if gain.shape[0] else z[:0])
            _multiply(new0, J, S0)
            S0, new0 = new0, S0
            _read_rows(starts[b, t], Bm, S0)
            if parameters.shape[0] == 0:
                continue
            _multiply(new, J, S)
            S, new = new, S
            for k in range(V.shape[0]):
                for n in range(M):
                    of_own[k * M + n] = is_on[k] * z[n]
            for m in range(M):
                row, w, w_V = S[m], W[m], W_of_V[m]
                row[of_A + m] += z[m]
                row[of_h + m] += 1
                own = row[of_W + m * L : of_W + (m + 1) * L]
                for k in range(L):
                    own[k] += g[k]
                if of_V >= 0:
                    own = row[of_V : of_V + n_V]
                    for k in range(n_V):
                        own[k] += w_V[k] * of_own[k]
                if of_theta >= 0:
                    own = row[of_theta : of_theta + L]
                    for k in range(L):
                        own[k] += w[k] * is_on[k]
                if of_C >= 0:
                    for k in range(K):
                        row[of_C + m * K + k] += inputs[t, b, k]
            _read_rows(parameters[b, t], Bm, S)
            if Bm.shape[0]:
                for n in range(Bm.shape[0]):
                    own = parameters[b, t, n]
                    own[n_fed:] = 0
                    own[of_b + n] = 1
                    for m in range(M):
                        own[of_B + n * M + m] = states[t + 1, b, m]

"""Which activation patterns can hold a cycle, where there are too many to try them all.

A cycle of k steps solves linear equations, for t = 1, ..., k,

    z_{t+1} - A z_t - W p_t = h,    V z_t - p_t + m_t = -theta,    p_t, m_t >= 0,

in which of each unit one of p and m is 0: it is on or off. Decide that for some units, and let the
others have both. If even that has no solution, no pattern with these decisions holds a cycle, and a
whole branch of the tree of decisions is cut off: of the 2^20 patterns of a PLRNN some hundred
branches remain. States, which may have any sign, are eliminated beforehand, so that non-negative
least squares decides; where there is no solution, its residual proves it.
"""

import numpy as np
from scipy.optimize import nnls

from ._protocol import kinks_of

CLOSE = 1e-9  # distance from the equations, relative to their right side, that may be rounding
LARGE = 1e4  # sum of parts that a solution is not believed to have


def promising_patterns(f, order, max_branches):
    """Patterns (n, order, L) that no branch cut off has, and whether all branches were tried."""
    columns, target, moving = _equations(f, order)
    allowed = np.ones(columns.shape[1:], bool)  # (2, n): off, on
    branches, found, n_tried = [(allowed, _parts(columns, target, allowed))], [], 0
    while branches and n_tried < max_branches:
        n_tried += 1
        allowed, parts = branches.pop()
        undecided = allowed.all(axis=0)
        if parts is None:
            continue
        if not undecided.any():
            found.append(allowed[1])
            continue
        # A unit that is on and off at once, if there is one: to decide it changes something.
        both = np.where(undecided, parts.min(axis=0), 0)
        i = np.argmax(both if both.any() else np.where(undecided, parts.max(axis=0), -1))
        for side in (0, 1):
            branch = allowed.copy()
            branch[1 - side, i] = False
            same = parts[1 - side, i] == 0
            branches.append((branch, parts if same else _parts(columns, target, branch)))
    patterns = np.ones((len(found), order * f.n_hidden), bool)
    patterns[:, moving] = np.reshape(found, (len(found), moving.sum()))
    return patterns.reshape(len(found), order, f.n_hidden), not branches


def _equations(f, order):
    """Columns (rows, 2, n) and target (rows,) of ``off m + on p = target``; which units (kL,)."""
    V, theta = kinks_of(f)
    M, L = f.W.shape
    steps, after = np.eye(order), np.roll(np.eye(order), 1, axis=1)
    states = np.kron(after, np.eye(M)) - np.kron(steps, np.diag(f.A))
    states = np.vstack([states, np.kron(steps, V)])
    on = -np.vstack([np.kron(steps, f.W), np.eye(order * L)])
    off = np.vstack([np.zeros((order * M, order * L)), np.eye(order * L)])
    target = np.concatenate([np.tile(f.h, order), -np.tile(theta, order)])
    # Regularized units have rows near 0, which count no less than others.
    size = np.abs(np.hstack([states, on])).max(axis=1, keepdims=True)
    size[size == 0] = 1
    states, on, off, target = states / size, on / size, off / size, target / size[:, 0]
    moving = np.tile(np.ones(L, bool) if f.always_on is None else ~f.always_on, order)
    free = np.hstack([states, on[:, ~moving]])
    rest = np.linalg.qr(free, mode="complete")[0][:, free.shape[1] :].T
    columns = np.stack([rest @ off[:, moving], rest @ on[:, moving]], axis=1)
    target = rest @ target
    columns /= np.maximum(np.linalg.norm(columns, axis=0), np.finfo(float).tiny)
    return columns, target / (np.linalg.norm(target) or 1), moving


def _parts(columns, target, allowed):
    """Parts (2, n) that are not negative and solve the equations; None if there are none."""
    parts = np.zeros(allowed.shape)
    try:
        parts[allowed], distance = nnls(columns[:, allowed], target)
    except RuntimeError:  # too many iterations: nothing is proved
        return allowed.astype(float)
    residual = target - np.tensordot(columns, parts)
    # A solution would have residual @ target = sum(parts * gains).
    gains = residual @ columns[:, allowed]
    is_proof = residual @ target > LARGE * gains.max(initial=0)
    return None if distance > CLOSE and is_proof else parts

"""Many small matrices at once, some of them singular."""

import numpy as np


def solve_each(A, b):
    """Solutions (n, M) of ``A x = b`` for A (n, M, M) and b (n, M); NaN where A is singular."""
    try:
        return np.linalg.solve(A, b[..., None])[..., 0]
    except np.linalg.LinAlgError:  # one singular matrix is enough
        x = np.full(b.shape, np.nan)
        regular = np.linalg.det(A) != 0
        x[regular] = np.linalg.solve(A[regular], b[regular][..., None])[..., 0]
        return x


def times(J, z):
    """Products (..., M) of J (..., M, M) and z (..., M)."""
    return (J @ z[..., None])[..., 0]

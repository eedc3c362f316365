"""Smoothed series, for training to begin with where data are few.

A model that is fitted to few noisy rows follows the noise, and where its windows are too short to
tell the two apart it is led astray before longer ones come. To penalize second differences
(Whittaker 1923) takes no knowledge of the system and smooths as cubic splines do; for each variable
as much as generalized cross-validation says (Craven and Wahba 1979), but no more than takes away
what may be noise: a series that is not smooth in time, as that of a map, looks like nothing else.
"""

import numpy as np
import scipy.linalg

PENALTIES = 4.0 ** np.arange(-6, 15)  # on squares of second differences
ROUGHLY = 1.5  # times the noise may be as much as it is estimated to be
MIN_ROWS = 10  # measured; fewer are left as they are


def smooth(series, noise):
    """Smoothed targets (R, N), and the share (N,) of the variance of white noise left in them.

    `noise` (N,) are standard deviations, of which estimates are rough.
    """
    targets, measured = series.targets.copy(), series.weights > 0
    left = np.zeros(targets.shape[1])
    for first, length in zip(series.first, series.lengths, strict=True):
        rows = slice(first, first + length)
        for variable in range(targets.shape[1]):
            known, share = measured[rows, variable], 1.0
            if np.count_nonzero(known) >= MIN_ROWS:
                fitted, share = _smoothed(
                    series.targets[rows, variable].astype(float), known, noise[variable]
                )
                targets[rows, variable] = np.where(known, fitted, targets[rows, variable])
            left[variable] += share * np.count_nonzero(known)
    return targets, left / np.maximum(measured.sum(axis=0), 1)


def _smoothed(y, known, noise):
    """The smoothed values of one variable, and the trace of the smoother per known value.

    The trace is estimated by what becomes of random signs.
    """
    signs = np.random.default_rng(0).choice([-1.0, 1.0], len(y))
    given = np.where(known[:, None], np.stack([y, signs], axis=1), 0.0)
    roughness = _roughness(len(y))
    best = np.inf, y, 1.0
    for penalty in PENALTIES:
        bands = penalty * roughness
        bands[-1] += known
        fitted, of_signs = scipy.linalg.solveh_banded(bands, given).T
        trace = float(np.clip(np.mean((signs * of_signs)[known]), 0, 1))
        error = np.mean((fitted - y)[known] ** 2)
        if error > (ROUGHLY * noise) ** 2:
            break
        score = error / max(1 - trace, np.finfo(float).eps) ** 2
        if score < best[0]:
            best = score, fitted, trace
    return best[1:]


def _roughness(n):
    """D' D of second differences D (n - 2, n): its upper bands, the diagonal last."""
    weights, bands = (1.0, -2.0, 1.0), np.zeros((3, n))
    for i in range(3):
        for j in range(i, 3):
            bands[2 + i - j, j : n - 2 + j] += weights[i] * weights[j]
    return bands

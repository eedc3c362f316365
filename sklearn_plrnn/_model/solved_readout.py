"""Readouts that are solved for, given the states that a network produces.

Ridge regression for squared errors, logistic regression for labels; both on standardized states.
"""

from functools import singledispatch

import numpy as np
import scipy.linalg
from sklearn.linear_model import LogisticRegression

from .losses import CrossEntropy, SquaredError

MAX_ROWS = 50_000  # of a logistic regression


def solve_readout(objective, params, batches, ridge):
    """`params` with B, b for the states of `batches`; `ridge` in units of each state's variance."""
    if "B" not in params or objective.forcing is not None:
        return params
    solved = _solve(objective.loss, _counted(objective, params, batches), ridge)
    if solved is None:
        return params
    return params | {
        name: x.astype(params[name].dtype) for name, x in zip("Bb", solved, strict=True)
    }


def ridge_regression(design, targets, weights, ridge):
    """Coefficients (M, N) and offset (N,) of weighted targets (n, N) on the columns of `design`."""
    return _coefficients(*_moments([(design, targets, weights)]), ridge)


def _counted(objective, params, batches):
    """States (n, M), targets (n, N) and weights (n,) of what counts in each batch, in double."""
    for batch in batches.ordered():
        counted = (batch.weights > 0).any(axis=-1)
        states = objective.states(params, batch, at_end=batch.at_end)[counted]
        weights = batch.weights[counted].mean(axis=-1)
        yield states.astype(float), batch.targets[counted].astype(float), weights.astype(float)


@singledispatch
def _solve(loss, rows, ridge):
    raise TypeError(f"no readout to solve for with {type(loss).__name__}")


@_solve.register
def _(loss: SquaredError, rows, ridge):
    moments = _moments(rows)
    if not all(np.isfinite(x).all() for x in moments):
        return None
    B, b = _coefficients(*moments, ridge)
    return B.T, b


@_solve.register
def _(loss: CrossEntropy, rows, ridge):
    states, targets, weights = (np.concatenate(x)[:MAX_ROWS] for x in zip(*rows, strict=True))
    labels = targets.argmax(axis=1)
    if not np.isfinite(states).all() or len(np.unique(labels)) < 2:
        return None
    mean, scale = states.mean(axis=0), states.std(axis=0)
    scale = np.where(scale > 1e-10 * np.abs(mean), scale, np.inf)
    weights = weights * len(weights) / weights.sum()
    fitted = LogisticRegression(C=1 / (ridge * len(states)), max_iter=200, tol=1e-3)
    with np.errstate(all="ignore"):
        fitted.fit((states - mean) / scale, labels, weights)
    B, b = np.zeros((targets.shape[1], states.shape[1])), np.full(targets.shape[1], -10.0)
    of_labels, offsets = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:
        of_labels, offsets = np.vstack([-of_labels, of_labels]) / 2, np.r_[-offsets, offsets] / 2
    B[fitted.classes_], b[fitted.classes_] = of_labels / scale, offsets
    return B, b - B @ mean


def _moments(rows):
    """Weighted second moments of (states, 1) and their moments with the targets."""
    gram = moments = 0.0
    for states, targets, weights in rows:
        design = np.hstack([states, np.ones((len(states), 1))])
        weighted = design.T * weights
        gram, moments = gram + weighted @ design, moments + weighted @ targets
    return gram, moments


def _coefficients(gram, moments, ridge):
    total = gram[-1, -1]
    state_mean, target_mean = gram[-1, :-1] / total, moments[-1] / total
    covariance = gram[:-1, :-1] / total - np.outer(state_mean, state_mean)
    cross = moments[:-1] / total - np.outer(state_mean, target_mean)
    # States of unit variance: rounding is then the same for those of any size.
    variance = covariance.diagonal()
    floor = 1e-12 * (variance + state_mean**2) + np.finfo(float).tiny
    scale = np.where(variance > floor, np.sqrt(np.maximum(variance, floor)), np.inf)
    normal = covariance / np.outer(scale, scale)
    normal.flat[:: len(normal) + 1] = 1 + ridge
    solution = scipy.linalg.solve(normal, cross / scale[:, None], assume_a="pos") / scale[:, None]
    return solution, target_mean - state_mean @ solution

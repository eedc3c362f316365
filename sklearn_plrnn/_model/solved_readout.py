"""Readouts that are solved for, given the states that a network produces.

Ridge regression for squared errors, logistic regression for labels; both on standardized states.
"""

import warnings
from functools import singledispatch

import numpy as np
import scipy.linalg
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from .losses import CrossEntropy, SquaredError

RIDGES = (1e-6, 1e-4, 1e-2, 1.0)  # in units of each state's variance
MAX_ROWS = 50_000  # of a logistic regression; a tenth of them to find its ridge
ABSENT = -10.0  # logit of a class that no row has
EVERY = 4  # one row in so many is held out to choose a ridge


def solve_readout(objective, params, batches, ridges=RIDGES):
    """`params` with B, b for the states of `batches`; of several ridges, what holds out best."""
    if "B" not in params or objective.forcing is not None:
        return params
    solved = _solve(objective.loss, _counted(objective, params, batches), ridges)
    if solved is None:
        return params
    return params | {
        name: x.astype(params[name].dtype) for name, x in zip("Bb", solved, strict=True)
    }


def ridge_regression(design, targets, weights):
    """Coefficients (M, N) and offset (N,) of weighted targets (n, N) on the columns of `design`."""
    return _best_ridge(_moments([(design, targets, weights)]), RIDGES)


def _counted(objective, params, batches):
    """What B multiplies (n, M), targets (n, N) and weights (n,) of all that counts, in double."""
    for batch in batches.ordered():
        size = batch.inputs.shape[1]  # a batch's weights are divided by it
        counted = (batch.weights > 0).any(axis=-1)
        states = objective.states(params, batch, at_end=batch.at_end)[counted]
        features = objective.readout.features(states)
        weights = size * batch.weights[counted].mean(axis=-1)
        yield features.astype(float), batch.targets[counted].astype(float), weights.astype(float)


@singledispatch
def _solve(loss, rows, ridge):
    raise TypeError(f"no readout to solve for with {type(loss).__name__}")


@_solve.register
def _(loss: SquaredError, rows, ridges):
    moments = _moments(rows)
    if not np.isfinite(moments[0] + moments[1]).all():
        return None
    B, b = _best_ridge(moments, ridges)
    return B.T, b


@_solve.register
def _(loss: CrossEntropy, rows, ridges):
    states, targets, weights = (_some(np.concatenate(x), MAX_ROWS) for x in zip(*rows, strict=True))
    labels = targets.argmax(axis=1)
    if not np.isfinite(states).all() or len(np.unique(labels)) < 2:
        return None
    mean, scale = states.mean(axis=0), states.std(axis=0)
    scale = np.where(scale > 1e-10 * np.abs(mean), scale, np.inf)
    states, weights = (states - mean) / scale, weights * len(weights) / weights.sum()
    ridge = _logistic_ridge(states, labels, weights, ridges)
    fitted = _logistic(states, labels, weights, ridge)
    B, b = np.zeros((targets.shape[1], states.shape[1])), np.full(targets.shape[1], ABSENT)
    of_labels, offsets = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:
        of_labels, offsets = np.vstack([-of_labels, of_labels]) / 2, np.r_[-offsets, offsets] / 2
    B[fitted.classes_], b[fitted.classes_] = of_labels / scale, offsets
    return B, b - B @ mean


def _some(x, n):
    """At most `n` rows, evenly spread, for rows may be in the order of their labels."""
    return x[:: -(-len(x) // n)]


def _logistic(states, labels, weights, ridge):
    fitted = LogisticRegression(C=1 / (ridge * len(states)), max_iter=200, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is a start
        return fitted.fit(states, labels, weights)


def _logistic_ridge(states, labels, weights, ridges):
    """The ridge with the smallest error on held-out rows."""
    states, labels, weights = (_some(x, MAX_ROWS // 10) for x in (states, labels, weights))
    out = np.arange(len(states)) % EVERY == EVERY - 1
    n_labels = len(np.unique(labels[~out]))
    if len(ridges) == 1 or not out.any() or n_labels < max(2, len(np.unique(labels))):
        return ridges[-1]
    errors = []
    for ridge in ridges:
        fitted = _logistic(states[~out], labels[~out], weights[~out], ridge)
        p = fitted.predict_proba(states[out])
        errors.append(log_loss(labels[out], p, sample_weight=weights[out], labels=fitted.classes_))
    return ridges[int(np.argmin(errors))]


def _moments(rows):
    """Weighted second moments of (states, 1, targets), of rows held out and of the others; N."""
    held_out, kept, count = 0.0, 0.0, 0
    for states, targets, weights in rows:
        table = np.hstack([states, np.ones((len(states), 1)), targets])
        out = (count + np.arange(len(states))) % EVERY == EVERY - 1
        count += len(states)
        scaled = table.T * weights
        held_out = held_out + scaled[:, out] @ table[out]
        kept = kept + scaled[:, ~out] @ table[~out]
    return held_out, kept, targets.shape[1]


def _best_ridge(moments, ridges):
    """Coefficients from all rows, with the ridge that from some predicts the others best."""
    held_out, kept, N = moments
    errors = []
    for ridge in ridges:
        solution, offset = _coefficients(kept, N, ridge)
        residual = np.vstack([-solution, -offset[None], np.eye(N)])
        errors.append(np.sum(residual * (held_out @ residual)))
    # Without held-out rows all errors are zero, and the last ridge is the safest.
    best = len(ridges) - 1 - int(np.argmin(errors[::-1]))
    return _coefficients(held_out + kept, N, ridges[best])


def _coefficients(moments, n_outputs, ridge):
    """Solution (M, N) and offset (N,) of ridge regression in units of each state's variance."""
    one = len(moments) - n_outputs - 1
    mean = moments[one] / moments[one, one]
    covariance = moments / moments[one, one] - np.outer(mean, mean)
    # With states of unit variance, rounding is the same for those of any size.
    variance = covariance.diagonal()[:one]
    floor = 1e-12 * (variance + mean[:one] ** 2) + np.finfo(float).tiny
    scale = np.where(variance > floor, np.sqrt(np.maximum(variance, floor)), np.inf)
    normal = covariance[:one, :one] / np.outer(scale, scale)
    normal.flat[:: one + 1] = 1 + ridge
    cross = covariance[:one, one + 1 :] / scale[:, None]
    solution = scipy.linalg.solve(normal, cross, assume_a="pos") / scale[:, None]
    return solution, mean[one + 1 :] - mean[:one] @ solution

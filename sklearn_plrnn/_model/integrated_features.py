"""The closed-form start for sequences: integrators of features that predict the target.

Regularized units are integrators (A = 1, W = h = 0), so they are given something worth integrating:

1. fast units with random kinks see the inputs: at once, or as a small leaky reservoir that also
   reads a clock, one of the integrators with a constant drift;
2. the sums over time of their relu are collected for each sequence;
3. ridge regression of the target and of a few functions of it on these sums leaves the few
   directions that predict, whitened by a singular value decomposition;
4. every integrator carries a random one of them, set off by its initial state so that its kink is
   on a data point, and kept from drifting by h;
5. a reader takes the relu of the integrators;
6. the readout is solved for on the states that the network itself has.

Fast units are drawn many times, for one draw in three may be useless, and tried on some of the
sequences; for the best few, the integrators are drawn many times, too. What is best on held-out
sequences is taken.
"""

from functools import partial, singledispatch
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import scipy.linalg

from .._recurrence import PiecewiseLinearMap, Workspace, propagate
from .fast_units import bounding_box, reservoir, separate_units
from .losses import CrossEntropy, SquaredError
from .regularization import integrate
from .solved_readout import ridge_regression, solve_readout

DRAWS = (separate_units,) * 12 + (reservoir,) * 4
FINALISTS = 3  # of these, after a trial
HELD_OUT = 0.25
SHARE = 0.05  # of the largest singular value; weaker directions are noise
PENALTY = 0.01  # of the error, what the integrators' couplings may add to it


class Effort(NamedTuple):
    """What is spent on the integrators of some fast units."""

    n_sequences: int
    n_draws: int


TRIAL = Effort(1000, 5)
FULL = Effort(6000, 40)  # more sequences change the solution less than the draw does


class Integrators(NamedTuple):
    """What R integrators add up at each step, where they start, and how they are read."""

    weights: np.ndarray  # (R, F), of relu(fast)
    drift: np.ndarray  # (R,)
    offset: np.ndarray  # (R,)
    readers: np.ndarray  # (n_readers, R), of relu(integrators)
    error: float  # of the readout, on held-out sequences


def integrated_features(objective, series, batches, rng):
    """Parameters of the closed-form start."""
    units = objective.penalty.units
    others = np.setdiff1d(np.arange(objective.cell.n_components), units)
    n_readers = _n_readers(objective.loss, series.targets.shape[1], len(others))
    fast_units, reader_units = np.split(others, [len(others) - n_readers])
    params = objective.init(rng, series.inputs.dtype)
    best = None
    if len(fast_units) and len(units) > 1:
        box = bounding_box(series)
        drawn = [draw(series, box, len(fast_units), rng) for draw in DRAWS]
        solve = partial(_solve, objective, batches, n_readers, rng)
        tried = _by_error([(fast, solve(fast, TRIAL)) for fast in drawn])
        solved = _by_error([(fast, solve(fast, FULL)) for fast, _ in tried[:FINALISTS]])
        best = solved[0] if solved else None
    integrate(objective.cell, params, units)
    if best is not None:
        places = units, fast_units, reader_units
        *of_map, C, start = _assemble(*best, *places, objective.penalty.alpha)
        params = objective.cell.embed(params, *of_map) | {"C": C}
        params |= {"initial_state": start} if objective.learn_start else {}
        params = {name: np.asarray(x, series.inputs.dtype) for name, x in params.items()}
    return solve_readout(objective, params, batches)


def _by_error(solved):
    """Pairs of fast units and their integrators, the best first; none that predict nothing."""
    return sorted((x for x in solved if x[1] is not None), key=lambda x: x[1].error)


def _sums(fast, batches, n_sequences, rng):
    """Of relu(fast), up to what readers see at the end, (n, F); steps, targets, weights."""
    F, workspace, parts, count = len(fast.A), Workspace(), [], 0
    for batch in batches.epoch(rng):
        T, B, _ = batch.inputs.shape
        f, C = _network(fast, batch.inputs.dtype)
        states = propagate(f, np.zeros_like(f.A), batch.inputs, C=C, workspace=workspace)
        last = _last_steps(batch)
        relu = np.maximum(states[: max(T - 2, 0), :, :F], 0)
        if not batch.at_end:
            relu *= (np.arange(len(relu))[:, None] < last - 1)[..., None]
        sums = relu.sum(axis=0, dtype=float)
        at = 0 if batch.at_end else last, np.arange(B)
        steps = np.maximum(last - 1, 0)
        parts.append((sums, steps, batch.targets[at], B * batch.weights[at].mean(axis=-1)))
        count += B
        if count >= n_sequences:
            break
    return [np.concatenate(x).astype(float) for x in zip(*parts, strict=True)]


def _network(fast, dtype):
    """The fast units as a map and its input weights; the clock is one more unit, the last."""
    F, K = fast.C.shape
    N = F if fast.clock is None else F + 1
    A, h, W, C = np.ones(N), np.full(N, fast.tick), np.zeros((N, N)), np.zeros((N, K))
    A[:F], h[:F], W[:F, :F], C[:F] = fast.A, fast.h, fast.W, fast.C
    if fast.clock is not None:
        W[:F, F] = fast.clock
    return PiecewiseLinearMap(*(x.astype(dtype) for x in (A, W, h))), C.astype(dtype)


def _last_steps(batch):
    """Index of the step at which the target of each sequence is due."""
    T, B, _ = batch.inputs.shape
    if batch.at_end:
        return np.full(B, T - 1)
    return T - 1 - np.argmax((batch.weights > 0).any(axis=-1)[::-1], axis=0)


def _solve(objective, batches, n_readers, rng, fast, effort):
    """`Integrators` for the features of these fast units, or None where they predict nothing."""
    n_integrators = len(objective.penalty.units) - (fast.clock is not None)
    sums, steps, targets, weights = _sums(fast, batches, effort.n_sequences, rng)
    counted = weights > 0
    sums, steps, targets, weights = (x[counted] for x in (sums, steps, targets, weights))
    n = len(sums)
    if n < 4 or not np.isfinite(sums).all():
        return None
    rate = sums.sum(axis=0) / max(steps.sum(), 1)
    sums = sums - steps[:, None] * rate
    scale = sums.std(axis=0)
    scale = np.where(scale > 1e-6 * np.maximum(np.abs(rate) * steps.mean(), 1e-12), scale, np.inf)
    features = sums / scale
    wanted = _functions_of(objective.loss, targets, weights)
    coefficients, _ = ridge_regression(features, wanted, weights)
    predicted = features @ coefficients
    _, s, Vt = scipy.linalg.svd(
        (predicted - predicted.mean(axis=0)) / np.sqrt(n), full_matrices=False
    )
    if s[0] <= 1e-8 * np.abs(wanted).max():
        return None
    k = int((s > SHARE * s[0]).sum())
    directions = coefficients @ Vt[:k].T / s[:k]
    coordinates = features @ directions
    learn_start, n_outputs = objective.learn_start, targets.shape[1]
    drawn = (
        _draw(coordinates, wanted, weights, n_outputs, n_integrators, learn_start, rng)
        for _ in range(effort.n_draws)
    )
    error, D, offset, of_relu = min(drawn, key=itemgetter(0))
    weights_in = (directions @ D.T).T / scale
    # Each step adds the drift, also the one whose features come too late to be read.
    drift = -weights_in @ rate
    return Integrators(weights_in, drift, offset - drift, of_relu[:, :n_readers].T, error)


def _draw(coordinates, wanted, weights, n_outputs, n_integrators, learn_start, rng):
    """Random integrators: error, directions, offsets, coefficients of their relu."""
    n, k = coordinates.shape
    D = rng.normal(size=(n_integrators, k))
    D /= np.linalg.norm(D, axis=1, keepdims=True)
    kinks = coordinates[rng.integers(n, size=n_integrators)]
    offset = -np.sum(D * kinks, axis=1) if learn_start else np.zeros(n_integrators)
    integrators = coordinates @ D.T + offset
    design = np.hstack([integrators, np.maximum(integrators, 0)])
    n_train = n - max(1, int(HELD_OUT * n))
    solution, b = ridge_regression(design[:n_train], wanted[:n_train], weights[:n_train])
    missed = (design[n_train:] @ solution + b - wanted[n_train:])[:, :n_outputs]
    return float(np.mean(missed**2)), D, offset, solution[n_integrators:]


@singledispatch
def _functions_of(loss, targets, weights):
    raise TypeError(f"no closed-form start for {type(loss).__name__}")


@_functions_of.register
def _(loss: SquaredError, targets, weights):
    """Targets, their squares and hinges: what the sums should also tell, to be bent into them."""
    low, high = np.quantile(targets, [0.33, 0.67], axis=0)
    parts = [targets, targets**2, np.maximum(targets - low, 0), np.maximum(targets - high, 0)]
    functions = np.hstack(parts)
    scale = functions.std(axis=0)
    return functions / np.where(scale > 0, scale, 1)


@_functions_of.register
def _(loss: CrossEntropy, targets, weights):
    return targets


@singledispatch
def _n_readers(loss, n_outputs, n_units):
    """Units that read relu(integrators) for the readout."""
    return 0


@_n_readers.register
def _(loss: SquaredError, n_outputs, n_units):
    return min(n_outputs, n_units // 4)


def _assemble(fast, found, units, fast_units, reader_units, alpha):
    """A, W, h, C and start of the whole network, the clock being its first integrator."""
    M = len(units) + len(fast_units) + len(reader_units)
    A, h, start = np.zeros(M), np.zeros(M), np.zeros(M)
    W, C = np.zeros((M, M)), np.zeros((M, fast.C.shape[1]))
    A[fast_units], h[fast_units], C[fast_units] = fast.A, fast.h, fast.C
    W[np.ix_(fast_units, fast_units)] = fast.W
    has_clock = fast.clock is not None
    A[units], integrators = 1, units[has_clock:]
    # An integrator may be of any size, if what reads it is of the inverse: a small one leaves the
    # penalty, which pulls W and h to zero, nothing to pull at.
    size = np.mean(found.weights**2) + np.mean(found.drift**2)
    unit = np.sqrt(PENALTY * max(found.error, 1e-6) / max(alpha, 1.0) / max(size, 1e-12))
    W[np.ix_(integrators, fast_units)] = unit * found.weights
    h[integrators], start[integrators] = unit * found.drift, unit * found.offset
    W[np.ix_(reader_units, integrators)] = found.readers / unit
    if has_clock:
        h[units[0]] = min(1e-3, fast.tick)
        W[fast_units, units[0]] = fast.clock * (fast.tick / h[units[0]])
    return A, W, h, C, start

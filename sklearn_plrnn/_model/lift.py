"""The closed-form start for reconstruction: one step ahead, solved for instead of guessed.

With random piecewise-linear features of the observed variables, kinks on data points, the latent
trajectory is known from the data, so that the rows of A, W, h and C follow from one ridge
regression of each next state on the features of the present one. The features are hidden units
where a cell has such, otherwise unobserved latent units.
"""

from itertools import product
from typing import NamedTuple

import numpy as np
import scipy.linalg

from .forcing import jacobians_along, log_growth
from .objective import first_batches
from .regularization import integrate

MAX_TRANSITIONS = 20_000  # more rows than this change the solution less than the random features do
MAX_WINDOWS = 500  # on which candidates are compared
N_DRAWS = 5  # of kinks
RIDGES = (1e-5, 1e-3, 1e-1)  # of a step, on standardized variables
SATURATED = 0.99  # largest ``|A_i|`` beside hidden units that are bounded: below 1, runs are, too
DECOUPLED = 0.1  # what is left of the influence of states that were not solved for


class Transitions(NamedTuple):
    """Pairs of successive, completely observed rows."""

    now: np.ndarray  # (n, d)
    following: np.ndarray  # (n, d)
    inputs: np.ndarray  # (n, K), what drives the step


class Rows(NamedTuple):
    """Which rows of the map to solve for, and from which hidden units."""

    names: tuple  # of the parameters that play A, W, h
    units: np.ndarray
    columns: np.ndarray
    zero_diagonal: bool  # a unit is no feature of its own: A has that part
    largest: float = np.inf  # size of an entry of A


def lift(objective, series, batches, rng):
    """Parameters whose one-step prediction is a ridge regression on random features.

    A step that is predicted well can still be unstable over a window: of some draws of features,
    each with some ridges, the one that follows the longest windows best is taken, and the random
    start itself if none follows them better.
    """
    start = _start(objective, series, rng)
    candidates = [start, *_solved(objective, start, series, rng, N_DRAWS, RIDGES)]
    if len(candidates) == 1:
        return start
    windows = _windows(batches)
    with np.errstate(over="ignore", invalid="ignore"):
        values = [sum(objective.value(p, batch) for batch in windows) for p in candidates]
    return candidates[int(np.argmin(np.nan_to_num(values, nan=np.inf)))]


def error_growth(objective, batches):
    """Rate per step at which errors grow along windows of data, by the one-step prediction.

    The median over some windows; 0 where errors shrink, or where it cannot be told.
    """
    series, rng = batches.series, np.random.default_rng(0)
    start = _start(objective, series, rng)
    params = next(_solved(objective, start, series, rng, 1, RIDGES[1:2]), None)
    if params is None:
        return 0.0
    batch = next(batches.epoch(rng))
    states = objective.readout.start(params, batch.observed, batch.known)
    with np.errstate(all="ignore"):
        jacobians = jacobians_along(objective, params, states)
        growth = np.median(log_growth(jacobians, np.ones(jacobians.shape[:-1])))
    return max(float(growth), 0.0) / len(states)


def _start(objective, series, rng):
    """A random start, whose regularized units integrate."""
    start = objective.init(rng, series.inputs.dtype)
    if objective.penalty.alpha:
        integrate(objective.cell, start, objective.penalty.units)
    return start


def _solved(objective, start, series, rng, n_draws, ridges):
    """The start, with what is solved for on each draw of features with each ridge."""
    rows = _complete_transitions(series, rng)
    if len(rows) == 0:
        return
    embedded, readout = objective.readout.embed(series.targets[np.r_[rows, rows + 1]].astype(float))
    now, following = np.split(embedded, 2)
    transitions = Transitions(now, following, series.inputs[rows + 1].astype(float))
    draws = [_kinks_on(now, max(objective.cell), rng) for _ in range(n_draws)]
    lift_cell = _lift_hidden if objective.cell.kinks else _lift_latent
    for kinks, ridge in product(draws, ridges):
        params = {name: x.astype(float) for name, x in (start | readout).items()}
        lift_cell(objective.cell, params, transitions, kinks, objective.penalty, ridge)
        yield {name: x.astype(series.inputs.dtype) for name, x in params.items()}


def _windows(batches):
    """Batches of the longest windows there will be, some of them."""
    while batches.longer is not None:
        batches = batches.longer
    return first_batches(batches.ordered(), MAX_WINDOWS, lambda batch: batch.targets.shape[1])


def _lift_hidden(cell, params, transitions, kinks, penalty, ridge):
    """Overwrite in `params` what the transitions determine; hidden units are the features."""
    of_states, offsets = cell.kinks
    d, L = transitions.now.shape[1], len(params[offsets])
    params[of_states][:, :d], params[offsets] = (x[:L] for x in kinks)
    params[of_states][:, d:] *= DECOUPLED
    features = cell.features(params, _padded(transitions.now, np.arange(d), cell.n_components))
    largest = SATURATED if cell.saturate else np.inf
    rows = Rows(cell.rows, np.arange(d), np.arange(L), zero_diagonal=False, largest=largest)
    _solve(params, rows, transitions, features, ridge)


def _lift_latent(cell, params, transitions, kinks, penalty, ridge):
    """The same; latent units that are not observed are the features."""
    M, d = cell.n_components, transitions.now.shape[1]
    idle = penalty.units[penalty.units >= d] if penalty.alpha else np.empty(0, int)
    # Forcing an affine readout reaches every unit, so that no latent feature could stay intact.
    free = np.setdiff1d(np.arange(d, M), idle) if "E" in params else []
    lifted = np.intersect1d(free, cell.relu_units).astype(int)
    V, b = (x[: len(lifted)].copy() for x in kinks)
    if len(lifted) >= d and (cell.relu_units < d).any():
        # relu(x) - relu(-x) = x: mirror units carry what a step takes linearly from other units.
        V[:d], b[:d] = -np.eye(d), 0
    active = np.r_[np.arange(d), lifted]
    augment = lambda x: np.hstack([x, x @ V.T + b])
    now, following, inputs = transitions
    transitions = Transitions(augment(now), augment(following), inputs)
    features = cell.features(params, _padded(transitions.now, active, M))[:, active]
    rows = Rows(cell.rows, active, active, zero_diagonal=True)
    _solve(params, rows, transitions, features, ridge)
    if len(lifted):
        params["E"][lifted - d], params["initial_state"][lifted] = V, b
    # Idle units hold their start until training moves them: what they add is part of h.
    held = cell.features(params, params["initial_state"])[idle]
    _, W, h = (params[name] for name in cell.rows)
    h[active] -= W[np.ix_(active, idle)] @ held
    W[np.ix_(active, np.setdiff1d(np.arange(M), np.r_[active, idle]))] *= DECOUPLED


def _padded(states, units, n_components):
    """States (n, `n_components`) that are zero but for `units`."""
    padded = np.zeros((len(states), n_components))
    padded[:, units] = states
    return padded


def _complete_transitions(series, rng):
    """Indices of rows that are, with their successors, within a sequence and without a gap."""
    complete = (series.weights > 0).all(axis=1)
    last = np.zeros(len(complete), bool)
    last[np.cumsum(series.lengths) - 1] = True
    rows = np.flatnonzero(complete[:-1] & complete[1:] & ~last[:-1])
    if len(rows) > MAX_TRANSITIONS:
        rows = rng.choice(rows, MAX_TRANSITIONS, replace=False)
    return rows


def _kinks_on(points, n_features, rng):
    """Random unit directions V and offsets b with ``V x + b = 0`` on points drawn from the data."""
    V = rng.normal(size=(n_features, points.shape[1]))
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    kinks = points[rng.integers(len(points), size=n_features)]
    return V, -np.sum(V * kinks, axis=1)


def _solve(params, rows, transitions, features, ridge):
    """Ridge regression of each unit's next state on itself, the features, the inputs and 1."""
    now, following, inputs = transitions
    n, d = now.shape
    L, K = features.shape[1], inputs.shape[1]
    design = np.hstack([now, features, inputs, np.ones((n, 1))])
    gram, moments = design.T @ design / n, design.T @ following / n
    gram += ridge * np.diag(np.r_[np.ones(d + L + K), 0])
    A, W, h = (params[name] for name in rows.names)
    for i, unit in enumerate(rows.units):
        kept = np.r_[i, d : d + L + K + 1]
        kept = np.delete(kept, 1 + i) if rows.zero_diagonal else kept
        normal, moment = gram[np.ix_(kept, kept)], moments[kept, i]
        solution = scipy.linalg.solve(normal, moment, assume_a="pos")
        if abs(solution[0]) > rows.largest:
            own = np.copysign(rows.largest, solution[0])
            left = moment[1:] - own * normal[1:, 0]
            rest = scipy.linalg.solve(normal[1:, 1:], left, assume_a="pos")
            solution = np.r_[own, rest]
        A[unit], h[unit] = solution[0], solution[-1]
        coupling, drive = np.split(solution[1:-1], [len(solution) - 2 - K])
        W[unit, rows.columns] = np.insert(coupling, i, 0.0) if rows.zero_diagonal else coupling
        if K:
            params["C"][unit] = drive

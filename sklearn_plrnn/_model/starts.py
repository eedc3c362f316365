"""Start states of windows: those from which free runs fit them best, each window by itself.

A window's error has many minima in its start where runs spike or are chaotic. What fits the first
few rows is where the fit of more of them begins. What a run is, and how it depends on its start, is
the caller's: ``run(batch, start)`` gives `Windows`.
"""

from typing import NamedTuple

import numpy as np

FIRST_ROWS = 2  # to which start states are fitted, at least, before all rows of a window
GROWTH = 4.0  # times that errors of the start grow before more rows count
LONGER = 1.5  # times as many rows then, at least
USUAL = 0.9  # of windows, in which they grow no faster
FINER = 1.5, 1.25  # times as many rows, for windows that were missed, in two tries
CHANCE = 4.0  # standard deviations of errors from their median, from which windows were missed
INNER_STEPS = 8  # for the start states, at most
SETTLED = 1e-3  # promised fall of windows' errors, relative, below which starts are left as is
DAMPING = 1e-3  # of them, to begin with, in units of the diagonal
LOST = 10.0  # mean squared error from which a window counts as lost, and teaches nothing


class Windows(NamedTuple):
    """Free runs of B windows: residuals with the prior's, and derivatives of R residuals."""

    residuals: np.ndarray  # (B, R), half their sum of squares is the value
    of_start: np.ndarray  # (B, R, M)
    of_parameters: np.ndarray | None  # (B, R, entries)


def best_starts(run, suggested, batch, tries_again):
    """States (B, M) from which free runs fit the windows best, their errors (B,), the runs.

    What fits the first few rows is where the fit of more of them begins: an error that is far
    from its minimum after many steps has others nearby, in a spike too early or too late.
    Windows that fit worse than others, and not by chance, are tried again with rows that come
    in smaller portions.
    """
    found = run(batch, suggested)
    stages = _stages(found, *batch.targets.shape)
    best = _staged_starts(run, batch, suggested, stages, found)
    for growth in FINER if tries_again else ():
        missed = np.flatnonzero(best[1] > _by_chance(best[1], batch))
        if len(missed) == 0:
            break
        part, stages = batch.part(windows=missed), _portions(growth, len(batch.targets))
        start, _, found = _staged_starts(run, part, suggested[missed], stages)
        _take_better(best, (start, errors_of(found, len(suggested)), found), missed)
    return best


def _staged_starts(run, batch, start, stages, found=None):
    """The same from `start` by way of ever more rows; `found` as in `_nearest_starts`."""
    for n_timesteps in stages:
        beginning = batch.part(n_timesteps)
        start, found = _nearest_starts(run, beginning, start)[0], None
    return _nearest_starts(run, batch, start, found)


def _nearest_starts(run, batch, start, found=None):
    """The same by damped steps from `start`, until they no longer promise to lower errors.

    `found` are the runs from there, if they are known; they are overwritten.
    """
    found = run(batch, start) if found is None else found
    B, moving, damping = len(start), np.arange(len(start)), np.full(len(start), DAMPING)
    best = start, errors, _ = start.copy(), errors_of(found, B), found
    for _ in range(INNER_STEPS):
        now = Windows(found.residuals[moving], found.of_start[moving], None)
        step, promised = _damped_step(now, damping[moving])
        is_moving = (promised * B > SETTLED * errors[moving]) | (errors[moving] == LOST)
        moving, step = moving[is_moving], step[is_moving]
        if len(moving) == 0:
            break
        trial = start[moving] - step
        at_trial = run(batch.part(windows=moving), trial)
        is_better = _take_better(best, (trial, errors_of(at_trial, B), at_trial), moving)
        damping[moving] *= np.where(is_better, 0.1, 10)
    return best


def errors_of(found, n_windows):
    """Mean squared error of each of some windows, at most `LOST`; their weights add up to 1 / n."""
    with np.errstate(all="ignore"):
        errors = 0.5 * np.sum(found.residuals**2, axis=1, dtype=float) * n_windows
    return np.where(errors < LOST, errors, LOST)  # NaN is lost, too


def _damped_step(found, damping):
    """Levenberg-Marquardt steps (B, M) of start states, zero where there is nothing to solve.

    And by how much (B,) the residuals' value falls, were they linear.
    """
    J, r = found.of_start, found.residuals
    sound = np.isfinite(r).all(axis=1) & np.isfinite(J).all(axis=(1, 2))
    J, r = _where(sound, J, 0), _where(sound, r, 0)
    H, g = J.swapaxes(1, 2) @ J, J.swapaxes(1, 2) @ r[..., None]
    diagonal = np.einsum("bii->bi", H)
    floor = 1e-6 * diagonal.mean(axis=1, keepdims=True) + np.finfo(H.dtype).tiny ** 0.5
    diagonal += damping[:, None] * diagonal + floor
    step = np.linalg.solve(H, g)
    return step[..., 0], 0.5 * np.sum(step * g, axis=(1, 2))


def _stages(found, n_timesteps, n_windows, n_outputs):
    """Ever more steps, fewer than all, from one to the next of which errors of starts grow."""
    of_start = found.of_start[:, : (n_timesteps + 1) * n_outputs]
    sizes = np.linalg.norm(of_start.reshape(n_windows, n_timesteps + 1, -1), axis=2)
    usual = np.nan_to_num(np.quantile(np.nan_to_num(sizes, nan=np.inf), USUAL, axis=0))
    level = np.log(np.maximum.accumulate(usual) + np.finfo(usual.dtype).tiny) / np.log(GROWTH)
    stages = [FIRST_ROWS]
    for t in range(FIRST_ROWS + 1, n_timesteps):
        if level[t + 1] > level[stages[-1]] + 1 and t >= LONGER * stages[-1]:
            stages.append(t)
    return stages[1:]


def _portions(growth, n_timesteps):
    """Ever more steps, fewer than all, each so many times the last, but one more at least."""
    stages, t = [], FIRST_ROWS
    while (t := max(t + 1, int(growth * t))) < n_timesteps:
        stages.append(t)
    return stages


def _by_chance(errors, batch):
    """What errors of windows that are fitted alike do not exceed."""
    n_numbers = max(np.count_nonzero(batch.weights) / len(errors), 1)
    return (1 + CHANCE * np.sqrt(2 / n_numbers)) * np.median(errors)


def _take_better(best, others, windows):
    """Put start states, errors and runs of some windows in place of worse ones; which are."""
    (start, errors, found), (its_start, its_errors, its_found) = best, others
    is_better = its_errors < errors[windows]
    better = windows[is_better]
    start[better], errors[better] = its_start[is_better], its_errors[is_better]
    for x, new in zip(found[:2], its_found[:2], strict=True):
        x[better] = new[is_better]
    return is_better


def _where(condition, x, y):
    """`x` or `y` by window, (B, ...)."""
    return np.where(condition.reshape(-1, *[1] * (x.ndim - 1)), x, y)

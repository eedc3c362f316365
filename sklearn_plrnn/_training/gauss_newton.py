"""Levenberg-Marquardt steps on the Gauss-Newton matrix of a run's objective.

Integrators make a problem stiff: a weight changed by 1e-3 moves a sum over 1000 steps by half. What
one rate cannot serve, the curvature can. Steps are damped in proportion to the diagonal (Marquardt
1963), or to the median one where their own is small: what hardly matters here, such as a kink where
few data are, would else be moved to where it does. They are accepted only if the monitored value
falls, which is that of held-out sequences where there are enough: on the sequences that a step was
computed from, a rare unstable one may go unseen.
Of windows of a noisy series none is to decide: where a start is found in another minimum, a spike
at another time, the value leaps by more than a step lowers the mean. Little is left to gain in a
loss that is mostly noise, of which checkpoints may still get better: the best one so far keeps
training going.
From a poor start long windows have many wrong minima: where batches have longer ones to offer,
those at hand serve until they teach little, or have had their share of the iterations.
"""

import numpy as np
import scipy.linalg

SEQUENCES_PER_PARAMETER = 2  # in one matrix, as far as there are so many
FIRST_DAMPING = 1e-2  # of the diagonal
DAMPING = (1e-9, 1e9)
FLOOR = 0.1  # of the median diagonal: what hardly matters would leap, to where it does
MAX_TRIALS = 8  # of one step
NEGLIGIBLE = 1e-5  # relative decrease that tells nothing about the damping
PROGRESS = 0.05  # relative decrease below which an iteration counts as idle
MAX_IDLE = 8
IDLE_BEFORE_LONGER = 2  # where batches have longer windows to offer
SHARE_OF_SHORTER = 0.75  # of all iterations, at most, before windows have their full length
PROGRESS_ABOVE_NOISE = 1e-3  # the same where noise is most of the loss
PROGRESS_OF_SHORTER = 5e-3  # and, at least, before windows have their full length
LEAP = 0.5  # of the median window's value; no window counts for having changed by more


def gauss_newton(run, rng):
    """Take steps until they no longer help, each from other sequences."""
    curvature, settings = run.curvature(), run.settings
    is_noisy = run.select is not None  # checkpoints are scored, the loss may be noise by now
    progress = PROGRESS_ABOVE_NOISE if is_noisy else PROGRESS
    n_sequences = SEQUENCES_PER_PARAMETER * run.vector.size
    n_samples = max(1, -(-n_sequences // run.batches.n_windows))
    damping, idle, n_longer = run.recall(damping=FIRST_DAMPING, idle=0, n_longer=0)
    share = SHARE_OF_SHORTER * settings.max_iter / max(run.batches.n_longer, 1)
    for _ in range(n_longer):
        run.take_longer()
    test = _FallsWithoutLeaps if is_noisy else _Falls
    falls = test(run)
    while run.n_iter < settings.max_iter and idle < MAX_IDLE and not run.stopped:
        run.begin_epoch()
        before = run.best_loss
        batches = run.batches.covering(rng)
        H, gradient = curvature(run.params, batches, n_sequences, n_samples, rng)
        damping = _descend(run, falls, H, gradient, damping)
        is_shorter = run.batches.n_longer > 0
        least = max(progress, PROGRESS_OF_SHORTER) if is_shorter else progress
        idle = 0 if run.best_loss < (1 - least) * before else idle + 1
        last = idle == MAX_IDLE or run.n_iter + 1 == settings.max_iter
        run.end_epoch(run.best_loss, run.best_loss, np.nan, last, H)
        if not is_shorter and run.best_loss < before and run.is_at_best_checkpoint:
            idle = 0
        is_due = idle == IDLE_BEFORE_LONGER or run.n_iter >= share * (n_longer + 1)
        if is_shorter and is_due and not last:
            run.lengthen()
            falls, idle, n_longer = test(run), 0, n_longer + 1
            damping = min(damping, FIRST_DAMPING)  # at the end of a stage little is left to gain
        run.hand_out(rng, damping=damping, idle=idle, n_longer=n_longer)


class _Falls:
    """``falls()``: whether the monitored value is less than the best so far, and so becomes it."""

    def __init__(self, run):
        self.run = run

    def __call__(self):
        return self.run.keep_if_best(self.run.monitored())


class _FallsWithoutLeaps(_Falls):
    """The same by the mean of what it is less by in each window, within bounds, see above."""

    def __init__(self, run):
        super().__init__(run)
        self.values = run.values()

    def __call__(self):
        values, bound = self.run.values(), LEAP * np.median(self.values)
        change = float(np.clip(values - self.values, -bound, bound).mean())
        falls = self.run.keep_if_best(self.run.best_loss + change)
        if falls:
            self.values = values
        return falls


def _descend(run, falls, H, gradient, damping):
    """Make the first of ever shorter steps that lowers the monitored value; the damping after it.

    Without any, parameters and damping stay as they are: other sequences may show a way. So does
    the damping where a step has become so short that it gains next to nothing.
    """
    here, first, diagonal = run.vector.copy(), damping, H.diagonal().copy()
    diagonal += FLOOR * np.median(diagonal) + np.finfo(float).tiny
    enough = (1 - NEGLIGIBLE) * run.best_loss
    for _ in range(MAX_TRIALS):
        step = _solve(H, damping * diagonal, gradient)
        if step is not None:
            run.vector[...] = here - step
            if falls():
                return max(damping / 4, DAMPING[0]) if run.best_loss < enough else first
        damping = min(4 * damping, DAMPING[1])
    run.vector[...] = here
    return first


def _solve(H, damping, gradient):
    damped = H.copy()
    damped.flat[:: len(H) + 1] += damping
    try:
        factor = scipy.linalg.cho_factor(damped, overwrite_a=True)
        return scipy.linalg.cho_solve(factor, gradient)
    except (scipy.linalg.LinAlgError, ValueError):  # not positive definite, not finite
        return None

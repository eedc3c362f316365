"""The loop: every solver, the best parameters so far, recovery, stopping, restarts.

``minimize(objective, params, batches, ...)`` asks an objective only for ``buffered()``, its value
and gradients as functions of params and batch, so that it can be tested on a quadratic. One that
changes during training offers ``at_epoch(progress, params, draw)``, which is the objective of the
epoch to come, to first-order solvers; what is monitored is always the value of the one given. The
optimizer is wrapped, never asked: this module keeps the best parameters, goes back to them and
halves the rate when the loss explodes, and ends with them whatever happens. One thing comes from
above, as an argument: ``select(params)``, which scores checkpoints (smaller is better).
"""

import copy
import sys
from functools import partial
from typing import NamedTuple

import numpy as np
import scipy.optimize
import scipy.stats
from joblib import effective_n_jobs, parallel_config
from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel, delayed

from .blas import single_threaded_blas
from .gauss_newton import gauss_newton
from .optimizers import OPTIMIZERS, SCHEDULES, Average, clip_by_norm

EXPLODED = 100.0  # times the value at the start: nothing is learned from there
MAX_RETRIES = 8
HUGE = 1e30  # what L-BFGS is told instead of inf or NaN, which would end its line search


class Settings(NamedTuple):
    """How to minimize."""

    solver: str = "adam"
    learning_rate_init: float = 1e-3
    learning_rate: str = "cosine"
    max_iter: int = 100
    max_grad_norm: float | None = None
    tol: float = 1e-4
    n_iter_no_change: int | None = None
    n_checkpoints: int = 20
    n_threads: int = 1
    verbose: int = 0
    keep_last: bool = False  # instead of the best: a step of a stream need not be progress yet


class Result(NamedTuple):
    """What a run of training leaves."""

    params: dict
    score: object  # smaller is better: best loss, or the scores of the chosen checkpoint
    best_loss: float
    loss_curve: list
    validation_curve: list
    n_iter: int
    checkpoint_scores: list
    interrupted: bool
    diverged: bool
    optimizer_state: dict | None = None  # moments of a first-order solver


def minimize(
    objective,
    params,
    batches,
    held_out,
    settings,
    rng,
    select=None,
    optimizer_state=None,
    rates=None,
):
    """Train from `params` on `batches`; return the best parameters met as a `Result`.

    `optimizer_state` is what an earlier result has left, for a first-order solver to go on from;
    `rates`, like `params`, are by what its steps are multiplied.
    """
    run = _Run(objective, params, batches, held_out, settings, select)
    run.optimizer_state = optimizer_state
    run.rates = 1 if rates is None else flatten(rates)[0]
    with single_threaded_blas(), np.errstate(all="ignore"):
        try:
            run.begin()
            if settings.max_iter:
                SOLVERS[settings.solver](run, rng)
        except KeyboardInterrupt:
            run.interrupted = True
    return run.result()


def threads_within(n_restarts, n_jobs):
    """Threads that a single restart may use; several restarts are processes of one thread each."""
    if n_restarts > 1:
        return 1
    with parallel_config(require="sharedmem"):  # the cores of a cluster are not this machine's
        return effective_n_jobs(n_jobs)


def restarts(train, seeds, n_jobs):
    """Results of ``train(seed)`` in the order of seeds; an interrupt keeps those that are done.

    They run wherever joblib has been told to, a cluster perhaps; a single one, or one at a time, in
    this process.
    """
    here = {"backend": "sequential"} if n_jobs == 1 or len(seeds) == 1 else {}
    backend, _ = get_active_backend()
    as_done = "generator_unordered" if here or backend.supports_return_generator else "list"
    tasks = (delayed(_numbered)(train, i, seed) for i, seed in enumerate(seeds))
    done = {}
    try:
        for i, result in Parallel(n_jobs, return_as=as_done, **here)(tasks):
            done[i] = result
            if result.interrupted:
                break
    except KeyboardInterrupt:
        if not done:
            raise
        done[i] = done[i]._replace(interrupted=True)
    return [done[i] for i in sorted(done)]


def _numbered(train, i, seed):
    return i, train(seed)


def best_of(results):
    """The result with the best score."""
    scores = np.array([result.score for result in results], float).reshape(len(results), -1)
    return results[best_combined_rank(scores)]


class _Run:
    """State of one training run: the parameter vector, the best one so far, the history."""

    def __init__(self, objective, params, batches, held_out, settings, select):
        self.batches, self.held_out = batches, held_out
        self.settings, self.select = settings, select
        self.vector, self.params = flatten(params)
        self.gradient, self._gradient_parts = flatten(self.params)
        self.best, self.best_loss = self.vector.copy(), np.inf
        self.loss_curve, self.validation_curve = [], []
        self.checkpoints, self.checkpoint_scores = [], []
        self.n_retries, self.stale, self.interrupted = 0, 0, False
        self._value, self._value_and_gradients = objective.buffered(settings.n_threads)
        self._objective = self._in_training = objective

    def begin(self):
        """Count the start among the candidates."""
        self.start_value = self.monitored()
        if self.settings.verbose:
            show("start", self.start_value, last=self.settings.max_iter == 0)
        self.keep_if_best(self.start_value)
        self.checkpoint()

    def begin_epoch(self, progress, rng):
        """Let an objective that changes during training do so; what is monitored stays the same."""
        if not hasattr(self._in_training, "at_epoch"):
            return
        draw = lambda: next(iter(self.batches.epoch(rng)))
        objective = self._in_training.at_epoch(progress, self.params, draw)
        if objective is not self._in_training:
            self._in_training = objective
            self._value_and_gradients = objective.buffered(self.settings.n_threads)[1]

    def evaluate(self, batch):
        """Value at the present parameters; the gradient is left in ``self.gradient``."""
        value, gradients = self._value_and_gradients(self.params, batch)
        for name, part in self._gradient_parts.items():
            part[...] = 0 if gradients[name] is None else gradients[name]
        return float(value)

    def curvature(self):
        """The objective's Gauss-Newton matrix and gradient, a function of params and batches."""
        return self._objective.curvature(self.settings.n_threads)

    def mean_value(self, batches):
        """Value over all windows of `batches`."""
        total, count = 0.0, 0
        for batch in batches.whole():
            size = batch.inputs.shape[1]
            total += size * float(self._value(self.params, batch))
            count += size
        return total / count

    @property
    def is_monitored_in_passing(self):
        """Whether the loss of a step is already the monitored value, before the step."""
        return self.batches.is_single and self.held_out is None

    def monitored(self):
        """The value that decides which parameters are best."""
        return self.mean_value(self.batches if self.held_out is None else self.held_out)

    def keep_if_best(self, value, vector=None):
        """Remember `vector` if `value` is the smallest so far; count epochs without progress."""
        if not np.isfinite(value):
            return
        self.stale = 0 if value < self.best_loss - self.settings.tol else self.stale + 1
        if value < self.best_loss:
            self.best_loss = value
            self.best[...] = self.vector if vector is None else vector

    def checkpoint(self):
        """Score the present parameters if there is a way to."""
        if self.select is not None:
            self.checkpoints.append(self.vector.copy())
            self.checkpoint_scores.append(tuple(map(float, self.select(self.params))))

    def exploded(self, value):
        """Whether `value` is not finite, or absurd beside the start and the targets themselves."""
        reference = self.start_value if np.isfinite(self.start_value) else 1.0
        # A start that was solved for may leave next to nothing, to which no step can keep.
        reference = max(reference, self.batches.target_power, np.finfo(float).tiny)
        return not np.isfinite(value) or value > EXPLODED * reference

    def is_stale(self):
        """Whether held-out loss has stopped improving."""
        patience = self.settings.n_iter_no_change
        return self.held_out is not None and patience is not None and self.stale >= patience

    def end_epoch(self, loss, value, rate, last):
        """Record, keep the best, score a checkpoint when one is due, report.

        `value` is the monitored one at the present parameters, None where it is not known.
        """
        settings, n = self.settings, len(self.loss_curve) + 1
        self.loss_curve.append(loss)
        if self.held_out is not None:
            self.validation_curve.append(value)
        if value is not None:
            self.keep_if_best(value)
        interval = max(1, settings.max_iter // settings.n_checkpoints)
        if n % interval == 0 or last:
            self.checkpoint()
        if settings.verbose:
            show(f"epoch {n}/{settings.max_iter}", loss, rate, last)

    def result(self):
        """Best parameters: of the checkpoints if they were scored, else of the monitored value."""
        chosen, score = self.best, float(self.best_loss)
        if self.settings.keep_last and np.isfinite(self.vector).all():
            chosen = self.vector
        if self.checkpoints:
            i = best_combined_rank(self.checkpoint_scores)
            chosen, score = self.checkpoints[i], self.checkpoint_scores[i]
        self.vector[...] = chosen
        return Result(
            {name: x.copy() for name, x in self.params.items()},
            score,
            float(self.best_loss),
            self.loss_curve,
            self.validation_curve,
            len(self.loss_curve),
            self.checkpoint_scores,
            self.interrupted,
            self.n_retries >= MAX_RETRIES or not (np.isfinite(self.best_loss) or self.interrupted),
            self.optimizer_state,
        )


def _first_order(run, rng):
    """Adam and its like: an epoch of steps, then a look at where they led on average."""
    settings = run.settings
    make = partial(OPTIMIZERS[settings.solver], run.vector.size, run.vector.dtype)
    optimizer, factor, epoch = make(), 1.0, 0
    average = Average(run.vector)
    state = copy.deepcopy(run.optimizer_state) or {}
    if state.keys() == vars(optimizer).keys():  # left by the same optimizer
        vars(optimizer).update(state)
    while epoch < settings.max_iter and run.n_retries < MAX_RETRIES and not run.is_stale():
        rate = factor * settings.learning_rate_init
        rate *= SCHEDULES[settings.learning_rate](epoch / settings.max_iter)
        run.begin_epoch(epoch / settings.max_iter, rng)
        losses = _epoch(run, optimizer, average, rate, rng)
        # A few windows may be unstable, and mended by the others; not most of them.
        if run.exploded(np.median(losses)):
            run.vector[...] = run.best
            run.n_retries, factor, optimizer = run.n_retries + 1, factor / 2, make()
            average = Average(run.vector)
            continue
        epoch += 1
        here = run.vector.copy()
        if not run.batches.is_single:
            run.vector[...] = average.parameters
        value = None if run.is_monitored_in_passing else run.monitored()
        loss = float(np.mean(losses, where=np.isfinite(losses)))
        run.end_epoch(loss, value, rate, last=epoch == settings.max_iter)
        run.vector[...] = here
    if run.is_monitored_in_passing:
        run.keep_if_best(run.monitored())
    run.optimizer_state = vars(optimizer)


def _epoch(run, optimizer, average, rate, rng):
    """Losses of an epoch of steps; one that leads to where the loss is not finite is taken back."""
    losses, before = [], run.vector.copy()
    for batch in run.batches.epoch(rng):
        loss = run.evaluate(batch)
        norm = clip_by_norm(run.gradient, run.settings.max_grad_norm)
        if np.isfinite(loss) and np.isfinite(norm):
            if run.is_monitored_in_passing:
                run.keep_if_best(loss)
            before[...] = run.vector
            optimizer.step(run.vector, run.gradient, rate * run.rates)
            average.add(run.vector)
            losses.append(loss)
        else:
            run.vector[...] = before
            losses.append(np.inf)
    return np.array(losses)


def _lbfgs(run, rng):
    """Limited-memory BFGS on the whole training set."""
    settings = run.settings

    def value_and_gradient(vector):
        run.vector[...] = vector
        total, gradient, count = 0.0, np.zeros(vector.size), 0
        for batch in run.batches.ordered():
            size = batch.inputs.shape[1]
            total += size * run.evaluate(batch)
            gradient += size * run.gradient.astype(float)
            count += size
        value, gradient = total / count, gradient / count
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return HUGE, np.zeros(vector.size)
        if run.is_monitored_in_passing:
            run.keep_if_best(value)
        return value, gradient

    def callback(intermediate_result):
        run.vector[...] = intermediate_result.x
        last = len(run.loss_curve) + 1 == settings.max_iter
        value = None if run.is_monitored_in_passing else run.monitored()
        run.end_epoch(float(intermediate_result.fun), value, np.nan, last)
        if run.is_stale():
            raise StopIteration

    scipy.optimize.minimize(
        value_and_gradient,
        run.vector.astype(float),
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        options={"maxiter": settings.max_iter, "ftol": 0.0, "gtol": settings.tol * 1e-2},
    )


SOLVERS = {name: _first_order for name in OPTIMIZERS} | {
    "lbfgs": _lbfgs,
    "gauss-newton": gauss_newton,
}


def flatten(params):
    """One vector that holds all parameters, and the dict of views into it."""
    vector = np.concatenate([np.ravel(x) for x in params.values()])
    views, begin = {}, 0
    for name, x in params.items():
        views[name] = vector[begin : begin + x.size].reshape(x.shape)
        begin += x.size
    return vector, views


def show(stage, loss=np.nan, rate=np.nan, last=False):
    """One line that is written over, stage after stage."""
    parts = [stage]
    parts += [] if np.isnan(loss) else [f"loss {loss:.3e}"]
    parts += [] if np.isnan(rate) else [f"rate {rate:.1e}"]
    sys.stdout.write(f"\r{'  '.join(parts):<50}" + ("\n" if last else ""))
    sys.stdout.flush()


def best_combined_rank(scores):
    """Index of the row whose ranks over all columns add up to the least; the later of equals."""
    combined = scipy.stats.rankdata(np.nan_to_num(scores, nan=np.inf), axis=0).sum(axis=1)
    return len(combined) - 1 - int(np.argmin(combined[::-1]))

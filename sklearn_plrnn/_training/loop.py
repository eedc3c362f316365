"""The loop: every solver, the best parameters so far, recovery, stopping, restarts.

``minimize(objective, params, batches, ...)`` asks an objective only for ``buffered()``, its value
and gradients as functions of params and batch, so that it can be tested on a quadratic. One that
changes during training offers ``at_epoch(progress, params, draw)``, which is the objective of the
epoch to come, to first-order solvers; what is monitored is always the value of the one given. To be
resumed it has a number ``stage``, for which ``at_stage(stage)`` of the one given is the same again.
The optimizer is wrapped, never asked: a run keeps the best parameters, goes back to them and
halves the rate when the loss explodes, and ends with them whatever happens. Two things come from
above, as arguments: ``select(params)``, which scores checkpoints (smaller is better), and a `watch`
over the epochs, which is told when each begins and ends, and may stop the run.
"""

import copy
from functools import partial
from threading import Event

import numpy as np
import scipy.optimize
from joblib import effective_n_jobs, parallel_config
from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel, delayed

from .blas import single_threaded_blas
from .checkpoint import StateFile
from .gauss_newton import gauss_newton
from .optimizers import OPTIMIZERS, SCHEDULES, Average, clip_by_norm
from .run import MAX_RETRIES, Run, best_product, flatten

LATEST = 100  # steps, at most, of which most have to go well for an epoch to go on
HUGE = 1e30  # what L-BFGS is told instead of inf or NaN, which would end its line search


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
    file=None,
    watch=None,
):
    """Train from `params` on `batches`; return the best parameters met as a `Result`.

    `optimizer_state` is what an earlier result has left, for a first-order solver to go on from;
    `rates`, like `params`, are by what its steps are multiplied. A `StateFile` is where the state
    goes, and from where it is taken up; `params` are those saved in it, if there are any.
    """
    file = file or StateFile(None)  # which keeps nothing
    run = Run(objective, params, batches, held_out, settings, select, file, watch)
    run.optimizer_state = optimizer_state
    run.rates = 1 if rates is None else flatten(rates)[0]
    with single_threaded_blas(), np.errstate(all="ignore"):
        try:
            run.begin(rng)
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
    done, enough = {}, Event()  # which is also asked by a thread of joblib's that sends more
    sent = ((i, seed) for i, seed in enumerate(seeds) if not enough.is_set())
    tasks = (delayed(_numbered)(train, i, seed) for i, seed in sent)
    try:
        for i, result in Parallel(n_jobs, return_as=as_done, **here)(tasks):
            done[i] = result
            if result.interrupted or result.is_enough:
                enough.set()
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
    return results[best_product(scores)]


def _first_order(run, rng):
    """Adam and its like: an epoch of steps, then a look at where they led on average."""
    settings, epoch = run.settings, run.n_iter
    make = partial(OPTIMIZERS[settings.solver], run.vector.size, run.vector.dtype)
    optimizer, average = make(), Average(run.vector)
    factor, moments, mean = run.recall(factor=1.0, moments=run.optimizer_state, mean=None)
    _take_up(optimizer, moments)
    _take_up(average, mean)
    while epoch < settings.max_iter and run.n_retries < MAX_RETRIES and not run.is_over():
        run.begin_epoch()
        rate = factor * settings.learning_rate_init
        rate *= SCHEDULES[settings.learning_rate](epoch / settings.max_iter)
        run.change_objective(epoch / settings.max_iter, rng)
        losses = _epoch(run, optimizer, average, rate, rng)
        if _exploded(run, losses):
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
        run.hand_out(rng, factor=factor, moments=vars(optimizer), mean=vars(average))
    if run.is_monitored_in_passing:
        run.keep_if_best(run.monitored())
    run.optimizer_state = vars(optimizer)


def _exploded(run, losses):
    """Whether the latest losses have: a few windows may be unstable, and mended by the others."""
    return run.exploded(np.median(losses[-LATEST:]))


def _take_up(tool, state):
    """Give an optimizer or an average the state that one of its kind has left."""
    if state is not None and state.keys() == vars(tool).keys():
        vars(tool).update(copy.deepcopy(state))


def _epoch(run, optimizer, average, rate, rng):
    """Losses of an epoch of steps; one that leads to where the loss is not finite is taken back.

    It ends where steps no longer lead out of there.
    """
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
        if len(losses) % LATEST == 0 and _exploded(run, losses):
            break
    return np.array(losses)


def _lbfgs(run, rng):
    """Limited-memory BFGS on the whole training set.

    Its memory is scipy's own: a run that is resumed goes on from the last iterate, without it.
    """
    settings = run.settings
    if run.n_iter == settings.max_iter or run.is_over():  # the state saved was the last one
        return

    def value_and_gradient(vector):
        run.begin_epoch()
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
        last = run.n_iter + 1 == settings.max_iter
        value = None if run.is_monitored_in_passing else run.monitored()
        run.end_epoch(float(intermediate_result.fun), value, np.nan, last)
        run.hand_out(rng)
        if run.is_over():
            raise StopIteration

    scipy.optimize.minimize(
        value_and_gradient,
        run.vector.astype(float),
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        options={
            "maxiter": settings.max_iter - run.n_iter,
            "ftol": 0.0,
            "gtol": settings.tol * 1e-2,
        },
    )


SOLVERS = {name: _first_order for name in OPTIMIZERS} | {
    "lbfgs": _lbfgs,
    "gauss-newton": gauss_newton,
}

"""One run of training: how it is to go, its state from epoch to epoch, what it leaves.

A `Run` keeps the best parameters and the history, wherever a solver may be. Its state at the end of
an epoch, with what the solver needs to go on, is offered to a `StateFile`, and taken up from there;
what it would leave if it ended then is shown to whoever watches.
"""

import sys
from typing import NamedTuple

import numpy as np

from .._model.turns import in_turns

EXPLODED = 100.0  # times the value at the start: nothing is learned from there
MAX_RETRIES = 8
MAX_CANDIDATES = 5  # of the checkpoints
AS_GOOD = 10.0  # times the product of scores, by which chance may raise that of the same attractor
KEPT = (
    "best",
    "best_loss",
    "loss_curve",
    "validation_curve",
    "checkpoints",
    "checkpoint_scores",
    "n_shorter",
    "n_retries",
    "stale",
    "start_value",
)  # on disk, besides what a solver adds


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
    stopped: bool = False  # by who watches
    is_enough: bool = False  # for who watches: no further restarts


class Run:
    """State of one training run: the parameter vector, the best one so far, the history."""

    def __init__(self, objective, params, batches, held_out, settings, select, file, watch):
        self.batches, self.held_out = batches, held_out
        self.settings, self.select, self.file, self.watch = settings, select, file, watch
        self.vector, self.params = flatten(params)
        self.gradient, self._gradient_parts = flatten(self.params)
        self.best, self.best_loss = self.vector.copy(), np.inf
        self.loss_curve, self.validation_curve = [], []
        self.checkpoints, self.checkpoint_scores = [], []
        self.n_shorter = 0  # of these, from windows shorter than the present ones
        self._scored = {}  # of the last checkpoint, by the bytes of a vector
        self._lasting = {}  # by index: who watches may want the best one after every epoch
        self.n_retries, self.stale = 0, 0
        self.interrupted = self.stopped = False  # from outside
        self._value, self._value_and_gradients = objective.buffered(settings.n_threads)
        self._objective = self._in_training = objective

    @property
    def n_iter(self):
        """Epochs or iterations so far."""
        return len(self.loss_curve)

    def begin(self, rng):
        """Count the start among the candidates, or take up the state that was saved."""
        if self.file.saved:
            self._resume(rng)
            return
        self.start_value = self.monitored()
        if self.settings.verbose:
            show("start", self.start_value, last=self.settings.max_iter == 0)
        self.keep_if_best(self.start_value)
        self.checkpoint()
        self._save(rng)

    def recall(self, **first):
        """What the solver handed out last; to begin with, `first`."""
        return (first | self.file.saved.get("solver", {})).values()

    def hand_out(self, rng, **solver):
        """At the end of an epoch, the state to the file, the model so far to who watches.

        `solver` is what it has to `recall` to go on from here.
        """
        self._save(rng, **solver)
        if self.watch is not None:
            self.stopped = self.watch.end_epoch(self.result)

    def _save(self, rng, **solver):
        self.file.offer(
            lambda: {
                "params": self.params,
                "rng": rng.bit_generator.state,
                "stage": getattr(self._in_training, "stage", None),
                "solver": solver,
                **{name: getattr(self, name) for name in KEPT},
            }
        )

    def _resume(self, rng):
        saved = self.file.saved
        for name in KEPT:
            setattr(self, name, saved[name])
        rng.bit_generator.state = saved["rng"]
        if saved["stage"] is not None:
            self._enter(self._objective.at_stage(saved["stage"]))
        if self.settings.verbose:
            show(f"resumed after {self.n_iter}/{self.settings.max_iter}", self.best_loss)

    def begin_epoch(self):
        """Say that one begins, if it has not begun."""
        if self.watch is not None:
            self.watch.begin_epoch()

    def change_objective(self, progress, rng):
        """Let an objective that changes during training do so; what is monitored stays the same."""
        if not hasattr(self._in_training, "at_epoch"):
            return
        draw = lambda: next(iter(self.batches.epoch(rng)))
        self._enter(self._in_training.at_epoch(progress, self.params, draw))

    def _enter(self, objective):
        if objective is not self._in_training:
            self._in_training = objective
            self._value_and_gradients = objective.buffered(self.settings.n_threads)[1]

    def lengthen(self):
        """Go on with longer windows; their loss is another, with which only later ones compare.

        Each iteration ends in a checkpoint. If that of the latest is of amended parameters, on from
        there: what catches runs is cheaper to take out early on, and training would not come upon
        it where data hardly tell.
        """
        self.take_longer()
        if self.checkpoints:
            self.vector[...] = self.checkpoints[-1]
        self.n_shorter = len(self.checkpoints)
        self.best_loss = np.inf
        self.keep_if_best(self.monitored())

    def take_longer(self):
        """Windows of the next length."""
        self.batches = self.batches.longer
        self.held_out = None if self.held_out is None else self.held_out.longer

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
            total += size * float(np.mean(self._value(self.params, batch)))
            count += size
        return total / count

    @property
    def is_monitored_in_passing(self):
        """Whether the loss of a step is already the monitored value, before the step."""
        return self.batches.is_single and self.held_out is None

    def monitored(self):
        """The value that decides which parameters are best."""
        return self.mean_value(self._monitored_batches())

    def values(self):
        """The same of each window that holds a target, by an objective that tells windows apart."""
        batches = self._monitored_batches().whole()
        counts = lambda batch: batch.weights.any(axis=(0, 2))
        return np.concatenate([self._value(self.params, x)[counts(x)] for x in batches])

    def _monitored_batches(self):
        return self.batches if self.held_out is None else self.held_out

    def keep_if_best(self, value, vector=None):
        """Remember `vector` if `value` is the smallest so far; whether it is.

        Epochs without progress are counted.
        """
        if not np.isfinite(value):
            return False
        self.stale = 0 if value < self.best_loss - self.settings.tol else self.stale + 1
        is_best = value < self.best_loss
        if is_best:
            self.best_loss = value
            self.best[...] = self.vector if vector is None else vector
        return is_best

    def checkpoint(self, H=None):
        """Score the present parameters if there is a way to.

        With the Gauss-Newton matrix `H` of this iteration, ``select.amended`` may know of others
        nearby, and which of the two it prefers by their scores. Training goes on from where it was,
        but for longer windows, see `lengthen`.
        """
        if self.select is None:
            return
        candidates = [self.vector.copy()]
        amended = None if H is None else self.select.amended(self.params, H, self.best_loss)
        if amended is not None:
            amended = {name: amended[name] for name in self.params}
            candidates.append(flatten(amended)[0].astype(self.vector.dtype))
        scores = self._scores_of(candidates)
        kept = int(amended is not None and self.select.prefers_amended(scores[1], scores[0]))
        self.checkpoints.append(candidates[kept])
        self.checkpoint_scores.append(scores[kept])

    def _scores_of(self, vectors):
        """What ``select`` says of each, or has said last time: not all steps are taken."""
        keys = [x.tobytes() for x in vectors]
        new = {key: x for key, x in zip(keys, vectors, strict=True) if key not in self._scored}
        score_of = lambda x: tuple(map(float, self.select(views(x, self.params))))
        scores = in_turns(score_of, list(new.values()), self.settings.n_threads)
        known = self._scored | dict(zip(new, scores, strict=True))
        self._scored = {key: known[key] for key in keys}
        return [known[key] for key in keys]

    @property
    def is_at_best_checkpoint(self):
        """Whether the latest checkpoint has the best scores, finite ones."""
        scores = self.checkpoint_scores
        return (
            bool(scores) and np.isfinite(scores[-1]).all() and self._ranked()[0] == len(scores) - 1
        )

    def exploded(self, value):
        """Whether `value` is not finite, or absurd beside the start and the targets themselves."""
        reference = self.start_value if np.isfinite(self.start_value) else 1.0
        # A start that was solved for may leave next to nothing, to which no step can keep.
        reference = max(reference, self.batches.target_power, np.finfo(float).tiny)
        return not np.isfinite(value) or value > EXPLODED * reference

    def is_over(self):
        """Whether held-out loss has stopped improving, or who watches asks to stop."""
        patience = self.settings.n_iter_no_change
        is_stale = self.held_out is not None and patience is not None and self.stale >= patience
        return is_stale or self.stopped

    def end_epoch(self, loss, value, rate, last, H=None):
        """Record, keep the best, score a checkpoint when one is due, report.

        `value` is the monitored one at the present parameters, None where it is not known; `H` the
        Gauss-Newton matrix at the beginning of the epoch, if there is one.
        """
        settings, n = self.settings, self.n_iter + 1
        self.loss_curve.append(loss)
        if self.held_out is not None:
            self.validation_curve.append(value)
        if value is not None:
            self.keep_if_best(value)
        interval = max(1, settings.max_iter // settings.n_checkpoints)
        if n % interval == 0 or last:
            self.checkpoint(H)
        if settings.verbose:
            show(f"epoch {n}/{settings.max_iter}", loss, rate, last)

    def result(self):
        """Best parameters: of the checkpoints if they were scored, else of the monitored value."""
        chosen, score = self.best, float(self.best_loss)
        if self.settings.keep_last and np.isfinite(self.vector).all():
            chosen = self.vector
        if self.checkpoints:
            i = self._best_checkpoint()
            chosen, score = self.checkpoints[i], self.checkpoint_scores[i]
        return Result(
            {name: x.copy() for name, x in views(chosen, self.params).items()},
            score,
            float(self.best_loss),
            self.loss_curve.copy(),
            self.validation_curve.copy(),
            self.n_iter,
            self.checkpoint_scores.copy(),
            self.interrupted,
            self.n_retries >= MAX_RETRIES or not (np.isfinite(self.best_loss) or self.interrupted),
            self.optimizer_state,
            self.stopped,
        )

    def _best_checkpoint(self):
        """Index of the best one that ``select.lasts`` is true of, where there is such a thing.

        Of the best few; where that is none of them, the best.
        """
        ranked = self._ranked()
        if not hasattr(self.select, "lasts"):
            return ranked[0]
        return next(filter(self._lasts, ranked[:MAX_CANDIDATES]), ranked[0])

    def _ranked(self):
        """Indices of checkpoints, best first; those from shorter windows need much better scores.

        Scores of what is the same attractor differ by chance, and there were many of them.
        """
        is_shorter = np.arange(len(self.checkpoints)) < self.n_shorter
        return by_product(np.c_[self.checkpoint_scores, np.where(is_shorter, AS_GOOD, 1.0)])

    def _lasts(self, i):
        if i not in self._lasting:
            self._lasting[i] = self.select.lasts(views(self.checkpoints[i], self.params))
        return self._lasting[i]


def flatten(params):
    """One vector that holds all parameters, and the dict of views into it."""
    vector = np.concatenate([np.ravel(x) for x in params.values()])
    return vector, views(vector, params)


def views(vector, params):
    """The dict of views into a vector that holds all parameters."""
    ends = np.cumsum([x.size for x in params.values()])
    parts = np.split(vector, ends[:-1])
    return {name: x.reshape(params[name].shape) for name, x in zip(params, parts, strict=True)}


def show(stage, loss=np.nan, rate=np.nan, last=False):
    """One line that is written over, stage after stage."""
    parts = [stage]
    parts += [] if np.isnan(loss) else [f"loss {loss:.3e}"]
    parts += [] if np.isnan(rate) else [f"rate {rate:.1e}"]
    sys.stdout.write(f"\r{'  '.join(parts):<50}" + ("\n" if last else ""))
    sys.stdout.flush()


def best_product(scores):
    """Index of the row with the least product of its columns; the later of equals."""
    return by_product(scores)[0]


def by_product(scores):
    """Indices of rows, those with the least product of their columns first, later ones of equals.

    By sums of ranks, checkpoints that hardly differ in one score would be told apart by it.
    """
    logarithm = np.log(np.maximum(scores, np.finfo(float).tiny)).sum(axis=1)
    logarithm = np.nan_to_num(logarithm, nan=np.inf)
    return len(logarithm) - 1 - np.argsort(logarithm[::-1], kind="stable")

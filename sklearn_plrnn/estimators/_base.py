"""What the estimators share: parameters, assembling an objective, training it, fitted attributes.

``fit`` of an estimator works on an unfitted twin of itself and takes the twin's attributes over in
one assignment at the very end: a fit that fails leaves the old model whole.
"""

import copy
import os
import warnings
from functools import partial
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._model.cells import CELLS, make_cell
from .._model.initialization import initialize
from .._model.objective import Objective
from .._model.regularization import PENALTIES, regularized_units
from .._random_state import local_random_state
from .._training.blas import single_threaded_blas
from .._training.checkpoint import StateFile, fingerprint
from .._training.loop import SOLVERS, best_of, minimize, restarts, threads_within
from .._training.optimizers import OPTIMIZERS, SCHEDULES
from .._training.run import Result, Settings, show
from .._version import __version__
from ._callbacks import NO_TASK, CallbackSupportMixin, fitted_attributes
from ._documentation import page_template
from ._persistence import check_shapes, with_version, without_version
from ._sequences import Scaling


class BasePLRNN(
    CallbackSupportMixin, TransformerMixin, ClassNamePrefixFeaturesOutMixin, BaseEstimator
):
    """Parameters and training common to all estimators."""

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "penalty": [StrOptions(set(PENALTIES))],
        "regularized_fraction": [Interval(Real, 0, 1, closed="both")],
        "l2": [Interval(Real, 0, None, closed="left")],
        "architecture": [StrOptions(set(CELLS))],
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "n_nonlinear": [Interval(Integral, 0, None, closed="left"), None],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "learning_rate": [StrOptions(set(SCHEDULES))],
        "solver": [StrOptions(set(SOLVERS))],
        "max_iter": [Interval(Integral, 0, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "sequence_length": [Interval(Integral, 1, None, closed="left"), None],
        "gradient_checkpointing": ["boolean"],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "standardize": ["boolean"],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "on_interrupt": [StrOptions({"raise", "keep"})],
        "checkpoint_dir": [str, os.PathLike, None],
        "verbose": ["verbose"],
        "dtype": [StrOptions({"float32", "float64"}), None],
    }

    def to_map(self):
        """The fitted recurrence, to simulate and analyse without the estimator.

        Returns
        -------
        map : PiecewiseLinearMap
            Named tuple of ``A, W, h, V, theta, always_on`` with methods ``step``, ``jacobian``,
            ``pattern`` and ``region``. Its states are latent: ``B_`` and ``b_`` lead from them, or
            with the readout "relu" from their relu, to observations in the user's units.
        """
        check_is_fitted(self)
        cell = CELLS[self.architecture_](**self.sizes_)
        check_shapes(self, cell)
        return cell.lower(self._params())

    def __getstate__(self):
        return with_version(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(without_version(state, type(self)))

    _doc_link_module = "sklearn_plrnn"

    @property
    def _doc_link_template(self):
        """What scikit-learn makes links of an HTML representation from."""
        return page_template()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self):
        """Columns of `transform`: one for each latent unit."""
        return len(self.A_)

    def _unfitted_twin(self, keep=False):
        """A shallow copy without fitted attributes, unless a warm start is to go on from them."""
        twin = copy.copy(self)
        if not (keep or self.warm_start):
            twin.__dict__ = {k: v for k, v in vars(self).items() if not k.endswith("_")}
        return twin

    def _take_over(self, twin, result, task=NO_TASK):
        """Become what the twin was fitted to; warn of what went wrong, as a line of the caller's.

        To be called from the public method itself, which scikit-learn wraps in one frame more.
        """
        self.__dict__ = vars(twin)
        task.end({})
        if result.interrupted and self.on_interrupt == "raise":
            raise KeyboardInterrupt("fit was interrupted; the best parameters so far are kept")
        if result.interrupted:
            warnings.warn(
                f"Training was interrupted after {result.n_iter} of {self._max_iter()} iterations; "
                "the best parameters so far are kept.",
                ConvergenceWarning,
                stacklevel=4,
            )
        if result.diverged:
            warnings.warn(
                "Training diverged again and again and was stopped; the best parameters so far are "
                f"kept. Lower learning_rate_init (now {self.learning_rate_init:g}) or "
                f"max_grad_norm (now {self.max_grad_norm}).",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _max_iter(self):
        """Epochs or iterations at most."""
        return self._default_iterations[self.solver_] if self.max_iter is None else self.max_iter

    def _is_warm(self):
        """Whether a twin goes on from a previous fit."""
        return hasattr(self, "parameter_names_")

    def _allowed_dtypes(self):
        """What X may be as it stands; the first is what anything else becomes."""
        return [np.float64, np.float32] if self.dtype is None else np.dtype(self.dtype)

    def _assemble(self, readout, n_inputs, n_hidden, **options):
        """The objective that the constructor parameters describe."""
        M = readout.n_components
        sizes = {"n_hidden": n_hidden, "n_nonlinear": self._n_nonlinear(readout)}
        cell = make_cell(self.architecture, n_components=M, **sizes)
        units = regularized_units(M, readout.n_observed, self.regularized_fraction)
        penalty = PENALTIES[self.penalty](self.alpha, units)
        options |= {"l2": self.l2 or 0.0, "checkpointing": self.gradient_checkpointing}
        return Objective(cell, readout, penalty, n_inputs, **options)

    def _n_nonlinear(self, readout):
        """Units of "almost-linear" with a relu."""
        M, N = readout.n_components, readout.n_observed
        if self.n_nonlinear is None:
            return M - N if 0 < N < M else M // 2
        if self.architecture == "almost-linear" and self.n_nonlinear > M:
            raise ValueError(f"n_nonlinear={self.n_nonlinear} is larger than n_components={M}.")
        return self.n_nonlinear

    def _train(
        self,
        objective,
        series,
        held_out,
        make_batches,
        sequences,
        task,
        select=None,
        stream=False,
        goal=None,
        n_tried=0,
        **more,
    ):
        """Run all restarts, store the best; the results, the best one first.

        The `sequences` are what a fitted model looks back on. With `stream`, one epoch at a
        constant rate continues what came before. `goal` is what the solver minimizes, if not the
        objective itself; `n_tried` first seeds are left out; `more` are further `Settings`.
        """
        settings = Settings(
            self.solver_,
            self.learning_rate_init,
            self.learning_rate,
            self._max_iter(),
            self.max_grad_norm,
            self.tol,
            self.n_iter_no_change,
            n_threads=threads_within(self.n_init, self.n_jobs),
            verbose=int(self.verbose),
            **more,
        )
        if stream:
            settings = settings._replace(max_iter=1, learning_rate="constant", keep_last=True)
        run = partial(
            _train_watched,
            problem=(objective, goal or objective, series, held_out, make_batches, select),
            start=self._warm_params(objective, series.inputs.dtype) if self._is_warm() else None,
            init=self.init_,
            settings=settings,
            optimizer_state=getattr(self, "optimizer_state_", None) if stream else None,
        )
        if not stream:  # an epoch is over before its state is worth keeping
            run = partial(run, path=self._state_path(run.keywords))
        earlier = getattr(self, "loss_curve_", []) if stream else []
        rng = local_random_state(self.random_state)
        # Each epoch of a stream has a seed of its own, also if they all begin with the same number.
        n_tried, n_seeds = (len(earlier), 1) if stream else (n_tried, self.n_init)
        seeds = rng.randint(2**31 - 1, size=n_tried + n_seeds)[n_tried:]
        steps = settings.max_iter, "epoch" if self.solver_ in OPTIMIZERS else "iteration"
        fitted = partial(self._as_fitted, objective, sequences)
        watches = [task.run(self.solver_, *steps, fitted) for _ in seeds]
        results = restarts(run, list(zip(seeds, watches, strict=True)), self.n_jobs)
        chosen = best_of(results)
        best = chosen._replace(
            interrupted=any(result.interrupted for result in results),
            is_enough=any(result.is_enough for result in results),
        )
        if stream:
            best = best._replace(loss_curve=[*earlier, *best.loss_curve], n_iter=len(earlier) + 1)
        self._store(objective, best)
        self.restart_scores_ = [result.score for result in results]
        return [best, *(result for result in results if result is not chosen)]

    def _as_fitted(self, objective, sequences, result):
        """Fitted attributes, were this the only result."""
        model = copy.copy(self)
        model._store(objective, result)
        model.restart_scores_ = [result.score]
        model._look_back(sequences)
        return fitted_attributes(model)

    def _checkpoint_folder(self):
        """The folder for states of training runs, which is there now; None without any."""
        if self.checkpoint_dir is None:
            return None
        if self.random_state is None:
            raise ValueError(
                f"checkpoint_dir={os.fspath(self.checkpoint_dir)!r} needs a random_state: with "
                "None, a fit that is run again has other seeds, and never finds what the first one "
                "left. Give an integer."
            )
        try:
            Path(self.checkpoint_dir).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"checkpoint_dir={os.fspath(self.checkpoint_dir)!r} is no folder, and cannot be "
                f"made one: {error}"
            ) from error
        return Path(self.checkpoint_dir)

    def _state_path(self, given):
        """Where the states of runs that are given this go, but for their seeds."""
        folder = self._checkpoint_folder()
        if folder is None:
            return None
        settings = given["settings"]._replace(n_threads=1, verbose=0)  # which change no result
        return folder / fingerprint(__version__, given | {"settings": settings})

    def _store(self, objective, result):
        """Parameters in the user's output units, and the history of training."""
        self.architecture_, self.sizes_ = self.architecture, objective.cell._asdict()
        self.parameter_names_ = list(result.params)
        self.regularized_units_ = objective.penalty.units
        self.initial_state_ = np.zeros_like(result.params["A"])
        for name, x in result.params.items():
            setattr(self, f"{name}_", x)
        n_outputs = len(self.output_scale_)  # delays come after them
        B, b = (x[:n_outputs] for x in objective.readout.matrix(result.params))
        self.B_ = B * self.output_scale_[:, None]
        self.b_ = Scaling(self.output_mean_, self.output_scale_).undo(b)
        self.loss_curve_ = result.loss_curve
        self.validation_curve_ = result.validation_curve
        if result.checkpoint_scores:
            self.checkpoint_scores_ = result.checkpoint_scores
        self.optimizer_state_ = result.optimizer_state
        self.best_loss_ = result.best_loss
        self.n_iter_ = result.n_iter

    def _params(self):
        """The parameter dict in standardized units, as in training."""
        params = {name: getattr(self, f"{name}_") for name in self.parameter_names_}
        if "B" in params:
            params["B"] = self.B_ / self.output_scale_[:, None]
            params["b"] = Scaling(self.output_mean_, self.output_scale_).apply(self.b_)
        return params

    def _warm_params(self, objective, dtype):
        """Parameters of the previous fit, if they still fit the problem."""
        expected = objective.init(np.random.default_rng(0), dtype)
        params = {name: x.astype(dtype) for name, x in self._params().items()}
        shapes = [{name: x.shape for name, x in p.items()} for p in (params, expected)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"The previous fit left parameters of shapes {shapes[0]}, and to go on from there "
                f"(warm_start=True, or partial_fit) this one needs {shapes[1]}. Start anew instead."
            )
        return params


def _train_watched(seed_and_watch, **given):
    """One restart, and what is told of it."""
    seed, watch = seed_and_watch
    if watch is None:
        return _train_once(seed, **given)
    watch.begin()
    result = _train_once(seed, watch=watch, **given)
    try:
        return result._replace(is_enough=watch.end(result))
    except KeyboardInterrupt:
        return result._replace(interrupted=True)


def _train_once(seed, *, problem, start, init, settings, optimizer_state, path=None, watch=None):
    """One restart, from its seed alone, or from the state of it on disk."""
    file = StateFile(None if path is None else f"{path}-{seed}.npz")
    if "result" in file.saved:
        return Result(**file.saved["result"])
    objective, goal, series, held_out, make_batches, select = problem
    rng = np.random.default_rng(seed)
    batches = make_batches(series)
    start = file.saved.get("params", start)
    if start is None:
        if settings.verbose:
            show(f"start: {init}")
        with single_threaded_blas():
            start = initialize(init, objective, batches.series, batches, rng)
    held_out = None if held_out is None else make_batches(held_out)
    # Without integrators to start from there are none to hold back.
    rates = objective.rates(start, 1.0 if init == "random" else batches.span)
    result = minimize(
        goal, start, batches, held_out, settings, rng, select, optimizer_state, rates, file, watch
    )
    if not (result.interrupted or result.stopped):
        file.write({"result": result._asdict()})
    return result

"""What the regressor and the classifier share: sequences in, a target per step or per sequence."""

from functools import partial
from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._model.losses import LOSSES
from .._model.readouts import Affine
from .._random_state import local_random_state
from .._recurrence import Workspace, propagate
from .._training.batches import (
    SequenceBatches,
    Series,
    split_sequences,
    split_tail,
    stretches,
)
from .._training.loop import SOLVERS
from ._base import BasePLRNN
from ._callbacks import NO_TASK
from ._sequences import Scaling, check_weights

DEFAULT_WINDOW = 100  # rows
# For Gauss-Newton: of fewer sequences none can be spared to accept steps on, and its matrix grows
# with the square of the number of parameters.
MIN_SEQUENCES = 50
MAX_PARAMETERS = 4000
MINIBATCH = 32  # sequences at most by default; larger ones leave first-order methods too few steps
LARGEST_BATCH = {"gauss-newton": 100, "lbfgs": 100}  # all that counts is that kernels are busy
SECOND_COPY = 2**25  # bytes; larger data are standardized as they are gathered, batch after batch


class SupervisedPLRNN(BasePLRNN):
    """A network that is read out at every step, or at the last step of each sequence."""

    _parameter_constraints = {
        **BasePLRNN._parameter_constraints,
        "init": [StrOptions({"auto", "closed-form", "identity", "random"})],
        "solver": [StrOptions({"auto", *SOLVERS})],
        "washout": [Interval(Integral, 0, None, closed="left")],
        "initial_state": [StrOptions({"learned", "zero", "last"})],
    }
    _default_iterations = dict.fromkeys(SOLVERS, 400) | {"gauss-newton": 20}

    def __init__(
        self,
        n_components=40,
        *,
        alpha=1.0,
        penalty="manifold-attractor",
        regularized_fraction=0.5,
        l2=0.0,
        architecture="plrnn",
        n_hidden=100,
        n_nonlinear=None,
        init="auto",
        solver="auto",
        learning_rate_init=3e-3,
        learning_rate="cosine",
        max_iter=None,
        batch_size=None,
        sequence_length=None,
        gradient_checkpointing=False,
        max_grad_norm=1.0,
        tol=1e-5,
        n_iter_no_change=10,
        early_stopping=False,
        validation_fraction=0.1,
        washout=0,
        initial_state="learned",
        standardize=True,
        n_init=1,
        n_jobs=None,
        random_state=None,
        warm_start=False,
        on_interrupt="raise",
        checkpoint_dir=None,
        verbose=0,
        dtype=None,
    ):
        self.n_components = n_components
        self.alpha = alpha
        self.penalty = penalty
        self.regularized_fraction = regularized_fraction
        self.l2 = l2
        self.architecture = architecture
        self.n_hidden = n_hidden
        self.n_nonlinear = n_nonlinear
        self.init = init
        self.solver = solver
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.sequence_length = sequence_length
        self.gradient_checkpointing = gradient_checkpointing
        self.max_grad_norm = max_grad_norm
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.washout = washout
        self.initial_state = initial_state
        self.standardize = standardize
        self.n_init = n_init
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.warm_start = warm_start
        self.on_interrupt = on_interrupt
        self.checkpoint_dir = checkpoint_dir
        self.verbose = verbose
        self.dtype = dtype

    def _fit_to(self, sequences, targets, weights, loss, task=NO_TASK, stream=False):
        """Train on `targets` (R or n, N); with `stream` go on for an epoch."""
        self.n_outputs_ = targets.shape[1]
        self._check_lengths(sequences)
        series = self._standardized(sequences, targets, weights, loss)
        M = self.n_components
        objective = self._assemble(
            Affine(M, self.n_outputs_),
            sequences.rows.shape[1],
            self.n_hidden,
            loss=LOSSES[loss](),
            learn_start=self.initial_state != "zero",
        )
        self._choose(objective, series, stream)
        window = self._window()
        train, held_out = series, None
        if self._holds_out(series) and not stream:
            train, held_out = self._split(series)
        make_batches = partial(
            SequenceBatches,
            batch_size=self.batch_size,
            sequence_length=window,
            largest=LARGEST_BATCH.get(self.solver_, MINIBATCH),
        )
        data = train, held_out, make_batches, sequences
        best, *_ = self._train(objective, *data, task, stream=stream)
        self._look_back(sequences)
        return best

    def _gone_on(self, *data):
        """A twin fitted for one more epoch, to more data, and the result of its training."""
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True.")
        if self.solver not in ("auto", "adam", "sgd"):
            raise ValueError(f'partial_fit needs solver="adam" or "sgd", got {self.solver!r}.')
        twin = self._unfitted_twin(keep=True)
        return twin, twin._fit(*data, stream=True)

    def _choose(self, objective, series, stream):
        """What "auto" stands for: solve as much as can be solved, where there are data enough."""
        start = objective.init(np.random.default_rng(0), series.inputs.dtype)
        cell = objective.cell
        n_needed = cell.n_relu_to_embed(len(objective.penalty.units))
        solvable = (
            not self.per_step_
            and not stream
            and len(series.lengths) >= MIN_SEQUENCES
            and sum(x.size for x in start.values()) <= MAX_PARAMETERS
            and cell.n_relu >= n_needed
        )
        self.solver_, self.init_ = self.solver, self.init
        if self.init == "closed-form" and cell.n_relu < n_needed:
            name = cell._fields[-1]
            raise ValueError(
                f'init="closed-form" needs {name} >= {n_needed} with n_components='
                f"{self.n_components} and architecture={self.architecture!r}, got {cell.n_relu}."
            )
        if self.solver == "auto":
            self.solver_ = "gauss-newton" if solvable else "adam"
        if self.init == "auto":
            solved = solvable and self.solver_ == "gauss-newton"
            self.init_ = "closed-form" if solved else "identity"

    def _holds_out(self, series):
        """Gauss-Newton accepts steps on held-out data, where there are any to spare."""
        rows = len(series.lengths) == 1 and series.per_step
        n_counted = np.count_nonzero(series.weights.any(axis=1) if rows else series.totals())
        is_needed = self.solver_ == "gauss-newton" and n_counted >= MIN_SEQUENCES
        return self.early_stopping or is_needed

    def _split(self, series):
        """Training and held-out series: the last rows of one series, random ones of sequences.

        The last rows are predicted from the beginning: what is unstable anywhere shows there.
        """
        if len(series.lengths) == 1:
            return split_tail(series, self.validation_fraction)
        seed = local_random_state(self.random_state).randint(2**31 - 1)
        return split_sequences(series, self.validation_fraction, np.random.default_rng(seed))

    def _window(self):
        """Rows of a training window, None for whole sequences."""
        if not self.per_step_:
            return None
        return DEFAULT_WINDOW if self.sequence_length is None else self.sequence_length

    def _standardized(self, sequences, targets, weights, loss):
        if not self._is_warm():
            inputs = Scaling.of(sequences.rows, enabled=self.standardize)
            is_scaled = self.standardize and loss == "squared_error"  # labels have no scale
            outputs = Scaling.of(targets, weights, enabled=is_scaled)
            self.input_mean_, self.input_scale_ = inputs
            self.output_mean_, self.output_scale_ = outputs
        # A target that does not count may be huge, and zero times infinity would count.
        targets = np.where(weights > 0, targets, self.output_mean_)
        inputs, scaling = sequences.rows, Scaling(self.input_mean_, self.input_scale_)
        if inputs.nbytes <= SECOND_COPY:
            inputs, scaling = scaling.apply(inputs), None
        return Series(
            inputs,
            sequences.lengths,
            Scaling(self.output_mean_, self.output_scale_).apply(targets),
            weights,
            scaling,
        )

    def _weights(self, sample_weight, sequences, n_targets):
        """Weights (R or n, 1), zero during the washout."""
        series = sequences.container == "series"
        n_given = len(sequences.rows) if series else len(sequences.lengths)
        weights = check_weights(sample_weight, n_given, sequences.rows.dtype)
        if n_targets == len(sequences.rows) and not series:
            weights = np.repeat(weights, sequences.lengths, axis=0)
        if self.washout and self.per_step_:
            step = np.concatenate([np.arange(n) for n in sequences.lengths])
            weights = weights * (step >= self.washout)[:, None]
        return weights

    def _check_lengths(self, sequences):
        longest = int(sequences.lengths.max())
        shortest_allowed = {"sequence_length": self.sequence_length}
        shortest_allowed |= {"washout": self.washout + 1} if self.per_step_ else {}
        for name, rows in shortest_allowed.items():
            if rows is not None and rows > longest:
                raise ValueError(
                    f"{name}={getattr(self, name)} needs a sequence of at least {rows} rows, but "
                    f"the longest in X has {longest}."
                )
        if self.sequence_length is not None and not self.per_step_:
            raise ValueError(
                f"sequence_length={self.sequence_length} needs a target at each step; with one "
                "target per sequence the whole sequence counts. Use sequence_length=None."
            )
        if self.initial_state == "last" and sequences.container != "series":
            raise ValueError(
                'initial_state="last" continues one training series (2-D X), but X holds '
                f"{len(sequences.lengths)} sequences."
            )

    def _states(self, sequences, start=None):
        """Latent states (T, B, M) of the sequences, some at a time, and which steps are real."""
        f, params, workspace = self.to_map(), self._params(), Workspace()
        if start is None:
            start = self.last_state_ if self.initial_state == "last" else self.initial_state_
        scaling = Scaling(self.input_mean_, self.input_scale_)
        for rows, inside in stretches(sequences.lengths, n_units=f.n_components + f.n_hidden):
            inputs = scaling.apply(sequences.rows[rows])
            T, B, _ = inputs.shape
            start_states = np.broadcast_to(start, (B, f.n_components))
            with np.errstate(over="ignore", invalid="ignore"):
                states = propagate(
                    f, start_states, inputs, C=params["C"], n_timesteps=T, workspace=workspace
                )
            yield states, inside

    def _outputs(self, sequences):
        """Targets (R or n, N) in the user's units."""
        parts = []
        for states, inside in self._states(sequences):
            states = states.swapaxes(0, 1)[inside.T] if self.per_step_ else last_of(states, inside)
            parts.append(states @ self.B_.T + self.b_)
        return np.concatenate(parts)

    def _look_back(self, sequences):
        """Keep the state after the last row of the last sequence."""
        last = sequences._replace(
            rows=sequences.rows[-sequences.lengths[-1] :], lengths=sequences.lengths[-1:]
        )
        ((states, _),) = self._states(last, start=self.initial_state_)
        self.last_state_ = states[-1, 0].copy()


def last_of(states, inside):
    """The last real state of each sequence (B, M)."""
    return states[inside.sum(axis=0) - 1, np.arange(states.shape[1])]

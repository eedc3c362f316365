"""`RegularizedPLRNNRegressor`: targets from input sequences."""

from functools import partial
from numbers import Integral

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._model.readouts import Affine
from .._recurrence import Workspace, propagate
from .._training.batches import SequenceBatches, Series, split_tail, stretches
from ._base import BasePLRNN
from ._sequences import Scaling, check_sequences, check_targets, check_weights

DEFAULT_WINDOW = 100  # rows


class RegularizedPLRNNRegressor(RegressorMixin, BasePLRNN):
    r"""Piecewise-linear recurrent network with manifold-attractor regularization.

    .. math::

        z_t = A z_{t-1} + W \mathrm{relu}(z_{t-1}) + C s_t + h, \qquad x_t = B z_t + b

    with inputs :math:`s_t` (rows of X) and targets :math:`x_t` (y), trained by back-propagation
    through time on the mean squared error plus, over the regularized units,

    .. math::

        \alpha \left[ \mathrm{mean} (A_{ii} - 1)^2 + \mathrm{mean}\, W_{ij}^2
        + \mathrm{mean}\, h_i^2 \right],

    which lets them hold information over very long times [1]_.

    Parameters
    ----------
    n_components : int, default=40
        Number of latent units M.
    alpha : float, default=1.0
        Strength of the manifold-attractor penalty, the paper's tau. It multiplies means over the
        m regularized units; sums, as in the paper's equation, have
        ``tau_A = tau_h = alpha / m`` and ``tau_W = alpha / (m (M - 1))``.
    penalty : {"manifold-attractor", "l2"}, default="manifold-attractor"
        Whether A of the regularized units is pulled to 1, or (for comparison) to 0.
    regularized_fraction : float, default=0.5
        Share of the units that are regularized.
    l2 : float, default=0.0
        Strength of a ridge penalty: multiplies the mean squares of coupling, input and readout
        weights, all units alike.
    architecture : {"plrnn", "shallow"}, default="plrnn"
        The cell: as above, or ``z_t = A z + W1 relu(W2 z + h2) + h1`` [2]_.
    n_hidden : int, default=100
        Number of hidden units of "shallow".
    init : {"identity", "random"}, default="identity"
        "identity": the regularized units start as perfect integrators (A = 1, W = 0, h = 0), the
        readout as a ridge regression on the states. "random": nothing is special.
    solver : {"adam", "sgd", "lbfgs"}, default="adam"
        Stochastic first-order methods, or limited-memory BFGS on all the data at once.
    learning_rate_init : float, default=3e-3
        Rate of "adam" and "sgd" at the beginning.
    learning_rate : {"cosine", "exponential", "constant"}, default="cosine"
        Its schedule over `max_iter` epochs.
    max_iter : int, default=400
        Number of epochs ("adam", "sgd") or iterations ("lbfgs"). With 0 the start is kept.
    batch_size : int or None, default=None
        Number of sequences, or of windows, in a minibatch. None is a 25th of them, 4 to 100.
    sequence_length : int or None, default=None
        With a target at each step, gradients of longer series are taken on windows of this many
        rows, overlapping by half: the first half of a window warms the state up. None is 100; what
        acts over many more steps needs longer windows. With one target per sequence, sequences are
        always taken whole. A gradient needs memory for at most
        ``sequence_length * batch_size * (6 n_components + 2 n_hidden)`` numbers (a third of the
        first term with numba), `n_hidden` counting only for "shallow".
    gradient_checkpointing : bool, default=False
        Whether to keep only about sqrt(sequence_length) of a window's states and to compute the
        others a second time for the gradient, which is the same; for very long windows.
    max_grad_norm : float or None, default=1.0
        Gradients of larger Euclidean norm are scaled down to it ("adam", "sgd").
    tol : float, default=1e-5
        Smallest decrease of the held-out loss that counts as progress; for "lbfgs" also the largest
        gradient component at convergence.
    n_iter_no_change : int, default=10
        With `early_stopping`, epochs without progress before training ends.
    early_stopping : bool, default=False
        Hold the last rows of a single series, or the last of several sequences, out of training,
        keep the parameters that are best there and stop when they no longer improve.
    validation_fraction : float, default=0.1
        Share of rows or sequences held out by `early_stopping`.
    washout : int, default=0
        Steps at the beginning of each sequence that count neither in the loss nor in `score`.
    initial_state : {"learned", "zero", "last"}, default="learned"
        Where predictions start: a learned state, zero, or the state after the last training row
        (exact for forecasts that continue the training series, wrong for anything else).
    standardize : bool, default=True
        Whether to standardize inputs and targets inside. Everything returned is in the units given.
    n_init : int, default=1
        Number of independent restarts, of which the best is kept.
    n_jobs : int or None, default=None
        Number of restarts at a time; of a single restart, threads that share batches of 64 or more
        (with numba). Results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of start, minibatches and restarts.
    warm_start : bool, default=False
        Whether `fit` goes on from the previous parameters (and its scaling of inputs and outputs).
    on_interrupt : {"raise", "keep"}, default="raise"
        What Ctrl-C does after the best parameters so far have been stored.
    verbose : bool or int, default=0
        Whether to show one updating line with epoch, loss and rate.
    dtype : {"float32", "float64"} or None, default=None
        Precision; None is that of X.

    Attributes
    ----------
    A_, h_ : ndarray of shape (n_components,)
        Auto-regression weights and bias ("shallow": ``A_``, ``h1_``).
    W_ : ndarray of shape (n_components, n_components)
        Coupling, its diagonal zero ("shallow": ``W1_``, ``W2_``, ``h2_``).
    C_ : ndarray of shape (n_components, n_features)
        Input weights, for standardized inputs.
    B_ : ndarray of shape (n_outputs, n_components)
        Readout weights, in the units of y.
    b_ : ndarray of shape (n_outputs,)
        Readout offset, in the units of y.
    initial_state_ : ndarray of shape (n_components,)
        State before the first row.
    last_state_ : ndarray of shape (n_components,)
        State after the last training row.
    input_mean_, input_scale_ : ndarray of shape (n_features,)
        Standardization of X.
    output_mean_, output_scale_ : ndarray of shape (n_outputs,)
        Standardization of y.
    parameter_names_ : list of str
        Names of the learned arrays; each is an attribute with an underscore added.
    architecture_ : str
        The cell that was fitted.
    loss_curve_ : list of float
        Mean training loss of each epoch or iteration, in standardized units, penalties included.
    validation_curve_ : list of float
        Held-out loss after each epoch, with `early_stopping`.
    best_loss_ : float
        Smallest monitored loss: held-out with `early_stopping`, else training.
    restart_scores_ : list of float
        `best_loss_` of every restart.
    n_iter_ : int
        Number of epochs or iterations that were run.
    per_step_ : bool
        Whether the training targets were one per step.
    single_output_ : bool
        Whether targets had no axis for outputs.
    n_outputs_ : int
        Number of targets.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features, where X had any.

    See Also
    --------
    DSReconstructor : Dynamical systems from measured time series.

    References
    ----------
    .. [1] D. Schmidt, G. Koppe, Z. Monfared, M. Beutelspacher, D. Durstewitz, "Identifying
       nonlinear dynamical systems with multiple time scales and long-range dependencies",
       ICLR 2021, arXiv:1910.03471, eqs. 1 to 3.
    .. [2] F. Hess, Z. Monfared, M. Brenner, D. Durstewitz, "Generalized teacher forcing for
       learning chaotic dynamics", ICML 2023, arXiv:2306.04406.

    Examples
    --------
    One series, a target at every row:

    >>> import numpy as np
    >>> from sklearn_plrnn import RegularizedPLRNNRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 1))
    >>> y = np.convolve(X[:, 0], 0.8 ** np.arange(20))[:300]
    >>> model = RegularizedPLRNNRegressor(n_components=5, random_state=0).fit(X[:200], y[:200])
    >>> model.predict(X).shape
    (300,)
    >>> bool(model.score(X[200:], y[200:]) > 0.9)
    True

    Sequences, one target each:

    >>> from sklearn_plrnn.datasets import make_addition
    >>> X, y = make_addition(n_sequences=50, n_timesteps=20, random_state=0)
    >>> model = RegularizedPLRNNRegressor(n_components=8, max_iter=5, random_state=0).fit(X, y)
    >>> model.predict(X[:3]).shape
    (3,)
    """

    _parameter_constraints = {
        **BasePLRNN._parameter_constraints,
        "init": [StrOptions({"identity", "random"})],
        "batch_size": [*BasePLRNN._parameter_constraints["batch_size"], None],
        "washout": [Interval(Integral, 0, None, closed="left")],
        "initial_state": [StrOptions({"learned", "zero", "last"})],
    }

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
        init="identity",
        solver="adam",
        learning_rate_init=3e-3,
        learning_rate="cosine",
        max_iter=400,
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
        self.verbose = verbose
        self.dtype = dtype

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the network.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_features), (n_sequences, n_timesteps, n_features) \
                or list of arrays of shape (n_timesteps_i, n_features)
            One series of equally spaced rows, equally long sequences, or sequences of any lengths.
        y : array-like of shape (n_timesteps,) or (n_timesteps, n_outputs) for one series; \
                (n_sequences,) or (n_sequences, n_outputs) for one target per sequence, due at its \
                last step; (n_sequences, n_timesteps, n_outputs) or a list for one per step
            Targets.
        sample_weight : array-like of shape (n_timesteps,) or (n_sequences,), default=None
            Weight of each row of one series, else of each sequence. A target of zero weight has no
            influence, whatever its value; its inputs still drive the state.

        Returns
        -------
        self : RegularizedPLRNNRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If shapes do not fit together, values are not finite, or a series is too short for
            `sequence_length`, `washout` or `early_stopping`.
        """
        twin = self._unfitted_twin()
        interrupted = twin._fit(X, y, sample_weight)
        self._take_over(twin, interrupted)
        return self

    def predict(self, X):
        """Predict targets, every sequence starting from `initial_state`.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts.

        Returns
        -------
        y : ndarray or list of ndarray
            One target per step in the container of X, or one per sequence, as in training.
        """
        sequences = self._check(X)
        if self.per_step_:
            return sequences.restore(self._squeeze(self._outputs(sequences)))
        if sequences.container == "series":
            raise ValueError(
                "X is 2-D (time, feature), but this model was fitted to one target per sequence. "
                "Pass one sequence as X[np.newaxis]."
            )
        return self._squeeze(self._outputs(sequences))

    def transform(self, X):
        """Latent states after each row.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts.

        Returns
        -------
        states : ndarray of shape (n_timesteps, n_components), or the container of X
            States z_t.
        """
        sequences = self._check(X)
        rows = [states.swapaxes(0, 1)[inside.T] for states, inside in self._states(sequences)]
        return sequences.restore(np.concatenate(rows))

    def score(self, X, y, sample_weight=None):
        """Coefficient of determination R^2 of the predictions, without the washout.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts.
        y : array-like or list of arrays
            Targets, of the form used in `fit`.
        sample_weight : array-like of shape (n_timesteps,) or (n_sequences,), default=None
            As in `fit`.

        Returns
        -------
        score : float
            R^2, averaged over outputs.
        """
        sequences = self._check(X)
        targets, _ = check_targets(self, y, sequences, self.A_.dtype)
        weights = self._weights(sample_weight, sequences, len(targets))[:, 0]
        counted = weights > 0
        outputs = self._outputs(sequences)[counted]
        return r2_score(targets[counted], outputs, sample_weight=weights[counted])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _fit(self, X, y, sample_weight):
        dtypes = self._allowed_dtypes()
        sequences = check_sequences(self, X, reset=True, dtype=dtypes)
        targets, self.single_output_ = check_targets(self, y, sequences, sequences.rows.dtype)
        self.per_step_ = len(targets) == len(sequences.rows)
        weights = self._weights(sample_weight, sequences, len(targets))
        self._check_lengths(sequences)
        series = self._standardized(sequences, targets, weights)

        self.n_outputs_ = targets.shape[1]
        objective = self._assemble(
            Affine(self.n_components, self.n_outputs_),
            self.n_features_in_,
            learn_start=self.initial_state != "zero",
        )
        window = self._window()
        train, held_out = series, None
        if self.early_stopping:
            context = window or len(series.inputs)
            train, held_out = split_tail(series, self.validation_fraction, context)
        make_batches = partial(SequenceBatches, batch_size=self.batch_size, sequence_length=window)
        interrupted = self._train(objective, train, held_out, make_batches)
        self.last_state_ = self._last_state(sequences)
        return interrupted

    def _window(self):
        """Rows of a training window, None for whole sequences."""
        if not self.per_step_:
            return None
        return DEFAULT_WINDOW if self.sequence_length is None else self.sequence_length

    def _standardized(self, sequences, targets, weights):
        if not self._is_warm():
            inputs = Scaling.of(sequences.rows, enabled=self.standardize)
            outputs = Scaling.of(targets, weights, enabled=self.standardize)
            self.input_mean_, self.input_scale_ = inputs
            self.output_mean_, self.output_scale_ = outputs
        # A target that does not count may be huge, and zero times infinity would count.
        targets = np.where(weights > 0, targets, self.output_mean_)
        return Series(
            sequences.rows,
            sequences.lengths,
            Scaling(self.output_mean_, self.output_scale_).apply(targets),
            weights,
            Scaling(self.input_mean_, self.input_scale_),
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
        shortest_allowed = {"sequence_length": self.sequence_length, "washout": self.washout + 1}
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

    def _check(self, X):
        """Validated sequences for a prediction."""
        check_is_fitted(self)
        return check_sequences(self, X, reset=False, dtype=self.A_.dtype)

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
            if self.per_step_:
                states = states.swapaxes(0, 1)[inside.T]
            else:
                states = states[inside.sum(axis=0) - 1, np.arange(states.shape[1])]
            parts.append(states @ self.B_.T + self.b_)
        return np.concatenate(parts)

    def _last_state(self, sequences):
        """State after the last row of the last sequence."""
        last = sequences._replace(
            rows=sequences.rows[-sequences.lengths[-1] :], lengths=sequences.lengths[-1:]
        )
        ((states, _),) = self._states(last, start=self.initial_state_)
        return states[-1, 0].copy()

    def _squeeze(self, outputs):
        return outputs[:, 0] if self.single_output_ else outputs

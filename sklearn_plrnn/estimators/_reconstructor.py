"""`DSReconstructor`: dynamical systems from measured time series."""

import copy
from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from .._model.cells import CELLS
from .._model.forcing import FORCING_SCHEDULES, FORCINGS
from .._model.lift import error_growth
from .._model.readouts import READOUTS
from .._model.shooting import Shooting
from .._model.uncertainty import Windows, estimate_noise
from .._training.batches import WindowBatches, split_tail
from .._training.loop import SOLVERS, best_of
from .._training.smoothing import smooth
from ._autocorrelation import choose_lag
from ._base import BasePLRNN
from ._by_data import (
    are_few,
    forced_steps,
    free_steps,
    hidden_units,
    is_observed,
    ridge,
    stages,
)
from ._callbacks import NO_TASK, begin_fit, without_callbacks
from ._dynamics import FittedDynamics
from ._forcing import choose_strength, make_forcing
from ._free_run import FreeRunScores, between_halves, noise_of
from ._input_features import input_columns, split_columns
from ._sequences import Scaling, check_sequences

DEFAULT_BATCH = dict.fromkeys(SOLVERS, 16) | {"gauss-newton": 500}
BATCHES_PER_EPOCH = 50  # but Gauss-Newton takes as many windows as it needs, up to one for each row
MIN_HELD_OUT = 20  # rows; of fewer, none can be spared for Gauss-Newton to accept steps on
MORE_COMPONENTS = 30  # than observed variables by default, where no hidden units bend the map
MAX_SENSITIVITIES = 10_000  # of states, which Gauss-Newton carries through each step of a window
IMPROVED = 0.5  # times the product of scores; checkpoints of one run differ that much
N_START_STATES = 100


class DSReconstructor(FittedDynamics):
    r"""Reconstruct a dynamical system from measured time series.

    Fits a piecewise-linear recurrent network whose free run has the same long-term behaviour
    (attractor geometry, power spectrum) as the data,

    .. math::

        z_t = A z_{t-1} + W \mathrm{relu}(z_{t-1}) + C s_t + h, \qquad x_t = B z_t + b,

    by multiple shooting, or by back-propagation through time on random windows, in which the
    observations keep pulling the state back to the data (teacher forcing [1]_ [2]_). What is kept
    is not the model with the smallest one-step error but, among checkpoints, the one whose free run
    is most like the data.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of latent units M. None is the number of observed variables for "shallow" and
        "clipped-shallow", and 30 more than that for "plrnn" and "almost-linear".
    alpha : float, default=0.0
        Strength of the manifold-attractor penalty [3]_ on a mean over the regularized units; see
        `RegularizedPLRNNRegressor`.
    penalty : {"manifold-attractor", "l2"}, default="manifold-attractor"
        Whether A of the regularized units is pulled to 1, or (for comparison) to 0.
    regularized_fraction : float, default=0.5
        Share of the units that are regularized, unobserved units first.
    l2 : float or None, default=None
        Strength of a ridge penalty on the mean squares of coupling, input and readout weights. None
        is what follows, from the noise of the data and how many there are, if weights are normally
        distributed with standard deviation 0.15: little, unless data are few.
    architecture : {"plrnn", "almost-linear", "shallow", "clipped-shallow"}, default="shallow"
        The cell. "plrnn": as above. "almost-linear": as above, with relu on `n_nonlinear` units
        only [4]_. "shallow": ``z_t = A z + W1 relu(W2 z + h2) + h1`` [2]_. "clipped-shallow":
        ``z_t = A z + W1 [relu(W2 z + h2) - relu(W2 z)] + h1``, bounded wherever all ``|A_i| < 1``,
        at twice the cost.
    n_hidden : int or None, default=None
        Number of hidden units of "shallow" and "clipped-shallow". None is 10 to 100, or to 25 times
        `n_components` if that is more: one for every ``10 (2 n_components + 1)`` measured numbers
        (those of rows side by side count again), for it has ``2 n_components + 1`` parameters.
    n_nonlinear : int or None, default=None
        Number of units of "almost-linear" that have a relu, the last ones. None is the
        number of unobserved units, if the readout is "identity" and there are any, else half of
        all.
    readout : {"auto", "identity", "affine", "relu"}, default="auto"
        "identity": the first units are the observed variables (``n_components`` at least as many);
        "affine": B and b are learned and forcing goes through the pseudo-inverse of B; "relu":
        ``x_t = B relu(z_t) + b`` [5]_. The state that a row suggests is the same as with "affine";
        it reads out as the row if none of its units is negative. With ``init="lift"`` no row of
        the data makes one negative to begin with. "auto": the first where there are units enough,
        else the second. ``readout_`` tells which.
    init : {"lift", "identity", "random"}, default="lift"
        "lift" solves for the one-step prediction on random piecewise-linear features by ridge
        regression; "identity" starts the regularized units as perfect integrators; "random".
    forcing : {"generalized", "sparse"} or None, default="generalized"
        Pull the state towards the observation at each step, or at every `forcing_interval`-th.
    forcing_strength : float, array-like of shape (n_outputs,) or None, default=None
        Share of the distance to the observation that forcing removes (the literature's alpha): one
        for all, or, with the identity readout, one for each observed variable. None is 0.2 for
        "generalized" and 1 for "sparse", and less for variables that are measured with more noise
        than others: in inverse proportion to its standard deviation, as far as that is more than
        0.05 and more than that of the quietest variable; with another readout the mean of these.
        With "adam", "sgd" and "lbfgs" it is at least ``1 - exp(-2 r)``, where errors of the
        one-step prediction of a closed-form start grow by exp(r) per step along the data, so that
        they fall as fast under forcing; this matters for chaotic maps and coarsely sampled series.
    forcing_interval : int, default=10
        Steps from one forcing to the next, with "sparse".
    forcing_schedule : {"constant", "annealed", "adaptive"}, default="constant"
        How the strength changes over the epochs of "adam" and "sgd". "annealed": from 1 for the
        largest of `forcing_strength` linearly down to what was given, which it has in the second
        half of training. "adaptive": at least what was given, and before each epoch as much as it
        takes for products of Jacobians over a window not to grow [2]_. Ratios between variables
        stay as they are, and held-out loss is always that at `forcing_strength`.
    process_noise : float, default=0.0
        Standard deviation of Gaussian noise that is added to the latent states, which are of
        standardized variables, at each step of training by "adam" and "sgd"; not in held-out loss
        and predictions.
    input_features : list of int or str, or None, default=None
        Columns of X that drive the system from outside and are not reconstructed.
    delay_embedding : int, default=1
        Number of rows that make up what is observed of a state: each row itself and earlier ones,
        `delay_lag` steps apart, which become units of their own (with the identity readout only).
        More than 1 for systems of which too few variables are measured.
    delay_lag : int or None, default=None
        Steps between these rows. None is the lag at which the autocorrelation has fallen to 0.8.
    solver : {"auto", "adam", "sgd", "lbfgs", "gauss-newton"}, default="auto"
        "adam", "sgd": stochastic first-order methods. "lbfgs": limited-memory BFGS on consecutive
        windows. "gauss-newton": Levenberg-Marquardt steps on short windows that run freely, from
        start states that are estimated with the parameters (multiple shooting), as long as they
        improve the last `validation_fraction` of the data, if that is 20 rows or more; for up to
        some thousands of parameters. Forcing then plays no part in training. "auto":
        "gauss-newton" for small models (``n_components`` times parameters at most 10 000) whose
        units are all observed, with `init`, forcing and windows as they are by default, and if
        its free run is clearly farther from the data than one half of them from the other (where
        that is not known, if it is not clearly closer than that of the start), after it "adam" or,
        of few data and without `warm_start`, once more from another start; else "adam".
        ``solver_`` tells which.
    learning_rate_init : float, default=1e-3
        Rate of "adam" and "sgd" at the beginning.
    learning_rate : {"cosine", "exponential", "constant"}, default="cosine"
        Its schedule over `max_iter` epochs.
    max_iter : int or None, default=None
        Number of epochs of 50 minibatches ("adam", "sgd") or of iterations. None is 40 for
        "gauss-newton", else 150. With 0 the start is kept.
    batch_size : int or None, default=None
        Number of windows in a minibatch. None is 500 for "gauss-newton", else 16.
    sequence_length : int or None, default=None
        Steps of a window; fewer if no trajectory is that long. None is 50, or 100 if there are
        units that are not observed; with "gauss-newton" 10 to 100, the more the noisier the data
        are, and after these, if data repeat themselves within 500 steps (by an autocorrelation of
        0.8), a whole period. "gauss-newton" begins with windows of 5 to 9 and goes over to ones
        about twice as long when they teach little more, up to these, so that `loss_curve_` may leap
        up. With fewer than 100 measured numbers for a parameter, rows are smoothed at first, and
        windows of full length come once so and then as they were measured. A gradient needs memory
        for about ``sequence_length * batch_size * (10 n_components + 2 n_hidden)`` numbers,
        `n_hidden` counting only for "shallow", and twice for "clipped-shallow".
    gradient_checkpointing : bool, default=False
        Whether to keep only about sqrt(sequence_length) of a window's states and to compute the
        others a second time for the gradient, which is the same; for very long windows.
    max_grad_norm : float or None, default=1.0
        Gradients of larger Euclidean norm are scaled down to it ("adam", "sgd").
    tol : float, default=1e-5
        Smallest decrease of the held-out loss that counts as progress.
    n_iter_no_change : int, default=10
        With `early_stopping`, epochs without progress before training ends.
    early_stopping : bool, default=False
        Hold the last rows of a single series, or the last of several trajectories, out of training
        and stop when the forced error there no longer decreases.
    validation_fraction : float, default=0.1
        Share of rows or trajectories held out by `early_stopping` and by "gauss-newton".
    score_horizon : int, default=10
        Steps ahead at which `score` judges forecasts.
    standardize : bool, default=True
        Whether to standardize inside. Everything returned is in the units given.
    n_init : int, default=1
        Number of independent restarts, of which the best is kept.
    keep_restarts : bool, default=False
        Whether to keep the others as well, for the spread of `forecast`.
    n_jobs : int or None, default=None
        Number of restarts at a time; of a single restart, threads that share batches of 64 or more
        (with numba), and windows of "gauss-newton". None is 1, or what joblib's
        ``parallel_config`` says. Results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of start, windows and restarts.
    warm_start : bool, default=False
        Whether `fit` goes on from the previous parameters (and its standardization).
    on_interrupt : {"raise", "keep"}, default="raise"
        What Ctrl-C does after the best parameters so far have been stored.
    checkpoint_dir : str, path-like or None, default=None
        Folder in which unfinished training leaves its state, and finished training its result, so
        that a fit that was killed and is run again with the same arguments goes on from there; see
        the user guide on long runs. None keeps nothing on disk.
    verbose : bool or int, default=0
        Whether to show one updating line with stage, loss and rate.
    dtype : {"float32", "float64"} or None, default=None
        Precision; None is that of X.

    Attributes
    ----------
    A_, h_ : ndarray of shape (n_components,)
        Auto-regression weights and bias (with hidden units ``A_``, ``h1_``), for standardized
        variables.
    W_ : ndarray of shape (n_components, n_components)
        Coupling, its diagonal zero (with hidden units ``W1_``, ``W2_``, ``h2_``).
    C_ : ndarray of shape (n_components, n_inputs)
        Input weights, for standardized inputs; only with `input_features`.
    B_ : ndarray of shape (n_outputs, n_components)
        Readout weights, in the units of X; of ``relu(z)`` with the readout "relu".
    b_ : ndarray of shape (n_outputs,)
        Readout offset, in the units of X.
    E_ : ndarray of shape (n_components - n_outputs, n_outputs)
        Start of the unobserved units, ``initial_state_ + E_ x_0``, for standardized x_0; only with
        the identity readout and more units than variables.
    initial_state_ : ndarray of shape (n_components,)
        State where nothing has been observed yet.
    last_state_ : ndarray of shape (n_components,)
        State after the last training row, from where `forecast` goes on.
    start_states_ : ndarray of shape (n_states, n_components)
        At most 100 states along the training data, from which `simulate` draws.
    input_features_ : list of int
        Columns of X that are inputs.
    input_mean_, input_scale_ : ndarray of shape (n_inputs,)
        Standardization of inputs.
    output_mean_, output_scale_ : ndarray of shape (n_outputs,)
        Standardization of observed variables.
    delay_embedding_, delay_lag_ : int
        Number of rows side by side, and steps between them.
    data_range_ : ndarray of shape (n_outputs,)
        Range of the observed variables in training.
    parameter_names_ : list of str
        Names of the learned arrays; each is an attribute with an underscore added.
    regularized_units_ : ndarray of shape (n_regularized,), int
        Indices of the units that the manifold-attractor penalty is for, whatever `alpha` is.
    architecture_, readout_, solver_ : str
        Cell, readout and solver that were used.
    sizes_ : dict of str to int
        Sizes of the cell: "n_components", and "n_hidden" or "n_nonlinear".
    forcing_strength_ : float or ndarray of shape (n_outputs,)
        Strength of forcing that was given or chosen, 0.0 without forcing.
    checkpoint_scores_ : list of tuple
        State-space divergence and power-spectrum distance of a free run from the training data, at
        the start and at each checkpoint, spurious attractors taken out where that is better.
    loss_curve_ : list of float
        Mean training loss of each epoch, in standardized units, penalties included; with
        "gauss-newton" that which is monitored, by windows of each length anew: the mean before the
        first step, less what steps gained, no window more than half the median one's value.
    validation_curve_ : list of float
        Held-out loss after each epoch, where rows were held out.
    best_loss_ : float
        Smallest monitored loss: of held-out rows with `early_stopping` or "gauss-newton", if there
        are enough of them, else of training.
    restart_scores_ : list of tuple
        Scores of the chosen checkpoint of every restart.
    restarts_ : list of DSReconstructor
        Fitted models of the other restarts, with `keep_restarts`.
    observation_noise_, process_noise_ : ndarray of shape (n_outputs,)
        Standard deviations, in the units of X, of the noise of measurement and of that which one
        step leaves unexplained.
    n_iter_ : int
        Number of epochs that were run.
    n_outputs_ : int
        Number of observed variables.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of columns, where X had any.

    See Also
    --------
    RegularizedPLRNNRegressor : Targets from input sequences.
    sklearn_plrnn.metrics.state_space_divergence : Compare attractors.

    References
    ----------
    .. [1] J. M. Mikhaeil, Z. Monfared, D. Durstewitz, "On the difficulty of learning chaotic
       dynamics with RNNs", NeurIPS 2022, arXiv:2110.07238.
    .. [2] F. Hess, Z. Monfared, M. Brenner, D. Durstewitz, "Generalized teacher forcing for
       learning chaotic dynamics", ICML 2023, arXiv:2306.04406.
    .. [3] D. Schmidt, G. Koppe, Z. Monfared, M. Beutelspacher, D. Durstewitz, "Identifying
       nonlinear dynamical systems with multiple time scales and long-range dependencies",
       ICLR 2021, arXiv:1910.03471.
    .. [4] M. Brenner, C. J. Hemmer, Z. Monfared, D. Durstewitz, "Almost-linear RNNs yield highly
       interpretable symbolic codes in dynamical systems reconstruction", NeurIPS 2024,
       arXiv:2410.14240.
    .. [5] D. Durstewitz, "A state space approach for piecewise-linear recurrent neural networks for
       identifying computational dynamics from neural measurements", PLOS Computational Biology 13,
       2017, e1005542, doi:10.1371/journal.pcbi.1005542.

    Examples
    --------
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.datasets import make_lorenz63
    >>> X = make_lorenz63(3000, random_state=0)
    >>> model = DSReconstructor(n_hidden=50, max_iter=2, random_state=0).fit(X[:2000])
    >>> model.forecast(100).shape
    (100, 3)
    >>> model.simulate(500, x0=X[0]).shape
    (500, 3)
    >>> bool(model.score(X[2000:]) > 0.9)
    True
    """

    _parameter_constraints = {
        **BasePLRNN._parameter_constraints,
        "n_components": [*BasePLRNN._parameter_constraints["n_components"], None],
        "n_hidden": [*BasePLRNN._parameter_constraints["n_hidden"], None],
        "l2": [*BasePLRNN._parameter_constraints["l2"], None],
        "readout": [StrOptions({"auto", *READOUTS})],
        "init": [StrOptions({"lift", "identity", "random"})],
        "solver": [StrOptions({"auto", *SOLVERS})],
        "forcing": [StrOptions(set(FORCINGS)), None],
        "forcing_strength": [Interval(Real, 0, 1, closed="both"), "array-like", None],
        "forcing_interval": [Interval(Integral, 1, None, closed="left")],
        "forcing_schedule": [StrOptions(set(FORCING_SCHEDULES))],
        "process_noise": [Interval(Real, 0, None, closed="left")],
        "input_features": ["array-like", None],
        "delay_embedding": [Interval(Integral, 1, None, closed="left")],
        "delay_lag": [Interval(Integral, 1, None, closed="left"), None],
        "score_horizon": [Interval(Integral, 1, None, closed="left")],
        "keep_restarts": ["boolean"],
    }
    _default_iterations = dict.fromkeys(SOLVERS, 150) | {"gauss-newton": 40}

    def __init__(
        self,
        n_components=None,
        *,
        alpha=0.0,
        penalty="manifold-attractor",
        regularized_fraction=0.5,
        l2=None,
        architecture="shallow",
        n_hidden=None,
        n_nonlinear=None,
        readout="auto",
        init="lift",
        forcing="generalized",
        forcing_strength=None,
        forcing_interval=10,
        forcing_schedule="constant",
        process_noise=0.0,
        input_features=None,
        delay_embedding=1,
        delay_lag=None,
        solver="auto",
        learning_rate_init=1e-3,
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
        score_horizon=10,
        standardize=True,
        n_init=1,
        keep_restarts=False,
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
        self.readout = readout
        self.init = init
        self.forcing = forcing
        self.forcing_strength = forcing_strength
        self.forcing_interval = forcing_interval
        self.forcing_schedule = forcing_schedule
        self.process_noise = process_noise
        self.input_features = input_features
        self.delay_embedding = delay_embedding
        self.delay_lag = delay_lag
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
        self.score_horizon = score_horizon
        self.standardize = standardize
        self.n_init = n_init
        self.keep_restarts = keep_restarts
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.warm_start = warm_start
        self.on_interrupt = on_interrupt
        self.checkpoint_dir = checkpoint_dir
        self.verbose = verbose
        self.dtype = dtype

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Fit the model to one or many trajectories of one system.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_features), or 3-D, or list
            One trajectory of equally spaced rows, (n_trajectories, n_timesteps, n_features), or a
            list of arrays (n_timesteps_i, n_features). NaN is a missing observation: neither scored
            nor used for forcing.
        y : None
            Ignored.

        Returns
        -------
        self : DSReconstructor
            The fitted estimator.

        Raises
        ------
        ValueError
            If X is too short, holds inf, or NaN in an input column, or if `n_components` is smaller
            than the number of observed variables with an identity readout.
        """
        n_runs = None if self.solver == "auto" else self.n_init  # which may try another solver
        task = begin_fit(self, X, y, max_subtasks=n_runs)
        twin = self._unfitted_twin()
        self._take_over(twin, twin._fit(X, task), task)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = False
        return tags

    def _fit(self, X, task=NO_TASK):
        sequences, self.input_features_ = self._check_data(X)
        self._learn_scaling(sequences)
        self._choose_delays(sequences)
        series = self._series(sequences)
        self.init_, self.solver_, self.restarts_ = self.init, self.solver, []
        objective = self._objective(series.n_measured)
        if self.solver == "auto":
            self.solver_ = "gauss-newton" if self._may_shoot(objective) else "adam"
        second = copy.copy(self)
        best, *others = self._solve(objective, series, sequences, task)
        if self._has_failed(best, series):
            results = second._solve_otherwise(objective, series, sequences, task)
            interrupted = results[0].interrupted
            if best_of([best, results[0]]) is results[0]:
                self.__dict__ = vars(second)
                best, *others = results
            best = best._replace(interrupted=interrupted)
        if self.keep_restarts:
            self.restarts_ = [self._other(objective, result) for result in others]
        for model in (self, *self.restarts_):
            model._look_back(sequences)
        return best

    def _has_failed(self, result, series):
        """Whether "auto" has tried multiple shooting, and found nothing good by it."""
        if self.solver != "auto" or self.solver_ != "gauss-newton":
            return False
        if result.interrupted or result.is_enough:
            return False
        at_start, at_end = np.prod(result.checkpoint_scores[0]), np.prod(result.score)
        halves = between_halves(series)
        is_good = IMPROVED * at_end <= halves if halves else at_end <= IMPROVED * at_start < np.inf
        return not is_good

    def _solve_otherwise(self, objective, series, sequences, task):
        """Results by forcing or, of few data, from other starts, which a warm one does not have."""
        if are_few(series.n_measured, objective) and not self._is_warm():
            return self._solve(objective, series, sequences, task, n_tried=self.n_init)
        self.solver_ = "adam"
        return self._solve(objective, series, sequences, task)

    def _check_data(self, X, y=None):
        """Validated trajectories to train on, and which of their columns are inputs."""
        sequences = check_sequences(
            self, X, reset=True, dtype=self._allowed_dtypes(), allow_nan=True, min_timesteps=2
        )
        names = getattr(self, "feature_names_in_", ())
        return sequences, input_columns(self.input_features, self.n_features_in_, names)

    def _may_shoot(self, objective):
        """Whether Gauss-Newton suits the model, and nothing was asked for that it does not have."""
        M = objective.cell.n_components
        asked = self.init, self.forcing, self.forcing_schedule, self.process_noise
        left = self.forcing_strength, self.sequence_length
        return (
            M * sum(objective.sizes().values()) <= MAX_SENSITIVITIES
            and is_observed(objective)  # else a weak prior alone ties some units
            and asked == ("lift", "generalized", "constant", 0)
            and all(x is None for x in left)
        )

    def _solve(self, objective, series, sequences, task, n_tried=0):
        """Results of all restarts, the best one first and stored; `n_tried` seeds are left out."""
        shoots = self.solver_ == "gauss-newton"
        train, held_out = series, None
        can_spare = self.validation_fraction * len(series.targets) >= MIN_HELD_OUT
        if self.early_stopping or (shoots and can_spare):
            train, held_out = split_tail(series, self.validation_fraction, context=0)
        select, n_measured = FreeRunScores.of(objective, train), train.n_measured
        if self.l2 is None:
            objective = objective._replace(l2=ridge(objective, n_measured, select.noise))
        size = DEFAULT_BATCH[self.solver_] if self.batch_size is None else self.batch_size
        lengths, noise = self._windows(objective, train, held_out, select.noise), select.noise
        is_scarce = are_few(series.n_measured, objective)
        if shoots and is_scarce:
            lengths.append(lengths[-1])  # of smoothed rows, and then as they were measured
            smoothed, left = smooth(train, noise)
            train, noise = train._replace(smoothed=smoothed), noise * np.sqrt(left)
            if held_out is not None:
                held_out = held_out._replace(smoothed=smooth(held_out, noise)[0])
        make_batches = partial(
            WindowBatches,
            batch_size=size,
            sequence_lengths=lengths,
            n_batches=-(-len(train.targets) // size) if shoots else BATCHES_PER_EPOCH,
            noise=self.process_noise,
            n_units=objective.cell.n_components,
        )
        # Forcing plays no part in multiple shooting.
        growth = lambda: 0.0 if shoots else error_growth(objective, make_batches(train))
        objective = self._forced(objective, select.noise, growth)
        # Gauss-Newton goes far in one step, and away again: each one is a checkpoint.
        options = {}
        if shoots:
            goal = Shooting.of(objective, noise, n_measured, tries_again=not is_scarce)
            options = {"goal": goal, "n_checkpoints": max(self._max_iter(), 1)}
        data = train, held_out, make_batches, sequences
        return self._train(objective, *data, task, select, n_tried=n_tried, **options)

    def _other(self, objective, result):
        """A model like this one, with the parameters of another restart."""
        other = without_callbacks(copy.copy(self))
        other._store(objective, result)
        return other

    def _look_back(self, sequences):
        """Keep states along the training data, and how well they tell the next row."""
        noise = noise_of(self._series(sequences))
        if self.delay_embedding_ > 1:  # first rows begin from states in training: so far, from one
            self.start_states_ = self.initial_state_[None]
            self.start_states_ = self._some(self._assimilated(sequences))
        trajectories = list(self._assimilated(sequences))
        self.last_state_ = trajectories[-1][0][-1].copy()
        self.start_states_ = self._some(trajectories)
        args = self.to_map(), self._params(), self._readout(), Windows.of(trajectories)
        found = estimate_noise(*args, noise)
        self.observation_noise_, self.process_noise_ = (
            x[: self.n_outputs_] * self.output_scale_ for x in found
        )

    def _some(self, trajectories):
        """Some of the states along trajectories, from all over them, none that lacks its delays."""
        states = np.concatenate([states[self._delay_span() :] for states, *_ in trajectories])
        return states[:: -(-len(states) // N_START_STATES)].copy()

    def _learn_scaling(self, sequences):
        observed, inputs = split_columns(sequences.rows, self.input_features_)
        unseen = np.flatnonzero(np.isnan(observed).all(axis=0))
        if len(unseen):
            raise ValueError(f"X holds nothing but NaN in observed column(s) {unseen.tolist()}.")
        if not self._is_warm():
            self.input_mean_, self.input_scale_ = Scaling.of(inputs, enabled=self.standardize)
            self.output_mean_, self.output_scale_ = Scaling.of(observed, enabled=self.standardize)
        self.data_range_ = np.nanmax(observed, axis=0) - np.nanmin(observed, axis=0)

    def _choose_delays(self, sequences):
        self.n_outputs_ = len(self.output_mean_)
        self.delay_embedding_, self.delay_lag_ = self.delay_embedding, self.delay_lag or 1
        rows = self._standardized(sequences)
        if self.delay_embedding > 1 and self.delay_lag is None:
            self.delay_lag_ = choose_lag(rows, sequences.lengths)
        span = self._delay_span()
        if span + 2 > sequences.lengths.max():
            raise ValueError(
                f"delay_embedding={self.delay_embedding} with a lag of {self.delay_lag_} needs a "
                f"trajectory of at least {span + 2} rows, the longest in X has "
                f"{sequences.lengths.max()}."
            )

    def _delay_span(self):
        """Rows by which delays reach back."""
        return (self.delay_embedding_ - 1) * self.delay_lag_

    def _objective(self, n_measured):
        """What the constructor parameters describe, for so many numbers in the columns seen."""
        N = self.n_outputs_ * self.delay_embedding_
        M = self.n_components
        if M is None:
            M = N if CELLS[self.architecture].kinks else N + MORE_COMPONENTS
        self.readout_ = self.readout
        if self.readout == "auto":
            self.readout_ = "identity" if M >= N else "affine"
        if self.readout_ == "identity" and M < N:
            raise ValueError(
                f"n_components={M} is smaller than the number of observed variables, {N}"
                f"{' with their delays' if self.delay_embedding_ > 1 else ''}. With "
                'readout="identity" every one of them is a unit; use readout="affine" for fewer.'
            )
        if self.delay_embedding_ > 1 and self.readout_ != "identity":
            raise ValueError(
                f"delay_embedding={self.delay_embedding} needs the identity readout, and so at "
                f"least {N} units; got readout={self.readout!r}, n_components={M}."
            )
        n_hidden = self.n_hidden
        if n_hidden is None and self._is_warm():
            n_hidden = self.sizes_.get("n_hidden")
        if n_hidden is None:
            n_hidden = hidden_units(M, n_measured)
        return self._assemble(READOUTS[self.readout_](M, N), len(self.input_features_), n_hidden)

    def _forced(self, objective, noise, growth):
        """The objective, with what pulls its states to observations of this noise (N,)."""
        readout = objective.readout
        strength = self.forcing_strength
        if np.ndim(strength):
            strength = np.tile(strength, self.delay_embedding_)
        strength = choose_strength(self.forcing, strength, readout, noise, growth)
        self.forcing_strength_ = strength
        forcing = make_forcing(self.forcing, strength, self.forcing_interval, readout)
        schedule = FORCING_SCHEDULES[self.forcing_schedule](float(np.max(strength)))
        return objective._replace(forcing=forcing, schedule=schedule)

    def _windows(self, objective, series, held_out, noise):
        """Steps of training windows, and of longer ones that come after them."""
        longest = min(int(x.lengths.max()) for x in (series, held_out) if x is not None) - 1
        shoots, lengths = self.solver_ == "gauss-newton", [self.sequence_length]
        if self.sequence_length is None:
            wanted = [forced_steps(objective)]
            if shoots:
                wanted = free_steps(series, noise, self._delay_span())
            lengths = sorted({min(steps, longest) for steps in wanted})
        elif self.sequence_length > longest:
            raise ValueError(
                f"sequence_length={self.sequence_length} needs a trajectory of at least "
                f"{self.sequence_length + 1} rows to train on, but the longest has {longest + 1}."
            )
        return stages(lengths, self._max_iter()) if shoots else lengths

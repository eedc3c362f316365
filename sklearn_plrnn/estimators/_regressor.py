"""`RegularizedPLRNNRegressor`: targets from input sequences."""

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from ._callbacks import NO_TASK, begin_fit
from ._sequences import check_sequences, check_targets
from ._supervised import SupervisedPLRNN


class RegularizedPLRNNRegressor(RegressorMixin, SupervisedPLRNN):
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
    architecture : {"plrnn", "almost-linear", "shallow", "clipped-shallow"}, default="plrnn"
        The cell. "plrnn": as above. "almost-linear": as above, with relu on `n_nonlinear` units
        only [3]_. "shallow": ``z_t = A z + W1 relu(W2 z + h2) + h1`` [2]_. "clipped-shallow":
        ``z_t = A z + W1 [relu(W2 z + h2) - relu(W2 z)] + h1``, bounded wherever all ``|A_i| < 1``,
        at twice the cost.
    n_hidden : int, default=100
        Number of hidden units of "shallow" and "clipped-shallow".
    n_nonlinear : int or None, default=None
        Number of units of "almost-linear" that have a relu, the last ones. None is half of
        them; those that are not regularized have to be among these for `init="closed-form"`.
    init : {"auto", "closed-form", "identity", "random"}, default="auto"
        "closed-form": the regularized units start as integrators of the random features of the
        inputs that predict the target best by ridge regression; with a target at each step, the
        others start as the reservoir of an echo state network. "identity": the regularized units
        start as perfect integrators (A = 1, W = 0, h = 0). Either way the readout is a regression
        on the states.
        "random": nothing is special. "auto" is "closed-form" wherever `solver` is "gauss-newton"
        and there is one target per sequence, else "identity"; ``init_`` tells.
    solver : {"auto", "gauss-newton", "adam", "sgd", "lbfgs"}, default="auto"
        "gauss-newton": Levenberg-Marquardt steps, accepted as long as they improve the prediction
        of held-out data (`validation_fraction`); by far the best over long times, for up to some
        thousands of parameters. "adam", "sgd": stochastic first-order methods. "lbfgs":
        limited-memory BFGS on all the data at once. "auto" is "gauss-newton" with one target per
        sequence, 50 sequences or more and at most 4000 parameters, else "adam"; ``solver_`` tells.
    learning_rate_init : float, default=3e-3
        Rate of "adam" and "sgd" at the beginning. With one target per sequence and unless the start
        is random, that of what the regularized units receive is divided by ``sqrt(n_timesteps)``,
        for they add it up.
    learning_rate : {"cosine", "exponential", "constant"}, default="cosine"
        Its schedule over `max_iter` epochs.
    max_iter : int or None, default=None
        Number of epochs ("adam", "sgd") or iterations (the others). None is 20 for "gauss-newton",
        else 400. With 0 the start is kept.
    batch_size : int or None, default=None
        Number of sequences, or of windows, in a minibatch. None is a 25th of them, 4 to 32.
    sequence_length : int or None, default=None
        With a target at each step, gradients of longer series are taken on windows of this many
        rows, overlapping by half: the first half of a window warms the state up. None is 100; what
        acts over many more steps needs longer windows. With one target per sequence, sequences are
        always taken whole. A gradient needs memory for about
        ``sequence_length * batch_size * (6 n_components + 2 n_hidden)`` numbers (a third of the
        first term with numba), `n_hidden` counting only for "shallow", and twice
        for "clipped-shallow".
    gradient_checkpointing : bool, default=False
        Whether to keep only about sqrt(sequence_length) of a window's states and to compute the
        others a second time for the gradient, which is the same; for very long windows.
    max_grad_norm : float or None, default=1.0
        Gradients of larger Euclidean norm are scaled down to it ("adam", "sgd").
    tol : float, default=1e-5
        Smallest decrease of the held-out loss that counts as progress; for "lbfgs" also the largest
        gradient component at convergence.
    n_iter_no_change : int, default=10
        With `early_stopping`, epochs without progress before training ends (not "gauss-newton").
    early_stopping : bool, default=False
        Hold the last rows of a single series, or some of many sequences, out of training, keep the
        parameters that are best there and stop when they no longer improve. Gauss-Newton does so
        in any case, from 50 rows or sequences on.
    validation_fraction : float, default=0.1
        Share of rows or sequences held out.
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
        (with numba). None is 1, or what joblib's ``parallel_config`` says. Results do not depend on
        it.
    random_state : int, RandomState instance or None, default=None
        Seed of start, minibatches and restarts.
    warm_start : bool, default=False
        Whether `fit` goes on from the previous parameters (and its scaling of inputs and outputs).
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
        Auto-regression weights and bias (with hidden units ``A_``, ``h1_``).
    W_ : ndarray of shape (n_components, n_components)
        Coupling, its diagonal zero (with hidden units ``W1_``, ``W2_``, ``h2_``).
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
    regularized_units_ : ndarray of shape (n_regularized,), int
        Indices of the units that the manifold-attractor penalty is for, whatever `alpha` is.
    architecture_, init_, solver_ : str
        Cell, start and solver that were used.
    sizes_ : dict of str to int
        Sizes of the cell: "n_components", and "n_hidden" or "n_nonlinear".
    optimizer_state_ : dict or None
        Moments of "adam" or "sgd", from which `partial_fit` goes on; else None.
    loss_curve_ : list of float
        Mean training loss of each epoch or iteration, in standardized units, penalties included; of
        "gauss-newton" the smallest monitored loss so far.
    validation_curve_ : list of float
        Held-out loss after each epoch or iteration, where data were held out.
    best_loss_ : float
        Smallest monitored loss: held-out where data were held out, else training.
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
    .. [3] M. Brenner, C. J. Hemmer, Z. Monfared, D. Durstewitz, "Almost-linear RNNs yield highly
       interpretable symbolic codes in dynamical systems reconstruction", NeurIPS 2024,
       arXiv:2410.14240.

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
        task = begin_fit(self, X, y, sample_weight, max_subtasks=self.n_init)
        twin = self._unfitted_twin()
        self._take_over(twin, twin._fit(X, y, sample_weight, task=task), task)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on more data, with the solver "adam" or "sgd".

        The first call also learns start and scaling, so its data should be representative.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts.
        y : array-like or list of arrays
            Targets, as in `fit`.
        sample_weight : array-like of shape (n_timesteps,) or (n_sequences,), default=None
            As in `fit`.

        Returns
        -------
        self : RegularizedPLRNNRegressor
            The estimator.
        """
        self._take_over(*self._gone_on(X, y, sample_weight))
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

    def _fit(self, X, y, sample_weight, task=NO_TASK, stream=False):
        reset = not (stream and self._is_warm())
        sequences, targets = self._check_data(X, y, reset)
        weights = self._weights(sample_weight, sequences, len(targets))
        return self._fit_to(sequences, targets, weights, "squared_error", task, stream)

    def _check_data(self, X, y, reset=True):
        """Validated sequences and targets to train on."""
        sequences = check_sequences(self, X, reset=reset, dtype=self._allowed_dtypes())
        targets, self.single_output_ = check_targets(self, y, sequences, sequences.rows.dtype)
        self.per_step_ = len(targets) == len(sequences.rows)
        return sequences, targets

    def _check(self, X):
        """Validated sequences for a prediction."""
        check_is_fitted(self)
        return check_sequences(self, X, reset=False, dtype=self.A_.dtype)

    def _squeeze(self, outputs):
        return outputs[:, 0] if self.single_output_ else outputs

"""`RegularizedPLRNNClassifier`: labels of input sequences."""

from numbers import Integral

import numpy as np
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d

from .._training.loop import SOLVERS
from ._callbacks import NO_TASK, begin_fit
from ._sequences import check_flattened, check_sequences
from ._supervised import SupervisedPLRNN, last_of


class RegularizedPLRNNClassifier(ClassifierMixin, SupervisedPLRNN):
    r"""Classifier of sequences: piecewise-linear recurrent network, manifold-attractor regularized.

    .. math::

        z_t = A z_{t-1} + W \mathrm{relu}(z_{t-1}) + C s_t + h, \qquad
        p = \mathrm{softmax}(B z_T + b)

    with inputs :math:`s_t`, read out after the last step T of each sequence, trained on the mean
    cross-entropy plus the penalty of `RegularizedPLRNNRegressor`, which lets the regularized units
    hold information over very long times [1]_.

    Parameters
    ----------
    n_components : int, default=40
        Number of latent units M.
    n_channels : int, default=1
        Number of features at each step where X is 2-D, one flattened sequence per row.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, by label; "balanced" is inversely proportional to their frequencies.
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
    init : {"identity", "closed-form", "random"}, default="identity"
        "identity": the regularized units start as perfect integrators (A = 1, W = 0, h = 0).
        "closed-form": they start as integrators of the random features of the inputs that tell the
        classes apart best by ridge regression. Either way the readout is a logistic regression on
        the states. "random": nothing is special.
    solver : {"adam", "sgd", "lbfgs", "gauss-newton"}, default="adam"
        Stochastic first-order methods; limited-memory BFGS on all the data at once;
        Levenberg-Marquardt steps with the Fisher information of sampled labels, accepted as long as
        they improve the prediction of held-out sequences, for up to some thousands of parameters.
    learning_rate_init : float, default=5e-3
        Rate of "adam" and "sgd" at the beginning. Unless the start is random, that of what the
        regularized units receive is divided by ``sqrt(n_timesteps)``, for they add it up.
    learning_rate : {"cosine", "exponential", "constant"}, default="cosine"
        Its schedule over `max_iter` epochs.
    max_iter : int or None, default=None
        Number of epochs ("adam", "sgd") or iterations (the others). None is 20 for "gauss-newton",
        else 400. With 0 the start is kept.
    batch_size : int or None, default=None
        Number of sequences in a minibatch. None is a 25th of them, 4 to 32. A gradient needs
        memory for about ``n_timesteps * batch_size * (6 n_components + 2 n_hidden)`` numbers (a
        third of the first term with numba), `n_hidden` counting only for "shallow", and twice
        for "clipped-shallow".
    gradient_checkpointing : bool, default=False
        Whether to keep only about sqrt(n_timesteps) states and to compute the
        others a second time for the gradient, which is the same; for very long sequences.
    max_grad_norm : float or None, default=1.0
        Gradients of larger Euclidean norm are scaled down to it ("adam", "sgd").
    tol : float, default=1e-5
        Smallest decrease of the held-out loss that counts as progress; for "lbfgs" also the largest
        gradient component at convergence.
    n_iter_no_change : int, default=10
        With `early_stopping`, epochs without progress before training ends (not "gauss-newton").
    early_stopping : bool, default=False
        Hold some sequences out of training, keep the parameters that are best there and stop when
        they no longer improve. Gauss-Newton does so in any case, from 50 sequences on.
    validation_fraction : float, default=0.1
        Share of sequences held out.
    initial_state : {"learned", "zero"}, default="learned"
        Where sequences start.
    standardize : bool, default=True
        Whether to standardize inputs inside.
    n_init : int, default=1
        Number of independent restarts, of which the best is kept.
    n_jobs : int or None, default=None
        Number of restarts at a time; of a single restart, threads that share batches of 64 or more
        (with numba). None is 1, or what joblib's ``parallel_config`` says. Results do not depend on
        it.
    random_state : int, RandomState instance or None, default=None
        Seed of start, minibatches and restarts.
    warm_start : bool, default=False
        Whether `fit` goes on from the previous parameters (and its scaling of inputs).
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
    B_ : ndarray of shape (n_classes, n_components)
        Readout weights: logits of the classes.
    b_ : ndarray of shape (n_classes,)
        Readout offset.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    initial_state_ : ndarray of shape (n_components,)
        State before the first row.
    input_mean_, input_scale_ : ndarray of shape (n_features,)
        Standardization of X.
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
    n_features_in_ : int
        Number of columns of a 2-D X, else of features at each step.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features, where X had any.

    See Also
    --------
    RegularizedPLRNNRegressor : Targets from input sequences.

    References
    ----------
    .. [1] D. Schmidt, G. Koppe, Z. Monfared, M. Beutelspacher, D. Durstewitz, "Identifying
       nonlinear dynamical systems with multiple time scales and long-range dependencies",
       ICLR 2021, arXiv:1910.03471, section 4.1.
    .. [2] F. Hess, Z. Monfared, M. Brenner, D. Durstewitz, "Generalized teacher forcing for
       learning chaotic dynamics", ICML 2023, arXiv:2306.04406.
    .. [3] M. Brenner, C. J. Hemmer, Z. Monfared, D. Durstewitz, "Almost-linear RNNs yield highly
       interpretable symbolic codes in dynamical systems reconstruction", NeurIPS 2024,
       arXiv:2410.14240.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_plrnn import RegularizedPLRNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 30))  # one sequence of 30 steps per row
    >>> y = np.where(X[:, :5].sum(axis=1) > 0, "up", "down")
    >>> model = RegularizedPLRNNClassifier(10, max_iter=100, random_state=0).fit(X[:300], y[:300])
    >>> bool(model.score(X[300:], y[300:]) > 0.8)
    True
    >>> model.predict_proba(X[300:]).shape
    (100, 2)
    """

    _parameter_constraints = {
        **{
            name: allowed
            for name, allowed in SupervisedPLRNN._parameter_constraints.items()
            if name not in ("sequence_length", "washout")
        },
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "init": [StrOptions({"closed-form", "identity", "random"})],
        "solver": [StrOptions(set(SOLVERS))],
        "initial_state": [StrOptions({"learned", "zero"})],
    }

    def __init__(
        self,
        n_components=40,
        *,
        n_channels=1,
        class_weight=None,
        alpha=1.0,
        penalty="manifold-attractor",
        regularized_fraction=0.5,
        l2=0.0,
        architecture="plrnn",
        n_hidden=100,
        n_nonlinear=None,
        init="identity",
        solver="adam",
        learning_rate_init=5e-3,
        learning_rate="cosine",
        max_iter=None,
        batch_size=None,
        gradient_checkpointing=False,
        max_grad_norm=1.0,
        tol=1e-5,
        n_iter_no_change=10,
        early_stopping=False,
        validation_fraction=0.1,
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
        super().__init__(
            n_components,
            alpha=alpha,
            penalty=penalty,
            regularized_fraction=regularized_fraction,
            l2=l2,
            architecture=architecture,
            n_hidden=n_hidden,
            n_nonlinear=n_nonlinear,
            init=init,
            solver=solver,
            learning_rate_init=learning_rate_init,
            learning_rate=learning_rate,
            max_iter=max_iter,
            batch_size=batch_size,
            gradient_checkpointing=gradient_checkpointing,
            max_grad_norm=max_grad_norm,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            initial_state=initial_state,
            standardize=standardize,
            n_init=n_init,
            n_jobs=n_jobs,
            random_state=random_state,
            warm_start=warm_start,
            on_interrupt=on_interrupt,
            checkpoint_dir=checkpoint_dir,
            verbose=verbose,
            dtype=dtype,
        )
        self.n_channels = n_channels
        self.class_weight = class_weight

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the network.

        Parameters
        ----------
        X : array-like of shape (n_sequences, n_timesteps * n_channels), \
                (n_sequences, n_timesteps, n_features) or list of arrays (n_timesteps_i, n_features)
            Sequences: one flattened in each row, the channels of a step side by side; or 3-D; or of
            any lengths.
        y : array-like of shape (n_sequences,)
            Labels.
        sample_weight : array-like of shape (n_sequences,), default=None
            Weight of each sequence. A label of zero weight has no influence; its inputs still take
            part in the standardization.

        Returns
        -------
        self : RegularizedPLRNNClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If shapes do not fit together, or values are not finite.
        """
        task = begin_fit(self, X, y, sample_weight, max_subtasks=self.n_init)
        twin = self._unfitted_twin()
        self._take_over(twin, twin._fit(X, y, sample_weight, task=task), task)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch on more sequences, with the solver "adam" or "sgd".

        The first call also learns start and scaling, so its data should be representative.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts.
        y : array-like of shape (n_sequences,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels there can be; needed in the first call if `y` has not all of them.
        sample_weight : array-like of shape (n_sequences,), default=None
            As in `fit`.

        Returns
        -------
        self : RegularizedPLRNNClassifier
            The estimator.
        """
        self._take_over(*self._gone_on(X, y, sample_weight, classes))
        return self

    def decision_function(self, X):
        """Logits; for two classes, by how much the second exceeds the first.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts.

        Returns
        -------
        logits : ndarray of shape (n_sequences, n_classes) or, for two classes, (n_sequences,)
            Logits.
        """
        logits = self._outputs(self._check(X))
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts.

        Returns
        -------
        y : ndarray of shape (n_sequences,)
            The most probable class of each sequence.
        """
        logits = self._outputs(self._check(X))
        return self.classes_[logits.argmax(axis=1)]

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts.

        Returns
        -------
        p : ndarray of shape (n_sequences, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X):
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts.

        Returns
        -------
        log_p : ndarray of shape (n_sequences, n_classes)
            Log-probabilities, in the order of ``classes_``.
        """
        return log_softmax(self._outputs(self._check(X)), axis=1)

    def transform(self, X):
        """Latent state after the last step of each sequence.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts.

        Returns
        -------
        states : ndarray of shape (n_sequences, n_components)
            States z_T.
        """
        return np.concatenate([last_of(*part) for part in self._states(self._check(X))])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = True
        return tags

    def _fit(self, X, y, sample_weight, classes=None, task=NO_TASK, stream=False):
        reset = not (stream and self._is_warm())
        sequences, labels = self._check_data(X, y, reset, classes)
        dtype = sequences.rows.dtype
        weights = self._weights(sample_weight, sequences, len(labels))
        by_class = self._class_weights(labels, stream)
        targets = np.eye(len(self.classes_), dtype=dtype)[labels]
        self.per_step_ = False
        weights = weights * by_class.astype(dtype)[:, None]
        return self._fit_to(sequences, targets, weights, "cross_entropy", task, stream)

    def _check_data(self, X, y, reset=True, classes=None):
        """Validated sequences to train on, and the index of the label of each."""
        sequences = self._check_input(X, reset=reset, dtype=self._allowed_dtypes())
        return sequences, self._learn_classes(y, len(sequences.lengths), classes, reset)

    def _learn_classes(self, y, n_sequences, classes, reset):
        """Learn the labels that there are; the index of each label in ``classes_``."""
        if y is None:
            name = type(self).__name__
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        y = column_or_1d(check_array(y, ensure_2d=False, dtype=None, input_name="y"), warn=True)
        check_classification_targets(y)
        if len(y) != n_sequences:
            raise ValueError(
                f"y has {len(y)} labels, but X holds {n_sequences} sequences: Found input "
                f"variables with inconsistent numbers of samples: [{n_sequences}, {len(y)}]."
            )
        known = np.unique(y if classes is None else classes)
        if self._is_warm() and (reset or classes is not None):
            if not np.array_equal(known, self.classes_):
                raise ValueError(
                    f"This model goes on from classes {self.classes_.tolist()}, but is given "
                    f"{known.tolist()}."
                )
        if reset:
            self.classes_ = known
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y holds label(s) {unknown.tolist()}, which are not among the classes "
                f"{self.classes_.tolist()}."
            )
        return np.searchsorted(self.classes_, y)

    def _class_weights(self, labels, stream):
        """Weight of the class of each label."""
        if self.class_weight == "balanced":
            if stream:
                raise ValueError(
                    'class_weight="balanced" needs all labels at once; give partial_fit a dict.'
                )
            return compute_sample_weight("balanced", labels)
        given = self.class_weight or {}
        unknown = [label for label in given if label not in self.classes_]
        if unknown:
            raise ValueError(
                f"class_weight names {unknown}, which are not among the classes "
                f"{self.classes_.tolist()}."
            )
        return np.array([given.get(label, 1.0) for label in self.classes_.tolist()])[labels]

    def _check(self, X):
        """Validated sequences for a prediction."""
        check_is_fitted(self)
        return self._check_input(X, reset=False, dtype=self.A_.dtype)

    def _check_input(self, X, **options):
        flattened = check_flattened(self, X, self.n_channels, **options)
        return check_sequences(self, X, **options) if flattened is None else flattened

"""The three ``...CV``: strength of regularization chosen by cross-validation along a path.

Within a fold, models are fitted from the strongest penalty to the weakest, each from the
parameters of the one before, so that all but the first need little training. The chosen model is
made in the same way: on all the data, down the path as far as `alpha_`.
"""

import inspect
import warnings
from numbers import Integral

import numpy as np
from sklearn.base import _fit_context, clone, is_classifier
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import TimeSeriesSplit, check_cv
from sklearn.utils import indexable
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples

from .._random_state import local_random_state
from ._callbacks import begin_fit, fitted_attributes, told_of
from ._classifier import RegularizedPLRNNClassifier
from ._reconstructor import DSReconstructor
from ._regressor import RegularizedPLRNNRegressor
from ._sequences import check_weights
from ._shared_parameters import Own, shares_parameters

STRONGEST, WEAKEST = 1e2, 1e-3  # of alphas that are given by their number
N_FOLDS = 5
# Each further model of a path needs less training than the first, by this factor.
WARM_SHARE = 0.25
# At the full rate, steps lose more than a few epochs bring back, and all models stay at the first.
WARM_RATE = 0.3
OWN_PARAMETERS = {
    "alphas": Own(6, [Interval(Integral, 2, None, closed="left"), "array-like"]),
    "cv": Own(None, ["cv_object"]),
    "scoring": Own(None, [StrOptions(set(get_scorer_names())), callable, None]),
    "max_iter_warm": Own(None, [Interval(Integral, 0, None, closed="left"), None]),
}
# What the path decides by itself.
LEFT_OUT = "alpha", "warm_start", "keep_restarts"


class PathCV:
    """A plain estimator whose `alpha` is chosen, to stand before it among the bases."""

    warm_start = False

    @property
    def partial_fit(self):
        """Absent: a path starts anew."""
        raise AttributeError(
            f"{type(self).__name__} has no partial_fit; use {self._plain.__name__}."
        )

    def _fit_path(self, X, y, groups, sample_weight=None):
        """Choose `alpha`, fit to all the data, and only then change."""
        task = begin_fit(self, X, y, sample_weight, max_subtasks=2)
        sequences, *_ = self._unfitted_twin()._check_data(X, y)
        X, y = indexable(X, y)
        alphas = self._path()
        folds = self._folds(sequences.container == "series", X, y, groups)
        self._checkpoint_folder()  # before the plain models have seeds of their own
        model, in_folds = self._plain_models()
        scorer = check_scoring(model, self.scoring)
        weights = None
        if sample_weight is not None:
            weights = check_weights(sample_weight, _num_samples(X), float)[:, 0]
        scored_weights = weights if self._scores_by_weight(scorer) else None
        # In a tuple, with Dask, data travel with each task: no worker has the only copy.
        data = X, y, weights, scored_weights
        validation = task.subtask("cross-validation", len(folds), sequential=False)
        tasks = [validation.subtask("fold", len(alphas)) for _ in folds]
        with validation.around():
            fold_scores = Parallel(n_jobs=self.n_jobs)(
                delayed(_scores_of_fold)(
                    in_folds, alphas, data, fold, scorer, self.max_iter_warm, task_of_fold
                )
                for fold, task_of_fold in zip(folds, tasks, strict=True)
            )
        scores = np.column_stack(fold_scores)
        means = scores.mean(axis=1)
        if np.isnan(means).all():
            raise ValueError(f"Every alpha has a score of NaN in some fold: {scores.tolist()}.")
        best = int(np.nanargmax(means))
        refit = task.subtask("refit", best + 1)
        with refit.around():
            data = X, y, weights, self.max_iter_warm, refit
            *_, fitted = _path(model, alphas[: best + 1], *data)
        self.__dict__ = vars(self._unfitted_twin()) | fitted_attributes(fitted)
        self.alpha_, self.alphas_ = float(alphas[best]), alphas
        self.scores_path_, self.best_score_ = scores, float(means[best])
        task.end({})
        return self

    def _path(self):
        """Strengths, the strongest first."""
        if isinstance(self.alphas, Integral):
            return np.geomspace(STRONGEST, WEAKEST, self.alphas)
        alphas = np.asarray(self.alphas, float)
        if alphas.ndim != 1 or alphas.size == 0 or not (np.isfinite(alphas) & (alphas >= 0)).all():
            raise ValueError(f"alphas must be a list of numbers >= 0, got {self.alphas!r}.")
        return np.unique(alphas)[::-1]

    def _folds(self, is_series, X, y, groups):
        """Rows to train and to test on; of one series, the past and what follows."""
        cv = N_FOLDS if self.cv is None else self.cv
        if is_series and isinstance(cv, Integral):
            cv = TimeSeriesSplit(cv)
        cv = check_cv(cv, y, classifier=is_classifier(self))
        try:
            return list(cv.split(X, y, groups))
        except ValueError as error:
            n_samples = _num_samples(X)
            raise ValueError(f"{cv} does not split X with {n_samples=}: {error}") from error

    def _plain_models(self):
        """The estimator to fit to all the data, and to folds: not by several jobs at a time."""
        given = self.get_params(deep=False)
        shared = {name: x for name, x in given.items() if name not in OWN_PARAMETERS}
        seed = self.random_state
        if not isinstance(seed, Integral):  # all of a path shall hold out the same data
            seed = local_random_state(seed).randint(2**31 - 1)
        model = self._plain(**shared | {"random_state": seed})
        return model, clone(model).set_params(n_jobs=1, on_interrupt="raise")

    def _scores_by_weight(self, scorer):
        metric = self.score if self.scoring is None else getattr(scorer, "_score_func", scorer)
        return "sample_weight" in inspect.signature(metric).parameters


def _path(model, alphas, X, y, weights, max_iter_warm, task):
    """The model fitted with each of `alphas`, each time from where it was before."""
    model = clone(model).set_params(warm_start=True)
    warm_rate = WARM_RATE * model.learning_rate_init
    weighted = {} if weights is None else {"sample_weight": weights}
    data = told_of(X, y, weights)
    for alpha in alphas:
        model.set_params(alpha=float(alpha))
        with task.subtask(f"alpha={alpha:g}", **data).around_fit(model):
            model.fit(X, y, **weighted)
        yield model
        if max_iter_warm is None:
            max_iter_warm = int(np.ceil(WARM_SHARE * model._max_iter()))
        model.set_params(
            solver=model.solver_,
            max_iter=max_iter_warm,
            learning_rate_init=warm_rate,
            n_init=1,
        )


def _scores_of_fold(model, alphas, data, fold, scorer, max_iter_warm, task):
    """Scores on the test rows of a fold, for each of `alphas`."""
    X, y, weights, scored_weights = data
    train, test = fold
    X_train, y_train = _safe_split(model, X, y, train)
    X_test, y_test = _safe_split(model, X, y, test, train)
    weights = None if weights is None else weights[train]
    weighted = {} if scored_weights is None else {"sample_weight": scored_weights[test]}
    scores = []
    with task.around():
        for fitted in _path(model, alphas, X_train, y_train, weights, max_iter_warm, task):
            try:
                scores.append(scorer(fitted, X_test, y_test, **weighted))
            except ValueError as error:
                warnings.warn(
                    f"Scoring failed with alpha={fitted.alpha:g}, which counts as NaN: {error}",
                    stacklevel=2,
                )
                scores.append(np.nan)
    return scores


with_path = shares_parameters(OWN_PARAMETERS, LEFT_OUT)


@with_path
class RegularizedPLRNNRegressorCV(PathCV, RegularizedPLRNNRegressor):
    """`RegularizedPLRNNRegressor` with `alpha` chosen by cross-validation.

    In each fold, models are fitted along a path from the strongest penalty to the weakest, each
    from the parameters of the one before. The model for the best of them is fitted in the same way
    to all the data.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=6
        Strengths of the manifold-attractor penalty, or how many, from 100 to 0.001 in equal ratios.
    cv : int, splitter, iterable or None, default=None
        Number of folds, None for 5; or a splitter of scikit-learn; or pairs of rows to train and to
        test on. With a number, folds are those of `TimeSeriesSplit` for one series, and of `KFold`
        for sequences.
    scoring : str, callable or None, default=None
        What to maximize, as in scikit-learn; None is `score`.
    max_iter : int or None, default=None
        Number of epochs ("adam", "sgd") or iterations (the others) at the strongest penalty. None
        is 20 for "gauss-newton", else 400. With 0 the start is kept.
    max_iter_warm : int or None, default=None
        Number of epochs or iterations at each further penalty, where the learning rate begins at
        0.3 times `learning_rate_init`. None is a quarter of `max_iter`.
    n_init : int, default=1
        Number of independent restarts at the strongest penalty, of which the best is kept.
    n_jobs : int or None, default=None
        Number of folds at a time, and in the last fit what it is for `RegularizedPLRNNRegressor`.
        None is 1, or what joblib's ``parallel_config`` says. Results do not depend on it.

    Attributes
    ----------
    alpha_ : float
        The chosen strength; of equally good ones the strongest.
    alphas_ : ndarray of shape (n_alphas,)
        Strengths, from the strongest to the weakest.
    scores_path_ : ndarray of shape (n_alphas, n_folds)
        Score of each on the test rows of each fold.
    best_score_ : float
        Mean score of `alpha_`.

    See Also
    --------
    RegularizedPLRNNRegressor : With a given `alpha`.

    Examples
    --------
    >>> from sklearn_plrnn import RegularizedPLRNNRegressorCV
    >>> from sklearn_plrnn.datasets import make_addition
    >>> X, y = make_addition(n_sequences=60, n_timesteps=20, random_state=0)
    >>> model = RegularizedPLRNNRegressorCV(8, alphas=[0.1, 10], cv=2, max_iter=4, random_state=0)
    >>> model.fit(X, y).scores_path_.shape
    (2, 2)
    >>> model.alpha_ in (0.1, 10)
    True
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, groups=None):
        """Choose `alpha`, then fit the network to all the data.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `RegularizedPLRNNRegressor.fit` accepts.
        y : array-like or list of arrays
            Targets, as there.
        sample_weight : array-like of shape (n_timesteps,) or (n_sequences,), default=None
            Weight of each row of one series, else of each sequence; also in scores, where
            `scoring` has weights.
        groups : array-like of shape (n_timesteps,) or (n_sequences,), default=None
            Labels of groups, for a splitter such as `GroupKFold`.

        Returns
        -------
        self : RegularizedPLRNNRegressorCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If shapes do not fit together, values are not finite, a series is too short, or no
            alpha has a score that is a number.
        """
        return self._fit_path(X, y, groups, sample_weight)


@with_path
class RegularizedPLRNNClassifierCV(PathCV, RegularizedPLRNNClassifier):
    """`RegularizedPLRNNClassifier` with `alpha` chosen by cross-validation.

    In each fold, models are fitted along a path from the strongest penalty to the weakest, each
    from the parameters of the one before. The model for the best of them is fitted in the same way
    to all the data.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=6
        Strengths of the manifold-attractor penalty, or how many, from 100 to 0.001 in equal ratios.
    cv : int, splitter, iterable or None, default=None
        Number of folds of `StratifiedKFold`, None for 5; or a splitter of scikit-learn; or pairs of
        sequences to train and to test on.
    scoring : str, callable or None, default=None
        What to maximize, as in scikit-learn; None is `score`.
    max_iter : int or None, default=None
        Number of epochs ("adam", "sgd") or iterations (the others) at the strongest penalty. None
        is 20 for "gauss-newton", else 400. With 0 the start is kept.
    max_iter_warm : int or None, default=None
        Number of epochs or iterations at each further penalty, where the learning rate begins at
        0.3 times `learning_rate_init`. None is a quarter of `max_iter`.
    n_init : int, default=1
        Number of independent restarts at the strongest penalty, of which the best is kept.
    n_jobs : int or None, default=None
        Number of folds at a time, and in the last fit what it is for `RegularizedPLRNNClassifier`.
        None is 1, or what joblib's ``parallel_config`` says. Results do not depend on it.

    Attributes
    ----------
    alpha_ : float
        The chosen strength; of equally good ones the strongest.
    alphas_ : ndarray of shape (n_alphas,)
        Strengths, from the strongest to the weakest.
    scores_path_ : ndarray of shape (n_alphas, n_folds)
        Score of each on the test sequences of each fold.
    best_score_ : float
        Mean score of `alpha_`.

    See Also
    --------
    RegularizedPLRNNClassifier : With a given `alpha`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_plrnn import RegularizedPLRNNClassifierCV
    >>> X = np.random.default_rng(0).normal(size=(100, 12))  # one sequence of 12 steps per row
    >>> y = np.where(X.sum(axis=1) > 0, "up", "down")
    >>> model = RegularizedPLRNNClassifierCV(6, alphas=[0.1, 10], cv=2, max_iter=20, random_state=0)
    >>> model.fit(X, y).scores_path_.shape
    (2, 2)
    >>> bool(model.best_score_ > 0.8)
    True
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, groups=None):
        """Choose `alpha`, then fit the network to all the data.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `RegularizedPLRNNClassifier.fit` accepts.
        y : array-like of shape (n_sequences,)
            Labels.
        sample_weight : array-like of shape (n_sequences,), default=None
            Weight of each sequence; also in scores, where `scoring` has weights.
        groups : array-like of shape (n_sequences,), default=None
            Labels of groups, for a splitter such as `StratifiedGroupKFold`.

        Returns
        -------
        self : RegularizedPLRNNClassifierCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If shapes do not fit together, values are not finite, or no alpha has a score that is a
            number.
        """
        return self._fit_path(X, y, groups, sample_weight)


@with_path
class DSReconstructorCV(PathCV, DSReconstructor):
    """`DSReconstructor` with `alpha` chosen by cross-validation.

    In each fold, models are fitted along a path from the strongest penalty to the weakest, each
    from the parameters of the one before. The model for the best of them is fitted in the same way
    to all the data.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=6
        Strengths of the manifold-attractor penalty, or how many, from 100 to 0.001 in equal ratios.
    cv : int, splitter, iterable or None, default=None
        Number of folds, None for 5; or a splitter of scikit-learn; or pairs of rows to train and to
        test on. With a number, folds are those of `TimeSeriesSplit` for one trajectory, and of
        `KFold` for several.
    scoring : str, callable or None, default=None
        What to maximize: a scorer of `sklearn_plrnn.metrics`; None is `score`.
    max_iter : int or None, default=None
        Number of epochs ("adam", "sgd") or iterations (the others) at the strongest penalty. None
        is 40 for "gauss-newton", else 150. With 0 the start is kept.
    max_iter_warm : int or None, default=None
        Number of epochs or iterations at each further penalty, where the learning rate begins at
        0.3 times `learning_rate_init`. None is a quarter of `max_iter`.
    n_init : int, default=1
        Number of independent restarts at the strongest penalty, of which the best is kept.
    n_jobs : int or None, default=None
        Number of folds at a time, and in the last fit what it is for `DSReconstructor`. None is 1,
        or what joblib's ``parallel_config`` says. Results do not depend on it.

    Attributes
    ----------
    alpha_ : float
        The chosen strength; of equally good ones the strongest.
    alphas_ : ndarray of shape (n_alphas,)
        Strengths, from the strongest to the weakest.
    scores_path_ : ndarray of shape (n_alphas, n_folds)
        Score of each on the test rows of each fold.
    best_score_ : float
        Mean score of `alpha_`.

    See Also
    --------
    DSReconstructor : With a given `alpha`.

    Examples
    --------
    >>> from sklearn_plrnn import DSReconstructorCV
    >>> from sklearn_plrnn.datasets import make_lorenz63
    >>> X = make_lorenz63(1500, random_state=0)
    >>> model = DSReconstructorCV(
    ...     n_hidden=30, alphas=[0, 0.1, 10], cv=2, max_iter=2, random_state=0
    ... ).fit(X)
    >>> model.alphas_
    array([10. ,  0.1,  0. ])
    >>> model.forecast(100).shape
    (100, 3)
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, groups=None):
        """Choose `alpha`, then fit the model to all trajectories.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_features), or 3-D, or list
            Any form that `DSReconstructor.fit` accepts.
        y : None
            Ignored.
        groups : array-like of shape (n_timesteps,) or (n_trajectories,), default=None
            Labels of groups, for a splitter such as `GroupKFold`.

        Returns
        -------
        self : DSReconstructorCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If X is too short, holds inf, or NaN in an input column, or if no alpha has a score that
            is a number.
        """
        return self._fit_path(X, None, groups)

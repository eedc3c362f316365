"""Scores of a reconstruction for ``scoring=`` of scikit-learn's model selection.

``scorer(estimator, X, y=None)``: larger is better, and always a finite number, for one diverging
candidate must not spoil a search. The number says so, a warning for each fold would not help.
"""

import warnings
from numbers import Integral

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import r2_score
from sklearn.utils import check_scalar

from ._divergence import state_space_divergence
from ._forecast import foreseen
from ._spectrum import power_spectrum_distance

TRANSIENT = 0.25  # of the length that is compared
WORST = 1e6  # stands for an infinite divergence, which would make the mean over folds infinite


def neg_state_space_divergence_scorer(estimator, X, y=None):
    """Negative `state_space_divergence` of a free run from the first row of X.

    Parameters
    ----------
    estimator : DSReconstructor
        Fitted model, with ``simulate`` and ``split_inputs``.
    X : array-like of shape (n_timesteps, n_features), or 3-D, or list
        Reference; several trajectories are pooled, rows with gaps left out.
    y : None
        Ignored.

    Returns
    -------
    score : float
        At most 0, at least -1e6 (for a diverged run where the divergence is infinite).

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.metrics import neg_state_space_divergence_scorer
    >>> search = GridSearchCV(
    ...     DSReconstructor(),
    ...     {"alpha": [0.0, 0.1]},
    ...     scoring=neg_state_space_divergence_scorer,
    ...     cv=TimeSeriesSplit(3),
    ... )
    """
    return -min(_divergence(_free_runs(estimator, X)), WORST)


def neg_power_spectrum_scorer(estimator, X, y=None):
    """Negative `power_spectrum_distance` of a free run from the first row of X.

    Parameters
    ----------
    estimator : DSReconstructor
        Fitted model, with ``simulate`` and ``split_inputs``.
    X : array-like of shape (n_timesteps, n_features), or 3-D, or list
        Reference; scores of several trajectories are averaged, gaps are interpolated.
    y : None
        Ignored.

    Returns
    -------
    score : float
        Between -1 and 0.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.metrics import neg_power_spectrum_scorer
    >>> search = GridSearchCV(
    ...     DSReconstructor(),
    ...     {"alpha": [0.0, 0.1]},
    ...     scoring=neg_power_spectrum_scorer,
    ...     cv=TimeSeriesSplit(3),
    ... )
    """
    return -_distance(_free_runs(estimator, X))


def free_run_scorer(estimator, X, y=None):
    """Likeness of a free run from the first row of X, in geometry and in spectrum.

    One number where there is room for no more, as in `HalvingGridSearchCV`: with `d` the
    `state_space_divergence` and `h` the `power_spectrum_distance`, ``1 - (d / (1 + d) + h) / 2``.
    Among many candidates the sum of ranks is a better judge, see `combined_rank`.

    Parameters
    ----------
    estimator : DSReconstructor
        Fitted model, with ``simulate`` and ``split_inputs``.
    X : array-like of shape (n_timesteps, n_features), or 3-D, or list
        Reference, as for `neg_state_space_divergence_scorer` and `neg_power_spectrum_scorer`.
    y : None
        Ignored.

    Returns
    -------
    score : float
        Between 0 and 1.

    Examples
    --------
    >>> from sklearn.experimental import enable_halving_search_cv
    >>> from sklearn.model_selection import HalvingGridSearchCV, TimeSeriesSplit
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.metrics import free_run_scorer
    >>> search = HalvingGridSearchCV(
    ...     DSReconstructor(),
    ...     {"alpha": [0.0, 0.1, 1.0]},
    ...     resource="max_iter",
    ...     max_resources=27,
    ...     scoring=free_run_scorer,
    ...     cv=TimeSeriesSplit(3),
    ... )
    """
    pairs = _free_runs(estimator, X)
    d = min(_divergence(pairs), WORST)
    return 1 - (d / (1 + d) + _distance(pairs)) / 2


def combined_rank(*names):
    """Make a ``refit=`` for searches with several scores: the candidate of the least sum of ranks.

    Scores of geometry, of spectrum and of forecasts have no common unit, but each ranks the
    candidates. Of equal sums the first candidate wins; a score of NaN ranks last.

    Parameters
    ----------
    *names : str
        Names of scores, the keys of ``scoring``.

    Returns
    -------
    refit : callable
        ``refit(cv_results)``, the index of the best candidate.

    Examples
    --------
    >>> from sklearn.model_selection import RandomizedSearchCV, TimeSeriesSplit
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.metrics import (
    ...     combined_rank, neg_power_spectrum_scorer, neg_state_space_divergence_scorer
    ... )
    >>> search = RandomizedSearchCV(
    ...     DSReconstructor(),
    ...     {"alpha": [0.0, 0.1, 1.0], "n_hidden": [50, 100, 200]},
    ...     scoring={
    ...         "geometry": neg_state_space_divergence_scorer,
    ...         "spectrum": neg_power_spectrum_scorer,
    ...     },
    ...     refit=combined_rank("geometry", "spectrum"),
    ...     cv=TimeSeriesSplit(3),
    ... )
    """
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"names must be those of one score or more, got {names!r}.")
    return _CombinedRank(names)


def forecast_r2_scorer(horizon):
    """Make a scorer: R^2 of forecasts `horizon` steps ahead of every row.

    Parameters
    ----------
    horizon : int
        Steps ahead.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None)``, the mean of R^2 over observed variables, at least -1e6.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.metrics import forecast_r2_scorer
    >>> search = GridSearchCV(
    ...     DSReconstructor(),
    ...     {"alpha": [0.0, 0.1]},
    ...     scoring=forecast_r2_scorer(20),
    ...     cv=TimeSeriesSplit(3),
    ... )
    """
    check_scalar(horizon, "horizon", Integral, min_val=1)
    return _ForecastR2(horizon)


class _CombinedRank:
    """A class and no closure, so that a search can be pickled."""

    def __init__(self, names):
        self.names = names

    def __call__(self, cv_results):
        scores = np.array([cv_results[f"mean_test_{name}"] for name in self.names], float)
        ranks = rankdata(np.nan_to_num(-scores, nan=np.inf), axis=1)
        return int(np.argmin(ranks.sum(axis=0)))

    def __repr__(self):
        return f"combined_rank({', '.join(map(repr, self.names))})"


class _ForecastR2:
    """A class and no closure, so that it can be sent to workers."""

    def __init__(self, horizon):
        self.horizon = horizon

    def __call__(self, estimator, X, y=None):
        observed, predicted = foreseen(estimator, X, self.horizon)
        return float(np.mean([_r2(x, p) for x, p in zip(observed.T, predicted.T, strict=True)]))

    def __repr__(self):
        return f"forecast_r2_scorer({self.horizon})"


def _divergence(pairs):
    """Of all pairs pooled."""
    return state_space_divergence(*(np.concatenate(rows) for rows in zip(*pairs, strict=True)))


def _distance(pairs):
    """Mean over pairs."""
    return float(np.mean([power_spectrum_distance(*pair) for pair in pairs]))


def _free_runs(estimator, X):
    """The pairs of `free_runs`, however far they go."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return list(free_runs(estimator, X))


def free_runs(estimator, X):
    """Pairs of an observed trajectory and a free run from its first row."""
    observed, inputs = estimator.split_inputs(X)
    if isinstance(observed, np.ndarray) and observed.ndim == 2:
        observed, inputs = [observed], None if inputs is None else [inputs]
    for i, x in enumerate(observed):
        if inputs is None:
            skipped = int(TRANSIENT * len(x))
            yield x, estimator.simulate(len(x) + skipped, x0=x[0])[skipped:]
        else:
            yield x[1:], estimator.simulate(len(x) - 1, x0=x[0], inputs=inputs[i][1:])


def _r2(observed, predicted):
    known = ~np.isnan(observed)
    # Differences beyond this size would overflow when squared, and inf is refused by r2_score.
    limit = 1e3 * (np.abs(observed[known]).max(initial=0) + 1)
    predicted = np.clip(np.nan_to_num(predicted[known], nan=limit), -limit, limit)
    return max(r2_score(observed[known], predicted), -WORST) if known.sum() > 1 else 0.0

"""Scores of a reconstruction for ``scoring=`` of scikit-learn's model selection.

``scorer(estimator, X, y=None)``: larger is better, and always a finite number, for one diverging
candidate must not spoil a search. The number says so, a warning for each fold would not help.
"""

import warnings
from numbers import Integral

import numpy as np
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
    pairs = _free_runs(estimator, X)
    reference, simulated = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
    return -min(state_space_divergence(reference, simulated), WORST)


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
    distances = [power_spectrum_distance(*pair) for pair in _free_runs(estimator, X)]
    return -float(np.mean(distances))


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


class _ForecastR2:
    """A class and no closure, so that it can be sent to workers."""

    def __init__(self, horizon):
        self.horizon = horizon

    def __call__(self, estimator, X, y=None):
        observed, predicted = foreseen(estimator, X, self.horizon)
        return float(np.mean([_r2(x, p) for x, p in zip(observed.T, predicted.T, strict=True)]))

    def __repr__(self):
        return f"forecast_r2_scorer({self.horizon})"


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

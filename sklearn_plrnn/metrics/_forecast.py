"""Errors of forecasts: n steps ahead of every row, and relative to a naive forecast."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_array


@validate_params(
    {
        "model": "no_validation",
        "X": "no_validation",
        "n": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def prediction_error(model, X, *, n=20):
    """Mean squared error PE(n) of n-step forecasts from every row.

    Parameters
    ----------
    model : object with ``predict(X, lead=n)`` and ``split_inputs(X)``
        A fitted `DSReconstructor`, or anything with these methods.
    X : array-like of shape (n_timesteps, n_features), or 3-D, or list
        Series, in any form the model takes; NaN is left out.
    n : int, default=20
        Steps ahead.

    Returns
    -------
    error : float
        In units of the variance of each observed variable, averaged over variables: 1 is as good
        as the mean. inf if a forecast diverged.

    Raises
    ------
    ValueError
        If no trajectory has more than `n` rows.

    Examples
    --------
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.datasets import make_lorenz63
    >>> from sklearn_plrnn.metrics import prediction_error
    >>> X = make_lorenz63(2000, random_state=0)
    >>> model = DSReconstructor(max_iter=0, random_state=0).fit(X)
    >>> prediction_error(model, X, n=5) < 0.05
    True
    """
    observed, predicted = foreseen(model, X, n)
    known = ~np.isnan(observed)
    counts = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, observed, 0).sum(axis=0) / counts
    variance = (np.where(known, observed - mean, 0) ** 2).sum(axis=0) / counts
    with np.errstate(over="ignore", invalid="ignore"):
        squares = (np.where(known, predicted - observed, 0) ** 2).sum(axis=0) / counts
    error = np.mean(squares / np.where(variance > 0, variance, 1.0))
    return float(np.nan_to_num(error, nan=np.inf, posinf=np.inf))


def foreseen(model, X, lead):
    """Observed rows that have one `lead` steps before them, and their forecasts, pooled."""
    observed, predicted = model.split_inputs(X)[0], model.predict(X, lead=lead)
    if isinstance(observed, np.ndarray) and observed.ndim == 2:
        observed, predicted = [observed], [predicted]
    pooled = [np.concatenate([x[lead:] for x in rows]) for rows in (observed, predicted)]
    if len(pooled[0]) == 0:
        raise ValueError(
            f"a forecast {lead} steps ahead needs a trajectory of more than {lead} rows, the "
            f"longest in X has {max(map(len, observed))}."
        )
    return pooled


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "y_train": ["array-like"],
        "period": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def mase(y_true, y_pred, y_train, *, period=1):
    r"""Mean absolute scaled error of a forecast.

    .. math::

        \mathrm{MASE} = \frac{\mathrm{mean}_t |y_t - \hat y_t|}
        {\mathrm{mean}_t |y_t^{train} - y_{t - period}^{train}|}

    for each variable, then averaged [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_timesteps, n_variables)
        What came.
    y_pred : array-like of shape (n_timesteps, n_variables)
        What was forecast.
    y_train : array-like of shape (n_train, n_variables)
        Training series, on which the naive forecast is judged.
    period : int, default=1
        Lag of the naive forecast: 1 repeats the last value, a season's length the last season.

    Returns
    -------
    error : float
        Below 1 the forecast is better than the naive one was in training.

    Raises
    ------
    ValueError
        If shapes do not fit together or `y_train` has no more than `period` rows.

    References
    ----------
    .. [1] R. J. Hyndman, A. B. Koehler, "Another look at measures of forecast accuracy",
       International Journal of Forecasting 22(4), 2006, doi:10.1016/j.ijforecast.2006.03.001.

    Examples
    --------
    >>> from sklearn_plrnn.metrics import mase
    >>> mase([[3.0], [4.0]], [[3.5], [4.5]], [[0.0], [1.0], [2.0]])
    0.5
    """
    y_true, y_pred = _check_forecast(y_true, y_pred)
    y_train = check_array(y_train, dtype=np.float64, input_name="y_train")
    if y_train.shape[1] != y_true.shape[1] or len(y_train) <= period:
        raise ValueError(
            f"y_train of shape {y_train.shape} must have {y_true.shape[1]} variable(s) and more "
            f"than period={period} rows."
        )
    naive = np.abs(y_train[period:] - y_train[:-period]).mean(axis=0)
    error = np.abs(y_true - y_pred).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error == 0, 0.0, error / naive)
    return float(np.nan_to_num(ratio.mean(), nan=np.inf, posinf=np.inf))


@validate_params(
    {"y_true": ["array-like"], "y_pred": ["array-like"]}, prefer_skip_nested_validation=True
)
def smape(y_true, y_pred):
    r"""Symmetric mean absolute percentage error, in percent.

    .. math::

        \mathrm{sMAPE} = 100 \, \mathrm{mean} \frac{2 |y - \hat y|}{|y| + |\hat y|}

    the variant of the M3 and M4 competitions, between 0 and 200; a value forecast exactly counts 0,
    also at 0 [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_timesteps, n_variables)
        What came.
    y_pred : array-like of shape (n_timesteps, n_variables)
        What was forecast.

    Returns
    -------
    error : float
        In percent; 200 where the forecast diverged.

    Raises
    ------
    ValueError
        If shapes differ.

    References
    ----------
    .. [1] S. Makridakis, M. Hibon, "The M3-Competition", International Journal of Forecasting
       16(4), 2000, doi:10.1016/S0169-2070(00)00057-1.

    Examples
    --------
    >>> from sklearn_plrnn.metrics import smape
    >>> smape([[1.0], [2.0]], [[1.0], [-2.0]])
    100.0
    """
    y_true, y_pred = _check_forecast(y_true, y_pred)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        shares = 2 * np.abs(y_true - y_pred) / (np.abs(y_true) + np.abs(y_pred))
    shares = np.where(y_true == y_pred, 0.0, shares)
    return float(100 * np.mean(np.nan_to_num(shares, nan=2.0, posinf=2.0)))


def _check_forecast(y_true, y_pred):
    y_true = check_array(y_true, dtype=np.float64, input_name="y_true")
    y_pred = check_array(y_pred, dtype=np.float64, input_name="y_pred", ensure_all_finite=False)
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_true of shape {y_true.shape} and y_pred of shape {y_pred.shape}, (time, variable), "
            "must be of the same shape."
        )
    return y_true, y_pred

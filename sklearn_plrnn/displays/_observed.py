"""Observed variables of a reconstruction: their names, a choice of them, a free run beside them."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_array, check_is_fitted

from ..analysis._protocol import part_to_give
from ..metrics._scorers import free_runs


def names_of(estimator):
    """Names of the observed variables, as in training or made up."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return default_names(estimator.n_outputs_)
    return [str(name) for name in np.delete(names, getattr(estimator, "input_features_", []))]


def default_names(n, letter="x"):
    """x0, x1, ..."""
    return [f"{letter}{i}" for i in range(n)]


def choose(features, names):
    """Indices of variables given by index or name, one or several; None is all of them."""
    if features is None:
        return list(range(len(names)))
    single = isinstance(features, str | Integral)
    indices = []
    for feature in [features] if single else features:
        if feature in names:
            indices.append(names.index(feature))
        elif isinstance(feature, Integral) and -len(names) <= feature < len(names):
            indices.append(int(feature) % len(names))
        else:
            raise ValueError(f"features has {feature!r}; expected some of {names} or an index.")
    return indices


def check_series(x, name, n_variables=None):
    """A series (time, variable) that may have gaps; one variable may be 1-D."""
    x = np.reshape(x, (-1, 1)) if np.ndim(x) == 1 else x
    x = check_array(x, dtype=np.float64, ensure_all_finite=False, input_name=name)
    if n_variables not in (None, x.shape[1]):
        raise ValueError(
            f"{name} has shape {x.shape}; expected (time, {n_variables}), one column for each "
            "variable."
        )
    return x


def check_reconstruction(estimator):
    """A fitted estimator that runs by itself, and not one that needs inputs to say anything."""
    if not hasattr(estimator, "forecast"):
        raise TypeError(
            f"estimator must be a fitted DSReconstructor; got {type(estimator).__name__}."
            f"{part_to_give(estimator)}"
        )
    check_is_fitted(estimator)


def check_has(estimator, *attributes):
    """A fitted estimator of the kind that has these attributes."""
    check_is_fitted(estimator)
    missing = [name for name in attributes if not hasattr(estimator, name)]
    if missing:
        raise TypeError(
            f"estimator must have {', '.join(attributes)}; a {type(estimator).__name__} has no "
            f"{missing[0]}.{part_to_give(estimator)}"
        )


def single_run(estimator, X):
    """Observed rows of one trajectory, and a free run from the first of them."""
    check_reconstruction(estimator)
    if np.ndim(X) != 2:
        raise ValueError(
            f"X has {np.ndim(X)} dimensions; expected one trajectory, (time, feature). Choose one "
            "of several."
        )
    ((observed, simulated),) = free_runs(estimator, X)
    return observed, simulated

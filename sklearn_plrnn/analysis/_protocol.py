"""What the analysis asks of a model.

Anything with ``step(z)`` and ``jacobian(z)`` has Lyapunov exponents; a `PiecewiseLinearMap`, which
also knows its regions, has exact fixed points and cycles. A fitted estimator gives its own by
``to_map()``, and leads from latent states to the user's units by ``B_`` and ``b_``.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_array

from .._recurrence import PiecewiseLinearMap


class Dynamics(NamedTuple):
    """A step and its derivative, as two functions of a state."""

    step: Callable
    jacobian: Callable


def dynamics_of(model):
    """What steps, from an estimator, a map, any object with the two methods, or a pair."""
    if hasattr(model, "to_map"):
        return piecewise_of(model)
    if callable(getattr(model, "step", None)) and callable(getattr(model, "jacobian", None)):
        return model
    if isinstance(model, tuple) and len(model) == 2 and all(map(callable, model)):
        return Dynamics(*model)
    raise TypeError(
        "model must be a fitted estimator with to_map(), an object with step and jacobian, or a "
        f"pair of functions (step, jacobian); got {type(model).__name__}."
    )


def piecewise_of(model):
    """The piecewise-linear map of an estimator, or the map itself, in double precision."""
    f = model.to_map() if hasattr(model, "to_map") else model
    if not isinstance(f, PiecewiseLinearMap):
        raise TypeError(
            "model must be a fitted estimator with to_map(), or a PiecewiseLinearMap; got "
            f"{type(model).__name__}."
        )
    double = lambda x: x if x is None or x.dtype == bool else np.asarray(x, np.float64)
    return PiecewiseLinearMap(*map(double, f))


def kinks_of(f):
    """V (L, M) and theta (L,) of a map, with what is left out where they are 1 and 0."""
    V = np.eye(f.n_hidden) if f.V is None else f.V
    return V, np.zeros(f.n_hidden) if f.theta is None else f.theta


def check_states(states, n_components, name="states"):
    """Latent states (T, M) in double precision."""
    states = check_array(states, dtype=np.float64, input_name=name)
    if states.shape[1] != n_components:
        raise ValueError(
            f"{name} has shape {states.shape}; expected (time, {n_components}), latent states of "
            f"{n_components} units."
        )
    return states


def start_of(model, start):
    """Latent state (M,) to start from: as given, else where the training data ended."""
    start = getattr(model, "last_state_", None) if start is None else start
    if start is None:
        raise ValueError("start is None, but only a fitted DSReconstructor knows where to start.")
    return check_array(start, ensure_2d=False, dtype=np.float64, input_name="start")


def observe(model, states):
    """Observations in the user's units; None where the model has no readout."""
    if not hasattr(model, "B_"):
        return None
    if getattr(model, "readout_", None) == "relu":
        states = np.maximum(states, 0)
    return states @ model.B_.T + model.b_

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
        f"pair of functions (step, jacobian); got {type(model).__name__}.{part_to_give(model)}"
    )


def piecewise_of(model):
    """The piecewise-linear map of an estimator, or the map itself, in double precision."""
    f = model.to_map() if hasattr(model, "to_map") else model
    if not isinstance(f, PiecewiseLinearMap):
        raise TypeError(
            "model must be a fitted estimator with to_map(), or a PiecewiseLinearMap; got "
            f"{type(model).__name__}.{part_to_give(model)}"
        )
    return _checked(f)


def part_to_give(model):
    """What to analyse of a pipeline or of a search."""
    if hasattr(model, "steps"):
        return " Of a pipeline give the last step, in whose units the answer is: pipeline[-1]."
    return " Of a search give best_estimator_." if hasattr(model, "best_estimator_") else ""


def _checked(f):
    """The map in double precision, its arrays finite and fitting each other."""
    double = {name: np.asarray(x, np.float64) for name, x in f._asdict().items() if x is not None}
    if double["W"].ndim != 2:
        raise ValueError(f"W of the map has shape {double['W'].shape}; expected two axes.")
    M, L = double["W"].shape
    if f.V is None and L != M:
        raise ValueError(f"W of the map has shape {(M, L)}; without V it must be square.")
    shapes = {"A": (M,), "W": (M, L), "h": (M,), "V": (L, M), "theta": (L,), "always_on": (L,)}
    for name, x in double.items():
        if x.shape != shapes[name]:
            raise ValueError(f"{name} of the map has shape {x.shape}; expected {shapes[name]}.")
        if not np.isfinite(x).all():
            raise ValueError(f"{name} of the map holds NaN or inf.")
    if f.always_on is not None:
        double["always_on"] = double["always_on"].astype(bool)
    return PiecewiseLinearMap(**double)


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


def start_of(model, start, n_components=None):
    """Latent state (M,) to start from: as given, else where the training data ended."""
    start = getattr(model, "last_state_", None) if start is None else start
    if start is None:
        raise ValueError("start is None, but only a fitted estimator knows where to start.")
    start = check_array(start, ensure_2d=False, dtype=np.float64, input_name="start")
    if start.ndim != 1 or n_components not in (None, len(start)):
        units = "n_components" if n_components is None else n_components
        raise ValueError(f"start has shape {start.shape}; expected ({units},), one latent state.")
    return start


def observe(model, states):
    """Observations in the user's units; None where the model has no readout."""
    if not hasattr(model, "B_"):
        return None
    if getattr(model, "readout_", None) == "relu":
        states = np.maximum(states, 0)
    return states @ model.B_.T + model.b_

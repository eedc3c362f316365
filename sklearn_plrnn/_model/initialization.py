"""Starts: where training begins, chosen by name from `INITS`.

Every start takes ``(objective, series, batches, rng)`` and returns a parameter dict in the dtype of
the series. `series` has ``inputs`` (R, K), ``targets``, ``weights`` and ``lengths``: rows of all
sequences one after another. ``batches.ordered()`` gives the same as batches.
"""

import numpy as np

from .echo_state import echo_state
from .integrated_features import integrated_features
from .lift import lift
from .regularization import integrate
from .solved_readout import solve_readout

RIDGE = 1e-2  # nearly equal integrators need that much


def initialize(init, objective, series, batches, rng):
    """Parameters from the start called `init`."""
    return INITS[init](objective, series, batches, rng)


def random(objective, series, batches, rng):
    """Random stable parameters; no unit is special."""
    return objective.init(rng, series.inputs.dtype)


def identity_like(objective, series, batches, rng):
    """Regularized units start as perfect integrators: A = 1, W = 0, h = 0 in their rows.

    Their input weights are divided by sqrt(T), so that what they have summed up after T steps is of
    the order of the inputs themselves, and the readout is a ridge regression on the states.
    """
    units = objective.penalty.units
    params = objective.init(rng, series.inputs.dtype)
    integrate(objective.cell, params, units)
    if objective.n_inputs:
        params["C"][units] /= np.sqrt(series.lengths.mean())
    return solve_readout(objective, params, batches, (RIDGE,))


def closed_form(objective, series, batches, rng):
    """As much as can be solved: readout, and for one target per sequence what is integrated."""
    start = echo_state if series.per_step else integrated_features
    return start(objective, series, batches, rng)


INITS = {
    "random": random,
    "identity": identity_like,
    "lift": lift,
    "closed-form": closed_form,
}

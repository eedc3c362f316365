"""The closed-form start for a target at each step: an echo state network.

The units that are not regularized are a random leaky reservoir, and the readout is solved for on
the states (Jaeger 2001). The regularized ones wait for training to give them something to
integrate: along a series that does not end, integrals of anything else wander off. The best of a
few draws is taken.
"""

import numpy as np

from .fast_units import bounding_box, reservoir
from .solved_readout import solve_readout

N_DRAWS = 4
RIDGES = (1e-2,)  # large readout weights would make any step of the other parameters a leap


def echo_state(objective, series, batches, rng):
    """Parameters of the start."""
    box = bounding_box(series)
    draws = [_draw(objective, series, box, batches, rng) for _ in range(N_DRAWS)]
    values = [_value(objective, params, batches) for params in draws]
    return draws[int(np.argmin(np.nan_to_num(values, nan=np.inf)))]


def _draw(objective, series, box, batches, rng):
    units, M = objective.penalty.units, objective.cell.n_components
    others = np.setdiff1d(np.arange(M), units)
    params = objective.init(rng, series.inputs.dtype)
    fast = reservoir(series, box, len(others), rng, has_clock=False)
    A, W, h, C = np.ones(M), np.zeros((M, M)), np.zeros(M), np.zeros((M, series.inputs.shape[1]))
    A[others], h[others], C[others], W[np.ix_(others, others)] = fast.A, fast.h, fast.C, fast.W
    params = objective.cell.embed(params, A, W, h) | {"C": C}
    params = {name: np.asarray(x, series.inputs.dtype) for name, x in params.items()}
    if objective.learn_start:
        params["initial_state"][units] = 0
    solved = solve_readout(objective, params, batches, RIDGES)
    if "B" in params:
        # Of zeros, as yet; with both B and C zero no gradient would ever change that.
        solved["B"][:, units] = params["B"][:, units]
    return solved


def _value(objective, params, batches):
    return np.mean([float(objective.value(params, batch)) for batch in batches.whole()])

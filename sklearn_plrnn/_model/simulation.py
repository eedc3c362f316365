"""Running a map freely, a block of steps at a time.

Only what is read out is kept, so that memory does not grow with latent or hidden units times steps.
"""

import numpy as np

from .._recurrence import Workspace, propagate

MAX_NUMBERS = 2**19  # of features in a block of steps; more would leave the caches


def simulate(f, params, output, start, n_timesteps, inputs=None, noise=None):
    """Outputs (n_timesteps, B, N) of a free run from `start` (B, M), and the last state.

    ``output(states)`` reads out states (t, B, M); `inputs` (n_timesteps, B or 1, K) drive the run,
    and so does ``noise(t)``, (t, B, M) for each block of steps.
    A run that leaves the floating-point range goes on as inf or NaN, without a warning.
    """
    workspace, state, parts = Workspace(), np.asarray(start), []
    size = max(1, MAX_NUMBERS // (len(state) * f.n_hidden))
    with np.errstate(over="ignore", invalid="ignore"):
        for begin in range(0, n_timesteps, size):
            n = min(size, n_timesteps - begin)
            given, C = None if inputs is None else inputs[begin : begin + n], params.get("C")
            if noise is not None:
                given, C = noise(n) + (0 if given is None else given @ C.T), None
            states = propagate(f, state, given, C=C, n_timesteps=n, workspace=workspace)
            parts.append(np.array(output(states)))  # a view of the states would be overwritten
            state = states[-1].copy()
    return np.concatenate(parts), state


def assimilate(f, params, readout, start, rows, known, inputs):
    """States (T, M) along one trajectory of rows (T, N), each with its own row taken in.

    What a row determines is taken from it, all else from the model or, of the first row, from the
    state `start` (1, M).
    """
    targets, determined = readout.estimate(params, rows[:, None], known[:, None])
    gain = np.broadcast_to(determined, targets.shape).astype(rows.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        states = propagate(
            f,
            start,
            inputs[1:, None] if "C" in params else None,
            targets[:-1],
            gain[:-1],
            C=params.get("C"),
            n_timesteps=len(rows) - 1,
        )
    prior = np.concatenate([start[None], states])
    return np.where(determined, targets, prior)[:, 0]


def run_ahead(f, params, states, inputs, lead):
    """States (T, M) that each row has when foreseen from the state `lead` rows before it.

    The first `lead` rows are foreseen from ``initial_state``, taken to be the state at the first.
    """
    n_first = min(lead, len(states))
    push = lambda rows: inputs[rows] @ params["C"].T if "C" in params else 0
    first = [params["initial_state"]]
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(1, n_first):
            first.append(f.step(first[-1]) + push(t))
        later = states[: len(states) - n_first]
        for step in range(1, lead + 1) if len(later) else ():
            later = f.step(later) + push(slice(step, step + len(later)))
    return np.concatenate([np.stack(first), later])

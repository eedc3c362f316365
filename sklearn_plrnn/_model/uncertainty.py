"""How far from a forecast the observations may be.

A row is measured with noise, and the state that a forecast starts from was taken from such a row; a
step is not exact either. What is left of the error of one step, when the noise of both rows is
accounted for, is noise of the process, which enters the state at every step. An error that goes the
same way at each step hides in the noise of one and shows after many: process noise is raised until
the forecasts some steps ahead spread as much as they err. Sampled runs propagate all of it, so that
an unstable direction widens the forecast as it does the truth.
"""

from typing import NamedTuple

import numpy as np

from .simulation import simulate

MAX_WINDOWS = 2000  # more change the estimates by less than their use needs
LEAD = 20  # steps, at most


class Noise(NamedTuple):
    """Standard deviations (N,) in the units of standardized observed variables."""

    observation: np.ndarray
    process: np.ndarray


class Windows(NamedTuple):
    """Stretches of training data that forecasts are compared with."""

    starts: np.ndarray  # (R, M), states
    inputs: np.ndarray  # (L, R, K), standardized
    rows: np.ndarray  # (L, R, N), measured after the start
    known: np.ndarray  # (L, R, N) bool

    @classmethod
    def of(cls, trajectories):
        """Windows from (states, inputs, rows, known), each (T_i, ...), of all trajectories."""
        lead = min(LEAD, max(len(x[0]) for x in trajectories) - 1)
        begins = [(i, t) for i, x in enumerate(trajectories) for t in range(len(x[0]) - lead)]
        size = min(len(begins), MAX_WINDOWS)
        chosen = np.random.default_rng(0).choice(begins, size, replace=False)
        starts = np.stack([trajectories[i][0][t] for i, t in chosen])
        cut = lambda k: np.stack(
            [trajectories[i][k][t + 1 : t + lead + 1] for i, t in chosen], axis=1
        )
        return cls(starts, *map(cut, (1, 2, 3)))


def estimate_noise(f, params, readout, windows, level):
    """`Noise` with which forecasts spread as they err, one step ahead and at the last of `windows`.

    `level` (N,) is how noisy rows are at most.
    """
    L, N = len(windows.rows), len(level)
    inputs = windows.inputs if "C" in params else None

    def spread(noise):
        """Variance (L, N) of what is measured, the noise-free forecast being its mean."""
        args = f, params, readout, windows.starts, noise, L, 1, inputs
        rows = sample_paths(*args, np.random.default_rng(0))[:, 0]
        return np.mean((rows - forecast) ** 2, axis=1)

    output = lambda states: readout.output(params, states)
    with np.errstate(all="ignore"):
        forecast, _ = simulate(f, params, output, windows.starts, L, inputs)
        squares = np.where(windows.known, windows.rows - forecast, 0) ** 2
        errors = squares.sum(axis=1) / np.maximum(windows.known.sum(axis=1), 1)
        of_rows = spread(Noise(level, np.zeros(N)))
        share = np.minimum(errors[0] / np.where(of_rows[0] > 0, of_rows[0], 1), 1)
        noise = Noise(np.sqrt(share) * level, np.sqrt(np.maximum(errors[0] - of_rows[0], 0)))
        here = spread(noise)[-1]
        excess = max(np.mean(errors[-1] - here), 0)
        trial = noise._replace(process=np.sqrt(noise.process**2 + excess / L))
        gained = np.mean(spread(trial)[-1] - here)
        if excess and gained > 0:
            more = excess / L * min(excess / gained, L)
            noise = noise._replace(process=np.sqrt(noise.process**2 + more))
    return Noise(*map(np.nan_to_num, noise))


def sample_paths(f, params, readout, start, noise, n_timesteps, n_samples, inputs, rng):
    """Measured rows (T, n_samples, B, N) that may follow states (B, M); float64."""
    B, M = start.shape
    back = np.linalg.pinv(readout.matrix(params)[0].astype(float)).T

    def noise_of(deviations, *shape):
        """Of latent states, with those standard deviations (N,) when it is read out."""
        return rng.normal(0, deviations, (*shape, len(deviations))) @ back

    starts = np.repeat(start[None], n_samples, axis=0).reshape(-1, M)
    starts = starts + noise_of(noise.observation, len(starts))
    shake = lambda n: noise_of(noise.process, n, len(starts)).astype(start.dtype)
    if inputs is not None and inputs.shape[1] > 1:
        inputs = np.tile(inputs, (1, n_samples, 1))
    output = lambda states: readout.output(params, states)
    rows, _ = simulate(f, params, output, starts.astype(start.dtype), n_timesteps, inputs, shake)
    rows = rows + rng.normal(0, noise.observation, rows.shape)
    return rows.reshape(n_timesteps, n_samples, B, -1)

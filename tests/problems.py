"""Random arguments for `propagate`: every combination of what a recurrence can be given."""

from typing import NamedTuple

import numpy as np

from sklearn_plrnn._recurrence import PiecewiseLinearMap

MAP = ("A", "W", "h", "V", "theta")


class Problem(NamedTuple):
    """Arrays by name (absent where the model has none), and what is no array."""

    arrays: dict
    always_on: np.ndarray | None
    n_outputs: int | None  # first units to read, without B
    n_timesteps: int

    def solve(self, propagate, arrays=None, **options):
        """What `propagate` returns, of these arrays or of others."""
        arrays = self.arrays if arrays is None else arrays
        f = PiecewiseLinearMap(*map(arrays.get, MAP), always_on=self.always_on)
        return propagate(
            f,
            *map(arrays.get, ("start", "inputs", "targets", "gain")),
            C=arrays.get("C"),
            readout=(arrays["B"], arrays["b"]) if "B" in arrays else self.n_outputs,
            n_timesteps=self.n_timesteps,
            **options,
        )

    def astype(self, dtype):
        """The same in another precision."""
        return self._replace(arrays={name: x.astype(dtype) for name, x in self.arrays.items()})


def random_problem(
    seed,
    n_timesteps,
    n_sequences,
    n_components,
    n_hidden=None,
    *,
    theta=False,
    always_on=False,
    inputs=None,
    forcing=None,
    readout=None,
):
    """A `Problem` with V if there is `n_hidden`."""
    rng = np.random.default_rng(seed)
    T, B, M = n_timesteps, n_sequences, n_components
    L = n_hidden or M
    arrays = {
        "A": rng.uniform(-0.9, 0.95, M),
        "W": rng.normal(0, 0.7 / np.sqrt(L), (M, L)),
        "h": rng.normal(size=M),
        "start": rng.normal(size=(B, M)),
    }
    if n_hidden:
        arrays["V"] = rng.normal(0, 0.7 / np.sqrt(M), (L, M))
    if theta:
        arrays["theta"] = rng.normal(size=L)
    if inputs:
        shape = {"added": (T, B, M), "shared": (T, 1, M), "mapped": (T, B, 3)}[inputs]
        arrays["inputs"] = rng.normal(size=shape)
    if inputs == "mapped":
        arrays["C"] = rng.normal(size=(M, 3))
    if readout == "affine":
        arrays |= {"B": rng.normal(size=(2, M)), "b": rng.normal(size=2)}
    if forcing:
        arrays["targets"] = rng.normal(size=(T, B, M))
        arrays["gain"] = {
            "scalar": lambda: np.array(0.3),
            "per-step": lambda: (rng.random((T, 1, 1)) < 0.4).astype(float),
            "per-unit": lambda: rng.random(M),
            "masked": lambda: rng.random((T, B, M)) * (rng.random((T, B, M)) < 0.5),
        }[forcing]()
    n_outputs = max(1, M // 2) if readout == "first" else None
    return Problem(arrays, rng.random(L) < 0.4 if always_on else None, n_outputs, T)

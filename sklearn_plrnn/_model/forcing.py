"""Forcing: how strongly, and when, observations correct the state during training.

``gain(n_timesteps, dtype)`` is G_t of ``ztilde_t = z_t + G_t (zhat_t - z_t)``, (time, 1, 1). What a
row does not determine (an unobserved unit, a missing value) has its gain set to zero elsewhere.
"""

from typing import NamedTuple

import numpy as np


class Generalized(NamedTuple):
    """The same small pull at every step (Hess et al. 2023); bounds exploding gradients."""

    strength: float
    interval: int

    def gain(self, n_timesteps, dtype):
        """Constant gain."""
        return np.full((n_timesteps, 1, 1), self.strength, dtype)


class Sparse(NamedTuple):
    """A pull at every `interval`-th step only (Mikhaeil, Monfared and Durstewitz 2022)."""

    strength: float
    interval: int

    def gain(self, n_timesteps, dtype):
        """Gain that is zero between the forced steps."""
        gain = np.zeros((n_timesteps, 1, 1), dtype)
        gain[:: self.interval] = self.strength
        return gain


FORCINGS = {"generalized": Generalized, "sparse": Sparse}

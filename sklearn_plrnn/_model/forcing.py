"""Forcing: how strongly, and when, observations correct the state during training.

``gain(n_timesteps, dtype)`` is G_t of ``ztilde_t = z_t + G_t (zhat_t - z_t)``, (time, 1, 1 or M): a
strength, times the share of it that each unit has. What a row does not determine (an unobserved
unit, a missing value) has its gain set to zero elsewhere.

A schedule changes the strength from epoch to epoch, not the shares: ``schedule.strength(objective,
progress, params, draw)`` is that of the epoch to come, `objective` being that of the last one,
`progress` the share of training that is over, and ``draw()`` a batch of training windows.
"""

from typing import NamedTuple

import numpy as np
import scipy.optimize

ANNEALED_AT = 0.5  # of training: from there on the strength is the final one
STRONGEST = 0.99  # that adapts: at 1 a product has no norm to go by
SLACK = 2.0  # factor by which products may exceed those under the strongest, if these grow as well
MAX_NUMBERS = 2**23  # in Jacobians kept at a time; windows beyond that are not asked
DECAY = 0.8  # of what a strength exceeds that which is needed, after an epoch


class Generalized(NamedTuple):
    """The same small pull at every step (Hess et al. 2023); bounds exploding gradients."""

    strength: float
    interval: int
    shares: np.ndarray | float = 1.0  # (M,), of the strength

    def gain(self, n_timesteps, dtype):
        """Constant gain."""
        return _repeated(self.strength * self.shares, n_timesteps, dtype)


class Sparse(NamedTuple):
    """A pull at every `interval`-th step only (Mikhaeil, Monfared and Durstewitz 2022)."""

    strength: float
    interval: int
    shares: np.ndarray | float = 1.0  # (M,), of the strength

    def gain(self, n_timesteps, dtype):
        """Gain that is zero between the forced steps."""
        gain = _repeated(self.strength * self.shares, n_timesteps, dtype)
        gain[np.arange(n_timesteps) % self.interval > 0] = 0
        return gain


FORCINGS = {"generalized": Generalized, "sparse": Sparse}


class Constant(NamedTuple):
    """The same strength in every epoch."""

    given: float

    def strength(self, objective, progress, params, draw):
        """The given one."""
        return self.given


class Annealed(NamedTuple):
    """From full forcing, which is one-step prediction, down to the given strength."""

    given: float

    def strength(self, objective, progress, params, draw):
        """Linear in time over the first part of training, then constant."""
        return self.given + (1 - self.given) * max(1 - progress / ANNEALED_AT, 0)


class Adaptive(NamedTuple):
    """At least the given strength, and enough for products of Jacobians not to grow.

    Under one gain alpha for all units the product of Jacobians over T steps has the norm
    ``(1 - alpha)^T ||J_T ... J_1||``, which is one at ``alpha = 1 - 1 / ||J_T ... J_1||^(1/T)``
    (Hess et al. 2023, section on adaptive forcing). Where gains differ, the strength at which it is
    one is searched for; where that is out of reach, because of units that are not forced, the one
    that is nearly as good as the strongest. Jacobians are those along the data. The window that
    needs most decides, at once; a strength that is no longer needed is left slowly.
    """

    given: float

    def strength(self, objective, progress, params, draw):
        """What the windows drawn need at the present parameters."""
        strongest = objective.forcing._replace(strength=STRONGEST)
        states, gain = objective._replace(forcing=strongest).forced(params, draw())
        jacobians = jacobians_along(objective, params, states)
        needed = bounding_strength(jacobians, gain[:, : jacobians.shape[1]] / STRONGEST)
        last = objective.forcing.strength
        return max(self.given, needed, DECAY * last + (1 - DECAY) * needed)


FORCING_SCHEDULES = {"constant": Constant, "annealed": Annealed, "adaptive": Adaptive}


def jacobians_along(objective, params, states):
    """Jacobians (T, b, M, M) at states (T, B, M), of no more windows than there is room for."""
    n_windows = max(1, MAX_NUMBERS // (len(states) * states.shape[-1] ** 2))
    jacobian = objective.cell.lower(params).jacobian
    return np.stack([jacobian(z) for z in states[:, :n_windows]])


def bounding_strength(jacobians, shares):
    """Smallest strength at which no product ``J_T (1 - G_T) ... J_1 (1 - G_1)`` has norm above one.

    Jacobians (T, B, M, M) belong to states on which a strength acts by these shares (T, B, M).
    """
    growth = lambda strength: log_growth(jacobians, 1 - strength * shares).max()
    limit = max(0.0, growth(STRONGEST) + np.log(SLACK))
    excess = lambda strength: growth(strength) - limit
    if not excess(0.0) > 0:
        return 0.0
    return scipy.optimize.brentq(excess, 0.0, STRONGEST, xtol=1e-3)


def log_growth(jacobians, factors):
    """Log norms (B,) of the products of ``J_t diag(factors_t)`` over time; (T, B, M, M), (T, B, M).

    Of a product that is not finite, infinity.
    """
    product, total = np.eye(jacobians.shape[-1]), np.zeros(jacobians.shape[1])
    positive = lambda norm: np.maximum(norm, np.finfo(float).tiny)
    for J, kept in zip(jacobians, factors, strict=True):
        product = J @ (kept[..., None] * product)
        size = positive(np.linalg.norm(product, axis=(1, 2)))
        product, total = product / size[:, None, None], total + np.log(size)
    is_finite = np.isfinite(total)
    total[is_finite] += np.log(positive(np.linalg.norm(product[is_finite], 2, axis=(1, 2))))
    return np.where(is_finite, total, np.inf)


def _repeated(gain, n_timesteps, dtype):
    return np.tile(np.asarray(gain, dtype), (n_timesteps, 1, 1))

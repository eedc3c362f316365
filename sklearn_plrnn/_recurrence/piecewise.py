"""The one map that every cell lowers to.

    F(z) = A z + W g(z) + h,    g(z) = D(z) (V z + theta),    D(z) = diag(1[V z + theta > 0])

A is diagonal and stored as a vector; D is 1 where a hidden unit is ``always_on``. ``V=None`` stands
for the identity and ``theta=None`` for zero, and neither costs anything. Inside one region of
constant D the map is affine, ``F(z) = J z + c``, which is what makes exact analysis possible.
"""

from typing import NamedTuple

import numpy as np


class PiecewiseLinearMap(NamedTuple):
    """``F(z) = A z + W g(z) + h`` of a latent state z with M units and L hidden units.

    All methods accept states of any leading shape, ``(..., M)``.
    """

    A: np.ndarray  # (M,)
    W: np.ndarray  # (M, L)
    h: np.ndarray  # (M,)
    V: np.ndarray | None = None  # (L, M)
    theta: np.ndarray | None = None  # (L,)
    always_on: np.ndarray | None = None  # (L,) bool

    @property
    def n_components(self):
        """Number of latent units M."""
        return self.W.shape[0]

    @property
    def n_hidden(self):
        """Number of piecewise-linear features L; equal to M where V is the identity."""
        return self.W.shape[1]

    def floor(self):
        """Lower bound of each feature, so that ``g = max(V z + theta, floor)``: 0, or -inf."""
        if self.always_on is None:
            return np.zeros((), self.W.dtype)
        return np.where(self.always_on, -np.inf, 0.0).astype(self.W.dtype)

    def preactivation(self, z):
        """``V z + theta``, shape (..., L)."""
        a = z if self.V is None else z @ self.V.T
        return a if self.theta is None else a + self.theta

    def features(self, z):
        """``g(z)``, shape (..., L)."""
        return np.maximum(self.preactivation(z), self.floor())

    def step(self, z):
        """``F(z)``, shape (..., M)."""
        return self.A * z + self.features(z) @ self.W.T + self.h

    def pattern(self, z):
        """Diagonal of D(z): which hidden units pass their input on, shape (..., L), bool."""
        return self.preactivation(z) > self.floor()

    def jacobian(self, z):
        """``dF/dz = diag(A) + W D(z) V``, shape (..., M, M)."""
        return self.region(self.pattern(z))[0]

    def region(self, pattern):
        """Affine piece ``(J, c)`` of an activation pattern (..., L): ``F(z) = J z + c`` there."""
        WD = self.W * pattern[..., None, :]
        J = (WD if self.V is None else WD @ self.V) + np.diag(self.A)
        c = np.broadcast_to(self.h, J.shape[:-1])
        return J, c if self.theta is None else c + WD @ self.theta

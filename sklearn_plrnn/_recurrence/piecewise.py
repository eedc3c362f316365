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

    What ``to_map()`` of a fitted estimator gives, or made of any arrays. All methods accept states
    of any leading shape.

    Parameters
    ----------
    A : ndarray of shape (n_components,)
        Diagonal of the linear part.
    W : ndarray of shape (n_components, n_hidden)
        Coupling.
    h : ndarray of shape (n_components,)
        Bias.
    V : ndarray of shape (n_hidden, n_components) or None, default=None
        What hidden units receive; None is the identity.
    theta : ndarray of shape (n_hidden,) or None, default=None
        Their bias; None is zero.
    always_on : ndarray of shape (n_hidden,), bool, or None, default=None
        Hidden units that are linear; None is none of them.

    Attributes
    ----------
    n_components : int
        Number of latent units M.
    n_hidden : int
        Number of piecewise-linear features L; equal to M where V is the identity.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_plrnn.analysis import PiecewiseLinearMap
    >>> f = PiecewiseLinearMap(A=np.full(2, 0.5), W=np.array([[0, -1], [-1, 0]]), h=np.ones(2))
    >>> f.step(np.array([2.0, -2.0]))
    array([ 2., -2.])
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
        """Lower bound of each feature, so that ``g = max(V z + theta, floor)``: 0, or -inf.

        Returns
        -------
        floor : ndarray of shape () or (n_hidden,)
            Lower bounds.
        """
        if self.always_on is None:
            return np.zeros((), self.W.dtype)
        return np.where(self.always_on, -np.inf, 0.0).astype(self.W.dtype)

    def preactivation(self, z):
        """``V z + theta``.

        Parameters
        ----------
        z : ndarray of shape (..., n_components)
            States.

        Returns
        -------
        a : ndarray of shape (..., n_hidden)
            What hidden units receive.
        """
        a = z if self.V is None else z @ self.V.T
        return a if self.theta is None else a + self.theta

    def features(self, z):
        """``g(z)``.

        Parameters
        ----------
        z : ndarray of shape (..., n_components)
            States.

        Returns
        -------
        g : ndarray of shape (..., n_hidden)
            What hidden units pass on.
        """
        return np.maximum(self.preactivation(z), self.floor())

    def step(self, z):
        """``F(z)``.

        Parameters
        ----------
        z : ndarray of shape (..., n_components)
            States.

        Returns
        -------
        z : ndarray of shape (..., n_components)
            The states a step later.
        """
        return self.A * z + self.features(z) @ self.W.T + self.h

    def pattern(self, z):
        """Diagonal of D(z): which hidden units pass their input on.

        Parameters
        ----------
        z : ndarray of shape (..., n_components)
            States.

        Returns
        -------
        pattern : ndarray of shape (..., n_hidden), bool
            Activation patterns.
        """
        return self.preactivation(z) > self.floor()

    def jacobian(self, z):
        """``dF/dz = diag(A) + W D(z) V``.

        Parameters
        ----------
        z : ndarray of shape (..., n_components)
            States.

        Returns
        -------
        J : ndarray of shape (..., n_components, n_components)
            Jacobians.
        """
        return self.region(self.pattern(z))[0]

    def region(self, pattern):
        """Affine piece of an activation pattern: ``F(z) = J z + c`` there.

        Parameters
        ----------
        pattern : ndarray of shape (..., n_hidden), bool
            Activation patterns.

        Returns
        -------
        J : ndarray of shape (..., n_components, n_components)
            Jacobians.
        c : ndarray of shape (..., n_components)
            Offsets.
        """
        WD = self.W * pattern[..., None, :]
        J = (WD if self.V is None else WD @ self.V) + np.diag(self.A)
        c = np.broadcast_to(self.h, J.shape[:-1])
        return J, c if self.theta is None else c + WD @ self.theta

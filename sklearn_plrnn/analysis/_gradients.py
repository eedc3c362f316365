r"""Do gradients vanish or explode along a trajectory, and what the theorems promise.

Split the Jacobian of a step by regularized units r and others n,

    J_t = [[A_t, F_t], [S_t, N_t]],

with A_t -> I and F_t -> 0 as regularization gets stronger. The product of k of them, restricted to
what the regularized units held at the beginning, is [X_k; R_k X_k] with

    X_{k+1} = (A_k + F_k R_k) X_k,    R_{k+1} = (S_k + N_k R_k) (A_k + F_k R_k)^{-1},    R_0 = 0,

so that its singular values are between prod_j sigma_min(A_j + F_j R_j) and the product of the
sigma_max times sqrt(1 + ||R_k||^2). Without deviation (A = I, F = 0), the case of Theorem 2, they
are at least 1, and at most sqrt(1 + (max ||S|| / (1 - rho))^2) if ||N_t|| <= rho < 1.
"""

from typing import NamedTuple

import numpy as np
from sklearn.utils._param_validation import validate_params

from ._protocol import check_states, dynamics_of


class GradientNorms(NamedTuple):
    """Norms of ``d z_k / d z_0`` for k = 1, ..., T, and bounds on them."""

    full: np.ndarray  # (T,) spectral norm
    bound: np.ndarray  # (T,) product of the norms of the Jacobians
    largest: np.ndarray | None  # (T,) singular values of the columns of regularized units
    smallest: np.ndarray | None
    upper: np.ndarray | None  # (T,) bounds on these
    lower: np.ndarray | None
    contraction: float  # largest norm of a Jacobian over the second half
    contraction_of_others: float | None  # the same among units not regularized, over all of it


@validate_params(
    {"model": "no_validation", "states": ["array-like"], "units": ["array-like", None]},
    prefer_skip_nested_validation=True,
)
def gradient_norms(model, states, *, units=None):
    r"""Norms of the derivatives of later states with respect to the first, and their bounds.

    .. math::

        \frac{\partial z_k}{\partial z_0} = J(z_{k-1}) \cdots J(z_1) J(z_0)

    These products are what vanishes or explodes in back-propagation through time. Two theorems
    [1]_ tie them to the dynamics. *Theorem 1*: if a free run converges to a fixed point or cycle
    whose Jacobians have norms below 1, derivatives of its states with respect to parameters, which
    are sums over such products, stay bounded. The products themselves then vanish, being no larger
    than ``bound``, the product of the norms. *Theorem 2*: in the limit of strong regularization,
    where regularized units keep what they hold (A = 1, their rows of W are 0), and if the Jacobian
    among the others has norm below 1, gradients with respect to the regularized units neither
    vanish nor explode.

    Trained units are only close to that. ``lower`` and ``upper`` are bounds for the given
    trajectory with these deviations: with blocks :math:`A_t, F_t, S_t, N_t` of :math:`J(z_t)`
    (regularized or not, in rows and columns) and

    .. math::

        T_t = A_t + F_t R_t, \qquad R_{t+1} = (S_t + N_t R_t) \, T_t^{-1}, \qquad R_0 = 0,

    all singular values of the columns of regularized units are between
    :math:`\prod_{t<k} \sigma_{min}(T_t)` and
    :math:`\sqrt{1 + \|R_k\|^2} \, \prod_{t<k} \sigma_{max}(T_t)`. With perfect regularization these
    are 1 and at most :math:`\sqrt{1 + (\max \|S_t\| / (1 - \max \|N_t\|))^2}`, for every k.

    Parameters
    ----------
    model : estimator, object or pair
        A fitted estimator, or anything with a ``jacobian(z)``, as in `lyapunov_spectrum`.
    states : array-like of shape (n_timesteps, n_components)
        Latent states :math:`z_0, z_1, \dots` of a trajectory, driven by inputs or not, such as
        ``model.transform(X)`` gives them.
    units : array-like of int or None, default=None
        Indices of the regularized units. None is ``regularized_units_`` of a fitted estimator; of
        anything else, or where these are none or all of the units, it leaves Theorem 2 out.

    Returns
    -------
    norms : GradientNorms
        Named tuple, arrays being for k = 1 to n_timesteps:

        full : ndarray of shape (n_timesteps,)
            Spectral norm of the product.
        bound : ndarray of shape (n_timesteps,)
            Product of the norms of its factors, never less than ``full``.
        largest, smallest : ndarray of shape (n_timesteps,), or None
            Singular values of its columns of regularized units.
        upper, lower : ndarray of shape (n_timesteps,), or None
            Bounds on these.
        contraction : float
            Largest norm of a Jacobian in the second half of the trajectory; below 1, Theorem 1
            applies to a free run that has arrived by then.
        contraction_of_others : float or None
            Largest norm of :math:`N_t` along the trajectory; below 1, Theorem 2 applies to units
            that are regularized perfectly.

        Numbers beyond the floating-point range are inf or 0.

    Raises
    ------
    ValueError
        If states have another number of units, or the units given are none or all of them.

    References
    ----------
    .. [1] D. Schmidt, G. Koppe, Z. Monfared, M. Beutelspacher, D. Durstewitz, "Identifying
       nonlinear dynamical systems with multiple time scales and long-range dependencies",
       ICLR 2021, arXiv:1910.03471.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_plrnn import RegularizedPLRNNRegressor
    >>> from sklearn_plrnn.analysis import gradient_norms
    >>> X = np.random.default_rng(0).normal(size=(300, 1))
    >>> y = np.cumsum(X[:, 0])
    >>> model = RegularizedPLRNNRegressor(6, alpha=100.0, max_iter=20, random_state=0).fit(X, y)
    >>> norms = gradient_norms(model, model.transform(X))
    >>> bool(np.all(norms.lower <= norms.smallest) and np.all(norms.largest <= norms.upper))
    True
    """
    dynamics = dynamics_of(model)
    M = np.shape(states)[-1]
    states = check_states(states, getattr(dynamics, "n_components", M))
    jacobians = np.stack([dynamics.jacobian(z) for z in states]).astype(np.float64)
    step_norms = np.linalg.norm(jacobians, 2, axis=(1, 2))
    full, _ = _singular_values(jacobians, np.eye(M))
    with np.errstate(over="ignore", divide="ignore"):
        bound = np.exp(np.cumsum(np.log(step_norms)))
    subspace = (None,) * 4
    of_others = None
    units = _units_of(model, M) if units is None else _check_units(units, M)
    if units is not None:
        subspace = *_singular_values(jacobians, np.eye(M)[:, units]), *_bounds(jacobians, units)
        others = np.setdiff1d(np.arange(M), units)
        N = jacobians[:, others[:, None], others]
        of_others = float(np.linalg.norm(N, 2, axis=(1, 2)).max())
    contraction = float(step_norms[len(states) // 2 :].max())
    return GradientNorms(full, bound, *subspace, contraction, of_others)


def _units_of(model, M):
    """The regularized units of an estimator, if there are others beside them."""
    units = getattr(model, "regularized_units_", ())
    return units if 0 < len(units) < M else None


def _check_units(units, M):
    units = np.unique(units)
    if not (0 < len(units) < M and units[0] >= 0 and units[-1] < M and units.dtype.kind in "iu"):
        raise ValueError(
            f"units must be indices of some, not all, of {M} units; got {units.tolist()}."
        )
    return units


def _singular_values(jacobians, product):
    """Largest and smallest singular value of the products, scaled so that none overflows."""
    found, exponent = np.empty((len(jacobians), 2)), 0.0
    with np.errstate(over="ignore", divide="ignore"):
        for t, J in enumerate(jacobians):
            product = J @ product
            values = np.linalg.svd(product, compute_uv=False)[[0, -1]]
            found[t] = np.exp(np.log(values) + exponent)
            if values[0] > 0:
                product = product / values[0]
                exponent += np.log(values[0])
    return found.T


def _bounds(jacobians, units):
    """Upper and lower bound on singular values of the columns `units` of the products."""
    others = np.setdiff1d(np.arange(jacobians.shape[1]), units)
    block = lambda rows, columns: jacobians[:, rows[:, None], columns]
    A, F, S, N = (block(r, c) for r in (units, others) for c in (units, others))
    n_timesteps = len(jacobians)
    upper, lower = np.full(n_timesteps, np.inf), np.zeros(n_timesteps)
    R, logs = np.zeros(S.shape[1:]), np.zeros(2)
    with np.errstate(over="ignore"):
        for t in range(n_timesteps):
            T = A[t] + F[t] @ R
            values = np.linalg.svd(T, compute_uv=False)[[0, -1]]
            if values[1] <= np.finfo(float).eps * values[0]:
                break  # something is wiped out: nothing can be said of what follows
            logs = logs + np.log(values)
            R = np.linalg.solve(T.T, (S[t] + N[t] @ R).T).T
            upper[t] = np.exp(logs[0]) * np.hypot(1, np.linalg.norm(R, 2))
            lower[t] = np.exp(logs[1])
    return upper, lower

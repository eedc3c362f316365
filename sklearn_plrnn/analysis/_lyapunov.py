"""How fast nearby trajectories part, direction by direction.

The Jacobians along a trajectory carry a frame of tangent vectors; a QR decomposition at every step
keeps it orthonormal, and what it takes away is the growth.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_array

from ._protocol import dynamics_of, start_of


@validate_params(
    {
        "model": "no_validation",
        "n_timesteps": [Interval(Integral, 1, None, closed="left")],
        "transient": [Interval(Integral, 0, None, closed="left")],
        "start": ["array-like", None],
        "dt": [Interval(Real, 0, None, closed="neither")],
        "n_exponents": [Interval(Integral, 1, None, closed="left"), None],
    },
    prefer_skip_nested_validation=True,
)
def lyapunov_spectrum(
    model, n_timesteps=10_000, *, transient=1000, start=None, dt=1.0, n_exponents=None
):
    r"""Lyapunov exponents along a free run.

    .. math::

        \lambda_i = \lim_{T \to \infty} \frac{1}{T \, dt} \sum_{t=1}^{T} \log R_{ii}^{(t)}, \qquad
        Q^{(t)} R^{(t)} = J(z_{t-1}) \, Q^{(t-1)}

    with J the Jacobian of a step [1]_.

    Parameters
    ----------
    model : estimator, object or pair
        A fitted estimator, whose inputs are taken to be at their mean in training; or anything with
        methods ``step(z)`` and ``jacobian(z)`` of a state (n_components,); or a pair of such
        functions.
    n_timesteps : int, default=10000
        Steps that are averaged over. The error falls with the square root of their number.
    transient : int, default=1000
        Steps before, on which state and frame settle.
    start : array-like of shape (n_components,) or None, default=None
        Latent state to start from; None is ``last_state_`` of the estimator.
    dt : float, default=1.0
        Time that a step takes.
    n_exponents : int or None, default=None
        How many of the largest exponents; None is all of them.

    Returns
    -------
    exponents : ndarray of shape (n_exponents,)
        Per unit of time, largest first; -inf where a direction is lost altogether.

    Raises
    ------
    ValueError
        If there is nowhere to start, or the run does not stay finite.

    References
    ----------
    .. [1] G. Benettin, L. Galgani, A. Giorgilli, J.-M. Strelcyn, "Lyapunov characteristic exponents
       for smooth dynamical systems and for Hamiltonian systems", Meccanica 15, 1980,
       doi:10.1007/BF02128236.

    Examples
    --------
    The baker's map stretches by 2 and squeezes by 2:

    >>> import numpy as np
    >>> from sklearn_plrnn.analysis import lyapunov_spectrum
    >>> step = lambda z: np.array([2 * z[0] % 1, (z[1] + (z[0] >= 0.5)) / 2])
    >>> jacobian = lambda z: np.diag([2, 0.5])
    >>> exponents = lyapunov_spectrum((step, jacobian), 40, transient=0, start=[0.3, 0.4])
    >>> (exponents / np.log(2)).round(6).tolist()
    [1.0, -1.0]
    """
    dynamics = dynamics_of(model)
    z = start_of(model, start, getattr(dynamics, "n_components", None))
    frame = np.eye(len(z))[:, : len(z) if n_exponents is None else n_exponents]
    growth = np.zeros(frame.shape[1])
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for t in range(-transient, n_timesteps):
            frame, R = np.linalg.qr(dynamics.jacobian(z) @ frame)
            z = dynamics.step(z)
            if not np.isfinite(z).all():
                raise ValueError(f"The run left the floating-point range at step {t + transient}.")
            if t >= 0:
                growth += np.log(np.abs(np.diag(R)))
    return np.sort(growth / (n_timesteps * dt))[::-1]


@validate_params({"exponents": ["array-like"]}, prefer_skip_nested_validation=True)
def kaplan_yorke_dimension(exponents):
    r"""Dimension of an attractor after Kaplan and Yorke, from its Lyapunov exponents.

    .. math::

        D = k + \frac{\lambda_1 + \dots + \lambda_k}{|\lambda_{k+1}|}

    with k the largest number of leading exponents whose sum is not negative [1]_.

    Parameters
    ----------
    exponents : array-like of shape (n_exponents,)
        In any order, in any unit of time.

    Returns
    -------
    dimension : float
        Between 0 (a stable fixed point) and the number of exponents (no volume is lost).

    References
    ----------
    .. [1] J. L. Kaplan, J. A. Yorke, "Chaotic behavior of multidimensional difference equations",
       in: Functional Differential Equations and Approximation of Fixed Points, Springer, 1979,
       doi:10.1007/BFb0064319.

    Examples
    --------
    The Lorenz attractor:

    >>> from sklearn_plrnn.analysis import kaplan_yorke_dimension
    >>> round(kaplan_yorke_dimension([0.906, 0, -14.57]), 3)
    2.062
    """
    exponents = check_array(
        exponents,
        ensure_2d=False,
        ensure_all_finite=False,
        dtype=np.float64,
        input_name="exponents",
    )
    if exponents.ndim != 1 or np.isnan(exponents).any() or (exponents == np.inf).any():
        raise ValueError(
            f"exponents must be 1-D and hold neither NaN nor inf, got {exponents.tolist()}."
        )
    exponents = np.sort(exponents)[::-1]
    sums = np.cumsum(exponents)
    k = int((sums >= 0).sum())
    if k in (0, len(exponents)):
        return float(k)
    return float(k + sums[k - 1] / abs(exponents[k]))

"""Series of known dynamical systems.

The systems share one vocabulary: `n_timesteps` rows, `dt` apart, after `transient` dropped ones,
optionally standardized, then with Gaussian observation noise of `noise` standard deviations of each
variable.
"""

from numbers import Integral, Real

import numpy as np
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline
from sklearn.utils._param_validation import Interval, validate_params

from .._random_state import local_random_state

POSITIVE = [Interval(Real, 0, None, closed="neither")]
NOT_NEGATIVE = [Interval(Real, 0, None, closed="left")]
COUNT = [Interval(Integral, 1, None, closed="left")]
SYSTEM = {
    "n_timesteps": COUNT,
    "dt": POSITIVE,
    "noise": NOT_NEGATIVE,
    "standardize": ["boolean"],
    "transient": [Interval(Integral, 0, None, closed="left")],
    "initial_state": ["array-like", None],
    "random_state": ["random_state"],
}
TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}


@validate_params(
    {**SYSTEM, "sigma": [Real], "rho": [Real], "beta": [Real]}, prefer_skip_nested_validation=True
)
def make_lorenz63(
    n_timesteps=10_000,
    *,
    dt=0.01,
    sigma=10.0,
    rho=28.0,
    beta=8 / 3,
    noise=0.0,
    standardize=False,
    transient=1000,
    initial_state=None,
    random_state=None,
):
    r"""Lorenz-63 system, a chaotic attractor in three dimensions.

    .. math::

        \dot x = \sigma (y - x), \quad \dot y = x (\rho - z) - y, \quad \dot z = x y - \beta z

    Parameters
    ----------
    n_timesteps : int, default=10000
        Number of rows.
    dt : float, default=0.01
        Time between rows.
    sigma, rho, beta : float, default=10, 28, 8/3
        Parameters of the system.
    noise : float, default=0.0
        Observation noise, in standard deviations of each variable.
    standardize : bool, default=False
        Whether each variable gets mean 0 and standard deviation 1, before noise is added.
    transient : int, default=1000
        Rows dropped at the beginning.
    initial_state : array-like of shape (3,) or None, default=None
        State at time 0; None draws one near the attractor.
    random_state : int, RandomState instance or None, default=None
        Seed of initial state and noise.

    Returns
    -------
    X : ndarray of shape (n_timesteps, 3)
        x, y, z.

    References
    ----------
    .. [1] E. N. Lorenz, "Deterministic nonperiodic flow", Journal of the Atmospheric Sciences
       20(2), 1963, doi:10.1175/1520-0469(1963)020<0130:DNF>2.0.CO;2.

    Examples
    --------
    >>> from sklearn_plrnn.datasets import make_lorenz63
    >>> make_lorenz63(500, noise=0.01, standardize=True, random_state=0).shape
    (500, 3)
    """

    def velocity(t, state):
        x, y, z = state
        return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

    rng = local_random_state(random_state)
    start = _start(initial_state, rng.normal(0, 1, 3) + [0, 0, 25])
    rows = _integrate(velocity, start, n_timesteps + transient, dt)
    return _observe(rows[transient:], noise, standardize, rng)


@validate_params(
    {**SYSTEM, "n_variables": [Interval(Integral, 4, None, closed="left")], "forcing": [Real]},
    prefer_skip_nested_validation=True,
)
def make_lorenz96(
    n_timesteps=10_000,
    *,
    n_variables=10,
    dt=0.04,
    forcing=8.0,
    noise=0.0,
    standardize=False,
    transient=1000,
    initial_state=None,
    random_state=None,
):
    r"""Lorenz-96 system, chaotic waves on a ring of variables.

    .. math::

        \dot x_i = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F

    Parameters
    ----------
    n_timesteps : int, default=10000
        Number of rows.
    n_variables : int, default=10
        Number of variables on the ring, at least 4.
    dt : float, default=0.04
        Time between rows.
    forcing : float, default=8.0
        F; chaotic from about 8 on.
    noise : float, default=0.0
        Observation noise, in standard deviations of each variable.
    standardize : bool, default=False
        Whether each variable gets mean 0 and standard deviation 1, before noise is added.
    transient : int, default=1000
        Rows dropped at the beginning.
    initial_state : array-like of shape (n_variables,) or None, default=None
        State at time 0; None draws one near the resting state ``x_i = F``.
    random_state : int, RandomState instance or None, default=None
        Seed of initial state and noise.

    Returns
    -------
    X : ndarray of shape (n_timesteps, n_variables)
        The variables in their order on the ring.

    References
    ----------
    .. [1] E. N. Lorenz, "Predictability: a problem partly solved", ECMWF Seminar on Predictability,
       1996; reprinted 2006, doi:10.1017/CBO9780511617652.004.

    Examples
    --------
    >>> from sklearn_plrnn.datasets import make_lorenz96
    >>> make_lorenz96(500, n_variables=20, random_state=0).shape
    (500, 20)
    """

    ring = np.arange(n_variables)
    following, before, second_before = ((ring + shift) % n_variables for shift in (1, -1, -2))

    def velocity(t, x):
        return (x[following] - x[second_before]) * x[before] - x + forcing

    rng = local_random_state(random_state)
    start = _start(initial_state, forcing + rng.normal(0, 1, n_variables))
    rows = _integrate(velocity, start, n_timesteps + transient, dt)
    return _observe(rows[transient:], noise, standardize, rng)


@validate_params({**SYSTEM, "g_nmda": [Real]}, prefer_skip_nested_validation=True)
def make_bursting_neuron(
    n_timesteps=1501,
    *,
    dt=0.5,
    g_nmda=10.2,
    noise=0.0,
    standardize=False,
    transient=500,
    initial_state=None,
    random_state=None,
):
    r"""Bursting neuron: fast spikes riding on a slow current.

    .. math::

        C_m \dot V &= -g_L (V - E_L) - g_{Na} m_\infty(V) (V - E_{Na}) - g_K n (V - E_K) \\
            &\quad - g_M h (V - E_K) - g_{NMDA} \frac{V - E_{NMDA}}{1 + 0.33 e^{-0.0625 V}} \\
        \dot n &= (n_\infty(V) - n) / \tau_n, \qquad \dot h = (h_\infty(V) - h) / \tau_h

    with :math:`x_\infty(V) = 1 / (1 + \exp((V_x - V) / k_x))` and the constants of [1]_.

    Parameters
    ----------
    n_timesteps : int, default=1501
        Number of rows.
    dt : float, default=0.5
        Time between rows, in ms.
    g_nmda : float, default=10.2
        Conductance that sets the regime; bursts at the default.
    noise : float, default=0.0
        Observation noise, in standard deviations of each variable.
    standardize : bool, default=False
        Whether each variable gets mean 0 and standard deviation 1, before noise is added.
    transient : int, default=500
        Rows dropped at the beginning.
    initial_state : array-like of shape (3,) or None, default=None
        V (mV), n and h at time 0; None draws one.
    random_state : int, RandomState instance or None, default=None
        Seed of initial state and noise.

    Returns
    -------
    X : ndarray of shape (n_timesteps, 3)
        V in mV, n, h.

    References
    ----------
    .. [1] D. Schmidt, G. Koppe, Z. Monfared, M. Beutelspacher, D. Durstewitz, "Identifying
       nonlinear dynamical systems with multiple time scales and long-range dependencies",
       ICLR 2021, arXiv:1910.03471, appendix.
    .. [2] D. Durstewitz, "Implications of synaptic biophysics for recurrent network dynamics and
       active memory", Neural Networks 22(8), 2009, doi:10.1016/j.neunet.2009.07.016.

    Examples
    --------
    >>> from sklearn_plrnn.datasets import make_bursting_neuron
    >>> make_bursting_neuron(200, random_state=0).shape
    (200, 3)
    """
    steady = lambda V, half, slope: 1 / (1 + np.exp((half - V) / slope))

    def velocity(t, state):
        V, n, h = state
        current = 8 * (V + 80) + 20 * steady(V, -20, 15) * (V - 60)
        current += 10 * n * (V + 90) + 25 * h * (V + 90)
        current += g_nmda * V / (1 + 0.33 * np.exp(-0.0625 * V))
        return -current / 6, steady(V, -25, 5) - n, (steady(V, -15, 5) - h) / 200

    rng = local_random_state(random_state)
    drawn = [rng.uniform(-50, -20), rng.uniform(0, 0.3), rng.uniform(0.01, 0.04)]
    start = _start(initial_state, drawn)
    rows = _integrate(velocity, start, n_timesteps + transient, dt, method="LSODA")
    return _observe(rows[transient:], noise, standardize, rng)


@validate_params({**SYSTEM, "mu": NOT_NEGATIVE}, prefer_skip_nested_validation=True)
def make_van_der_pol(
    n_timesteps=5000,
    *,
    dt=0.05,
    mu=2.0,
    noise=0.0,
    standardize=False,
    transient=1000,
    initial_state=None,
    random_state=None,
):
    r"""Van der Pol oscillator, a limit cycle in two dimensions.

    .. math::

        \dot x = y, \qquad \dot y = \mu (1 - x^2) y - x

    Parameters
    ----------
    n_timesteps : int, default=5000
        Number of rows.
    dt : float, default=0.05
        Time between rows.
    mu : float, default=2.0
        Nonlinearity; the larger, the more abrupt the oscillation.
    noise : float, default=0.0
        Observation noise, in standard deviations of each variable.
    standardize : bool, default=False
        Whether each variable gets mean 0 and standard deviation 1, before noise is added.
    transient : int, default=1000
        Rows dropped at the beginning.
    initial_state : array-like of shape (2,) or None, default=None
        State at time 0; None draws one.
    random_state : int, RandomState instance or None, default=None
        Seed of initial state and noise.

    Returns
    -------
    X : ndarray of shape (n_timesteps, 2)
        x and y.

    References
    ----------
    .. [1] B. van der Pol, "On relaxation-oscillations", The London, Edinburgh and Dublin
       Philosophical Magazine 2(11), 1926, doi:10.1080/14786442608564127.

    Examples
    --------
    >>> from sklearn_plrnn.datasets import make_van_der_pol
    >>> make_van_der_pol(300, random_state=0).shape
    (300, 2)
    """

    def velocity(t, state):
        x, y = state
        return y, mu * (1 - x**2) * y - x

    rng = local_random_state(random_state)
    start = _start(initial_state, rng.uniform(-2, 2, 2))
    rows = _integrate(velocity, start, n_timesteps + transient, dt, method="LSODA")
    return _observe(rows[transient:], noise, standardize, rng)


@validate_params(
    {
        **SYSTEM,
        "tau": POSITIVE,
        "beta": [Real],
        "gamma": [Real],
        "exponent": [Real],
        "n_substeps": COUNT,
    },
    prefer_skip_nested_validation=True,
)
def make_mackey_glass(
    n_timesteps=5000,
    *,
    dt=1.0,
    tau=17.0,
    beta=0.2,
    gamma=0.1,
    exponent=10.0,
    n_substeps=10,
    noise=0.0,
    standardize=False,
    transient=1000,
    initial_state=None,
    random_state=None,
):
    r"""Mackey-Glass equation, a chaotic series with a delay.

    .. math::

        \dot x(t) = \beta \frac{x(t - \tau)}{1 + x(t - \tau)^{exponent}} - \gamma x(t)

    Integrated by fourth-order Runge-Kutta steps of about ``dt / n_substeps`` (a divisor of tau);
    between its steps the delayed value is interpolated by cubic polynomials.

    Parameters
    ----------
    n_timesteps : int, default=5000
        Number of rows.
    dt : float, default=1.0
        Time between rows.
    tau : float, default=17.0
        Delay; chaotic from about 17 on.
    beta, gamma, exponent : float, default=0.2, 0.1, 10
        Parameters of the equation.
    n_substeps : int, default=10
        Integration steps in each `dt`, about.
    noise : float, default=0.0
        Observation noise, in standard deviations.
    standardize : bool, default=False
        Whether to give it mean 0 and standard deviation 1, before noise is added.
    transient : int, default=1000
        Rows dropped at the beginning.
    initial_state : array-like of shape (1,) or None, default=None
        Constant value up to time 0; None draws one.
    random_state : int, RandomState instance or None, default=None
        Seed of initial state and noise.

    Returns
    -------
    X : ndarray of shape (n_timesteps, 1)
        x.

    References
    ----------
    .. [1] M. C. Mackey, L. Glass, "Oscillation and chaos in physiological control systems",
       Science 197(4300), 1977, doi:10.1126/science.267326.

    Examples
    --------
    >>> from sklearn_plrnn.datasets import make_mackey_glass
    >>> make_mackey_glass(300, random_state=0).shape
    (300, 1)
    """
    rng = local_random_state(random_state)
    start = _start(initial_state, rng.uniform(0.5, 1.5, 1))
    n_delay = max(int(np.ceil(tau * n_substeps / dt)), 4)
    n_rows = n_timesteps + transient
    velocity = lambda x, delayed: beta * delayed / (1 + delayed**exponent) - gamma * x
    n_steps = int(np.ceil(n_rows * dt * n_delay / tau)) + 2
    x = _delayed_runge_kutta(velocity, start[0], tau / n_delay, n_delay, n_steps)
    times = np.arange(len(x)) * tau / n_delay
    rows = CubicSpline(times, x)(np.arange(n_rows) * dt)[:, None]
    return _observe(rows[transient:], noise, standardize, rng)


def _start(initial_state, drawn):
    """The initial state that was given, or the one drawn."""
    if initial_state is None:
        return np.asarray(drawn, float)
    state = np.asarray(initial_state, float)
    if state.shape != np.shape(drawn) or not np.isfinite(state).all():
        raise ValueError(
            f"initial_state must hold {np.size(drawn)} finite value(s), got {initial_state!r}."
        )
    return state


def _integrate(velocity, start, n_timesteps, dt, method="DOP853"):
    """Rows of an ordinary differential equation, the first of them the start."""
    times = np.arange(n_timesteps) * dt
    solution = solve_ivp(velocity, (0, times[-1]), start, method, t_eval=times, **TOLERANCE)
    if not solution.success or not np.isfinite(solution.y).all():
        raise ValueError(f"the system could not be integrated from {start}: {solution.message}")
    return solution.y.T


def _delayed_runge_kutta(velocity, start, step, n_delay, n_steps):
    """Fourth-order Runge-Kutta of ``dx/dt = velocity(x(t), x(t - n_delay step))``."""
    x = np.full(n_delay + 1 + n_steps, start)
    for t in range(n_delay, n_delay + n_steps):
        past = x[t - n_delay : t - n_delay + 2]
        around = x[max(t - n_delay - 1, 0) : t - n_delay + 3]
        middle = past.mean()
        if t > n_delay and len(around) == 4:
            middle = (9 * past.sum() - around[0] - around[3]) / 16
        k1 = velocity(x[t], past[0])
        k2 = velocity(x[t] + step / 2 * k1, middle)
        k3 = velocity(x[t] + step / 2 * k2, middle)
        k4 = velocity(x[t] + step * k3, past[1])
        x[t + 1] = x[t] + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x[n_delay:]


def _observe(rows, noise, standardize, rng):
    """Standardized and noisy as asked for."""
    if standardize:
        scale = rows.std(axis=0)
        rows = (rows - rows.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    return rows + noise * rows.std(axis=0) * rng.normal(size=rows.shape) if noise else rows

"""The long-memory problems of the regularized PLRNN paper."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from .._random_state import local_random_state

TASK = {
    "n_sequences": [Interval(Integral, 1, None, closed="left")],
    "n_timesteps": [Interval(Integral, 4, None, closed="left")],
    "noise": [Interval(Real, 0, None, closed="left")],
    "random_state": ["random_state"],
}
FIRST_MARKS = 10  # the first marked step is one of so many


@validate_params(TASK, prefer_skip_nested_validation=True)
def make_addition(n_sequences=1000, n_timesteps=100, *, noise=0.0, random_state=None):
    """Addition problem: the sum of two marked numbers, long after they were seen.

    Each sequence has two inputs: numbers uniform in [0, 1), and a marker that is 1 at two steps,
    one among the first 10 and a later one in the first half, else 0 [1]_ [2]_.

    Parameters
    ----------
    n_sequences : int, default=1000
        Number of sequences.
    n_timesteps : int, default=100
        Their length T, at least 4. Below 22 steps the first mark is within the first quarter.
    noise : float, default=0.0
        Standard deviation of Gaussian noise on the targets.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    X : ndarray of shape (n_sequences, n_timesteps, 2)
        Numbers and markers.
    y : ndarray of shape (n_sequences,)
        Sum of the two marked numbers.

    References
    ----------
    .. [1] D. Schmidt, G. Koppe, Z. Monfared, M. Beutelspacher, D. Durstewitz, "Identifying
       nonlinear dynamical systems with multiple time scales and long-range dependencies",
       ICLR 2021, arXiv:1910.03471, section 4.1.
    .. [2] S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997,
       doi:10.1162/neco.1997.9.8.1735.

    Examples
    --------
    >>> from sklearn_plrnn.datasets import make_addition
    >>> X, y = make_addition(n_sequences=5, n_timesteps=30, random_state=0)
    >>> X.shape, y.shape
    ((5, 30, 2), (5,))
    >>> bool(abs((X[0, :, 0] * X[0, :, 1]).sum() - y[0]) < 1e-12)
    True
    """
    return _make_marked(np.sum, n_sequences, n_timesteps, noise, random_state)


@validate_params(TASK, prefer_skip_nested_validation=True)
def make_multiplication(n_sequences=1000, n_timesteps=100, *, noise=0.0, random_state=None):
    """Multiplication problem: the product of two marked numbers, long after they were seen.

    As `make_addition`, but for the target [1]_.

    Parameters
    ----------
    n_sequences : int, default=1000
        Number of sequences.
    n_timesteps : int, default=100
        Their length T, at least 4. Below 22 steps the first mark is within the first quarter.
    noise : float, default=0.0
        Standard deviation of Gaussian noise on the targets.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    X : ndarray of shape (n_sequences, n_timesteps, 2)
        Numbers and markers.
    y : ndarray of shape (n_sequences,)
        Product of the two marked numbers.

    References
    ----------
    .. [1] D. Schmidt, G. Koppe, Z. Monfared, M. Beutelspacher, D. Durstewitz, "Identifying
       nonlinear dynamical systems with multiple time scales and long-range dependencies",
       ICLR 2021, arXiv:1910.03471, section 4.1.

    Examples
    --------
    >>> from sklearn_plrnn.datasets import make_multiplication
    >>> X, y = make_multiplication(n_sequences=5, n_timesteps=30, random_state=0)
    >>> X.shape, y.shape
    ((5, 30, 2), (5,))
    """
    return _make_marked(np.prod, n_sequences, n_timesteps, noise, random_state)


def _make_marked(combine, n_sequences, n_timesteps, noise, random_state):
    rng = local_random_state(random_state)
    n_first = min(FIRST_MARKS, n_timesteps // 4)
    marks = np.stack(
        [
            rng.randint(n_first, size=n_sequences),
            rng.randint(n_first, n_timesteps // 2, size=n_sequences),
        ]
    )
    X = np.zeros((n_sequences, n_timesteps, 2))
    X[:, :, 0] = rng.uniform(size=(n_sequences, n_timesteps))
    X[np.arange(n_sequences), marks, 1] = 1
    y = combine(X[np.arange(n_sequences), marks, 0], axis=0)
    return X, y + rng.normal(0, noise, n_sequences) if noise else y

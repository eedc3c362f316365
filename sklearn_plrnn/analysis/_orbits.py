"""Fixed points and cycles, exactly.

In the regions that a cycle of order k passes the map is affine, hence so is their composition, and
the cycle is the solution of one linear system. Which regions these are is not known: patterns are
tried or searched in `_pattern_search`; here stands what is found.
"""

from dataclasses import dataclass
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from .._random_state import local_random_state
from ._pattern_search import distinct, exhaust, search
from ._protocol import check_states, observe, piecewise_of

NEUTRAL = 1e-9  # distance of a multiplier's modulus from 1
SEARCH = {
    "model": "no_validation",
    "method": [StrOptions({"auto", "exhaustive", "search"})],
    "max_patterns": [Interval(Integral, 1, None, closed="left")],
    "n_starts": [Interval(Integral, 1, None, closed="left")],
    "starts": ["array-like", None],
    "random_state": ["random_state"],
}


class Orbit(NamedTuple):
    """A fixed point (k = 1) or a cycle of order k."""

    states: np.ndarray  # (k, M), one after the other
    observations: np.ndarray | None  # (k, N), in the user's units
    eigenvalues: np.ndarray  # (M,) complex, of the Jacobian of k steps, largest modulus first
    patterns: np.ndarray  # (k, L) bool

    @property
    def order(self):
        """Steps until the orbit returns."""
        return len(self.states)

    @property
    def stable(self):
        """Whether everything nearby is attracted."""
        return bool(np.all(np.abs(self.eigenvalues) < 1 - NEUTRAL))

    @property
    def kind(self):
        """One of "stable", "unstable", each with "node" or "focus"; "saddle"; "neutral"."""
        moduli = np.abs(self.eigenvalues)
        if np.any(np.abs(moduli - 1) <= NEUTRAL):
            return "neutral"
        if moduli.min() < 1 < moduli.max():
            return "saddle"
        turning = np.abs(self.eigenvalues.imag) > NEUTRAL * moduli
        return f"{'stable' if self.stable else 'unstable'} {'focus' if turning.any() else 'node'}"


@dataclass(frozen=True)
class Orbits:
    """A sequence of `Orbit`; whether these are all; whether there may be continua beside them."""

    orbits: list
    exhaustive: bool
    singular: bool

    def __len__(self):
        return len(self.orbits)

    def __getitem__(self, i):
        return self.orbits[i]


@validate_params(SEARCH, prefer_skip_nested_validation=True)
def fixed_points(
    model,
    *,
    method="auto",
    max_patterns=2**18,
    n_starts=10_000,
    starts=None,
    random_state=0,
):
    r"""Fixed points of a piecewise-linear model, stable or not.

    In the region of an activation pattern D the map is affine, and

    .. math::

        z^* = (I - \mathrm{diag}(A) - W D V)^{-1} (W D \theta + h)

    is a fixed point if :math:`z^*` has that pattern itself.

    Parameters
    ----------
    model : estimator or PiecewiseLinearMap
        A fitted estimator, whose inputs are taken to be at their mean in training, or what its
        ``to_map()`` gave.
    method : {"auto", "exhaustive", "search"}, default="auto"
        "exhaustive": solve for every pattern that may hold a fixed point. "search": start from
        `n_starts` patterns, and go from each to the pattern of its solution until they agree [1]_;
        what is found is exact, but something may be missed. "auto": the first as far as
        `max_patterns` goes, else the second.
    max_patterns : int, default=2**18
        Effort of "exhaustive". If a state can have no more patterns than this, all are solved for:
        of "shallow" with L hidden units at most ``sum_{i <= M} binom(L, i)``, 166 751 for M = 3 and
        L = 100. If there are more, and for a PLRNN of more than 10 units in any case, branches of
        the tree of patterns are cut off where none can hold a fixed point; with L hidden units a
        branch counts as L^2 / 8 patterns, whose time it takes.
    n_starts : int, default=10000
        Starts of "search".
    starts : array-like of shape (n, n_components) or None, default=None
        States whose patterns "search" starts from as well, such as a run of the model; None takes
        ``start_states_`` of a `DSReconstructor`.
    random_state : int, RandomState instance or None, default=0
        Seed of the starts.

    Returns
    -------
    points : sequence of Orbit
        Sorted by the first latent unit, with attributes ``exhaustive``: whether these are all that
        are isolated; and ``singular``: whether there may be others in continua. Each has
        ``states`` (1, n_components), ``observations`` (1, n_outputs) in the user's units (None for
        a map), ``eigenvalues`` (n_components,) of the Jacobian, largest modulus first,
        ``patterns`` (1, n_hidden), and the properties ``stable`` and ``kind``: "stable node",
        "stable focus", "unstable node", "unstable focus", "saddle" or, with an eigenvalue of
        modulus 1, "neutral".

    Raises
    ------
    ValueError
        If ``method="exhaustive"`` takes more than `max_patterns`.

    See Also
    --------
    line_attractor_directions : Where I - J is (nearly) singular, fixed points come in continua.

    Notes
    -----
    Patterns whose matrix is singular hold no fixed point or a continuum, such as a line attractor.
    They are left out, and ``singular`` says that there were some.

    A branch is cut off when inequalities have no solution: those of the linear complementarity
    problem that fixed points solve, without complementarity of the units that are not decided yet.
    In PLRNNs of 20 units some hundred branches remain of 2^20 patterns.

    References
    ----------
    .. [1] L. Eisenmann, Z. Monfared, N. Göring, D. Durstewitz, "Bifurcations and loss jumps in RNN
       training", NeurIPS 2023, arXiv:2310.17561.

    Examples
    --------
    Two units that suppress each other, so that one of them wins:

    >>> import numpy as np
    >>> from sklearn_plrnn.analysis import PiecewiseLinearMap, fixed_points
    >>> f = PiecewiseLinearMap(A=np.full(2, 0.5), W=np.array([[0, -1], [-1, 0]]), h=np.ones(2))
    >>> [(point.kind, point.states[0].round(2).tolist()) for point in fixed_points(f)]
    [('stable node', [-2.0, 2.0]), ('saddle', [0.67, 0.67]), ('stable node', [2.0, -2.0])]
    """
    options = (method, max_patterns, n_starts, starts, random_state)
    return _orbits(model, range(1, 2), *options)


@validate_params(
    {
        **SEARCH,
        "max_order": [Interval(Integral, 1, None, closed="left")],
        "min_order": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def cycles(
    model,
    max_order=4,
    *,
    min_order=2,
    method="auto",
    max_patterns=2**18,
    n_starts=10_000,
    starts=None,
    random_state=0,
):
    """Cycles of a piecewise-linear model, stable or not.

    A cycle of order k returns after k steps and no fewer [1]_.

    Parameters
    ----------
    model : estimator or PiecewiseLinearMap
        A fitted estimator, whose inputs are taken to be at their mean in training, or what its
        ``to_map()`` gave.
    max_order : int, default=4
        Largest order k.
    min_order : int, default=2
        Smallest; 1 are fixed points.
    method : {"auto", "exhaustive", "search"}, default="auto"
        As in `fixed_points`, for each order by itself: with n patterns there are n^k sequences.
    max_patterns : int, default=2**18
        Effort of "exhaustive", as in `fixed_points`, in sequences of patterns.
    n_starts : int, default=10000
        Starts of "search", for each order.
    starts : array-like of shape (n, n_components) or None, default=None
        States that "search" starts from as well, such as a run of the model; None takes
        ``start_states_`` of a `DSReconstructor`.
    random_state : int, RandomState instance or None, default=0
        Seed of the starts.

    Returns
    -------
    orbits : sequence of Orbit
        By increasing order, with attributes ``exhaustive``: whether these are all that are
        isolated; and ``singular``: whether there may be others in continua. Each has ``states``
        (order, n_components), ``observations`` (order, n_outputs) in the user's units (None for a
        map), ``eigenvalues`` (n_components,) of the Jacobian of all its steps, largest
        modulus first, ``patterns`` (order, n_hidden), and the properties ``order``, ``stable`` and
        ``kind``, as in `fixed_points`.

    Raises
    ------
    ValueError
        If ``method="exhaustive"`` takes more than `max_patterns`.

    References
    ----------
    .. [1] L. Eisenmann, Z. Monfared, N. Göring, D. Durstewitz, "Bifurcations and loss jumps in RNN
       training", NeurIPS 2023, arXiv:2310.17561.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_plrnn.analysis import PiecewiseLinearMap, cycles
    >>> tent = PiecewiseLinearMap(A=np.array([1.5]), W=np.array([[-3.5]]), h=np.ones(1))
    >>> [(orbit.order, orbit.kind) for orbit in cycles(tent, 3)]
    [(2, 'unstable node'), (3, 'unstable node'), (3, 'unstable node')]
    """
    options = (method, max_patterns, n_starts, starts, random_state)
    return _orbits(model, range(min_order, max_order + 1), *options)


def _orbits(model, orders, method, max_patterns, n_starts, starts, random_state):
    f = piecewise_of(model)
    rng = local_random_state(random_state)
    starts = getattr(model, "start_states_", None) if starts is None else starts
    starts = None if starts is None else check_states(starts, f.n_components, "starts")
    found, exhaustive, singular = [], True, False
    for order in orders:
        states, complete = np.empty((0, order, f.n_components)), False
        if method != "search":
            states, complete = exhaust(f, order, max_patterns)
        if method == "exhaustive" and not complete:
            raise ValueError(
                f'method="exhaustive" takes more than max_patterns={max_patterns} patterns for '
                f'order {order}. Raise it, or use method="search".'
            )
        if not complete:
            states = np.concatenate([states, search(f, order, n_starts, starts, rng)])
        found += [_described(model, f, orbit) for orbit in distinct(f, states)]
        exhaustive, singular = exhaustive and complete, singular or bool(np.isnan(states).any())
    return Orbits(found, exhaustive, singular)


def _described(model, f, states):
    """The `Orbit` of states (k, M)."""
    product = np.eye(f.n_components)
    for J in f.jacobian(states):
        product = J @ product
    eigenvalues = np.linalg.eigvals(product).astype(complex)
    order = np.lexsort((-eigenvalues.imag, -eigenvalues.real, -np.abs(eigenvalues).round(12)))
    return Orbit(states, observe(model, states), eigenvalues[order], f.pattern(states))

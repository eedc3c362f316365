"""Fixed points and cycles, exactly.

In the regions that a cycle of order k passes the map is affine, hence so is their composition, and
the cycle is the solution of one linear system. Which regions these are is not known: small models
allow all of them to be tried, others are searched (SCYFI). The search solves for a pattern, takes
the pattern that the *virtual* solution has, solves again, and so on, from many starts; where
solution and pattern agree, it is real.
"""

from dataclasses import dataclass
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from .._random_state import local_random_state
from ._arrangement import n_regions, possible_patterns
from ._linear import solve_each, times
from ._protocol import check_states, kinks_of, observe, piecewise_of

CHUNK = 2**22  # numbers in a batch of Jacobians
AGREES = 1e-9  # preactivation on the wrong side of a kink, relative to its terms
SAME = 1e-7  # distance of two solutions that are one
NEUTRAL = 1e-9  # distance of a multiplier's modulus from 1
MAX_MOVES = 100  # from pattern to pattern
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
    """A sequence of `Orbit`; whether these are all."""

    orbits: list
    exhaustive: bool

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
        "exhaustive": solve for every pattern that a state can have. "search": start from
        `n_starts` patterns, and go from each to the pattern of its solution until they agree [1]_;
        what is found is exact, but something may be missed. "auto": the first if there are at most
        `max_patterns`, else the second.
    max_patterns : int, default=2**18
        Largest number of patterns for "exhaustive". There are 2^M for a PLRNN of M units, at
        most ``sum_{i <= M} binom(L, i)`` for "shallow" with L hidden ones: 166 751 for M = 3 and
        L = 100.
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
        Sorted by the first latent unit, with an attribute ``exhaustive``: whether these are all.
        Each has ``states`` (1, n_components), ``observations`` (1, n_outputs) in the user's units
        (None for a map), ``eigenvalues`` (n_components,) of the Jacobian, largest modulus first,
        ``patterns`` (1, n_hidden), and the properties ``stable`` and ``kind``: "stable node",
        "stable focus", "unstable node", "unstable focus", "saddle" or, with an eigenvalue of
        modulus 1, "neutral".

    Raises
    ------
    ValueError
        If ``method="exhaustive"`` needs more than `max_patterns`.

    See Also
    --------
    line_attractor_directions : Where I - J is (nearly) singular, fixed points come in continua.

    Notes
    -----
    Patterns whose matrix is exactly singular hold none or a continuum; they are left out.

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
        Largest number of sequences of patterns for "exhaustive".
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
        By increasing order, with an attribute ``exhaustive``: whether these are all. Each has
        ``states`` (order, n_components), ``observations`` (order, n_outputs) in the user's units
        (None for a map), ``eigenvalues`` (n_components,) of the Jacobian of all its steps, largest
        modulus first, ``patterns`` (order, n_hidden), and the properties ``order``, ``stable`` and
        ``kind``, as in `fixed_points`.

    Raises
    ------
    ValueError
        If ``method="exhaustive"`` needs more than `max_patterns`.

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
    found, exhaustive = [], True
    for order in orders:
        n_sequences = n_regions(f) ** order
        if method == "exhaustive" and n_sequences > max_patterns:
            raise ValueError(
                f'method="exhaustive" needs up to {n_sequences} patterns for order {order}, more '
                f'than max_patterns={max_patterns}. Raise it, or use method="search".'
            )
        if method == "search" or n_sequences > max_patterns:
            exhaustive = False
            states = _search(f, _starting_patterns(f, order, n_starts, starts, rng))
        else:
            states = _exhaust(f, order)
        found += [_described(model, f, orbit) for orbit in _distinct(states)]
    return Orbits(found, exhaustive)


def _exhaust(f, order):
    """Orbits (n, order, M) in all sequences of patterns, up to rotation."""
    patterns = possible_patterns(f)
    n, found = len(patterns), []
    for begin in range(0, n**order, step := _batch(f, order)):
        sequences = np.arange(begin, min(begin + step, n**order))
        sequences = np.stack(np.unravel_index(sequences, (n,) * order), axis=1)
        sequences = sequences[sequences[:, 0] == sequences.min(axis=1)]
        found.append(_solve(f, patterns[sequences])[0])
    return np.concatenate(found)


def _search(f, patterns):
    """Orbits (n, order, M) reached from patterns (n, order, L), each pattern being solved once."""
    seen, found, (_, order, L) = set(), [], patterns.shape
    for _ in range(MAX_MOVES):
        keys = [row.tobytes() for row in np.packbits(patterns.reshape(-1, order * L), axis=1)]
        new = {key: i for i, key in enumerate(keys) if key not in seen}
        seen.update(new)
        if not new:
            break
        patterns, moved = patterns[list(new.values())], []
        for begin in range(0, len(patterns), step := _batch(f, order)):
            orbits, others = _solve(f, patterns[begin : begin + step])
            found.append(orbits)
            moved.append(f.pattern(others))
        patterns = np.concatenate(moved)
    return np.concatenate(found)


def _batch(f, order):
    """Sequences of patterns to be solved at a time."""
    return max(CHUNK // (order * f.n_components * max(f.n_hidden, f.n_components)), 1)


def _solve(f, patterns):
    """Solutions (n, k, M) for sequences of patterns (n, k, L): real orbits, then virtual ones."""
    J, c = f.region(patterns)
    product, offset = J[:, 0], c[:, 0]
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(1, J.shape[1]):
            offset = times(J[:, i], offset) + c[:, i]
            product = J[:, i] @ product
        states = [solve_each(np.eye(f.n_components) - product, offset)]
        for i in range(J.shape[1] - 1):
            states.append(times(J[:, i], states[-1]) + c[:, i])
    states = np.stack(states, axis=1)
    finite = np.isfinite(states).all(axis=(1, 2))
    states, patterns = states[finite], patterns[finite]
    V, theta = kinks_of(f)
    slack = AGREES * (np.abs(states) @ np.abs(V).T + np.abs(theta))
    wrong = f.pattern(states) != patterns
    real = ~(wrong & (np.abs(f.preactivation(states)) > slack)).any(axis=(1, 2))
    return states[real], states[~real]


def _starting_patterns(f, order, n_starts, starts, rng):
    """Patterns (n, order, L): half along runs, half unrelated, around the kinks."""
    M = f.n_components
    V, theta = kinks_of(f)
    with np.errstate(divide="ignore", invalid="ignore"):
        distances = np.abs(theta) / np.linalg.norm(V, axis=1)
    size = np.median(distances[np.isfinite(distances)]) or 1
    radius = size * 10 ** rng.uniform(-1, 1, (n_starts, order, 1))
    states = radius * rng.normal(size=(n_starts, order, M))
    _run_on(f, states[: n_starts // 2])
    if starts is not None:
        given = np.repeat(starts[:, None], order, axis=1)
        states = np.concatenate([states, _run_on(f, given)])
    return f.pattern(states[np.isfinite(states).all(axis=(1, 2))])


def _run_on(f, states):
    """Let the first of states (n, k, M) run through the others, in place."""
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(1, states.shape[1]):
            states[:, i] = f.step(states[:, i - 1])
    return states


def _distinct(states):
    """Orbits (k, M) that are no rotations of each other, nor of smaller order, sorted."""
    order, M = states.shape[1:]
    weights = np.cos(np.arange(M))  # a direction in which no two states of a cycle are likely equal
    first = np.argmin(states @ weights, axis=1)
    turned = (first[:, None] + np.arange(order)) % order
    states = np.take_along_axis(states, turned[..., None], axis=1)
    size = 1 + np.abs(states).max(axis=(1, 2), initial=0)
    rows = states.reshape(-1, order * M) / size[:, None]
    _, unique = np.unique(np.round(rows, 6), axis=0, return_index=True)
    kept = []
    for i in unique:
        again = any(np.abs(rows[i] - rows[j]).max() <= SAME for j in kept)
        returns = (np.abs(states[i, :1] - states[i, 1:]).max(axis=1) <= SAME * size[i]).any()
        if not again and not returns:
            kept.append(i)
    return states[sorted(kept, key=lambda i: states[i, 0].tolist())]


def _described(model, f, states):
    """The `Orbit` of states (k, M)."""
    product = np.eye(f.n_components)
    for J in f.jacobian(states):
        product = J @ product
    eigenvalues = np.linalg.eigvals(product).astype(complex)
    order = np.lexsort((-eigenvalues.imag, -eigenvalues.real, -np.abs(eigenvalues).round(12)))
    return Orbit(states, observe(model, states), eigenvalues[order], f.pattern(states))

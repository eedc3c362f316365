"""From activation patterns to orbits: one linear system for each sequence of patterns.

Where there are few patterns all are solved for (`_arrangement`). Where there are many, few of them
can hold an orbit, and often it takes little to find out which (`_branching`). What is left is
searched (SCYFI): solve for a pattern, take the one that the *virtual* solution has, solve again,
and so on, from many starts; where solution and pattern agree, it is real.

Orbits are (n, order, M), with a row of NaN for singular patterns, of which nothing is said.
"""

import numpy as np
from scipy.spatial import KDTree

from ._arrangement import n_kinks, n_regions, possible_patterns
from ._branching import promising_patterns
from ._linear import solve_each, times
from ._protocol import kinks_of

CHUNK = 2**22  # numbers in a batch of Jacobians
AGREES = 1e-9  # preactivation on the wrong side of a kink, relative to its terms
SAME = 1e-7  # distance of two orbits that are one, relative to their size
SINGULAR = 1e10  # size of a solution, relative to its right side, that only rounding gives
MAX_MOVES = 100  # from pattern to pattern
SHORT = 2**10  # a list of patterns that is not worth a tree


def exhaust(f, order, max_patterns):
    """Orbits in all patterns that may hold one, up to rotation; whether none was passed over."""
    n_sequences, n = n_regions(f) ** order, order * n_kinks(f)
    short = n_sequences <= max_patterns
    # Kinks that are fewer than dimensions cut nothing off a list, but much off a tree.
    if not short or (n_sequences == 2**n and n_sequences > SHORT):
        # A branch takes the time of n^2 / 8 patterns. With fewer than n of them no end is reached.
        max_branches = 8 * max_patterns // n**2
        if max_branches > n:
            patterns, complete = promising_patterns(f, order, max_branches)
            if complete or not short:
                return _solve_all(f, order, [patterns]), complete
    return _solve_all(f, order, _listed(f, order) if short else []), short


def search(f, order, n_starts, starts, rng):
    """Orbits that are reached from random patterns, and from those of states `starts`.

    Where one was found there are often more: patterns that differ in one unit are starts, too.
    """
    seen = set()
    found = _follow(f, _starting_patterns(f, order, n_starts, starts, rng), seen)
    around = f.pattern(distinct(f, found)).reshape(-1, order * f.n_hidden)
    flips = rng.permutation(around.size)[:n_starts]  # one unit of one orbit each
    around = around[flips // around.shape[1]]
    around[np.arange(len(flips)), flips % around.shape[1]] ^= True
    around = around.reshape(-1, order, f.n_hidden)
    return np.concatenate([found, _follow(f, around, seen)])


def distinct(f, orbits):
    """Those that are no rotations of each other, nor of smaller order, nor singular, sorted."""
    orbits = orbits[np.isfinite(orbits).all(axis=(1, 2))]
    order, M = orbits.shape[1:]
    weights = np.cos(np.arange(M))  # a direction in which no two states of a cycle are likely equal
    first = np.argmin(orbits @ weights, axis=1)
    turned = (first[:, None] + np.arange(order)) % order
    orbits = np.take_along_axis(orbits, turned[..., None], axis=1)
    unit = max(np.abs(x).max(initial=0) for x in (f.h, kinks_of(f)[1])) or 1
    size = unit + np.abs(orbits).max(axis=(1, 2), initial=0)
    rows = orbits.reshape(-1, order * M) / size[:, None]
    _, unique = np.unique(np.round(rows, 6), axis=0, return_index=True)
    rows, orbits, size = rows[unique], orbits[unique], size[unique]
    again = KDTree(rows).query_pairs(SAME, p=np.inf, output_type="ndarray").max(axis=1)
    returns = np.abs(orbits[:, :1] - orbits[:, 1:]).max(axis=2) <= SAME * size[:, None]
    kept = np.setdiff1d(np.flatnonzero(~returns.any(axis=1)), again)
    return orbits[sorted(kept, key=lambda i: orbits[i, 0].tolist())]


def _listed(f, order):
    """Batches (n, order, L) of all sequences of patterns, up to rotation."""
    patterns = possible_patterns(f)
    n = len(patterns)
    for begin in range(0, n**order, step := _batch(f, order)):
        sequences = np.arange(begin, min(begin + step, n**order))
        sequences = np.stack(np.unravel_index(sequences, (n,) * order), axis=1)
        yield patterns[sequences[sequences[:, 0] == sequences.min(axis=1)]]


def _batch(f, order):
    """Sequences of patterns to be solved at a time."""
    return max(CHUNK // (order * f.n_components * max(f.n_hidden, f.n_components)), 1)


def _solve_all(f, order, batches):
    """Orbits in batches of patterns."""
    found = [np.empty((0, order, f.n_components))]
    for patterns in batches:
        states, real, singular = _solve(f, patterns)
        found += [states[real], states[singular][:1]]
    return np.concatenate(found)


def _solve(f, patterns):
    """Solutions (n, k, M) for sequences of patterns (n, k, L); which are real, which singular."""
    J, c = f.region(patterns)
    product, offset = J[:, 0], c[:, 0]
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(1, J.shape[1]):
            offset = times(J[:, i], offset) + c[:, i]
            product = J[:, i] @ product
        first = solve_each(np.eye(f.n_components) - product, offset)
        first[np.abs(first).max(axis=1) > SINGULAR * np.abs(offset).max(axis=1)] = np.nan
        states = [first]
        for i in range(J.shape[1] - 1):
            states.append(times(J[:, i], states[-1]) + c[:, i])
    states = np.stack(states, axis=1)
    singular = ~np.isfinite(states).all(axis=(1, 2))
    states[singular] = np.nan
    V, theta = kinks_of(f)
    slack = AGREES * (np.abs(states) @ np.abs(V).T + np.abs(theta))
    agrees = (f.pattern(states) == patterns) | (np.abs(f.preactivation(states)) <= slack)
    return states, agrees.all(axis=(1, 2)) & ~singular, singular


def _follow(f, patterns, seen):
    """Orbits reached from patterns (n, order, L), none of `seen` being solved again."""
    order, found = patterns.shape[1], [np.empty((0, patterns.shape[1], f.n_components))]
    for _ in range(MAX_MOVES):
        keys = [row.tobytes() for row in np.packbits(patterns, axis=2)]
        new = {key: i for i, key in enumerate(keys) if key not in seen}
        seen.update(new)
        if not new:
            break
        patterns, moved = patterns[list(new.values())], []
        for begin in range(0, len(patterns), step := _batch(f, order)):
            states, real, singular = _solve(f, patterns[begin : begin + step])
            found += [states[real], states[singular][:1]]
            moved.append(f.pattern(states[~real & ~singular]))
        patterns = np.concatenate(moved)
    return np.concatenate(found)


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

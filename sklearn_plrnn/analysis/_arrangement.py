"""Which activation patterns a state can have at all.

The kinks ``V z + theta = 0`` of P hidden units are hyperplanes. In the r dimensions that V sees
they cut space into at most ``sum_{i <= r} binom(P, i)`` regions: that is 2^P only for P <= r, as in
a PLRNN, and few enough to be listed for a hundred hidden units above two or three latent ones.

Every region has a corner, where r kinks meet, and is one of the 2^r around it: on all other kinks
it lies where the corner does.
"""

from itertools import combinations, islice
from math import comb

import numpy as np

from ._linear import solve_each
from ._protocol import kinks_of

CHUNK = 2**17  # regions at a time
ON_KINK = 1e-9  # distance of a corner from another kink, relative to the terms that cancel
JITTER = 1e-7  # by which kinks are moved where more than r of them meet


def n_kinks(f):
    """Number of hidden units that are on in some states and off in others."""
    return len(_kinks(f)[0])


def n_regions(f):
    """Upper bound on the number of regions; reached by kinks in general position."""
    normals = _kinks(f)[0]
    return sum(comb(len(normals), i) for i in range(normals.shape[1] + 1))


def possible_patterns(f):
    """Activation patterns (n, L) of all regions.

    Where more kinks meet than they do in general, they are moved apart by a little first: no region
    is lost unless it is as small as that, and some are listed that do not exist.
    """
    normals, theta, moving, patterns = _kinks(f)
    signs = _sign_vectors(normals, theta)
    patterns = np.repeat(patterns[None], len(signs), axis=0)
    patterns[:, moving] = signs
    return patterns


def _kinks(f):
    """Normals (P, r) and offsets (P,) of kinks, which units (L,) have one, what the others do."""
    V, theta = kinks_of(f)
    always_on = np.zeros(f.n_hidden, bool) if f.always_on is None else f.always_on
    moving = ~always_on & V.any(axis=1)
    _, sizes, axes = np.linalg.svd(V[moving], full_matrices=False)
    seen = axes[sizes > 1e-12 * sizes.max(initial=0)]
    return V[moving] @ seen.T, theta[moving], moving, always_on | (theta > 0)


def _sign_vectors(normals, theta):
    """Signs (n, P), True for positive, of all regions."""
    P, r = normals.shape
    if P == r:  # independent kinks: all meet in one corner
        return _all_signs(P)
    packed, special = _around_corners(normals, theta)
    if special:
        length = np.linalg.norm(normals, axis=1)
        size = np.abs(theta) + length * (np.median(np.abs(theta) / length) or 1)
        moves = np.random.default_rng(0).uniform(-JITTER, JITTER, P)
        packed, _ = _around_corners(normals, theta + moves * size)
    return np.unpackbits(packed.view(np.uint8), axis=1, count=P).astype(bool)


def _around_corners(normals, theta):
    """Packed signs of the regions around all corners, and whether a corner is on one kink more."""
    P, r = normals.shape
    found, special = [np.empty((0, -(-P // 64)), np.uint64)], False
    subsets, around = combinations(range(P), r), _all_signs(r)
    while batch := list(islice(subsets, max(CHUNK >> r, 1))):
        own = np.array(batch)
        corners = solve_each(normals[own], -theta[own])
        meet = np.isfinite(corners).all(axis=1)
        own, corners = own[meet], corners[meet]
        side = corners @ normals.T + theta
        scale = np.abs(corners) @ np.abs(normals).T + np.abs(theta)
        np.put_along_axis(side, own, np.inf, axis=1)
        special |= bool((np.abs(side) <= ON_KINK * scale).any())
        signs = np.repeat((side > 0)[:, None], 2**r, axis=1)
        shape = (len(own), 2**r, r)
        columns, values = (np.broadcast_to(x, shape) for x in (own[:, None], around))
        np.put_along_axis(signs, columns, values, axis=2)
        found.append(_distinct(_packed(signs.reshape(-1, P))))
    return _distinct(np.concatenate(found)), special


def _packed(signs):
    """Rows of bits as rows of 64-bit numbers, which sort much faster than bytes."""
    bits = np.packbits(signs, axis=1)
    return np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8))).view(np.uint64)


def _distinct(rows):
    rows = rows[np.lexsort(rows.T)]
    new = np.ones(len(rows), bool)
    new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return rows[new]


def _all_signs(n):
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)

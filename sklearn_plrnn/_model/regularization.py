"""Regularization: which units, and towards what.

The manifold-attractor penalty (Schmidt et al. 2021, eq. 3) pulls A to 1 and W, h to 0 in the rows
of the regularized units, so that their subspace leans towards marginal stability and holds what is
written into it. Penalties are values on parameters named by ``cell.rows``, means over the entries
they touch, so that ``alpha`` keeps its meaning when the number of units changes.
"""

from typing import NamedTuple

import numpy as np

from .gradient import pull, pull_and_slopes


def regularized_units(n_components, n_observed, fraction):
    """Indices of the regularized units: unobserved ones first, observed ones if they must be."""
    order = np.r_[n_observed:n_components, :n_observed]
    return order[: int(fraction * n_components + 0.5)]


def integrate(cell, params, units):
    """Write the rows of perfect integrators, A = 1, W = 0, h = 0, into `params` for `units`."""
    for name, value in zip(cell.rows, (1, 0, 0), strict=True):
        params[name][units] = value
    return params


def _value(penalty, cell, f):
    """Penalty of the map `f` that `cell` lowered to."""
    if penalty.alpha == 0 or len(penalty.units) == 0:
        return 0.0
    return pull(f.A, f.W, f.h, *_arguments(penalty, cell))


def _value_and_slopes(penalty, cell, f):
    """The value and its derivatives with respect to rows `units` of A, W and h, by name."""
    if penalty.alpha == 0 or len(penalty.units) == 0:
        return 0.0, {}
    value, slopes = pull_and_slopes(f.A, f.W, f.h, *_arguments(penalty, cell))
    return value, dict(zip("AWh", slopes, strict=True))


def _arguments(penalty, cell):
    # A PLRNN of one unit has no coupling to average over.
    n_couplings = max(cell.free_couplings(len(penalty.units)), 1)
    return penalty.units, penalty.anchor, n_couplings, penalty.alpha


class ManifoldAttractor(NamedTuple):
    """``alpha (mean (A_i - 1)^2 + mean W_ij^2 + mean h_i^2)`` over regularized rows i."""

    alpha: float
    units: np.ndarray  # (m,)

    anchor = 1.0
    value, value_and_slopes = _value, _value_and_slopes


class PullToZero(NamedTuple):
    """The same with A pulled to 0: ordinary L2 on the same rows, for comparison."""

    alpha: float
    units: np.ndarray  # (m,)

    anchor = 0.0
    value, value_and_slopes = _value, _value_and_slopes


PENALTIES = {"manifold-attractor": ManifoldAttractor, "l2": PullToZero}

"""Which units are regularized, and the value of the penalty, against the design's formula."""

import numpy as np
import pytest

from sklearn_plrnn._model.cells import CELLS, PLRNN, make_cell
from sklearn_plrnn._model.regularization import PENALTIES, integrate, regularized_units


@pytest.mark.parametrize(
    ("n_components", "n_observed", "fraction", "expected"),
    [
        (6, 0, 0.5, [0, 1, 2]),
        (6, 2, 0.5, [2, 3, 4]),
        (6, 4, 0.5, [4, 5, 0]),
        (6, 2, 0.0, []),
        (3, 3, 1.0, [0, 1, 2]),
        (5, 0, 0.5, [0, 1, 2]),
    ],
)
def test_unobserved_units_come_first(n_components, n_observed, fraction, expected):
    np.testing.assert_array_equal(regularized_units(n_components, n_observed, fraction), expected)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_perfect_integrators_cost_nothing(name, rng):
    cell, units = make_cell(name, n_components=6, n_hidden=9, n_nonlinear=3), np.array([1, 4])
    params = cell.init(rng, np.float64)
    penalty = PENALTIES["manifold-attractor"](5.0, units)
    assert penalty.value(cell, cell.lower(params)) > 0
    f = cell.lower(integrate(cell, params, units))
    assert penalty.value(cell, f) == 0
    z = rng.normal(size=6)
    np.testing.assert_array_equal(f.step(z)[units], z[units])


def test_penalty_is_the_formula_with_the_documented_conversion(rng):
    """alpha on means equals the paper's tau on sums with tau = alpha / (number of entries)."""
    M, m, alpha = 7, 3, 2.5
    cell = PLRNN(M)
    f = cell.lower({name: rng.normal(size=(M, M) if name == "W" else M) for name in "AWh"})
    tau_A = tau_h = alpha / m
    tau_W = alpha / (m * (M - 1))
    anchors = {"manifold-attractor": 1.0, "l2": 0.0}
    for name, anchor in anchors.items():
        expected = sum(
            tau_A * (f.A[i] - anchor) ** 2
            + tau_W * sum(f.W[i, j] ** 2 for j in range(M) if j != i)
            + tau_h * f.h[i] ** 2
            for i in range(m)
        )
        value = PENALTIES[name](alpha, np.arange(m)).value(cell, f)
        assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", sorted(PENALTIES))
def test_no_penalty_without_strength_or_units(name, rng):
    cell = PLRNN(4)
    f = cell.lower(cell.init(rng, np.float64))
    assert PENALTIES[name](0.0, np.arange(2)).value(cell, f) == 0
    assert PENALTIES[name](3.0, np.arange(0)).value(cell, f) == 0


def test_a_single_unit_has_a_finite_penalty(rng):
    cell = PLRNN(1)
    f = cell.lower({"A": np.array([0.5]), "W": np.ones((1, 1)), "h": np.array([2.0])})
    assert PENALTIES["manifold-attractor"](1.0, np.arange(1)).value(cell, f) == 0.25 + 4.0

"""The piecewise-linear map: values, Jacobian, regions."""

import numpy as np
import pytest
import reference

from sklearn_plrnn._recurrence import PiecewiseLinearMap


@pytest.fixture(params=["identity", "identity always-on", "hidden", "hidden always-on"])
def f(request, rng):
    M, L = 4, 4 if "identity" in request.param else 7
    hidden = "hidden" in request.param
    return PiecewiseLinearMap(
        A=rng.normal(size=M),
        W=rng.normal(size=(M, L)),
        h=rng.normal(size=M),
        V=rng.normal(size=(L, M)) if hidden else None,
        theta=rng.normal(size=L) if hidden else None,
        always_on=rng.random(L) < 0.5 if "always-on" in request.param else None,
    )


def test_step_is_the_glossary_formula(f, rng):
    z = rng.normal(size=(3, 5, 4))
    np.testing.assert_allclose(f.features(z), reference.features(f, z))
    np.testing.assert_allclose(f.step(z), f.A * z + reference.features(f, z) @ f.W.T + f.h)


def test_jacobian_is_the_derivative_of_the_step(f, rng):
    z, step = rng.normal(size=(6, 4)), 1e-6
    columns = [(f.step(z + step * e) - f.step(z - step * e)) / (2 * step) for e in np.eye(4)]
    np.testing.assert_allclose(f.jacobian(z), np.stack(columns, axis=-1), atol=1e-8)


def test_the_map_is_affine_within_a_region(f, rng):
    z = rng.normal(size=(2, 5, 4))
    J, c = f.region(f.pattern(z))
    assert J.shape == (2, 5, 4, 4) and c.shape == (2, 5, 4)
    np.testing.assert_allclose((J @ z[..., None])[..., 0] + c, f.step(z))


def test_regions_of_opposite_patterns_differ_by_the_coupling(f):
    on, off = np.ones(f.n_hidden, bool), np.zeros(f.n_hidden, bool)
    V = np.eye(4) if f.V is None else f.V
    np.testing.assert_allclose(f.region(on)[0] - f.region(off)[0], f.W @ V)
    np.testing.assert_allclose(f.region(off)[0], np.diag(f.A))
    np.testing.assert_array_equal(f.region(off)[1], f.h)

"""Jacobians by both ways, against gradients of one output at a time, and their products."""

from itertools import pairwise

import numpy as np
import pytest
from autograd import grad
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import MAP, random_problem

from sklearn_plrnn._recurrence import PiecewiseLinearMap, propagate
from sklearn_plrnn._recurrence.sensitivities import (
    PARAMETERS,
    adjoint_sensitivities,
    forward_sensitivities,
    normal_equations,
    parameter_columns,
)
from sklearn_plrnn._recurrence.tape import Ports

problems = st.builds(
    random_problem,
    st.integers(0, 2**32 - 1),
    n_timesteps=st.integers(1, 5),
    n_sequences=st.sampled_from([1, 3, 13]),
    n_components=st.integers(1, 4),
    n_hidden=st.one_of(st.none(), st.integers(1, 5)),
    theta=st.booleans(),
    always_on=st.booleans(),
    inputs=st.sampled_from([None, "added", "shared", "mapped"]),
    forcing=st.sampled_from([None, "scalar", "per-step", "per-unit", "masked"]),
    readout=st.sampled_from([None, "first", "affine"]),
)


def columns_of(problem):
    arrays = problem.arrays
    f = PiecewiseLinearMap(*map(arrays.get, MAP))
    return parameter_columns(f, Ports(*map(arrays.get, "CBb"), None))


def one_by_one(problem, t, b, n):
    """Row of derivatives of one output, and of the start state, by a pass of its own."""
    gradients = grad(lambda arrays: problem.solve(propagate, arrays)[t, b, n])(problem.arrays)
    present = [gradients[name].ravel() for name in PARAMETERS if name in problem.arrays]
    return np.concatenate(present), gradients["start"][b]


@settings(max_examples=60)
@given(problems)
def test_forward_equals_one_gradient_at_a_time(problem):
    outputs, parameters, start = problem.solve(forward_sensitivities)
    np.testing.assert_allclose(outputs, problem.solve(propagate), rtol=1e-12, atol=1e-12)
    T, B, N = outputs.shape
    assert parameters.shape[:3] == start.shape[:3] == (B, T, N)
    rng = np.random.default_rng(0)
    for _ in range(3):
        t, b, n = rng.integers(T), rng.integers(B), rng.integers(N)
        row, start_row = one_by_one(problem, t, b, n)
        np.testing.assert_allclose(parameters[b, t, n], row, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(start[b, t, n], start_row, rtol=1e-9, atol=1e-9)


@settings(max_examples=60)
@given(problems, st.sampled_from([None, 1, 2]))
def test_adjoint_equals_forward(problem, stretch):
    forward = problem.solve(forward_sensitivities)
    functionals = np.random.default_rng(0).normal(size=(2, *forward.outputs.shape))
    found = problem.solve(
        lambda *args, **options: adjoint_sensitivities(
            lambda outputs: functionals, *args, **options
        ),
        stretch=stretch,
    )
    np.testing.assert_allclose(found.outputs, forward.outputs)
    for x, y in zip(found[1:], forward[1:], strict=True):
        expected = np.einsum("rtbn,btnp->rbp", functionals, y)
        np.testing.assert_allclose(x, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_hidden", [None, 6])
def test_both_ways_equal_finite_differences(n_hidden):
    problem = random_problem(
        3, 6, 4, 3, n_hidden, theta=True, inputs="mapped", forcing="per-unit", readout="affine"
    )
    parameters = problem.solve(forward_sensitivities).parameters
    rng, step = np.random.default_rng(0), 1e-6
    for name, columns in columns_of(problem).items():
        direction = rng.normal(size=problem.arrays[name].shape)
        shifted = [
            problem.solve(
                propagate, problem.arrays | {name: problem.arrays[name] + s * step * direction}
            )
            for s in (1, -1)
        ]
        measured = (shifted[0] - shifted[1]).swapaxes(0, 1) / (2 * step)
        found = parameters[..., columns] @ direction.ravel()
        np.testing.assert_allclose(found, measured, rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("readout", [None, "affine"])
@pytest.mark.parametrize("n_hidden", [None, 6])
def test_float32_stays_float32(n_hidden, readout):
    problem = random_problem(
        3, 6, 4, 3, n_hidden, theta=True, inputs="mapped", forcing="masked", readout=readout
    )
    single, exact = problem.astype(np.float32), problem.solve(forward_sensitivities)
    forward = single.solve(forward_sensitivities)
    functional = np.ones((1, *forward.outputs.shape), np.float32)
    adjoint = single.solve(
        lambda *a, **options: adjoint_sensitivities(lambda outputs: functional, *a, **options)
    )
    assert {x.dtype for x in (*forward, *adjoint)} == {np.dtype(np.float32)}
    for x, y in zip(forward, exact, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_equations_add_up_blocks_in_double_precision(dtype, rng):
    J, r = rng.normal(1, 1, (5000, 7)).astype(dtype), rng.normal(size=5000).astype(dtype)
    cuts = [0, 10, 3000, 3001, 5000]
    asked_for = []

    def blocks():
        for i, j in pairwise(cuts):
            asked_for.append((i, j))
            yield J[i:j], r[i:j]

    H, gradient = normal_equations(blocks())
    assert len(asked_for) == 4
    assert H.dtype == gradient.dtype == float
    exact = J.astype(float)
    tolerance = {"rtol": 20 * np.finfo(dtype).eps, "atol": 1000 * np.finfo(dtype).eps}
    np.testing.assert_allclose(H, exact.T @ exact, **tolerance)
    np.testing.assert_allclose(gradient, exact.T @ r.astype(float), **tolerance)
    np.testing.assert_array_equal(H, H.T)


def test_a_gauss_newton_step_solves_a_linear_problem(rng):
    """With all units on and a known readout the drive enters linearly: one step, residual zero."""
    problem = random_problem(4, 8, 30, 3, always_on=True, inputs="mapped", readout="affine")
    problem = problem._replace(always_on=np.ones(3, bool))
    true = problem.arrays
    observed = np.array(problem.solve(propagate))
    guess = problem._replace(arrays=true | {"C": rng.normal(size=(3, 3)), "h": rng.normal(size=3)})
    outputs, parameters, _ = guess.solve(forward_sensitivities)
    columns = columns_of(guess)
    chosen = np.r_[columns["h"], columns["C"]]
    J = parameters.reshape(-1, parameters.shape[-1])[:, chosen]
    H, gradient = normal_equations([(J, (outputs - observed).swapaxes(0, 1).ravel())])
    step = np.linalg.solve(H, gradient)
    np.testing.assert_allclose(guess.arrays["h"] - step[:3], true["h"], atol=1e-6)
    np.testing.assert_allclose(guess.arrays["C"] - step[3:].reshape(3, 3), true["C"], atol=1e-6)

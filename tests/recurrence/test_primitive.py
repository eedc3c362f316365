"""The recurrence and its adjoint against slow autograd and finite differences."""

import tracemalloc

import autograd.numpy as anp
import numpy as np
import pytest
import reference
from autograd import elementwise_grad, grad
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import MAP, random_problem

from sklearn_plrnn._recurrence import PiecewiseLinearMap, Workspace, propagate

problems = st.builds(
    random_problem,
    st.integers(0, 2**32 - 1),
    n_timesteps=st.integers(1, 12),
    n_sequences=st.sampled_from([1, 2, 3, 4, 13]),
    n_components=st.integers(1, 6),
    n_hidden=st.one_of(st.none(), st.integers(1, 7)),
    theta=st.booleans(),
    always_on=st.booleans(),
    inputs=st.sampled_from([None, "added", "shared", "mapped"]),
    forcing=st.sampled_from([None, "scalar", "per-step", "per-unit", "masked"]),
    readout=st.sampled_from([None, "first", "affine"]),
)


def everything(seed, *sizes, **options):
    """A problem with all arrays there are, unless options say otherwise."""
    given = {"theta": True, "inputs": "mapped", "forcing": "masked", "readout": "affine"}
    return random_problem(seed, *sizes, **given | options)


def scalar_of(problem, propagate=propagate, **options):
    """A smooth scalar function of all that is read out."""
    shape = problem.solve(propagate, **options).shape
    weights = np.random.default_rng(0).normal(size=shape).astype(problem.arrays["A"].dtype)

    def value(arrays):
        outputs = problem.solve(propagate, arrays, **options)
        return anp.sum(weights * outputs) + 0.1 * anp.sum(weights * outputs**2)

    return value


@settings(max_examples=150)
@given(problems)
def test_outputs_and_gradients_equal_a_per_step_loop(problem):
    fast, slow = problem.solve(propagate), problem.solve(reference.propagate)
    np.testing.assert_allclose(fast, slow, rtol=1e-12, atol=1e-12)

    gradients = grad(scalar_of(problem))(problem.arrays)
    expected = grad(scalar_of(problem, reference.propagate))(problem.arrays)
    assert gradients.keys() == problem.arrays.keys()
    for name, x in problem.arrays.items():
        assert gradients[name].shape == x.shape
        scale = 1 + np.abs(expected[name]).max()
        np.testing.assert_allclose(
            gradients[name] / scale, expected[name] / scale, atol=1e-10, rtol=0, err_msg=name
        )


@pytest.mark.parametrize("stretch", [None, 3])
@pytest.mark.parametrize("n_sequences", [3, 30])
def test_the_last_state_alone_is_that_of_all_states(n_sequences, stretch):
    problem = everything(0, 8, n_sequences, 4, 5, readout=None)
    weights = np.random.default_rng(0).normal(size=(1, n_sequences, 4))
    alone = lambda arrays: problem.solve(propagate, arrays, at_end=True, stretch=stretch)
    among = lambda arrays: problem.solve(propagate, arrays)[-1:]
    np.testing.assert_array_equal(alone(problem.arrays), among(problem.arrays))
    found, expected = (
        grad(lambda arrays, f=f: anp.sum(weights * f(arrays)))(problem.arrays)
        for f in (alone, among)
    )
    for name, bar in expected.items():
        np.testing.assert_allclose(found[name], bar, rtol=1e-12, atol=1e-12, err_msg=name)


def distance_to_kink(problem, arrays):
    """Smallest |V z + theta| that the forced trajectory meets."""
    unread = {name: x for name, x in arrays.items() if name not in ("B", "b")}
    states = problem._replace(n_outputs=None).solve(reference.propagate, unread)
    f = PiecewiseLinearMap(*map(arrays.get, MAP), always_on=problem.always_on)
    before = np.concatenate([np.broadcast_to(arrays["start"], states[:1].shape), states[:-1]])
    gain = arrays.get("gain", 0.0)
    return np.abs(f.preactivation(before + gain * (arrays.get("targets", 0.0) - before))).min()


@settings(max_examples=250)
@given(problems)
def test_gradients_equal_finite_differences(problem):
    arrays, rng = problem.arrays, np.random.default_rng(0)
    value = scalar_of(problem)
    gradients = grad(value)(arrays)
    step = 1e-6
    for name, x in arrays.items():
        direction = rng.normal(size=x.shape) / np.sqrt(x.size)
        shifted = [arrays | {name: x + sign * step * direction} for sign in (1, -1)]
        if min(distance_to_kink(problem, a) for a in [arrays, *shifted]) < 1e-4:
            continue  # the derivative jumps at a kink
        measured = (value(shifted[0]) - value(shifted[1])) / (2 * step)
        scale = np.sqrt(np.sum(gradients[name] ** 2)) + abs(value(arrays)) + 1
        assert abs(np.sum(gradients[name] * direction) - measured) < 1e-6 * scale, name


@pytest.mark.parametrize("forcing", [None, "scalar", "masked"])
@pytest.mark.parametrize("n_hidden", [None, 8])
@pytest.mark.parametrize("n_sequences", [4, 20])
def test_float32_stays_float32_and_near_float64(n_hidden, forcing, n_sequences):
    problem = everything(3, 30, n_sequences, 5, n_hidden, forcing=forcing)
    single = problem.astype(np.float32)
    outputs = single.solve(propagate)
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs, problem.solve(propagate), atol=4e-5, rtol=2e-5)

    exact = grad(scalar_of(problem))(problem.arrays)
    for name, x in grad(scalar_of(single))(single.arrays).items():
        assert x.dtype == np.float32, name
        np.testing.assert_allclose(x, exact[name], atol=1e-4 * (1 + np.abs(exact[name]).max()))


def test_full_gain_makes_every_step_start_from_its_target():
    problem = everything(1, 9, 3, 4, 6, always_on=True, inputs="added", readout=None)
    arrays = problem.arrays | {"gain": np.ones(())}
    f = PiecewiseLinearMap(*map(arrays.get, MAP), always_on=problem.always_on)
    states = problem.solve(propagate, arrays)
    np.testing.assert_allclose(states, f.step(arrays["targets"]) + arrays["inputs"])


def test_zero_gain_is_a_free_run():
    problem = everything(2, 9, 3, 4, always_on=True)
    forced = problem.solve(propagate, problem.arrays | {"gain": np.zeros((9, 1, 4))})
    free = {name: x for name, x in problem.arrays.items() if name not in ("targets", "gain")}
    np.testing.assert_array_equal(forced, problem.solve(propagate, free))


@pytest.mark.parametrize("n_sequences", [4, 20])
def test_a_workspace_changes_nothing_but_where_the_outputs_live(n_sequences):
    problem, workspace = everything(4, 12, n_sequences, 5, 7), Workspace()
    expected = grad(scalar_of(problem))(problem.arrays)
    for _ in range(2):
        gradients = grad(scalar_of(problem, workspace=workspace))(problem.arrays)
        for name in problem.arrays:
            np.testing.assert_array_equal(gradients[name], expected[name])


def test_states_live_in_the_workspace():
    problem, workspace = everything(4, 12, 3, 5, readout=None), Workspace()
    first = problem.solve(propagate, workspace=workspace)
    assert np.shares_memory(first, problem.solve(propagate, workspace=workspace))


@pytest.mark.parametrize("n_sequences", [2, 20])
def test_inputs_are_not_modified(n_sequences):
    problem = everything(5, 6, n_sequences, 3, 4, always_on=True)
    for x in problem.arrays.values():
        x.flags.writeable = False
    grad(scalar_of(problem))(problem.arrays)


def test_jacobian_of_the_states_by_repeated_pullbacks():
    """Several pullbacks of one forward pass must not overwrite each other's results."""
    problem = random_problem(6, 4, 1, 3, inputs="added")
    arrays = problem.arrays
    f = PiecewiseLinearMap(arrays["A"], arrays["W"], arrays["h"])
    last = lambda drive: propagate(f, arrays["start"], drive)[-1, 0]
    rows = [elementwise_grad(lambda d, i=i: last(d)[i])(arrays["inputs"]) for i in range(3)]
    np.testing.assert_allclose(np.stack(rows)[:, -1, 0], np.eye(3))
    z = problem.solve(propagate)[-2, 0]
    np.testing.assert_allclose(np.stack(rows)[:, -2, 0], f.jacobian(z))


@pytest.mark.parametrize("forcing", [None, "per-unit", "masked"])
@pytest.mark.parametrize("n_sequences", [2, 20])
@pytest.mark.parametrize("stretch", [1, 4, 7, 12, 50])
def test_stretches_change_only_the_memory(stretch, n_sequences, forcing):
    problem = everything(7, 12, n_sequences, 5, 6, forcing=forcing, always_on=True)
    outputs = problem.solve(propagate, stretch=stretch)
    np.testing.assert_array_equal(outputs, problem.solve(propagate))
    gradients = grad(scalar_of(problem, stretch=stretch))(problem.arrays)
    expected = grad(scalar_of(problem))(problem.arrays)
    for name, x in expected.items():
        assert gradients[name].shape == x.shape
        np.testing.assert_allclose(gradients[name], x, rtol=1e-10, atol=1e-12, err_msg=name)


def test_no_steps_are_no_outputs():
    problem = everything(8, 0, 3, 4)
    assert problem.solve(propagate).shape == (0, 3, 2)


def peak_bytes(work):
    """Most memory held at once by `work()`, beyond what was held before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_stretches_save_memory():
    problem = random_problem(9, 10_000, 3, 10, 20, readout="affine")
    value = {k: scalar_of(problem, stretch=k) for k in (None, 100)}
    whole, saved = (peak_bytes(lambda f=f: grad(f)(problem.arrays)) for f in value.values())
    assert whole > 8 * 10_000 * 3 * (2 * 10 + 2 * 20)
    assert saved < whole / 6  # outputs and their cotangents remain

"""The recurrence and its adjoint against slow autograd and finite differences."""

import autograd.numpy as anp
import numpy as np
import pytest
import reference
from autograd import elementwise_grad, grad
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_plrnn._recurrence import PiecewiseLinearMap, Workspace, propagate

NAMES = ("A", "W", "h", "V", "theta", "start", "drive", "targets", "gain")


def random_problem(
    seed, n_timesteps, n_sequences, n_components, n_hidden, *, V, theta, always_on, drive, forcing
):
    """Arguments of `propagate` by name, and the always-on units; n_hidden counts only with V."""
    rng = np.random.default_rng(seed)
    T, B, M = n_timesteps, n_sequences, n_components
    L = n_hidden if V else M
    arguments = {
        "A": rng.uniform(-0.9, 0.95, M),
        "W": rng.normal(0, 0.7 / np.sqrt(L), (M, L)),
        "h": rng.normal(size=M),
        "start": rng.normal(size=(B, M)),
    }
    if V:
        arguments["V"] = rng.normal(0, 0.7 / np.sqrt(M), (L, M))
    if theta:
        arguments["theta"] = rng.normal(size=L)
    if drive:
        arguments["drive"] = rng.normal(size={"full": (T, B, M), "shared": (T, 1, M)}[drive])
    if forcing:
        arguments["targets"] = rng.normal(size=(T, B, M))
        arguments["gain"] = {
            "scalar": lambda: np.array(0.3),
            "per-step": lambda: (rng.random((T, 1, 1)) < 0.4).astype(float),
            "per-unit": lambda: rng.random(M),
            "masked": lambda: rng.random((T, B, M)) * (rng.random((T, B, M)) < 0.5),
        }[forcing]()
    return arguments, (rng.random(L) < 0.4 if always_on else None)


problems = st.builds(
    random_problem,
    st.integers(0, 2**32 - 1),
    n_timesteps=st.integers(1, 12),
    n_sequences=st.integers(1, 4),
    n_components=st.integers(1, 6),
    n_hidden=st.integers(1, 7),
    V=st.booleans(),
    theta=st.booleans(),
    always_on=st.booleans(),
    drive=st.sampled_from([None, "full", "shared"]),
    forcing=st.sampled_from([None, "scalar", "per-step", "per-unit", "masked"]),
)


def run(propagate, arguments, always_on, n_timesteps):
    """States as `propagate` gives them, from arguments by name."""
    maps, rest = NAMES[:5], NAMES[5:]
    f = PiecewiseLinearMap(*(arguments.get(name) for name in maps), always_on=always_on)
    return propagate(f, *(arguments.get(name) for name in rest), n_timesteps=n_timesteps)


def scalar_of(propagate, always_on, n_timesteps, weights):
    """A smooth scalar function of all the states."""

    def value(arguments):
        states = run(propagate, arguments, always_on, n_timesteps)
        return anp.sum(weights * states) + 0.1 * anp.sum(weights * states**2)

    return value


def duration(arguments, default=7):
    return next((len(arguments[k]) for k in ("drive", "targets") if k in arguments), default)


@settings(max_examples=150)
@given(problems)
def test_states_and_gradients_equal_a_per_step_loop(problem):
    arguments, always_on = problem
    T = duration(arguments)
    fast = run(propagate, arguments, always_on, T)
    slow = run(reference.propagate, arguments, always_on, T)
    np.testing.assert_allclose(fast, slow, rtol=1e-12, atol=1e-12)

    weights = np.random.default_rng(0).normal(size=fast.shape)
    gradients = grad(scalar_of(propagate, always_on, T, weights))(arguments)
    expected = grad(scalar_of(reference.propagate, always_on, T, weights))(arguments)
    assert gradients.keys() == arguments.keys()
    for name in arguments:
        assert gradients[name].shape == arguments[name].shape
        scale = 1 + np.abs(expected[name]).max()
        np.testing.assert_allclose(
            gradients[name] / scale, expected[name] / scale, atol=1e-10, rtol=0, err_msg=name
        )


def distance_to_kink(arguments, always_on, n_timesteps):
    """Smallest |V z + theta| that the forced trajectory meets."""
    states = run(reference.propagate, arguments, always_on, n_timesteps)
    f = PiecewiseLinearMap(*(arguments.get(name) for name in NAMES[:5]), always_on=always_on)
    before = np.concatenate([np.broadcast_to(arguments["start"], states[:1].shape), states[:-1]])
    gain = arguments.get("gain", 0.0)
    return np.abs(f.preactivation(before + gain * (arguments.get("targets", 0.0) - before))).min()


@settings(max_examples=250)
@given(problems)
def test_gradients_equal_finite_differences(problem):
    arguments, always_on = problem
    T = duration(arguments)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=run(propagate, arguments, always_on, T).shape)
    value = scalar_of(propagate, always_on, T, weights)
    gradients = grad(value)(arguments)
    step = 1e-6
    for name, x in arguments.items():
        direction = rng.normal(size=x.shape) / np.sqrt(x.size)
        shifted = [arguments | {name: x + sign * step * direction} for sign in (1, -1)]
        if min(distance_to_kink(a, always_on, T) for a in [arguments, *shifted]) < 1e-4:
            continue  # the derivative jumps at a kink
        measured = (value(shifted[0]) - value(shifted[1])) / (2 * step)
        scale = np.sqrt(np.sum(gradients[name] ** 2)) + abs(value(arguments)) + 1
        assert abs(np.sum(gradients[name] * direction) - measured) < 1e-6 * scale, name


@pytest.mark.parametrize("forcing", [None, "scalar", "masked"])
@pytest.mark.parametrize("V", [False, True])
def test_float32_stays_float32_and_near_float64(V, forcing):
    arguments, _ = random_problem(
        3, 30, 4, 5, 8, V=V, theta=V, always_on=False, drive="full", forcing=forcing
    )
    single = {name: x.astype(np.float32) for name, x in arguments.items()}
    states = run(propagate, single, None, 30)
    assert states.dtype == np.float32
    np.testing.assert_allclose(states, run(propagate, arguments, None, 30), atol=2e-5, rtol=2e-5)

    weights = np.ones(states.shape, np.float32)
    exact = grad(scalar_of(propagate, None, 30, weights))(arguments)
    for name, x in grad(scalar_of(propagate, None, 30, weights))(single).items():
        assert x.dtype == np.float32, name
        np.testing.assert_allclose(x, exact[name], atol=1e-4 * (1 + np.abs(exact[name]).max()))


def test_full_gain_makes_every_step_start_from_its_target():
    arguments, _ = random_problem(
        1, 9, 3, 4, 6, V=True, theta=True, always_on=True, drive="full", forcing="masked"
    )
    arguments["gain"] = np.ones(())
    f = PiecewiseLinearMap(*(arguments[name] for name in NAMES[:5]))
    states = run(propagate, arguments, None, 9)
    np.testing.assert_allclose(states, f.step(arguments["targets"]) + arguments["drive"])


def test_zero_gain_is_a_free_run():
    arguments, always_on = random_problem(
        2, 9, 3, 4, 6, V=False, theta=False, always_on=True, drive="full", forcing="masked"
    )
    forced = run(propagate, arguments | {"gain": np.zeros((9, 1, 4))}, always_on, 9)
    free = {name: x for name, x in arguments.items() if name not in ("targets", "gain")}
    np.testing.assert_array_equal(forced, run(propagate, free, always_on, 9))


def test_a_workspace_changes_nothing_but_where_the_states_live():
    arguments, always_on = random_problem(
        4, 12, 4, 5, 7, V=True, theta=True, always_on=False, drive="full", forcing="masked"
    )
    workspace = Workspace()
    with_buffers = lambda *args, **kwargs: propagate(*args, **kwargs, workspace=workspace)
    weights = np.ones((12, 4, 5))
    expected = grad(scalar_of(propagate, always_on, 12, weights))(arguments)
    for _ in range(2):
        gradients = grad(scalar_of(with_buffers, always_on, 12, weights))(arguments)
        for name in arguments:
            np.testing.assert_array_equal(gradients[name], expected[name])

    first = run(with_buffers, arguments, always_on, 12)
    assert np.shares_memory(first, run(with_buffers, arguments, always_on, 12))


def test_inputs_are_not_modified():
    arguments, always_on = random_problem(
        5, 6, 2, 3, 4, V=True, theta=True, always_on=True, drive="full", forcing="masked"
    )
    for x in arguments.values():
        x.flags.writeable = False
    grad(scalar_of(propagate, always_on, 6, np.ones((6, 2, 3))))(arguments)


def test_jacobian_of_the_states_by_repeated_pullbacks():
    """Several pullbacks of one forward pass must not overwrite each other's results."""
    arguments, always_on = random_problem(
        6, 4, 1, 3, 4, V=False, theta=False, always_on=False, drive="full", forcing=None
    )
    f = PiecewiseLinearMap(arguments["A"], arguments["W"], arguments["h"])
    last = lambda drive: propagate(f, arguments["start"], drive)[-1, 0]
    rows = [elementwise_grad(lambda d, i=i: last(d)[i])(arguments["drive"]) for i in range(3)]
    np.testing.assert_allclose(np.stack(rows)[:, -1, 0], np.eye(3))
    z = run(propagate, arguments, always_on, 4)[-2, 0]
    np.testing.assert_allclose(np.stack(rows)[:, -2, 0], f.jacobian(z))

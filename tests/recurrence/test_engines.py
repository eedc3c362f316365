"""Both engines tell the same story, and threads do not change a digit of it."""

import numpy as np
import pytest
from autograd import grad
from problems import random_problem

from sklearn_plrnn._recurrence import PiecewiseLinearMap, Workspace, propagate
from sklearn_plrnn._recurrence.engines import VARIABLE, engine_name
from sklearn_plrnn._recurrence.run import Run, run_arguments
from sklearn_plrnn._recurrence.sensitivities import forward_sensitivities

CASES = {
    "bare": {},
    "everything": {
        "n_hidden": 21,
        "theta": True,
        "always_on": True,
        "inputs": "mapped",
        "forcing": "masked",
        "readout": "affine",
    },
    "driven, first units": {"inputs": "mapped", "readout": "first"},
    "forced, always on": {"always_on": True, "forcing": "per-step", "inputs": "shared"},
    "hidden, free": {"n_hidden": 9, "readout": "affine"},
    "thresholds": {"theta": True, "inputs": "added", "readout": "affine"},
}


def gradients(problem, **options):
    """Outputs and the gradients of a scalar of them."""
    weights = np.random.default_rng(0).normal(size=problem.solve(propagate).shape)
    weights = weights.astype(problem.arrays["A"].dtype)
    value = lambda arrays: (weights * problem.solve(propagate, arrays, **options)).sum()
    outputs = np.array(problem.solve(propagate, **options))
    return outputs, grad(value)(problem.arrays)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_sequences", [1, 5, 13, 70, 300])
@pytest.mark.parametrize("n_components", [3, 17])
@pytest.mark.parametrize("case", CASES)
def test_engines_agree_to_rounding(case, n_components, n_sequences, dtype, monkeypatch):
    pytest.importorskip("numba")
    problem = random_problem(0, 20, n_sequences, n_components, **CASES[case]).astype(dtype)
    found = {}
    for name in ("numpy", "numba"):
        monkeypatch.setenv(VARIABLE, name)
        found[name] = gradients(problem)
    (x, x_bars), (y, y_bars) = found.values()
    tolerance = 400 * np.finfo(dtype).eps
    assert x.dtype == y.dtype == dtype
    np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
    for name, bar in x_bars.items():
        assert bar.dtype == y_bars[name].dtype == dtype
        scale = np.abs(bar).max()
        np.testing.assert_allclose(bar, y_bars[name], atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("of_parameters", [True, False])
@pytest.mark.parametrize("n_components", [3, 17])
@pytest.mark.parametrize("case", CASES)
def test_engines_agree_on_sensitivities(case, n_components, of_parameters, dtype, monkeypatch):
    pytest.importorskip("numba")
    problem = random_problem(0, 8, 13, n_components, **CASES[case]).astype(dtype)
    options, found = {"of_parameters": of_parameters, "workspace": Workspace(2)}, {}
    for name in ("numpy", "numba"):
        monkeypatch.setenv(VARIABLE, name)
        found[name] = problem.solve(forward_sensitivities, **options)._asdict()
        if of_parameters:  # it lives in the workspace
            found[name]["parameters"] = found[name]["parameters"].copy()
    for name, x in found["numpy"].items():
        if x is None:
            assert found["numba"][name] is None
        else:
            assert x.dtype == found["numba"][name].dtype == dtype
            tolerance = 100 * np.finfo(dtype).eps * np.abs(x).max()
            np.testing.assert_allclose(found["numba"][name], x, rtol=0, atol=tolerance)


@pytest.mark.parametrize("n_sequences", [1, 5, 33, 300])
def test_threads_change_nothing(n_sequences):
    problem = random_problem(0, 40, n_sequences, 17, **CASES["everything"])
    one, two, again = (gradients(problem, workspace=Workspace(n)) for n in (1, 2, 2))
    for other in (two, again):
        np.testing.assert_array_equal(one[0], other[0])
        for name, bar in one[1].items():
            np.testing.assert_array_equal(bar, other[1][name])


@pytest.mark.parametrize("n_sequences", [2, 40])
@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_inputs_for_which_there_are_no_weights_are_refused(engine, n_sequences, monkeypatch):
    pytest.importorskip(engine)
    monkeypatch.setenv(VARIABLE, engine)
    problem = random_problem(0, 5, n_sequences, 4, inputs="mapped")
    arrays = problem.arrays | {"inputs": np.ones((5, n_sequences, 1000))}
    with pytest.raises(ValueError, match="1000"):
        problem.solve(propagate, arrays)


@pytest.mark.parametrize("n_sequences", [2, 40])
def test_divergence_stays_visible(n_sequences):
    problem = random_problem(0, 3000, n_sequences, 4)
    problem.arrays["A"][:], problem.arrays["W"][:] = 3, 0
    with np.errstate(all="ignore"):
        outputs, bars = gradients(problem)
    assert not np.isfinite(outputs[-1]).any()
    assert not np.isfinite(bars["A"]).any()


def test_unknown_engines_are_refused(monkeypatch):
    monkeypatch.setenv(VARIABLE, "cuda")
    with pytest.raises(ValueError, match=r"SKLEARN_PLRNN_ENGINE='cuda'.*numpy, numba"):
        engine_name()


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_the_environment_chooses(name, monkeypatch):
    pytest.importorskip(name)
    monkeypatch.setenv(VARIABLE, name)
    assert engine_name() == name


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("n_sequences", [2, 30])
@pytest.mark.parametrize("n_components", [5, 20])
def test_rounding_does_not_carry_integrators_away(n_components, n_sequences, engine, monkeypatch):
    """A bias that undoes the mean of what is added must not be rounded by itself at each step."""
    pytest.importorskip(engine)
    monkeypatch.setenv(VARIABLE, engine)
    rng, T, M = np.random.default_rng(0), 10_000, n_components
    A, W, h = np.zeros(M), np.zeros((M, M)), np.zeros(M)
    A[0], W[0, 1:] = 1, 1e-3 / M
    C = rng.normal(size=(M, 2)) * (np.arange(M) > 0)[:, None]
    inputs = rng.normal(size=(T, n_sequences, 2))
    h[0] = -W[0] @ np.maximum(inputs @ C.T, 0).mean(axis=(0, 1))
    ends = []
    for dtype in (np.float32, np.float64):
        f = PiecewiseLinearMap(*(x.astype(dtype) for x in (A, W, h)))
        start = np.full((1, M), 0.7, dtype)
        ends.append(propagate(f, start, inputs.astype(dtype), C=C.astype(dtype))[-1, :, 0].copy())
    np.testing.assert_allclose(*ends, atol=2e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_sequences", [1, 40])
@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_fading_gradients_end_in_zero_not_in_subnormal_numbers(
    engine, n_sequences, dtype, monkeypatch
):
    """A processor takes a hundred times as long on those; all others stay as they are."""
    pytest.importorskip(engine)
    monkeypatch.setenv(VARIABLE, engine)
    A, W, h = np.full(3, 0.5, dtype), np.zeros((3, 3), dtype), np.ones(3, dtype)
    limits = np.finfo(dtype)
    n_timesteps = -2 * int(np.log2(limits.tiny))
    start = np.zeros((n_sequences, 3), dtype)
    run = Run(*run_arguments(PiecewiseLinearMap(A, W, h), start, n_timesteps=n_timesteps))
    outputs_bar = np.zeros_like(run.forward())
    outputs_bar[-1] = 1
    (stretch,) = run.backward(outputs_bar)
    drive_bar = stretch.pullback.drive[::-1, 0, 0]
    halved = 0.5 ** np.arange(n_timesteps, dtype=float)
    kept = drive_bar != 0
    assert np.all(drive_bar[kept] * limits.eps >= limits.tiny)
    assert np.all(kept[halved > np.sqrt(limits.tiny)])
    np.testing.assert_array_equal(drive_bar[kept], halved[kept])

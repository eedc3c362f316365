"""What the recurrence costs in training, free runs, threads, long windows and sensitivities.

    python benchmarks/recurrence.py [topic ...] [--seconds 4]

Medians of interleaved turns, as in ``gradient_step.py``; one thread unless two are named. Topics:

overhead        where the time of a training step goes: what is neither in compiled kernels nor in
                products for the gradients of weights is the loop's
simulation      free runs of 30 units, read out to 3; numpy runs a twentieth of the steps
threads         a gradient step on two threads against one, and whether every digit is the same
checkpointing   one gradient of a very long window
sensitivities   against the bare matrix products of the same sizes
length          time of a gradient step for each time step
"""

import argparse
import itertools
import os
import time
import tracemalloc
from collections import Counter
from contextlib import ExitStack
from functools import partial
from unittest import mock

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from gradient_step import medians, problem, products_with

from sklearn_plrnn._model.simulation import simulate
from sklearn_plrnn._recurrence import PiecewiseLinearMap, Workspace, primitive
from sklearn_plrnn._recurrence.engines import ENGINES, VARIABLE, engine, engine_name
from sklearn_plrnn._recurrence.sensitivities import (
    adjoint_sensitivities,
    forward_sensitivities,
    normal_equations,
)
from sklearn_plrnn._training import loop
from sklearn_plrnn._training.batches import SequenceBatches, Series
from sklearn_plrnn._training.checkpoint import StateFile
from sklearn_plrnn._training.optimizers import OPTIMIZERS, Average
from sklearn_plrnn._training.run import Run, Settings

DTYPES = (np.dtype("float32"), np.dtype("float64"))
STEPS_PER_EPOCH = 25


def print_table(title, header, rows):
    """Print as markdown; rows as soon as they are made."""
    print(f"\n{title}\n", flush=True)
    for cells in itertools.chain([header, ["---"] * len(header)], rows):
        cells = [f"{x:.3g}" if isinstance(x, float) else str(x).strip("()") for x in cells]
        print(f"| {' | '.join(cells)} |", flush=True)


def over(row, cases, *arguments):
    """Rows ``row(case, dtype, ...)`` of a table."""
    return (row(case, dtype, *arguments) for case in cases for dtype in DTYPES)


class Clock:
    """Seconds spent in functions, by label; what an inner one takes is part of the outer's."""

    def __init__(self):
        self.seconds = Counter()

    def timed(self, label, function):
        """`function`, observed."""

        def call(*args, **options):
            begin = time.perf_counter()
            result = function(*args, **options)
            self.seconds[label] += time.perf_counter() - begin
            return result

        return call

    def watch(self, stack, label, owner, name):
        """Observe an attribute until `stack` is closed."""
        observed = self.timed(label, getattr(owner, name))
        stack.enter_context(mock.patch.object(owner, name, observed))


def watched(stack):
    """A `Clock` on the parts of a training step."""
    from sklearn_plrnn._recurrence import kernels_dense, kernels_sparse

    clock = Clock()
    for kernels in (kernels_dense, kernels_sparse):
        for variants in (kernels.forward, kernels.adjoint):
            observed = {dtype: clock.timed("kernels", x) for dtype, x in variants.items()}
            stack.enter_context(mock.patch.dict(variants, observed))
    clock.watch(stack, "engine", engine(), "forward")
    clock.watch(stack, "engine", engine(), "adjoint")
    clock.watch(stack, "products", primitive, "weight_gradients")
    clock.watch(stack, "gathering", SequenceBatches, "_gather")
    return clock


def training(size, dtype):
    """Function that makes an epoch of Adam steps."""
    T, B, M = size
    objective, params, batch = problem(T, B * STEPS_PER_EPOCH, M, dtype)
    inputs, targets, weights = (x.swapaxes(0, 1).reshape(-1, x.shape[2]) for x in batch[:3])
    series = Series(inputs, np.full(B * STEPS_PER_EPOCH, T), targets, weights)
    data = SequenceBatches(series, B), None, Settings(max_grad_norm=1.0)
    run, rng = Run(objective, params, *data, None, StateFile(None), None), np.random.default_rng(0)
    run.rates = 1
    run.begin(rng)
    optimizer = OPTIMIZERS["adam"](run.vector.size, run.vector.dtype)
    return partial(loop._epoch, run, optimizer, Average(run.vector), 1e-4, rng)


def overhead(seconds):
    if engine_name() != "numba":
        return print("\noverhead: left out, for there is no numba")
    cases = [(size, dtype) for size in ((200, 16, 50), (100, 16, 20)) for dtype in DTYPES]
    with ExitStack() as stack:
        clock = watched(stack)
        epochs, end = [training(*case) for case in cases], time.perf_counter() + 4 * seconds
        found = [[] for _ in cases]
        while time.perf_counter() < end:
            for epoch, times in zip(epochs, found, strict=True):
                epoch()
                clock.seconds.clear()
                clock.timed("step", epoch)()
                times.append(Counter(clock.seconds))
    header = [
        "T, B, M",
        "precision",
        "step",
        "kernels",
        "weight gradients",
        "engine around kernels",
    ]
    header += ["gathering", "graph, penalty, optimizer", "overhead"]
    rows = [(*case, *shares_of(times)) for case, times in zip(cases, found, strict=True)]
    print_table("Training step, milliseconds", header, rows)


def shares_of(times):
    """Milliseconds of a step and of its parts, and the share of what is not compiled."""
    labels = ("step", "kernels", "products", "engine", "gathering")
    milliseconds = 1e3 / STEPS_PER_EPOCH * np.array([[x[label] for label in labels] for x in times])
    step, kernels, products, engine_, gathering = milliseconds.T
    rest = step - products - engine_ - gathering
    parts = (step, kernels, products, engine_ - kernels, gathering, rest)
    share = np.median(1 - (kernels + products) / step)
    return [*(float(np.median(x)) for x in parts), f"{share:.1%}"]


def simulation(seconds):
    cases = ((10**6, 1), (10**5, 10), (10**5, 100))
    rows = over(simulation_row, cases)
    print_table("Free run, seconds", ["steps, trajectories", "precision", *ENGINES], rows)


def simulation_row(case, dtype):
    rng, M = np.random.default_rng(0), 30
    A, W, h = rng.uniform(0.5, 0.9, M), rng.normal(0, 0.6 / np.sqrt(M), (M, M)), rng.normal(size=M)
    f = PiecewiseLinearMap(*(x.astype(dtype) for x in (A, W, h)))
    BT, start = np.eye(M, 3, dtype=dtype), np.zeros((case[1], M), dtype)

    def run(name, n_timesteps):
        os.environ[VARIABLE] = name
        return simulate(f, {}, lambda states: states @ BT, start, n_timesteps)

    shares = {"numpy": 20} | ({"numba": 1} if engine_name() == "numba" else {})
    found = medians({x: partial(run, x, case[0] // n) for x, n in shares.items()}, 0, n_turns=3)
    del os.environ[VARIABLE]
    return case, dtype, *(found[x] * n / 1e3 for x, n in shares.items())


def threads(seconds):
    header = ["T, B, M", "precision", "one thread", "two", "speed-up", "same digits"]
    rows = over(threads_row, ((300, 500, 40), (784, 200, 40)), seconds)
    print_table("Gradient step on two threads, milliseconds", header, rows)


def threads_row(size, dtype, seconds):
    objective, params, batch = problem(*size, dtype)
    steps = {n: partial(objective.buffered(n)[1], params, batch) for n in (1, 2)}
    one, two = steps[1]()[1], steps[2]()[1]
    same = all(np.array_equal(one[name], two[name]) for name in params)
    found = medians(steps, seconds)
    return size, dtype, *found.values(), found[1] / found[2], "yes" if same else "no"


def checkpointing(seconds):
    header = ["T, B, M", "precision", "all states, ms", "checkpoints, ms"]
    header += ["all states, MB", "checkpoints, MB", "relative difference of gradients"]
    rows = over(checkpointing_row, [(100_000, 1, 30)], seconds)
    print_table("Gradient of one very long window", header, rows)


def checkpointing_row(size, dtype, seconds):
    objective, params, batch = problem(*size, dtype)
    fresh = lambda on: objective._replace(checkpointing=on).buffered()[1]
    gradients = lambda on: fresh(on)(params, batch)[1]
    whole, parts = gradients(False), gradients(True)  # before memory is measured: this compiles
    peaks = [peak(partial(gradients, on)) for on in (False, True)]
    error = max(np.abs(whole[x] - parts[x]).max() / np.abs(whole[x]).max() for x in params)
    found = medians({on: partial(fresh(on), params, batch) for on in (False, True)}, seconds)
    return size, dtype, *found.values(), *peaks, f"{error:.1e}"


def peak(function):
    """Megabytes that were allocated at a time."""
    tracemalloc.start()
    function()
    at_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return at_peak / 1e6


def sensitivities(seconds):
    header = ["", "sizes", "precision", "ours", "bare products", "ratio"]
    rows = over(sensitivities_row, (adjoint, forward, normal), seconds)
    print_table("Sensitivities, milliseconds", header, rows)


def sensitivities_row(make, dtype, seconds):
    sizes, ours, bare = make(dtype)
    found = medians({"ours": ours, "bare": bare}, seconds)
    return make.__name__, sizes, dtype, *found.values(), found["ours"] / found["bare"]


def adjoint(dtype):
    """One functional of the outputs of each sequence."""
    T, B, M = 1000, 100, 40
    objective, params, batch = problem(T, B, M, dtype)
    f, readout = objective.cell.lower(params), objective.readout.linear(params)
    options = {"C": params["C"], "readout": readout, "workspace": Workspace()}
    functionals = lambda outputs: batch.targets[None]
    given = (functionals, f, params["initial_state"], batch.inputs)
    states, bars = np.ones((2, T, B, M), dtype)
    left, right = np.ones((2, B, T, M), dtype)
    products = products_with(params["W"])
    bare = lambda: (products(states, bars), np.matmul(left.swapaxes(1, 2), right))
    return f"T={T}, B={B}, M={M}", partial(adjoint_sensitivities, *given, **options), bare


def forward(dtype):
    """All outputs of short windows."""
    T, B, M, L = 30, 50, 3, 100
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(0, 0.1, shape).astype(dtype)
    f = PiecewiseLinearMap(draw(M), draw(M, L), draw(M), draw(L, M), draw(L))
    P = sum(x.size for x in f[:5])
    J, S, S_new = draw(B, M, M), draw(B, M, P), draw(B, M, P)

    def bare():
        for _ in range(T):
            np.matmul(J, S, out=S_new)

    options = {"n_timesteps": T, "workspace": Workspace()}
    return (
        f"T={T}, B={B}, M={M}, L={L}, P={P}",
        partial(forward_sensitivities, f, draw(B, M), **options),
        bare,
    )


def normal(dtype):
    """The equations of a batch of such windows."""
    n, P = 4500, 706
    rng = np.random.default_rng(0)
    J, r = rng.normal(size=(n, P)).astype(dtype), rng.normal(size=n).astype(dtype)
    return f"rows={n}, P={P}", lambda: normal_equations([(J, r)]), lambda: J.T @ J


def length(seconds):
    sizes = (1000, 10_000, 100_000)
    header = ["B, M", "precision", *(f"T = {T}" for T in sizes)]
    title = "Gradient step, microseconds for each time step"
    print_table(title, header, over(length_row, [(4, 30)], sizes, seconds))


def length_row(case, dtype, sizes, seconds):
    steps = {}
    for T in sizes:
        objective, params, batch = problem(T, *case, dtype)
        steps[T] = partial(objective.buffered()[1], params, batch)
    found = medians(steps, seconds)
    return case, dtype, *(1e3 * found[T] / T for T in sizes)


TOPICS = {
    topic.__name__: topic
    for topic in (overhead, simulation, threads, checkpointing, sensitivities, length)
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("topics", nargs="*", metavar="topic", help=", ".join(TOPICS))
    parser.add_argument("--seconds", type=float, default=4.0, help="for each row")
    options = parser.parse_args()
    for name in options.topics or TOPICS:
        TOPICS[name](options.seconds)


if __name__ == "__main__":
    main()

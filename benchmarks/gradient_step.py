"""Time of one full gradient step, ours and others', as medians of interleaved turns.

    python benchmarks/gradient_step.py [--sizes 200,16,50 ...] [--dtypes float32 float64] [--at-end]

For a PLRNN of M units on B sequences of T steps (3 inputs, 2 outputs, squared error at every step),
one thread. The *limit* are its matrix products alone: z W' and its transpose at every step, the
gradient of W in one product (called from compiled code where there is numba). Alternatives: a loop
over steps in autograd, in PyTorch (eager) and in JAX (jitted scan) with the same parameters and, as
is checked first, the same gradient; ``torch.nn.RNN`` and ``torch.nn.LSTM`` of as many units. Ours
includes the manifold-attractor penalty, the others have none. A turn is a few steps in a row, as in
training, the first of them untimed: it finds the caches full of what others have left. With
``--at-end`` only the last step has a target, and gradients of steps long before it fade, to numbers
that processors are slow on. What is not installed is left out.
"""

import argparse
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import autograd
import autograd.numpy as anp
import numpy as np

from sklearn_plrnn._model.cells import PLRNN
from sklearn_plrnn._model.objective import Batch, Objective
from sklearn_plrnn._model.readouts import READOUTS
from sklearn_plrnn._model.regularization import PENALTIES
from sklearn_plrnn._recurrence.engines import VARIABLE

SIZES = [
    (100, 16, 20),
    (200, 16, 50),
    (200, 16, 100),
    (1000, 1, 30),
    (300, 500, 40),
    (784, 200, 40),
]
K, N = 3, 2
TURN = 0.01  # seconds


def problem(T, B, M, dtype, at_end=False):
    """Objective, parameters and batch; with `at_end` a target at the last step alone."""
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(size=shape).astype(dtype)
    objective = Objective(
        PLRNN(M),
        READOUTS["affine"](M, N),
        PENALTIES["manifold-attractor"](1.0, np.arange(M // 2)),
        K,
    )
    params = objective.init(rng, dtype)
    params["W"] *= 0.5
    weights = np.full((T, B, 1), 1 / (T * B), dtype)
    if at_end:
        weights[:-1] = 0
    return objective, params, Batch(draw(T, B, K), draw(T, B, N), weights)


def ours(engine):
    def make(objective, params, batch):
        value_and_gradients = objective.buffered()[1]

        def step():
            os.environ[VARIABLE] = engine
            return value_and_gradients(params, batch)[1]

        if engine == "numba":
            import numba  # noqa: F401
        return step

    return make


def products_with(W):
    """Function of (states, bars), (T, B, M) each: z W' at every step, and z W back again."""
    WT = np.ascontiguousarray(W.T)

    def products(states, bars, W, WT, out):
        for t in range(len(states)):
            np.dot(states[t], WT, out)
        for t in range(len(states)):
            np.dot(bars[t], W, out)

    try:
        import numba

        products = numba.njit(products)
    except ImportError:
        pass
    return lambda states, bars: products(states, bars, W, WT, np.empty_like(states[0]))


def limit(objective, params, batch):
    T, B, M = len(batch.inputs), batch.inputs.shape[1], len(params["A"])
    products = products_with(params["W"])
    states, bars = np.ones((2, T, B, M), params["W"].dtype)

    def step():
        products(states, bars)
        return bars.reshape(-1, M).T @ states.reshape(-1, M)

    return step


def autograd_loop(objective, params, batch):
    inputs, targets, weights = batch[:3]
    T, B, _ = inputs.shape

    def loss(p):
        W = p["W"] * (1 - np.eye(len(p["W"]), dtype=p["W"].dtype))
        drive = anp.dot(inputs, p["C"].T) + p["h"]
        z, states = anp.zeros((B, 1), W.dtype) + p["initial_state"], []
        for t in range(T):
            z = p["A"] * z + anp.dot(anp.maximum(z, 0), W.T) + drive[t]
            states.append(z)
        outputs = anp.dot(anp.stack(states), p["B"].T) + p["b"]
        return anp.sum(weights * (outputs - targets) ** 2)

    gradient = autograd.grad(loss)
    return lambda: gradient(params)


def torch_loop(objective, params, batch):
    import torch

    torch.set_num_threads(1)
    inputs, targets, weights = map(torch.tensor, batch[:3])
    p = {name: torch.tensor(x, requires_grad=True) for name, x in params.items()}
    off_diagonal = 1 - torch.eye(len(params["A"]), dtype=inputs.dtype)

    def step():
        for x in p.values():
            x.grad = None
        WT = (p["W"] * off_diagonal).T
        drive = inputs @ p["C"].T + p["h"]
        z, states = p["initial_state"].expand(inputs.shape[1], -1), []
        for u in drive.unbind():  # the gradient of drive[t] would be as large as drive, T times
            z = torch.addcmul(torch.addmm(u, torch.relu(z), WT), p["A"], z)
            states.append(z)
        outputs = torch.stack(states) @ p["B"].T + p["b"]
        (weights * (outputs - targets) ** 2).sum().backward()
        return {name: x.grad.numpy() for name, x in p.items()}

    return step


def torch_module(kind, **options):
    def make(objective, params, batch):
        import torch

        torch.set_num_threads(1)
        inputs, targets, weights = map(torch.tensor, batch[:3])
        M = len(params["A"])
        network = getattr(torch.nn, kind)(K, M, **options).to(inputs.dtype)
        readout = torch.nn.Linear(M, N).to(inputs.dtype)

        def step():
            network.zero_grad()
            readout.zero_grad()
            outputs = readout(network(inputs)[0])
            (weights * (outputs - targets) ** 2).sum().backward()

        return step

    return make


def jax_scan(objective, params, batch):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    inputs, targets, weights = map(jnp.asarray, batch[:3])
    p = {name: jnp.asarray(x) for name, x in params.items()}
    off_diagonal = 1 - jnp.eye(len(params["A"]), dtype=inputs.dtype)

    def loss(p, inputs, targets, weights):
        WT = (p["W"] * off_diagonal).T
        drive = inputs @ p["C"].T + p["h"]

        def advance(z, u):
            z = p["A"] * z + jnp.maximum(z, 0) @ WT + u
            return z, z

        start = jnp.broadcast_to(p["initial_state"], (inputs.shape[1], len(p["A"])))
        outputs = jax.lax.scan(advance, start, drive)[1] @ p["B"].T + p["b"]
        return (weights * (outputs - targets) ** 2).sum()

    gradient = jax.jit(jax.grad(loss))
    return lambda: jax.block_until_ready(gradient(p, inputs, targets, weights))


CONTENDERS = {
    "limit": limit,
    "numba": ours("numba"),
    "numpy": ours("numpy"),
    "autograd loop": autograd_loop,
    "torch loop": torch_loop,
    "torch.nn.RNN": torch_module("RNN", nonlinearity="relu"),
    "torch.nn.LSTM": torch_module("LSTM"),
    "jax.jit(scan)": jax_scan,
}


def medians(steps, seconds, n_turns=7):
    """Milliseconds of each step; all take at least `n_turns` of `TURN` seconds or one step."""
    times = {name: [] for name in steps}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[next(iter(steps))]) < n_turns:
        for name, step in steps.items():
            step()
            begin, n_steps = time.perf_counter(), 0
            while n_steps == 0 or time.perf_counter() - begin < TURN:
                step()
                n_steps += 1
            times[name].append((time.perf_counter() - begin) / n_steps)
    return {name: 1e3 * float(np.median(x)) for name, x in times.items()}


def check_same_gradient(steps, params):
    """Without the penalty, which only ours has, and up to rounding."""
    unpenalized = [name for name in params if name not in ("A", "W", "h")]
    reference = steps["autograd loop"]()
    for name in ("numba", "numpy", "torch loop", "jax.jit(scan)"):
        gradients = steps[name]() if name in steps else reference
        for key in unpenalized if name in ("numba", "numpy") else params:
            scale = np.abs(reference[key]).max()
            tolerance = 1e4 * np.finfo(params["A"].dtype).eps
            np.testing.assert_allclose(gradients[key], reference[key], atol=tolerance * scale)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="T,B,M")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"])
    parser.add_argument("--at-end", action="store_true", help="a target at the last step alone")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each size and precision")
    options = parser.parse_args()
    print("milliseconds (times the limit)\n")
    print("| T, B, M | precision | " + " | ".join(CONTENDERS) + " |")
    print("|---" * (len(CONTENDERS) + 2) + "|")
    missing = set()
    for size in options.sizes:
        size = tuple(map(int, size.split(","))) if isinstance(size, str) else size
        for dtype in options.dtypes:
            objective, params, batch = problem(*size, np.dtype(dtype), options.at_end)
            steps = {}
            for name, make in CONTENDERS.items():
                try:
                    steps[name] = make(objective, params, batch)
                    steps[name]()
                except ImportError as error:
                    missing.add(f"{name}: {error}")
            check_same_gradient(steps, params)
            found = medians(steps, options.seconds)
            cells = [
                f"{found[name]:.2f} ({found[name] / found['limit']:.2f})" if name in found else "-"
                for name in CONTENDERS
            ]
            print(f"| {', '.join(map(str, size))} | {dtype} | {' | '.join(cells)} |", flush=True)
    for note in sorted(missing):
        print(f"\nleft out: {note}")


if __name__ == "__main__":
    main()

"""Search for fixed points and cycles against trying every pattern, and Lyapunov exponents.

    python benchmarks/analysis.py search shallow lyapunov [--models 10]

search: random PLRNNs of 10, 15 and 20 units, A uniform in +-0.9, W normal with standard deviation
g / sqrt(M), h standard normal; number of fixed points in all patterns (2^20 for 20 units) and of
those that the search finds from 1000 to 100 000 starts, and median seconds; the same for cycles of
order 2 and 3 of smaller models. shallow: the same for maps with 50 or 100 hidden units. lyapunov:
exponents of Lorenz-63, per unit of time, and fixed points, from models of 10 000 clean rows.
"""

import argparse
import os
import time
from functools import partial
from itertools import product

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.analysis import (
    PiecewiseLinearMap,
    cycles,
    fixed_points,
    kaplan_yorke_dimension,
    lyapunov_spectrum,
)
from sklearn_plrnn.datasets import make_lorenz63

STRENGTHS = 1.0, 2.0, 4.0  # g
N_STARTS = 1000, 10_000, 100_000
FIXED = np.array([[0, 0, 0], [72**0.5, 72**0.5, 27], [-(72**0.5), -(72**0.5), 27]])  # Lorenz-63
FITS = {
    "start alone": {"max_iter": 0},
    "shooting, 50 hidden units": {"solver": "gauss-newton", "n_hidden": 50, "max_iter": 15},
    "shooting, 100 hidden units": {"solver": "gauss-newton", "max_iter": 15},
}


def random_plrnn(M, g, rng):
    """A PLRNN with coupling of strength g."""
    W = rng.normal(0, g / np.sqrt(M), (M, M)) * (1 - np.eye(M))
    return PiecewiseLinearMap(rng.uniform(-0.9, 0.9, M), W, rng.normal(size=M))


def random_shallow(M, L, rng):
    """A shallow map with L kinks around the origin."""
    W, V = rng.normal(0, 3 / np.sqrt(L), (M, L)), rng.normal(0, 1 / np.sqrt(M), (L, M))
    A, h = rng.uniform(0.3, 0.9, M), rng.normal(size=M)
    return PiecewiseLinearMap(A, W, h, V, rng.normal(size=L))


def timed(task, *arguments, **options):
    """Result and seconds."""
    begin = time.perf_counter()
    return task(*arguments, **options), time.perf_counter() - begin


def compare(title, n_models, find, make, *arguments):
    """Print what is found from more and more starts, for models ``make(*arguments, rng)``."""
    n_found, seconds = np.zeros((2, n_models, 1 + len(N_STARTS)))
    options = [{"method": "exhaustive", "max_patterns": 2**21}]
    options += [{"method": "search", "n_starts": n} for n in N_STARTS]
    for seed in range(n_models):
        f = make(*arguments, np.random.default_rng(seed))
        for i, how in enumerate(options):
            found, seconds[seed, i] = timed(find, f, **how)
            n_found[seed, i] = len(found)
    times = np.median(seconds, axis=0)
    print(f"{title:22} {n_found[:, 0].sum():.0f} in {times[0]:.2f} s;", end=" ")
    for i, n_starts in enumerate(N_STARTS, 1):
        n_whole = np.sum(n_found[:, i] == n_found[:, 0])
        print(
            f"{n_starts} starts: {n_found[:, i].sum():.0f} in {times[i]:.2f} s, all of "
            f"{n_whole} of {n_models} models;",
            end=" ",
        )
    print(flush=True)


def search(n_models):
    """Fixed points and cycles of PLRNNs."""
    for M, g in product((10, 15, 20), STRENGTHS):
        compare(f"{M} units, g = {g:g}", n_models, fixed_points, random_plrnn, M, g)
    for M, order in ((6, 2), (8, 2), (4, 4)):
        find = partial(cycles, max_order=order, min_order=order)
        compare(f"{M} units, cycles of {order}", n_models, find, random_plrnn, M, 4.0)


def shallow(n_models):
    """Fixed points of shallow maps."""
    for M, L in ((2, 100), (3, 50), (3, 100)):
        title = f"shallow, M = {M}, L = {L}"
        compare(title, n_models, fixed_points, random_shallow, M, L)


def lyapunov(n_models):
    """Exponents of Lorenz-63, and how far fixed points of a model are from the true ones."""
    X = make_lorenz63(10_000, random_state=0)
    print(f"standard deviations {X.std(axis=0).round(2)}; exponents 0.906, 0, -14.57; D 2.062")
    for name, settings in FITS.items():
        for seed in range(min(n_models, 3)):
            model = DSReconstructor(random_state=seed, **settings).fit(X)
            exponents, seconds = timed(lyapunov_spectrum, model, 50_000, dt=0.01)
            points = fixed_points(model)
            rows = np.concatenate([point.observations for point in points])
            errors = np.linalg.norm(rows[:, None] - FIXED, axis=2).min(axis=0)
            print(
                f"{name}, seed {seed}: exponents {exponents.round(3)} in {seconds:.1f} s, "
                f"D {kaplan_yorke_dimension(exponents):.3f}; {len(points)} fixed points, "
                f"distance from origin, C+, C- {errors.round(2)}",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = {"search": search, "shallow": shallow, "lyapunov": lyapunov}
    parser.add_argument("what", nargs="*", choices=tasks, default=[*tasks])
    parser.add_argument("--models", type=int, default=10)
    arguments = parser.parse_args()
    for what in arguments.what:
        tasks[what](arguments.models)


if __name__ == "__main__":
    main()

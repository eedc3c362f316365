"""Search for fixed points and cycles against trying every pattern, and Lyapunov exponents.

    python benchmarks/analysis.py search shallow lyapunov [--models 10]

search: random PLRNNs of 12 to 40 units, A uniform in +-0.9, W normal with standard deviation
g / sqrt(M), h standard normal; number of fixed points in all patterns, solved one by one (2^20 for
20 units, too many for more), of those that `fixed_points` finds by default, and by a search from
1000 and 10 000 starts, and median seconds; the same for cycles of smaller models. shallow: the same
for maps with 30 to 100 hidden units. lyapunov: exponents of Lorenz-63, per unit of time, and fixed
points, from models of 30 000 clean rows, and of these with 1000 transients.
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
from sklearn_plrnn.analysis._pattern_search import _listed, _solve_all, distinct
from sklearn_plrnn.datasets import make_lorenz63

STRENGTHS = 1.0, 2.0, 4.0  # g
N_STARTS = 1000, 10_000
FIXED = np.array([[0, 0, 0], [72**0.5, 72**0.5, 27], [-(72**0.5), -(72**0.5), 27]])  # Lorenz-63
N_TRANSIENTS, TRANSIENT, AWAY = 1000, 30, 10.0  # their number, rows, distance of the first
FITS = {  # whether there are transients, settings
    "start alone": (False, {"max_iter": 0}),
    "50 hidden units": (False, {"solver": "gauss-newton", "n_hidden": 50, "max_iter": 20}),
    "100 hidden units": (False, {"solver": "gauss-newton", "max_iter": 20}),
    "50 and transients": (True, {"solver": "gauss-newton", "n_hidden": 50, "max_iter": 20}),
    "100 and transients": (True, {"solver": "gauss-newton", "max_iter": 20}),
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


def listed(f, order):
    """Orbits of all sequences of patterns that states can have."""
    return distinct(f, _solve_all(f, order, _listed(f, order)))


def compare(title, n_models, make, *arguments, order=1, can_list=True):
    """Print what is found, and how fast, in models ``make(*arguments, rng)``."""
    find = partial(cycles, max_order=order, min_order=order)
    ways = {"listed": partial(listed, order=order)} if can_list else {}
    ways |= {"default": find}
    ways |= {f"{n} starts": partial(find, method="search", n_starts=n) for n in N_STARTS}
    n_found, seconds, n_proved = np.zeros((len(ways), n_models)), np.zeros((len(ways), n_models)), 0
    for seed in range(n_models):
        f = make(*arguments, np.random.default_rng(seed))
        for i, (name, way) in enumerate(ways.items()):
            found, seconds[i, seed] = timed(way, f)
            n_found[i, seed] = len(found)
            n_proved += name == "default" and found.exhaustive
    most = n_found.max(axis=0)
    print(f"{title}: {most.sum():.0f} in {n_models} models, proved in {n_proved}", end="")
    for name, n, times in zip(ways, n_found, seconds, strict=True):
        missed = f"misses {(most - n).sum():.0f}, " if (n < most).any() else ""
        print(f"; {name} {missed}{np.median(times):.2f} s, at most {times.max():.2f}", end="")
    print(flush=True)


def search(n_models):
    """Fixed points and cycles of PLRNNs."""
    for M, g in product((12, 15, 20, 30, 40), STRENGTHS):
        compare(f"{M} units, g = {g:g}", n_models, random_plrnn, M, g, can_list=M <= 20)
    for M, order in ((6, 2), (8, 2), (10, 2), (4, 4), (10, 3)):
        title, can_list = f"{M} units, cycles of {order}", M * order <= 20
        compare(title, n_models, random_plrnn, M, 4.0, order=order, can_list=can_list)


def shallow(n_models):
    """Fixed points of shallow maps."""
    for M, L in ((2, 100), (3, 50), (3, 100), (10, 30)):
        title = f"shallow, M = {M}, L = {L}"
        compare(title, n_models, random_shallow, M, L, can_list=M <= 3)


def lyapunov(n_models):
    """Exponents of Lorenz-63, and how far fixed points of a model are from the true ones."""
    X = make_lorenz63(30_000, random_state=0)
    print(f"standard deviations {X.std(axis=0).round(2)}; exponents 0.906, 0, -14.57; D 2.062")
    rng = np.random.default_rng(0)
    starts = rng.choice(X, N_TRANSIENTS) + rng.normal(0, AWAY, (N_TRANSIENTS, 3))
    transients = [make_lorenz63(TRANSIENT, initial_state=z, transient=0) for z in starts]
    for name, (has_transients, settings) in FITS.items():
        for seed in range(min(n_models, 3)):
            model = DSReconstructor(random_state=seed, **settings)
            model.fit([X, *transients] if has_transients else X)
            start = model.transform(X[:100])[-1]
            exponents, seconds = timed(lyapunov_spectrum, model, 200_000, dt=0.01, start=start)
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

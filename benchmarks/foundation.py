"""Held-out figures of both estimators over seeds: median, worst and time of a fit.

    python benchmarks/foundation.py lorenz63 bursting addition memory [--seeds 0 1 2 3 4] [--jobs 2]

lorenz63, bursting: `DSReconstructor` on ``../shared/data/NAME.npz`` (skipped if absent). The fitted
model runs freely for 1.25 T steps from the first test row, the first quarter is dropped, and T rows
(30 bins, margin binning; spectrum smoothed over 20 frequencies) are compared with the test file.
addition: `RegularizedPLRNNRegressor` at T = 100 with the regularizer and its start, and without
both; share of 10 000 new sequences answered to within 0.04. memory: peak of one fit on a series of
10 000 rows.
"""

import argparse
import os
import resource
import time
import warnings
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from joblib import Parallel, delayed

from sklearn_plrnn import DSReconstructor, RegularizedPLRNNRegressor
from sklearn_plrnn.datasets import make_addition, make_lorenz63
from sklearn_plrnn.metrics import (
    power_spectrum_distance,
    prediction_error,
    state_space_divergence,
)

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SYSTEMS = {
    "lorenz63": {"solver": "adam"},
    "bursting": {
        "n_components": 20,
        "init": "random",
        "forcing": "sparse",
        "forcing_interval": 20,
        "sequence_length": 200,
        "learning_rate_init": 3e-3,
        "max_iter": 300,
    },
}
FILES = {"lorenz63": "lorenz63.npz", "bursting": "bursting_neuron.npz"}
ADDITION = {"solver": "adam", "max_iter": 100, "dtype": "float32"}
VARIANTS = {
    "rPLRNN": {"alpha": 5.0, "init": "identity"},
    "PLRNN": {"alpha": 0.0, "init": "random"},
}


def reconstruct(name, seed):
    """One fit of a system: figures on its test file."""
    with np.load(DATA / FILES[name]) as data:
        train, test = data["train"].astype(float), data["test"].astype(float)
    begin = time.perf_counter()
    model = DSReconstructor(random_state=seed, **SYSTEMS[name]).fit(train)
    seconds = time.perf_counter() - begin
    T = len(test)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        free = model.simulate(T + T // 4, x0=test[0])[T // 4 :]
    return {
        "D_stsp": state_space_divergence(test, free),
        "D_H": power_spectrum_distance(test, free),
        "PE(20)": prediction_error(model, test[:20_000]),
        "seconds": seconds,
    }


def add(variant, seed):
    """One fit of the addition problem: figures on new sequences."""
    X, y = make_addition(10_000, 100, random_state=seed)
    X_test, y_test = make_addition(10_000, 100, random_state=10_000 + seed)
    begin = time.perf_counter()
    model = RegularizedPLRNNRegressor(40, random_state=seed, **ADDITION, **VARIANTS[variant])
    model.fit(X, y)
    seconds = time.perf_counter() - begin
    error = np.abs(model.predict(X_test) - y_test)
    return {"P_correct": np.mean(error < 0.04), "MSE": np.mean(error**2), "seconds": seconds}


def peak_memory():
    """Peak memory of a process that fits each estimator to 10 000 rows, in MB."""
    X = make_lorenz63(10_000, random_state=0)
    DSReconstructor(max_iter=2, random_state=0).fit(X)
    RegularizedPLRNNRegressor(max_iter=2, random_state=0).fit(X[:-1], X[1:])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(title, settings, rows):
    """Print median, worst and the values of all seeds."""
    print(f"\n{title}: {settings}", flush=True)
    for figure in rows[0]:
        values = np.array([row[figure] for row in rows])
        worst = values.min() if figure == "P_correct" else values.max()
        each = "  ".join(f"{v:.3g}" for v in values)
        print(
            f"  {figure:10} median {np.median(values):.3g}  worst {worst:.3g}  | {each}", flush=True
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="+", choices=[*SYSTEMS, "addition", "memory"])
    parser.add_argument("--seeds", nargs="+", type=int, default=range(5))
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    run = lambda task, name: Parallel(arguments.jobs)(
        delayed(task)(name, seed) for seed in arguments.seeds
    )
    for what in arguments.what:
        if what == "memory":
            print(f"\nmemory: peak {peak_memory():.0f} MB", flush=True)
        elif what == "addition":
            for variant, settings in VARIANTS.items():
                table(f"addition T=100, {variant}", ADDITION | settings, run(add, variant))
        elif not (DATA / FILES[what]).exists():
            print(f"\n{what}: skipped, {FILES[what]} is not in ../shared/data")
        else:
            table(what, SYSTEMS[what] or "default settings", run(reconstruct, what))


if __name__ == "__main__":
    main()

"""How much of two cores a search makes use of, with loky and with Dask.

    python benchmarks/parallel_efficiency.py [--fits 16] [--epochs 30] [--repeats 3]

Grid search over alpha, four folds, addition of T = 100 steps (2000 sequences), Adam: one process,
two of loky, a Dask `LocalCluster` with two workers, in turns. Wall-clock seconds, with workers that
are there and have compiled what they need. In fits: time of fits and scores, as a share of what the
processes had. Efficiency: of medians, one process to twice the time of two. Load: of the machine
over the last minute, before each search; nothing else should run beside it.

Then what is paid once, a first small search for which workers start and import the package, and for
each task: tasks of nothing, with client, scheduler and workers on the two cores.
"""

import argparse
import os
import time
from contextlib import nullcontext
from functools import partial

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# As the user guide says: Dask's own value has its workers ask the system for memory at every step.
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**28))
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**25))

import numpy as np
from distributed import Client, LocalCluster
from joblib import Parallel, delayed, parallel_config
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_plrnn import RegularizedPLRNNRegressor
from sklearn_plrnn.datasets import make_addition

N_FOLDS, N_WORKERS, N_TASKS = 4, 2, 500


def search(n_fits, epochs, data):
    """A fitted search."""
    model = RegularizedPLRNNRegressor(20, solver="adam", max_iter=epochs, random_state=0)
    alphas = np.geomspace(10, 0.01, max(1, n_fits // N_FOLDS))
    return GridSearchCV(model, {"alpha": alphas}, cv=KFold(N_FOLDS), refit=False).fit(*data)


def seconds(function, *args):
    """Wall-clock time of a call, and what it returns."""
    begin = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - begin, result


def seconds_in_fits(search):
    """Time of all fits and scores, measured where they ran."""
    means = search.cv_results_["mean_fit_time"] + search.cv_results_["mean_score_time"]
    return N_FOLDS * means.sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    data = make_addition(2000, 100, random_state=0)
    search(N_FOLDS, 1, data)  # what has to be compiled is
    with LocalCluster(N_WORKERS, threads_per_worker=1, dashboard_address=None) as cluster:
        client = Client(cluster)
        ways = {
            "sequential": nullcontext,
            "loky": partial(parallel_config, "loky", n_jobs=N_WORKERS),
            "dask": partial(parallel_config, "dask", client=client),
        }
        start = {}
        for name, way in ways.items():
            with way():
                start[name], _ = seconds(search, N_FOLDS, 1, data)
        print("| repeat | way | seconds | in fits | load |")
        print("|---" * 5 + "|")
        spent = {name: [] for name in ways}
        for repeat in range(options.repeats):
            for name, way in ways.items():
                load = os.getloadavg()[0]
                with way():
                    wall, fitted = seconds(search, options.fits, options.epochs, data)
                spent[name].append(wall)
                in_fits = seconds_in_fits(fitted) / wall / (1 if way is nullcontext else N_WORKERS)
                print(
                    f"| {repeat} | {name} | {wall:.1f} | {in_fits:.3f} | {load:.1f} |", flush=True
                )
        print("\n| way | efficiency | first small search | seconds per task of nothing |")
        print("|---" * 4 + "|")
        for name in ("loky", "dask"):
            efficiency = np.median(spent["sequential"]) / np.median(spent[name]) / N_WORKERS
            with ways[name]():
                parallel = Parallel(batch_size=1)
                nothing, _ = seconds(parallel, (delayed(id)(data[0]) for _ in range(N_TASKS)))
            print(f"| {name} | {efficiency:.3f} | {start[name]:.1f} | {nothing / N_TASKS:.4f} |")
        client.close()


if __name__ == "__main__":
    main()

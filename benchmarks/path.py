"""Choosing alpha along a warm-started path against a grid search over the same strengths.

    python benchmarks/path.py [--epochs 10] [--sequences 2000] [--seeds 0 1 2]

Addition of T = 100 steps, five strengths, three folds, Adam, numbers of epochs and sequences as
given; both ways on one core, in turns. Processor time in seconds; R^2 of the chosen model on 2000
new sequences.
"""

import argparse
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_plrnn import RegularizedPLRNNRegressor, RegularizedPLRNNRegressorCV
from sklearn_plrnn.datasets import make_addition

ALPHAS = [100.0, 10.0, 1.0, 0.1, 0.01]
WAYS = ("path", "grid")


def searches(**parameters):
    """The two ways, unfitted."""
    plain = RegularizedPLRNNRegressor(**parameters)
    path = RegularizedPLRNNRegressorCV(alphas=ALPHAS, cv=KFold(3), **parameters)
    return path, GridSearchCV(plain, {"alpha": ALPHAS}, cv=KFold(3))


def measured(search, train, test):
    """Processor time, chosen alpha, its mean score over folds, and the score of the model."""
    begin = time.process_time()
    search.fit(*train)
    seconds = time.process_time() - begin
    alpha = getattr(search, "alpha_", None) or search.best_params_["alpha"]
    return seconds, alpha, search.best_score_, search.score(*test)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--seeds", nargs="+", type=int, default=range(3))
    options = parser.parse_args()
    for search in searches(max_iter=1, solver="adam"):  # what has to be compiled is
        search.fit(*make_addition(60, 100, random_state=0))
    print("| seed | way | seconds | alpha | R^2 over folds | R^2 on new sequences |")
    print("|---" * 6 + "|")
    seconds = {way: [] for way in WAYS}
    for seed in options.seeds:
        train, test = (
            make_addition(n, 100, random_state=s)
            for n, s in ((options.sequences, seed), (2000, seed + 1000))
        )
        both = searches(solver="adam", max_iter=options.epochs, random_state=seed)
        for way, search in zip(WAYS, both, strict=True):
            spent, alpha, in_folds, on_new = measured(search, train, test)
            seconds[way].append(spent)
            row = f"| {seed} | {way} | {spent:.1f} | {alpha:g} | {in_folds:.4f} | {on_new:.4f} |"
            print(row, flush=True)
    path, grid = (np.median(seconds[way]) for way in WAYS)
    print(f"\nratio of medians, grid to path: {grid / path:.2f}")


if __name__ == "__main__":
    main()

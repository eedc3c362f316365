"""How often intervals of forecasts hold what is measured.

    python benchmarks/forecast_intervals.py [--seeds 0 1 2]

`DSReconstructor` with 10 epochs of Adam on 6000 rows of Lorenz-63 with 1, 5 and 20 % noise, and 37
forecasts from new rows: share of what was measured there within intervals of 90 %, by lead.
"""

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.datasets import make_lorenz63

LEADS = ((0, 1), (1, 10), (10, 40), (40, 100))


def coverage(noise, seed):
    """Shares of measured values within the interval, for each range of leads."""
    X = make_lorenz63(8000, noise=noise, random_state=seed)
    model = DSReconstructor(solver="adam", max_iter=10, random_state=seed).fit(X[:6000])
    starts = range(6050, 7900, 50)
    future = np.stack([X[i : i + 100] for i in starts])
    past = [X[i - 50 : i] for i in starts]
    _, (low, high) = model.forecast(100, past, quantiles=[0.05, 0.95], random_state=seed)
    inside = (low <= future) & (future <= high)
    return [inside[:, begin:end].mean() for begin, end in LEADS]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=range(3))
    seeds = parser.parse_args().seeds
    print(
        "| noise | "
        + " | ".join(f"steps {b + 1} to {e}" if e > 1 else "step 1" for b, e in LEADS)
        + " |"
    )
    print("|---" * (len(LEADS) + 1) + "|")
    for noise in (0.01, 0.05, 0.2):
        shares = np.array([coverage(noise, seed) for seed in seeds]).T
        cells = [f"{np.median(x):.2f} ({x.min():.2f} to {x.max():.2f})" for x in shares]
        print(f"| {noise} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

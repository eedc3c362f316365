"""The paper's supervised benchmarks over sequence length: addition, multiplication, MNIST.

    python benchmarks/long_memory.py run [--tasks addition multiplication] [--lengths 100 300]
                                         [--models ours ...] [--seeds 0 1 ...] [--jobs 2] [--quick]
    python benchmarks/long_memory.py table      # of all runs so far, as markdown
    python benchmarks/long_memory.py figure     # doc/long_memory.png

Models: *ours* is `RegularizedPLRNNRegressor` with default settings but for the seed, *start* its
closed-form start alone, *gauss-newton* the same from the identity-like start. *adam* is the paper's
way (rPLRNN: alpha = 5, identity start, Adam), *adam-0* the same without the regularizer (iPLRNN),
*plain* and *plain-0* the two from a random start, *l2* the pull to zero instead. *RNN*, *iRNN*,
*npRNN*, *oRNN* and *LSTM* are PyTorch's networks of as many units (`baselines_torch.py`) on the
same sequences. First-order methods stop after the seconds that ``--budget`` gives them.

Every run is a file in benchmarks/results/long_memory; what is there is not run again. 10 000
training sequences (``--n-train``) and 5000 new ones for the test (2000 from T = 3000 on). With
``--noisy`` training targets have 5 % noise, a marker is lost or added in 5 % of the training
sequences, and all of them, those of the test too, are cut to lengths from T/2 to T. *MNIST*
(``--tasks mnist permuted``) is read from ``--mnist``, by default ../shared/data/mnist.npz, or
fetched by `sklearn.datasets.fetch_openml`; its models are *ours*, `RegularizedPLRNNClassifier` with
alpha = 5 for ``--epochs`` on all 60 000 digits, *ours-0* the same without the regularizer, and
*larger* with 128 units (18 000 parameters), *larger-64* the same in minibatches of 64, *shallow*
with 64 units and 128 hidden ones (17 000 parameters).
``--deformed`` adds that many copies of every digit to those to train on, each turned, stretched,
sheared and moved a little.
"""

import argparse
import os
import resource
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from joblib import Parallel, delayed
from scipy.ndimage import affine_transform
from stored_runs import grouped, once

from sklearn_plrnn import RegularizedPLRNNClassifier, RegularizedPLRNNRegressor
from sklearn_plrnn.datasets import make_addition, make_multiplication

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "long_memory"
MNIST = HERE.parents[1] / "shared" / "data" / "mnist.npz"
TASKS = {"addition": make_addition, "multiplication": make_multiplication}
LENGTHS = (100, 300, 1000, 3000, 10_000)
QUICK = (100, 300)
CORRECT = 0.04  # largest error of a correct answer
ADAM = {"solver": "adam", "learning_rate_init": 1e-3, "max_grad_norm": 3.0, "batch_size": 500}
MODELS = {
    "ours": {},
    "start": {"max_iter": 0},
    "gauss-newton": {"solver": "gauss-newton", "init": "identity"},
    "adam": ADAM | {"alpha": 5.0, "init": "identity"},
    "adam-0": ADAM | {"alpha": 0.0, "init": "identity"},
    "plain": ADAM | {"alpha": 5.0, "init": "random"},
    "plain-0": ADAM | {"alpha": 0.0, "init": "random"},
    "l2": ADAM | {"alpha": 5.0, "penalty": "l2", "init": "random"},
}
OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
BASELINES = ("RNN", "iRNN", "npRNN", "oRNN", "LSTM")
CLASSIFIERS = {
    "ours": {"alpha": 5.0, "learning_rate_init": 2e-3},
    "ours-0": {"alpha": 0.0, "learning_rate_init": 2e-3},
    "larger": {"alpha": 5.0, "learning_rate_init": 2e-3, "n_components": 128},
    "shallow": {
        "alpha": 5.0,
        "learning_rate_init": 2e-3,
        "batch_size": 64,
        "early_stopping": True,  # a look at all digits would be a quarter of an epoch
        "validation_fraction": 0.03,
        "max_grad_norm": 0.3,  # a rare digit that the network explodes on counts like any other
        "architecture": "shallow",
        "n_components": 64,
        "n_hidden": 128,
    },
}
CLASSIFIERS["larger-64"] = CLASSIFIERS["larger"] | {"learning_rate_init": 1.5e-3, "batch_size": 64}


def sequences(task, n, T, seed, noisy=False, training=True):
    """X, y in single precision; X a list of unequal lengths if `noisy`."""
    X, y = TASKS[task](n, T, noise=0.0, random_state=seed)
    X, y = X.astype(np.float32), y.astype(np.float32)
    if not noisy:
        return X, y
    rng = np.random.default_rng(seed)
    if training:
        y = y + rng.normal(0, 0.05 * y.std(), n).astype(np.float32)
        for i in np.flatnonzero(rng.random(n) < 0.05):
            marks = np.flatnonzero(X[i, :, 1])
            place = rng.choice(marks) if rng.random() < 0.5 else rng.integers(T // 2)
            X[i, place, 1] = 1 - X[i, place, 1]
    return [x[:k] for x, k in zip(X, rng.integers(T // 2, T + 1, n), strict=True)], y


def answer(task, T, model, seed, options):
    """Figures of one run on addition or multiplication."""
    X, y = sequences(task, options.n_train, T, seed, options.noisy)
    n_test = 5000 if T < 3000 else 2000
    begin = time.perf_counter()
    if model in BASELINES:
        from baselines_torch import fit_regressor

        fitted = fit_regressor(model, X, y, seconds=options.budget, seed=seed)
    else:
        fitted = RegularizedPLRNNRegressor(
            random_state=seed, n_jobs=options.threads, **_budgeted(MODELS[model], options, X)
        ).fit(X, y)
    seconds = time.perf_counter() - begin
    X_test, y_test = sequences(task, n_test, T, 100_000 + seed, options.noisy, training=False)
    error = fitted.predict(X_test) - y_test
    return {
        "P_correct": float(np.mean(np.abs(error) < CORRECT)),
        "MSE": float(np.mean(error.astype(float) ** 2)),
        "seconds": seconds,
        "n_iter": getattr(fitted, "n_iter_", None),
        "peak_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "data_MB": sum(map(np.size, X)) * X[0].itemsize / 2**20,
    }


def _budgeted(parameters, options, X):
    """As many epochs of a first-order method as the budget allows, from the time of a step."""
    if "batch_size" not in parameters:
        return parameters
    trial = RegularizedPLRNNRegressor(random_state=0, **parameters | {"max_iter": 2})
    y = np.linspace(0, 1, 1000, dtype=np.float32)
    trial.fit(X[:100], y[:100])  # kernels are compiled at the first fit
    begin = time.perf_counter()
    trial.fit(X[:1000], y)
    epoch = (time.perf_counter() - begin) / 2 * len(X) / 1000
    return parameters | {"max_iter": max(1, int(options.budget / epoch))}


def classify(task, T, model, seed, options):
    """Figures of one run on sequential MNIST, 784 steps of one pixel."""
    X, y, X_test, y_test = mnist(options.mnist, permuted=task == "permuted")
    rng = np.random.default_rng(seed)
    kept = rng.permutation(len(X))[: options.n_train if options.quick else len(X)]
    X, y = X[kept], y[kept]
    copies = [deformed(X, rng) for _ in range(options.deformed)]
    X, y = np.concatenate([X, *copies]), np.tile(y, 1 + options.deformed)
    begin = time.perf_counter()
    fitted = RegularizedPLRNNClassifier(
        random_state=seed,
        n_jobs=options.threads,
        max_iter=options.epochs,
        verbose=options.verbose,
        **CLASSIFIERS[model],
    ).fit(X, y)
    seconds = time.perf_counter() - begin
    log_p = fitted.predict_log_proba(X_test)[np.arange(len(y_test)), y_test]
    accuracy = fitted.score(X_test, y_test)
    n_parameters = sum(np.size(getattr(fitted, f"{name}_")) for name in fitted.parameter_names_)
    return {
        "accuracy": float(accuracy),
        "cross-entropy": float(-log_p.mean(dtype=float)),
        "seconds": seconds,
        "n_iter": fitted.n_iter_,
        "parameters": int(n_parameters),
    }


def mnist(path, permuted):
    """Pixels as rows of a sequence, standardized as in the paper; digits as integers."""
    if Path(path).exists():
        with np.load(path) as data:
            parts = [data[name] for name in ("X_train", "y_train", "X_test", "y_test")]
    else:
        from sklearn.datasets import fetch_openml

        X, y = fetch_openml("mnist_784", return_X_y=True, as_frame=False)
        parts = [X[:60_000], y[:60_000], X[60_000:], y[60_000:]]
    order = np.random.default_rng(0).permutation(784) if permuted else slice(None)
    pixels = [(X.reshape(-1, 784)[:, order] / 255.0 - 0.1307) / 0.3081 for X in parts[::2]]
    X, X_test = (x.astype(np.float32) for x in pixels)
    return X, parts[1].astype(int), X_test, parts[3].astype(int)


def deformed(X, rng):
    """Every image turned by up to 10 degrees, each axis stretched or sheared by up to a tenth and
    moved by up to a pixel."""
    turns = rng.uniform(-np.pi / 18, np.pi / 18, len(X))
    turned = np.stack([np.cos(turns), -np.sin(turns), np.sin(turns), np.cos(turns)], axis=1)
    maps = turned.reshape(-1, 2, 2) @ (np.eye(2) + rng.uniform(-0.1, 0.1, (len(X), 2, 2)))
    centre = np.full(2, 13.5)
    corners = centre - maps @ centre + rng.uniform(-1, 1, (len(X), 2))
    images, background = X.reshape(-1, 28, 28), X.min()
    return np.stack(
        [
            affine_transform(image, turn, corner, order=1, cval=background)
            for image, turn, corner in zip(images, maps, corners, strict=True)
        ]
    ).reshape(X.shape)


def run_one(task, T, model, seed, options):
    """Run unless its file is there."""
    variant = "-noisy" if options.noisy else "-deformed" if options.deformed else ""
    once(
        RESULTS / f"{task}{variant}-{T}-{model}-{seed}.json",
        answer if task in TASKS else classify,
        (task, T, model, seed, options),
        {"task": task + variant, "T": T, "model": model, "seed": seed},
    )


def results():
    """All runs so far, by (task, T, model)."""
    return grouped(RESULTS, "task", "T", "model")


def table():
    """Markdown: median (mean; worst) over seeds."""
    print("| task | T | model | seeds | P_correct or accuracy | MSE or cross-entropy | seconds |")
    print("|---|---|---|---|---|---|---|")
    for (task, T, model), runs in results().items():
        of = lambda *names, runs=runs: np.array([next(r[k] for k in names if k in r) for r in runs])
        right, error = of("P_correct", "accuracy"), of("MSE", "cross-entropy")
        shares = f"{np.median(right):.3f} ({right.mean():.3f}; {right.min():.3f})"
        errors = f"{np.median(error):.1e} ({error.mean():.1e}; {error.max():.1e})"
        seconds = f"{np.median(of('seconds')):.0f}"
        print(f"| {task} | {T} | {model} | {len(runs)} | {shares} | {errors} | {seconds} |")


def figure():
    """P_correct over T for every model, one panel for each task."""
    import matplotlib.pyplot as plt

    groups = {key: runs for key, runs in results().items() if key[0] in TASKS}
    shown = [model for model in (*MODELS, *BASELINES) if any(key[2] == model for key in groups)]
    fig, axes = plt.subplots(1, len(TASKS), figsize=(8, 3.2), sharey=True)
    for ax, task in zip(axes, TASKS, strict=True):
        for model in reversed(shown):  # ours on top
            found = {T: runs for (t, T, m), runs in groups.items() if (t, m) == (task, model)}
            shares = [np.median([r["P_correct"] for r in runs]) for runs in found.values()]
            ax.semilogx(list(found), shares, label=model, ms=5, **_style(model))
        ax.set(title=task, xlabel="T", ylim=(0, 1.03))
    axes[0].set_ylabel("share of correct answers")
    handles, labels = axes[0].get_legend_handles_labels()
    axes[-1].legend(
        handles[::-1], labels[::-1], frameon=False, loc="center left", bbox_to_anchor=(1, 0.5)
    )
    fig.savefig(HERE.parent / "doc" / "long_memory.png", dpi=150, bbox_inches="tight")


def _style(model):
    """Of a line: the same in every panel, told apart without colour, too."""
    if model == "ours":
        return {"color": "black", "marker": "o", "lw": 2.5}
    i = (*MODELS, *BASELINES).index(model)
    marker, color = "ovs^Dv<>pPX*h"[i], OKABE_ITO[i % len(OKABE_ITO)]
    return {"color": color, "marker": marker, "lw": 1.2, "ls": "--" if model in BASELINES else "-"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", default="run", choices=["run", "table", "figure"])
    parser.add_argument(
        "--tasks", nargs="+", default=list(TASKS), choices=[*TASKS, "mnist", "permuted"]
    )
    parser.add_argument("--lengths", nargs="+", type=int)
    parser.add_argument("--models", nargs="+", default=["ours"])
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(10)))
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--threads", type=int, default=2, help="of one run")
    parser.add_argument("--n-train", type=int, default=10_000)
    parser.add_argument(
        "--budget", type=float, default=300.0, help="seconds of first-order methods"
    )
    parser.add_argument("--epochs", type=int, default=100, help="on MNIST")
    parser.add_argument("--deformed", type=int, default=0, help="copies of each of MNIST's digits")
    parser.add_argument("--mnist", default=str(MNIST))
    parser.add_argument("--verbose", action="store_true", help="show the progress on MNIST")
    parser.add_argument("--noisy", action="store_true")
    parser.add_argument("--quick", action="store_true", help="short sequences, three seeds")
    options = parser.parse_args()
    if options.deformed and options.tasks != ["mnist"]:
        parser.error("--deformed is for --tasks mnist: other sequences are not images")
    if options.what != "run":
        return {"table": table, "figure": figure}[options.what]()
    lengths = options.lengths or (QUICK if options.quick else LENGTHS)
    seeds = options.seeds[:3] if options.quick else options.seeds
    plan = [
        (task, T, model, seed)
        for task in options.tasks
        for T in (lengths if task in TASKS else (784,))
        for model in options.models
        for seed in seeds
    ]
    Parallel(options.jobs)(delayed(run_one)(*one, options) for one in plan)
    table()


if __name__ == "__main__":
    main()

"""Reconstruction of dynamical systems: geometry, spectrum, forecasts, Lyapunov exponents.

    python benchmarks/reconstruction.py run [--systems lorenz63 ...] [--models shallow ESN ...]
                                            [--seeds 0 1 ...] [--jobs 2] [--quick]
    python benchmarks/reconstruction.py table          # of all runs so far, as markdown
    python benchmarks/reconstruction.py study [--alphas 0 0.1 ...] [--init random]
                                              [--seeds 0 1 ...] [--jobs 2]
    python benchmarks/reconstruction.py study-table

Models: one `DSReconstructor` for each architecture, with default settings but for the seed, and the
shallow one with Adam (``CONFIGURATIONS``), of a single variable in three delays; the peers of
`reconstruction_peers.py` (ESN, SINDy, shPLRNN, VAR, Gaussian) on the same series; *floor*, an
independent noise-free trajectory of the system, as long as the test.

Systems: *lorenz63*, *lorenz63-noisy*, *bursting* and *eeg* (its test is its training series) are
train and test of the files in ``--data``; *lorenz63-x* is the first variable of lorenz63 alone,
compared in three delays of 10 steps; *lorenz63-short* (1000 rows), *lorenz63-coarse* (10 000, 0.2
units of time apart instead of 0.01), *henon* (the map, 10 000), *henon-ring* (four of them,
coupled), *lorenz96-10* and *lorenz96-20* (100 000) are simulated, trained on with 5 % noise,
another series for each seed; *bursting-paper* is one of three noisy series of 1501 rows (seed
modulo 3), and its test the noise-free solution.

A model runs freely for 1.25 T steps from the first test row (a peer with memory from the first rows
it needs), what came before the last T is dropped, and the T rows of the test are compared: D_stsp
with 30 bins and margin, or, for more than 5 variables, Gaussian mixtures; D_H of spectra smoothed
over 20 frequencies; PE(20) is the mean squared error 20 steps ahead, in variances. A run has
*diverged* if it went further from the mean of the test than ten times its range. Seconds are of one
fit. Exponents are the largest of Lyapunov's, per unit of the system's time.

The study is of the regularizer under back-propagation through time: a plain PLRNN on the series of
bursting-paper over strengths alpha, from a random or an identity-like start. *low* and *high* are
D_H of frequencies below and above one in 30 steps, between bursts and spikes; squares add up, for
each variable, to that of all, with spectra smoothed over 2 frequencies only.

Every run is a file in benchmarks/results; what is there is not run again.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from joblib import Memory, Parallel, delayed
from reconstruction_peers import LAG, PEERS
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import least_squares
from stored_runs import grouped, once

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.analysis import lyapunov_spectrum
from sklearn_plrnn.datasets import make_bursting_neuron, make_lorenz63, make_lorenz96
from sklearn_plrnn.metrics import (
    power_spectrum_distance,
    prediction_error,
    state_space_divergence,
)

HERE = Path(__file__).resolve().parent
RESULTS, STUDY_RESULTS = (HERE / "results" / name for name in ("reconstruction", "regularization"))
DATA = HERE.parents[1] / "shared" / "data"
HORIZON = 20
QUICK_BUDGET = 10.0  # seconds
RUNAWAY = 10.0  # times the range of the test
N_STARTS = 500  # of a peer's forecasts
N_FORECAST = 20_000  # rows of the test that forecasts are judged on
N_EXPONENT = 20_000  # steps


class System(NamedTuple):
    """A system, how it is observed, and what is known about it."""

    make: Callable | None  # None if nobody knows
    file: str | None = None
    dt: float = 1.0  # time between rows
    exponent: float = np.nan  # largest Lyapunov exponent, per unit of time
    n_variables: int | None = None  # observed, None for all
    n_train: int = 100_000
    quick: int = 20_000  # rows, of train and test


def henon(n, random_state, n_maps=1, coupling=0.0):
    """Rows of maps of Hénon in a ring, 1000 steps from a start that is drawn."""
    rows = np.empty((1000 + n, 2, n_maps))
    rows[0] = np.random.default_rng(random_state).uniform(-0.1, 0.1, (2, n_maps))
    for t in range(1, len(rows)):
        x, y = rows[t - 1]
        beside = (np.roll(x, 1) + np.roll(x, -1)) / 2
        rows[t] = 1 - 1.4 * ((1 - coupling) * x + coupling * beside) ** 2 + y, 0.3 * x
    return rows[1000:].reshape(n, -1)


# Exponents of Lorenz-96 are means over 200 tangent vectors of 140 units of time, +-0.01, that
# of the ring of maps one over four runs of 100 000 steps, +-0.002.
LORENZ63 = System(make_lorenz63, dt=0.01, exponent=0.906)
LORENZ96 = System(None, dt=0.04)
SYSTEMS = {
    "lorenz63": LORENZ63._replace(file="lorenz63.npz"),
    "lorenz63-noisy": LORENZ63._replace(file="lorenz63_noisy.npz"),
    "lorenz63-short": LORENZ63._replace(n_train=1000),
    "lorenz63-coarse": LORENZ63._replace(
        make=partial(make_lorenz63, dt=0.2), dt=0.2, n_train=10_000
    ),
    "henon": System(henon, exponent=0.419, n_train=10_000),
    "henon-ring": System(partial(henon, n_maps=4, coupling=0.1), exponent=0.293, n_train=10_000),
    "lorenz63-x": LORENZ63._replace(file="lorenz63.npz", n_variables=1),
    "lorenz96-10": LORENZ96._replace(make=partial(make_lorenz96, n_variables=10), exponent=1.19),
    "lorenz96-20": LORENZ96._replace(make=partial(make_lorenz96, n_variables=20), exponent=1.55),
    "bursting": System(make_bursting_neuron, "bursting_neuron.npz", dt=0.5, exponent=0.0),
    "bursting-paper": System(
        make_bursting_neuron, "bursting_neuron_paper.npz", dt=0.5, exponent=0.0
    ),
    "eeg": System(None, "eeg.npz"),
}
N_TEST, NOISE = 100_000, 0.05  # of the systems that are simulated
CONFIGURATIONS = {
    "plrnn": {"architecture": "plrnn"},
    "shallow": {"architecture": "shallow"},
    "shallow-adam": {"architecture": "shallow", "solver": "adam"},
    "clipped-shallow": {"architecture": "clipped-shallow"},
    "almost-linear": {"architecture": "almost-linear"},
}
DELAYS = {"lorenz63-x": 3}  # where a row does not hold the state
MODELS = (*CONFIGURATIONS, *PEERS, "floor")
ALPHAS = (0.0, 0.01, 0.1, 1.0, 10.0, 100.0)
STUDY = {
    "architecture": "plrnn",
    "n_components": 18,
    "solver": "adam",
    "sequence_length": 300,  # one burst
    "learning_rate_init": 3e-3,
    "max_iter": 100,
    "forcing_strength": 0.1,
    "l2": 0.0,  # the penalty that is studied is the only one
}
SLOW = 1 / 30  # cycles per step; a burst takes about 300 steps, a spike about 10
STUDY_SIGMA = 2.0  # 1501 rows hold five bursts: 20 frequencies would smear them out
cached = Memory(HERE / "results" / "cache", verbose=0).cache


@cached
def simulated(name, n, seed, folder):
    """Noise-free rows of a system, in the units of its file or, without one, its own."""
    system = SYSTEMS[name]
    rows = system.make(n, random_state=seed)
    if system.file is not None:
        mean, scale = units(name, folder)
        rows = (rows - mean) / scale
    return rows[:, : system.n_variables]


@cached
def units(name, folder):
    """Mean and scale with which the test of a file was standardized.

    They are those in which short simulations from its rows go on as it does. Another sample has
    others, enough to shift a thin attractor out of its bins.
    """
    make = SYSTEMS[name].make
    with np.load(Path(folder) / SYSTEMS[name].file) as data:
        test = data["test"].astype(float)
    pieces = test[np.linspace(0, len(test) - 51, 8).astype(int)[:, None] + np.arange(50)]

    def missed(moments):
        mean, scale = moments.reshape(2, -1)
        runs = [make(50, transient=0, initial_state=mean + scale * x[0]) for x in pieces]
        return ((np.stack(runs) - mean) / scale - pieces).ravel()

    rows = make(20_000, random_state=0)
    guess = np.concatenate([rows.mean(axis=0), rows.std(axis=0)])
    return least_squares(missed, guess, x_scale="jac").x.reshape(2, -1)


def series(name, seed, options):
    """Training and test series."""
    system = SYSTEMS[name]
    if name == "bursting-paper":
        return paper_series(options.data, seed)[:2]
    if system.file is None:
        train = simulated(name, system.n_train, 1 + seed, options.data)
        test = simulated(name, N_TEST, 0, options.data)
        noise = np.random.default_rng(seed).normal(0, NOISE, train.shape)
        train = train + noise * test.std(axis=0)
    else:
        with np.load(Path(options.data) / system.file) as data:
            train, test = (
                data[part][:, : system.n_variables].astype(float) for part in ("train", "test")
            )
    n = system.quick if options.quick else None
    return train[:n], test[:n]


def paper_series(folder, seed):
    """A noisy series, its noise-free solution, and how that goes on.

    The solution is where on its limit cycle the simulated system has the voltage (noise variance
    0.002) that is most like the measured one; mean and scale are those of the measured series,
    which was standardized with its noise.
    """
    with np.load(Path(folder) / SYSTEMS["bursting-paper"].file) as data:
        noisy = data[f"series{1 + seed % 3}"].astype(float)
    T, orbit = len(noisy), make_bursting_neuron(6000, random_state=0)
    windows = np.lib.stride_tricks.sliding_window_view(orbit[: 3000 + T, 0], T)
    begin = np.argmax([np.corrcoef(window, noisy[:, 0])[0, 1] for window in windows])
    lines = np.array(
        [np.polyfit(x, y, 1) for x, y in zip(orbit[begin:][:T].T, noisy.T, strict=True)]
    )
    orbit = orbit * lines[:, 0] + lines[:, 1]
    return noisy, orbit[begin : begin + T], orbit[begin + T : begin + 2 * T]


def ours(name, configuration, train, test, seed, options):
    """Figures of a reconstruction and its free run, the transient included."""
    parameters = CONFIGURATIONS[configuration] | {"delay_embedding": DELAYS.get(name, 1)}
    model = DSReconstructor(random_state=seed, n_jobs=options.threads, **parameters)
    begin = time.perf_counter()
    model.fit(train)
    found = {
        "seconds": time.perf_counter() - begin,
        "parameters": sum(np.size(getattr(model, f"{p}_")) for p in model.parameter_names_),
        "PE(20)": prediction_error(model, test[:N_FORECAST], n=HORIZON),
        "exponent": exponent(model, test) / SYSTEMS[name].dt,
        "solver": model.solver_,
    }
    return found, model.simulate(len(test) * 5 // 4, x0=test[0])


def exponent(model, test):
    """Largest Lyapunov exponent per step, NaN for a run that does not stay finite."""
    start = model.transform(test[:1])[0]
    options = {"start": start, "transient": N_EXPONENT // 4, "n_exponents": 1}
    try:
        return float(lyapunov_spectrum(model, N_EXPONENT, **options)[0])
    except ValueError:
        return np.nan


def theirs(name, kind, train, test, seed, options):
    """The same of a peer."""
    begin = time.perf_counter()
    peer = PEERS[kind](seed, options.budget).fit(train)
    found = {"seconds": time.perf_counter() - begin, "parameters": peer.n_parameters_}
    first, judged = test[: peer.context], test[:N_FORECAST]
    now = np.random.default_rng(0).integers(peer.context, len(judged) - HORIZON, N_STARTS)
    rows = judged[now[:, None] - np.arange(peer.context - 1, -1, -1)]
    error = peer.simulate(HORIZON, rows, quiet=True)[:, -1] - judged[now + HORIZON]
    found["PE(20)"] = float(np.nan_to_num(np.mean(error**2 / judged.var(axis=0)), nan=np.inf))
    found["exponent"] = peer.exponent(first, N_EXPONENT) / SYSTEMS[name].dt
    return found, peer.simulate(len(test) * 5 // 4, first)


def truth(name, kind, train, test, seed, options):
    """An independent trajectory in place of a free run, or, of the paper's series, its future."""
    if name == "bursting-paper":
        return {}, paper_series(options.data, seed)[2]
    return {}, simulated(name, N_TEST, 100_000 + seed, options.data)[: len(test)]


def compare(test, free):
    """Geometry and spectrum of a free run, its transient still before it."""
    free = free[-len(test) :]
    with np.errstate(invalid="ignore"):
        inside = np.abs(free - test.mean(axis=0)) <= RUNAWAY * np.ptp(test, axis=0)
    pair = test, free
    if test.shape[1] == 1:
        delays = lambda x: np.concatenate([x[2 * LAG :], x[LAG:-LAG], x[: -2 * LAG]], axis=1)
        pair = delays(test), delays(free)
    return {
        "D_stsp": state_space_divergence(*pair),
        "D_H": power_spectrum_distance(test, free),
        "diverged": not bool(inside.all()),
    }


def run_one(name, model, seed, options):
    """Figures of one model on one system."""
    train, test = series(name, seed, options)
    kind = ours if model in CONFIGURATIONS else truth if model == "floor" else theirs
    found, free = kind(name, model, train, test, seed, options)
    return found | compare(test, free)


def study_one(init, alpha, seed, options):
    """Figures of one strength of the regularizer."""
    noisy, clean, _ = paper_series(options.data, seed)
    begin = time.perf_counter()
    model = DSReconstructor(alpha=alpha, init=init, random_state=seed, **STUDY).fit(noisy)
    seconds = time.perf_counter() - begin
    free = model.simulate(len(clean) * 5 // 4, x0=clean[0])
    low, high = split_distance(clean, free[-len(clean) :])
    return compare(clean, free) | {"low": low, "high": high, "seconds": seconds}


def split_distance(X, Y):
    """Hellinger distance of spectra below and above `SLOW`, averaged over variables."""
    if not np.isfinite(Y).all() or (Y.std(axis=0) == 0).any():
        return 1.0, 1.0
    roots = []
    for x in (X, Y):
        power = np.abs(np.fft.rfft((x - x.mean(axis=0)) / x.std(axis=0), axis=0)) ** 2
        power = gaussian_filter1d(power, STUDY_SIGMA, axis=0)
        roots.append(np.sqrt(power / power.sum(axis=0)))
    squares = (roots[0] - roots[1]) ** 2 / 2
    slow = np.fft.rfftfreq(len(X)) < SLOW
    return tuple(float(np.sqrt(squares[part].sum(axis=0)).mean()) for part in (slow, ~slow))


def figures(runs, name, form=".3g"):
    """Median and worst over runs, blank where there are none."""
    values = np.array([run[name] for run in runs if run.get(name) is not None])
    return f"{np.median(values):{form}} ({values.max():{form}})" if len(values) else ""


def table():
    """Markdown: median (worst) over seeds."""
    print(
        "| system | model | seeds | D_stsp | D_H | PE(20) | exponent, true | exponent, model |",
        end="",
    )
    print(" seconds | parameters | diverged |")
    print("|" + "---|" * 11)
    found, base = grouped(RESULTS, "system", "model"), lambda name: name.removesuffix("-quick")
    place = lambda key: (list(SYSTEMS).index(base(key[0])), key[0], MODELS.index(key[1]))
    for system, model in sorted(found, key=place):
        runs, known = found[system, model], SYSTEMS[base(system)].exponent
        cells = [figures(runs, name) for name in ("D_stsp", "D_H", "PE(20)")]
        cells += ["", ""]
        if np.isfinite(known):
            exponents = [
                run["exponent"] for run in runs if np.isfinite(run.get("exponent", np.nan))
            ]
            cells[-2:] = f"{known:.3g}", f"{np.median(exponents):.3g}" if exponents else ""
        cells.append(figures(runs, "seconds", ".0f"))
        counts = [run["parameters"] for run in runs if "parameters" in run]
        cells.append(f"{np.median(counts):.0f}" if counts else "")
        cells.append(f"{sum(run['diverged'] for run in runs)} of {len(runs)}")
        print(f"| {system} | {model} | {len(runs)} | " + " | ".join(cells) + " |")


def study_table():
    """Markdown: mean, median and best over seeds, the paper's Figure 3."""
    print(f"{STUDY}\n")
    print("| start | alpha | seeds | D_stsp: mean, median, best | D_H | low | high | diverged |")
    print("|" + "---|" * 8)
    for (init, alpha), runs in grouped(STUDY_RESULTS, "init", "alpha").items():
        divergences = np.array([run["D_stsp"] for run in runs])
        of = divergences.mean(), np.median(divergences), divergences.min()
        numbers = [", ".join(f"{value:.2f}" for value in of)]
        numbers += [figures(runs, name) for name in ("D_H", "low", "high")]
        numbers.append(f"{sum(run['diverged'] for run in runs)} of {len(runs)}")
        print(f"| {init} | {alpha:g} | {len(runs)} | " + " | ".join(numbers) + " |")


def absent(name, model, options):
    """Why there is nothing to run, or None."""
    system = SYSTEMS[name]
    if system.file is not None and not (Path(options.data) / system.file).exists():
        return f"{name}: skipped, {system.file} is not in {options.data}"
    if model == "floor" and system.make is None:
        return f"{name}: no floor, the system is not known"
    return None


def run(options):
    """All models on all systems over seeds."""
    names = ["lorenz63"] if options.quick else options.systems
    pairs = [(name, model) for name in names for model in options.models]
    reasons = [absent(*pair, options) for pair in pairs]
    for reason in dict.fromkeys(filter(None, reasons)):
        print(reason, flush=True)
    quick = "-quick" if options.quick else ""
    options.budget = min(options.budget, QUICK_BUDGET) if options.quick else options.budget
    seeds = (options.seeds or range(5))[: 2 if options.quick else None]
    plan = [
        (*pair, seed) for pair, r in zip(pairs, reasons, strict=True) if r is None for seed in seeds
    ]
    Parallel(options.jobs)(
        delayed(once)(
            RESULTS / f"{name}{quick}-{model}-{seed}.json",
            run_one,
            (name, model, seed, options),
            {"system": name + quick, "model": model, "seed": seed},
        )
        for name, model, seed in plan
    )
    table()


def study(options):
    """All strengths of the regularizer over seeds."""
    reason = absent("bursting-paper", None, options)
    if reason is not None:
        return print(reason)
    Parallel(options.jobs)(
        delayed(once)(
            STUDY_RESULTS / f"{options.init}-{alpha:g}-{seed}.json",
            study_one,
            (options.init, alpha, seed, options),
            {"init": options.init, "alpha": alpha, "seed": seed},
        )
        for seed in options.seeds or range(10)
        for alpha in options.alphas
    )
    study_table()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choices = ["run", "table", "study", "study-table"]
    parser.add_argument("what", nargs="?", default="run", choices=choices)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--alphas", nargs="+", type=float, default=list(ALPHAS))
    parser.add_argument("--init", default="random", choices=["random", "identity"], help="in study")
    parser.add_argument("--seeds", nargs="+", type=int, help="0 to 4, in the study 0 to 9")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--threads", type=int, default=1, help="of one run")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of PyTorch's shPLRNN")
    parser.add_argument("--data", default=str(DATA))
    parser.add_argument("--quick", action="store_true", help="lorenz63, shorter, two seeds")
    options = parser.parse_args()
    tasks = {"run": run, "study": study}
    if options.what in tasks:
        return tasks[options.what](options)
    return {"table": table, "study-table": study_table}[options.what]()


if __name__ == "__main__":
    main()

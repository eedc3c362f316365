"""The loop on quadratics: what it keeps, when it stops, how it recovers."""

import _thread
import signal
import threading

import numpy as np
import pytest
from joblib import parallel_config
from quadratic import TARGET, Quadratic, Shifts

from sklearn_plrnn._training.loop import (
    LATEST,
    SOLVERS,
    best_of,
    minimize,
    restarts,
    threads_within,
)
from sklearn_plrnn._training.run import MAX_RETRIES, Result, Settings, best_product, flatten


def start():
    return {name: np.zeros_like(x) for name, x in TARGET.items()}


def run(batches=None, objective=None, held_out=None, select=None, rates=None, **settings):
    settings = Settings(**{"learning_rate_init": 0.1, "max_iter": 200} | settings)
    rng = np.random.default_rng(0)
    batches = batches or Shifts(0)
    return minimize(
        objective or Quadratic(), start(), batches, held_out, settings, rng, select, rates=rates
    )


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shifts", [(0,), (-1, 1)])
def test_every_solver_finds_the_minimum(solver, shifts):
    result = run(Shifts(*shifts), solver=solver, learning_rate_init=0.1)
    for name, x in TARGET.items():
        np.testing.assert_allclose(result.params[name], x, atol=0.02)
    assert not result.diverged and not result.interrupted
    assert result.n_iter == len(result.loss_curve) <= 200
    assert result.best_loss <= min(result.loss_curve) + 1e-12


def test_float32_parameters_stay_float32():
    single = {name: x.astype(np.float32) for name, x in start().items()}
    for solver in SOLVERS:
        settings = Settings(solver=solver, max_iter=3)
        result = minimize(Quadratic(), single, Shifts(0), None, settings, np.random.default_rng(0))
        assert {x.dtype for x in result.params.values()} == {np.dtype(np.float32)}
    assert all(not x.any() for x in single.values())


def test_no_iterations_leave_the_start():
    result = run(max_iter=0)
    assert result.n_iter == 0 and result.loss_curve == []
    np.testing.assert_array_equal(result.params["a"], 0)
    assert result.best_loss == 14


@pytest.mark.parametrize("rate", [1e3, 1e12, 1e300])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_absurd_rates_end_in_the_best_parameters_so_far(solver, rate):
    result = run(solver=solver, learning_rate_init=rate, learning_rate="constant")
    assert result.best_loss <= 14
    assert all(np.isfinite(x).all() for x in result.params.values())
    if rate > 1e5:
        assert result.diverged


def test_recovery_halves_the_rate_until_it_works():
    result = run(solver="sgd", learning_rate_init=1.2, learning_rate="constant")
    assert not result.diverged
    np.testing.assert_allclose(result.params["a"], TARGET["a"], atol=1e-3)


class Poisoned(Quadratic):
    """NaN wherever the first parameter has passed 0.5."""

    def value(self, params, batch):
        value = super().value(params, batch)
        return value if params["a"][0] < 0.5 else value * np.nan


class Moving(Quadratic):
    """A quadratic whose minimum is elsewhere while it is trained on, by `offset`."""

    def __init__(self, offset=0.0, calls=None):
        self.offset, self.calls = offset, [] if calls is None else calls

    def value(self, params, batch):
        return super().value({name: x - self.offset for name, x in params.items()}, batch)

    def at_epoch(self, progress, params, draw):
        shift = draw().targets[0, 0, 0]
        self.calls.append((progress, params["a"].copy(), shift))
        return Moving(1 - progress, self.calls)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_an_objective_may_change_from_epoch_to_epoch_but_not_what_is_monitored(solver):
    objective, held_out = Moving(), Shifts(0)
    options = {"solver": solver, "learning_rate": "constant", "max_iter": 100}
    result = run(Shifts(-1, 1), objective, held_out, **options)
    progress, params, shifts = zip(*objective.calls, strict=True)
    np.testing.assert_allclose(progress, np.arange(100) / 100)
    np.testing.assert_array_equal(params[0], 0)
    assert set(shifts) == {-1, 1}
    # The minimum moved towards TARGET, and the best parameters are those nearest to it.
    distances = [np.sum((a - TARGET["a"]) ** 2) for a in params]
    assert distances[-1] < 0.1
    assert result.best_loss == min(result.validation_curve)
    assert result.best_loss == pytest.approx(
        Quadratic().value(result.params, next(Shifts(0).whole()))
    )


def test_relative_rates_hold_parameters_back():
    rates = {"a": np.ones(2), "b": np.zeros((1, 1))}
    params = run(rates=rates, learning_rate_init=0.1).params
    np.testing.assert_allclose(params["a"], TARGET["a"], atol=0.01)
    assert params["b"] == 0


def test_minibatches_leave_the_mean_of_where_they_led():
    """Whichever shift comes last in an epoch, the parameters kept lie amid all of them."""
    result = run(Shifts(-9, 9), solver="sgd", learning_rate_init=0.02, learning_rate="constant")
    np.testing.assert_allclose(result.params["a"], TARGET["a"], atol=0.05)


def test_a_step_into_nowhere_is_taken_back():
    """Momentum carries across the minimum to where nothing is finite; the epoch goes on."""

    class Cliff(Quadratic):
        n_values = 0

        def value(self, params, batch):
            self.n_values += 1
            x = params["a"][0]
            return super().value(params, batch) + (0 * x if x < 1.2 else np.inf * x)

    cliff = Cliff()
    result = run(Shifts(*[0.0] * 100), objective=cliff, learning_rate_init=0.2, max_iter=1)
    assert result.best_loss < 1e-2
    assert cliff.n_values == 100 + 2 * 100  # one epoch, and a look at the start and at the end


def test_an_epoch_that_is_lost_is_not_gone_on_with():
    """Past 0.5 nothing is finite again before the start."""

    class Lost(Quadratic):
        n_values, is_lost = 0, False

        def value(self, params, batch):
            self.n_values += 1
            x = params["a"][0]
            self.is_lost = x > 0 and (self.is_lost or x > 0.5)
            return super().value(params, batch) * (np.inf if self.is_lost else 1)

    lost = Lost()
    result = run(Shifts(*[0.0] * 1000), objective=lost, learning_rate="constant")
    assert result.diverged and np.isfinite(result.best_loss)
    at_start, to_half = 1000, [5 * 2**i for i in range(MAX_RETRIES)]  # steps of ever lower rates
    assert lost.n_values <= at_start + sum(to_half) + 2 * LATEST * MAX_RETRIES


@pytest.mark.parametrize("solver", SOLVERS)
def test_nan_never_reaches_the_result(solver):
    result = run(objective=Poisoned(), solver=solver)
    assert np.isfinite(result.best_loss)
    assert result.params["a"][0] < 0.5
    assert result.best_loss == pytest.approx(
        Quadratic().value(result.params, next(Shifts(0).ordered()))
    )


def test_the_best_parameters_are_kept_not_the_last():
    result = run(held_out=Shifts(-2), learning_rate="constant", max_iter=300)
    held_out = Quadratic().value(result.params, next(Shifts(-2).ordered()))
    assert held_out == pytest.approx(result.best_loss)
    assert result.best_loss == pytest.approx(min(result.validation_curve))
    assert result.best_loss < result.validation_curve[-1]


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_training_stops_when_held_out_loss_no_longer_falls(solver):
    result = run(held_out=Shifts(-2), solver=solver, n_iter_no_change=5, learning_rate="constant")
    curve = np.array(result.validation_curve)
    if solver == "adam":
        assert result.n_iter < 200
        assert result.n_iter - 1 - np.argmin(curve) == pytest.approx(5, abs=1)
    assert result.best_loss <= curve.min()


def test_checkpoints_decide_when_they_are_scored():
    near_half = lambda params: (abs(params["a"][0] - 0.5), 0.0)
    result = run(select=near_half, learning_rate_init=0.02)
    assert abs(result.params["a"][0] - 0.5) == pytest.approx(min(result.checkpoint_scores)[0])
    assert result.score == min(result.checkpoint_scores)
    assert len(result.checkpoint_scores) == 21  # the start is one of them


@pytest.mark.parametrize("rank", [0, 1, 4, 5])
def test_the_best_checkpoint_that_lasts_is_kept(rank):
    class Scores:
        def __init__(self):
            self.seen = []

        def __call__(self, params):
            self.seen.append(params["a"][0])
            return (abs(params["a"][0] - 0.5),)

        def lasts(self, params):
            ranked = sorted(self.seen, key=lambda a: abs(a - 0.5))
            return params["a"][0] == ranked[rank]

    scores = Scores()
    result = run(select=scores, learning_rate_init=0.02)
    kept = rank if rank < 5 else 0  # of so many that are asked none lasts
    assert result.score == sorted(result.checkpoint_scores)[kept]
    assert abs(result.params["a"][0] - 0.5) == result.score[0]


def test_a_checkpoint_is_asked_once_whether_it_lasts():
    asked = []

    class Scores:
        def __call__(self, params):
            return (abs(params["a"][0] - 0.5),)

        def lasts(self, params):
            asked.append(params["a"][0])
            return True

    class Watch:
        def begin_epoch(self):
            pass

        def end_epoch(self, result):
            return result() is None

    settings, rng = Settings(learning_rate_init=0.02, max_iter=200), np.random.default_rng(0)
    minimize(Quadratic(), start(), Shifts(0), None, settings, rng, Scores(), watch=Watch())
    assert len(asked) == len(set(asked)) > 1


def test_scores_combine_and_nothing_finite_loses_to_nan():
    assert best_product([(3.0, 0.1), (1.0, 0.2), (2.0, 0.3)]) == 1
    assert best_product([(3.0, 0.0), (1.0, 0.0), (2.0, 0.0)]) == 1
    assert best_product([(np.nan, 0.0), (5.0, 1.0), (np.inf, 2.0)]) in (0, 1)
    assert best_product([(np.inf, np.inf), (5.0, 1.0), (np.nan, np.nan)]) == 1


class Interrupting(Quadratic):
    """Ctrl-C during the fifth evaluation."""

    def __init__(self):
        self.n_calls = 0

    def value(self, params, batch):
        self.n_calls += 1
        if self.n_calls == 5:
            raise KeyboardInterrupt
        return super().value(params, batch)


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "gauss-newton"])
def test_an_interrupt_keeps_the_best_so_far(solver):
    result = run(Shifts(-1, 1), objective=Interrupting(), solver=solver, learning_rate_init=0.01)
    assert result.interrupted
    assert result.best_loss < 20
    at_result = np.mean([Quadratic().value(result.params, b) for b in Shifts(-1, 1).ordered()])
    assert at_result == pytest.approx(result.best_loss)


def test_flatten_gives_views():
    vector, views = flatten(TARGET)
    np.testing.assert_array_equal(vector, [1, -2, 3])
    vector[:] = 7
    assert views["b"][0, 0] == 7 and views["a"].shape == (2,)
    assert TARGET["b"][0, 0] == 3


def finished(score, interrupted=False):
    return Result({}, score, 0.0, [], [], 0, [], interrupted, False)


def test_restarts_come_back_in_the_order_of_their_seeds():
    second_is_done = threading.Event()

    def train(seed):
        assert seed == 2 or second_is_done.wait(60)
        second_is_done.set()
        return finished(seed)

    with parallel_config("threading", n_jobs=2):
        assert [r.score for r in restarts(train, [1, 2], None)] == [1, 2]
    assert [r.score for r in restarts(train, [2, 1], None)] == [2, 1]


@pytest.mark.parametrize("n_jobs", [None, 1, 3])
def test_restarts_go_where_joblib_is_told_to_but_one_at_a_time_stays_here(n_jobs):
    own = threading.get_ident()
    elsewhere = lambda seed: finished(threading.get_ident() != own)
    with parallel_config("threading", n_jobs=2):
        assert all(r.score == (n_jobs != 1) for r in restarts(elsewhere, [1, 2], n_jobs))
        assert not restarts(elsewhere, [1], n_jobs)[0].score


def test_an_interrupt_ends_the_restarts():
    done = restarts(lambda seed: finished(seed, interrupted=seed == 1), [3, 1, 2], None)
    assert [r.score for r in done] == [3, 1]


class Watched(Result):
    """Tells when it is first looked at."""

    seen = threading.Event()

    @property
    def interrupted(self):
        self.seen.set()
        return self[Result._fields.index("interrupted")]


@pytest.mark.filterwarnings("error")
def test_what_is_enough_starts_no_more_restarts_and_stops_none():
    begun, ended, last = [], [], threading.Event()

    def train(seed):
        begun.append(seed)
        assert seed == 0 or last.wait(60)
        ended.append(seed)
        return Enough(*finished(seed))

    class Enough(Result):
        @property
        def is_enough(self):
            last.set()
            return True

    with parallel_config("threading", n_jobs=2):
        done = restarts(train, range(1000), None)
    assert len(done) < 1000 and begun[0] == 0
    assert sorted(begun) == sorted(ended) == [r.score for r in done]


@pytest.mark.parametrize("n_done", [0, 1])
def test_an_interrupt_while_others_work_keeps_the_restarts_that_are_done(n_done):
    over = threading.Event()
    # Where tests run in the background, the signal may be ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def train(seed):
        if seed < n_done:
            return Watched(*finished(seed))
        assert not n_done or Watched.seen.wait(60)
        _thread.interrupt_main()  # as Ctrl-C does
        over.wait(60)

    with parallel_config("threading", n_jobs=2):
        try:
            (done,) = restarts(train, [0, 1], None)
        except KeyboardInterrupt:
            assert not n_done
        else:
            assert n_done and done.score == 0 and done.interrupted
        finally:
            over.set()
            signal.signal(signal.SIGINT, before)


def test_threads_are_of_this_machine():
    assert threads_within(1, None) == threads_within(3, 2) == 1
    assert threads_within(1, 3) == 3
    with parallel_config("threading", n_jobs=2):
        assert threads_within(1, None) == 2
    with parallel_config("loky", n_jobs=2):
        assert threads_within(1, None) == 1


def test_best_of_restarts():
    assert best_of([finished(3.0), finished(1.0), finished(2.0)]).score == 1.0
    assert best_of([finished((1.0, 5.0)), finished((2.0, 1.0)), finished((3.0, 6.0))]).score[1] == 1


def test_progress_is_one_updating_line(capsys):
    run(max_iter=3, verbose=1)
    out = capsys.readouterr().out
    assert out.count("\r") == 4 and out.count("\n") == 1 and out.endswith("\n")
    stages = [line.split("  ")[0] for line in out.split("\r")[1:]]
    assert stages == ["start", "epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert "loss" in out and "rate" in out
    run(max_iter=3)
    assert capsys.readouterr().out == ""

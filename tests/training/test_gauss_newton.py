"""What Gauss-Newton makes of a step: acceptance, damping, when it stops."""

import numpy as np
import pytest

from sklearn_plrnn._model.objective import Batch
from sklearn_plrnn._training import gauss_newton
from sklearn_plrnn._training.loop import minimize
from sklearn_plrnn._training.run import AS_GOOD, Settings


class Bend:
    """Least squares of ``(a, b (1 + a^2))`` against (3, 0): curved, whole steps overshoot."""

    target = np.array([3.0, 0.0])

    def outputs(self, params):
        a, b = params["x"]
        return np.array([a, b * (1 + a**2)])

    def value(self, params, batch):
        return np.sum((self.outputs(params) - self.target - batch.inputs[0, 0]) ** 2)

    def buffered(self, n_threads=1):
        return self.value, None

    def curvature(self, n_threads=1):
        def at(params, batches, n_sequences, n_samples, rng):
            a, b = params["x"]
            J = np.array([[1.0, 0.0], [2 * a * b, 1 + a**2]])
            return 2 * J.T @ J, 2 * J.T @ (self.outputs(params) - self.target)

        return at


class OneBatch:
    """A single batch that holds one number, by which targets are shifted."""

    is_single, n_windows, target_power, n_longer = True, 1, 1.0, 0

    def __init__(self, shift=0.0):
        self.shift = shift

    def whole(self):
        x = np.full((1, 1, 1), self.shift)
        return iter([Batch(x, x, x)])

    epoch = covering = ordered = lambda self, rng=None: self.whole()


def run(objective=None, held_out=None, max_iter=50, **options):
    settings = Settings("gauss-newton", max_iter=max_iter, n_checkpoints=max_iter)
    params, rng = {"x": np.array([0.5, 4.0])}, np.random.default_rng(0)
    batches = options.pop("batches", OneBatch())
    return minimize(objective or Bend(), params, batches, held_out, settings, rng, **options)


def test_it_finds_the_minimum_in_a_few_steps():
    result = run()
    np.testing.assert_allclose(result.params["x"], [3, 0], atol=1e-6)
    assert result.loss_curve[10] < 1e-6
    assert np.all(np.diff(result.loss_curve) <= 0)


def test_a_step_that_is_worse_on_held_out_data_is_not_made():
    result = run(held_out=OneBatch(shift=-2.0))
    value = lambda x: Bend().value({"x": x}, next(OneBatch(-2.0).whole()))
    start, end = value([0.5, 4.0]), value(result.params["x"])
    assert end <= start
    assert result.best_loss == pytest.approx(end)
    assert end < 0.8 * value([3.0, 0.0])  # the minimum of the training data


def run_with_longer(max_iter):
    """Loss curve, and the loss on longer windows at the end."""
    shorter, longer = OneBatch(), OneBatch(shift=-2.0)
    shorter.longer, shorter.n_longer = longer, 1
    params, settings = {"x": np.array([0.5, 4.0])}, Settings("gauss-newton", max_iter=max_iter)
    result = minimize(Bend(), params, shorter, None, settings, np.random.default_rng(0))
    at_end = Bend().value(result.params, next(longer.whole()))
    assert result.best_loss == pytest.approx(at_end)
    return result.loss_curve, at_end


def test_longer_windows_come_when_shorter_ones_teach_little():
    loss_curve, at_end = run_with_longer(max_iter=50)
    assert min(loss_curve) < 1e-6 < at_end


def test_longer_windows_come_after_a_share_of_the_iterations_at_the_latest():
    few, many = run_with_longer(max_iter=4)[0], run_with_longer(max_iter=50)[0]
    np.testing.assert_allclose(few[:3], many[:3])
    assert few[3] > many[3]  # of longer windows already


def test_damping_of_longer_windows_begins_anew(monkeypatch):
    seen = []
    monkeypatch.setattr(gauss_newton, "FIRST_DAMPING", 1e-3)
    descend = lambda run, falls, H, gradient, damping: seen.append(damping) or 8 * damping
    monkeypatch.setattr(gauss_newton, "_descend", descend)
    run_with_longer(max_iter=50)
    n = gauss_newton.IDLE_BEFORE_LONGER
    np.testing.assert_allclose(seen[: n + 2], 1e-3 * 8.0 ** np.r_[:n, :2])


class Lying(Bend):
    """Its gradient points uphill."""

    def curvature(self, n_threads=1):
        def at(*args):
            H, gradient = Bend.curvature(self)(*args)
            return H, -gradient

        return at


def test_it_gives_up_where_no_step_helps():
    result = run(Lying())
    np.testing.assert_array_equal(result.params["x"], [0.5, 4.0])
    assert result.n_iter == gauss_newton.MAX_IDLE and not result.diverged


class Broken(Bend):
    """No finite curvature, no finite gradient."""

    def curvature(self, n_threads=1):
        return lambda *args: (np.full((2, 2), np.nan), np.full(2, np.nan))


def test_nan_in_the_curvature_leaves_the_start():
    result = run(Broken())
    np.testing.assert_array_equal(result.params["x"], [0.5, 4.0])


def test_it_stops_when_progress_is_slow(monkeypatch):
    monkeypatch.setattr(gauss_newton, "FIRST_DAMPING", 1e4)
    monkeypatch.setattr(gauss_newton, "DAMPING", (1e4, 1e4))
    assert run(max_iter=100).n_iter == gauss_newton.MAX_IDLE


class Falling:
    """Each look at what is monitored finds it less by a share of what it was, or not less."""

    def __init__(self, *shares):
        self.vector, self.best_loss = np.zeros(2), 1.0
        self.shares, self.steps = iter(shares), []

    def falls(self):
        self.steps.append(self.vector.copy())
        share = next(self.shares)
        self.best_loss *= 1 - share
        return share > 0

    def descend(self, damping, H=None, gradient=(1.0, 1.0)):
        H = np.eye(2) if H is None else H
        return gauss_newton._descend(self, self.falls, H, np.array(gradient), damping)


def test_damping_falls_where_a_step_gained_and_is_kept_where_it_gained_next_to_nothing():
    assert Falling(0.1).descend(1.0) == 0.25
    assert Falling(0, 0, 0.1).descend(1.0) == 4.0
    assert Falling(0, 0, 1e-9).descend(1.0) == 1.0
    assert Falling(1e-9).descend(1.0) == 1.0


def test_steps_that_gain_next_to_nothing_are_taken_all_the_same():
    run = Falling(0, 1e-9)
    run.descend(1.0)
    np.testing.assert_array_equal(run.vector, run.steps[-1])
    assert run.vector.all()


def test_what_hardly_matters_does_not_leap():
    H = np.diag([1.0, 1.0, 1e-9])
    run = Falling(0.1)
    run.vector = np.zeros(3)
    run.descend(0.1, H, (0.0, 0.0, 1e-9))
    assert abs(run.vector[2]) < 1e-6  # 0.9 if damped in proportion to its own curvature


class Windows(Bend):
    """The same in many windows; those without a target count nothing."""

    def values(self, params, batch):
        return self.value(params, batch) * batch.weights.any(axis=(0, 2))

    def buffered(self, n_threads=1):
        return self.values, None


class Leaping(Windows):
    """Two of them leap whenever parameters change."""

    def values(self, params, batch):
        values = super().values(params, batch)
        values[:2] += 1e4 * np.sin(1e8 * params["x"].sum()) ** 2
        return values


class ManyWindows(OneBatch):
    """A single batch of windows of which `n_empty` hold no target."""

    def __init__(self, n_full, n_empty):
        self.n_full, self.n_empty = n_full, n_empty

    def whole(self):
        weights = np.r_[np.ones(self.n_full), np.zeros(self.n_empty)][None, :, None]
        zeros = np.zeros_like(weights)
        return iter([Batch(zeros, zeros, weights)])


class Alike:
    """No checkpoint is better than another, so that the last one is kept."""

    def __call__(self, params):
        return 1.0, 1.0

    def amended(self, params, H, loss):
        return None


@pytest.mark.parametrize("n_empty", [0, 300])
def test_windows_that_leap_hold_up_no_step(n_empty, monkeypatch):
    fit = lambda: run(Leaping(), batches=ManyWindows(100, n_empty), select=Alike())
    np.testing.assert_allclose(fit().params["x"], [3, 0], atol=1e-3)
    monkeypatch.setattr(gauss_newton, "LEAP", np.inf)
    assert abs(fit().params["x"][0] - 3) > 0.1


def test_parameters_that_did_not_move_are_not_scored_again():
    seen = []

    class Scores(Alike):
        def __call__(self, params):
            seen.append(tuple(params["x"]))
            return 1.0, 1.0

    result = run(Leaping(), batches=ManyWindows(100, 0), select=Scores())
    assert len(seen) == len(set(seen)) < len(result.checkpoint_scores) == result.n_iter + 1


class Ordered(Alike):
    """Each checkpoint is better than the one before, or worse."""

    def __init__(self, is_better):
        self.score, self.factor = 1.0, 0.99 if is_better else 1.01

    def __call__(self, params):
        self.score *= self.factor
        return self.score, self.score


def test_it_goes_on_as_long_as_checkpoints_get_better(monkeypatch):
    monkeypatch.setattr(gauss_newton, "FIRST_DAMPING", 1e4)
    monkeypatch.setattr(gauss_newton, "DAMPING", (1e4, 1e4))
    fit = lambda is_better: run(
        Windows(), batches=ManyWindows(10, 0), select=Ordered(is_better), max_iter=20
    )
    assert fit(True).n_iter == 20
    assert fit(False).n_iter == gauss_newton.MAX_IDLE < 20


def stages_of_two(select, monkeypatch):
    """Result of shorter and longer windows, and the parameters before each step, of 1 in x_0."""
    seen = []

    def descend(run, falls, H, gradient, damping):
        seen.append(run.vector.copy())
        run.vector[0] += 1
        return damping

    monkeypatch.setattr(gauss_newton, "_descend", descend)
    shorter, longer = ManyWindows(10, 0), ManyWindows(10, 0)
    shorter.longer, shorter.n_longer = longer, 1
    return run(Windows(), batches=shorter, select=select), np.array(seen)


@pytest.mark.parametrize("is_preferred", [True, False])
def test_longer_windows_begin_with_what_was_amended(is_preferred, monkeypatch):
    class Amending(Alike):
        def amended(self, params, H, loss):
            return {"x": params["x"] + [0, 1]}

        def prefers_amended(self, score, of_given):
            return is_preferred

    n = gauss_newton.IDLE_BEFORE_LONGER
    _, seen = stages_of_two(Amending(), monkeypatch)
    np.testing.assert_array_equal(seen[:, 0], 0.5 + np.arange(len(seen)))
    np.testing.assert_array_equal(seen[:n, 1], 4)
    np.testing.assert_array_equal(seen[n:, 1], 5 if is_preferred else 4)


@pytest.mark.parametrize("times_better", [0.9, 1.1])
def test_checkpoints_of_shorter_windows_are_kept_only_if_clearly_better(times_better, monkeypatch):
    n = gauss_newton.IDLE_BEFORE_LONGER

    class OneIsBest(Alike):
        def __call__(self, params):
            is_best = params["x"][0] == 0.5 + n - 1
            return 1 / (times_better * AS_GOOD) if is_best else 1.0, 1.0

    result, seen = stages_of_two(OneIsBest(), monkeypatch)
    best_of_shorter, last = 0.5 + n - 1, seen[-1, 0] + 1
    assert result.params["x"][0] == (best_of_shorter if times_better > 1 else last)

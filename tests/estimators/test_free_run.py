"""Scores of checkpoints: what noise they assume, which runs they prefer."""

import numpy as np
import pytest

from sklearn_plrnn._model.cells import Shallow
from sklearn_plrnn._model.curvature import to_parameters
from sklearn_plrnn._model.objective import Objective
from sklearn_plrnn._model.readouts import Identity
from sklearn_plrnn._model.regularization import ManifoldAttractor
from sklearn_plrnn._recurrence.sensitivities import forward_sensitivities, gram
from sklearn_plrnn._training.batches import Series
from sklearn_plrnn.datasets import make_lorenz63
from sklearn_plrnn.estimators import _free_run
from sklearn_plrnn.estimators._free_run import FreeRunScores, between_halves, noise_level
from sklearn_plrnn.estimators._spurious import points_among

NOTHING = ManifoldAttractor(0.0, np.empty(0, int))


def caught_inside(score, params):
    """Last states of runs that begin beside fixed points and stay."""
    return score._caught_inside(params, points_among(score.objective, params, score.rows))


def rotation(radius_kept=1.0, angle=0.1):
    """Parameters of a linear map that turns the plane."""
    c, s = radius_kept * np.cos(angle), radius_kept * np.sin(angle)
    W1 = np.array([[0, 0, -s, s], [s, -s, 0, 0]])
    W2 = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    return {
        "A": np.array([c, c]),
        "W1": W1,
        "W2": W2,
        "h1": np.zeros(2),
        "h2": np.zeros(4),
        "initial_state": np.zeros(2),
    }


def circle(n_timesteps, angle=0.1, noise=0.0):
    phase = angle * np.arange(n_timesteps)
    x = np.sqrt(2) * np.c_[np.cos(phase), np.sin(phase)]
    return x + noise * np.random.default_rng(0).normal(size=x.shape)


def series_of(x, lengths=None, weights=None):
    weights = np.ones_like(x) if weights is None else weights
    lengths = np.array([len(x)] if lengths is None else lengths)
    return Series(x[:, :0], lengths, x, weights)


def scores_of(*args, **kwargs):
    objective = Objective(Shallow(2, 4), Identity(2, 2), NOTHING, 0)
    return FreeRunScores.of(objective, series_of(*args, **kwargs))


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_true_system_scores_best(noise):
    score = scores_of(circle(2000, noise=noise))
    geometry, spectrum = score(rotation())
    for wrong in (rotation(angle=0.17), rotation(0.99), rotation(1.01)):
        assert score(wrong)[1] > 2 * spectrum
    for wrong in (rotation(0.99), rotation(1.01)):
        assert score(wrong)[0] > 2 * geometry + 0.1


def test_no_run_begins_where_the_series_does():
    x = circle(2000)
    x[0] = 5.0
    first = scores_of(x).first
    assert len(first) > _free_run.N_RUNS[0] and np.abs(first).max() < 2


def test_no_run_of_many_begins_there_either():
    x = circle(20_000)
    x[0] = 5.0
    assert np.abs(scores_of(x).rows).max() < 2


def test_a_run_that_leaves_the_data_is_worse_than_the_wrong_attractor():
    score = scores_of(circle(2000))
    assert score(rotation(1.01)) == (np.inf, np.inf)
    assert np.isfinite(score(rotation(0.5, angle=1.0))).all()


def test_a_short_series_that_has_settled_asks_for_lasting_models():
    """A spiral that shrinks by 1 in 10 000 a step looks right for as long as the series is."""
    x = circle(400)
    slowly = rotation(1 - 1e-4)
    assert scores_of(x)(slowly)[0] > 3 * scores_of(x)(rotation())[0] + 1
    halves = scores_of(x, lengths=[200, 200])
    assert halves(slowly)[0] < 0.5 * scores_of(x)(slowly)[0]
    for drifting in (x + 4 * np.linspace(0, 1, 400)[:, None], x * 0.99 ** np.arange(400)[:, None]):
        assert scores_of(drifting).skipped == 100


def test_a_model_is_asked_whether_its_runs_last_as_long_as_the_data():
    x, slowly = circle(60_000), rotation(1 - 2e-5)  # shrinks by a half in 35 000 steps
    score = scores_of(x)
    assert score._share_caught(slowly) == 0
    assert not score.lasts(slowly)
    assert score.lasts(without_kinks(rotation(1 + 1e-9)))
    assert scores_of(x[:9000]).lasts(slowly)  # 5000 steps were asked for each score
    drifting = x * np.linspace(1, 0.1, len(x))[:, None]  # of which nothing is known
    assert scores_of(drifting).lasts(slowly)


@pytest.mark.parametrize(("n_rows", "as_good"), [(60_000, 9.0), (9000, 0.9)])
def test_amended_parameters_are_kept_unless_worse_by_more_than_chance(n_rows, as_good):
    """That is by nothing, where nobody asks whether the given ones last."""
    prefers, given = scores_of(circle(n_rows)).prefers_amended, (0.5, 0.2)
    assert prefers((0.5, 0.2 * as_good), given) and prefers((0.5 * as_good, 0.2), given)
    assert not prefers((0.5 * 1.1, 0.2 * (as_good + 0.1)), given)
    assert prefers(given, (np.inf, np.inf)) and not prefers((np.inf, np.inf), given)


def test_gaps_and_trajectories_do_not_confuse():
    x = circle(2000)
    weights = (np.random.default_rng(0).random(x.shape) < 0.9).astype(float)
    for score in (
        scores_of(np.where(weights > 0, x, 0), weights=weights),
        scores_of(x, [900, 1100]),
    ):
        assert score(rotation())[1] < 0.1 < score(rotation(angle=0.17))[1]


def test_runs_that_are_caught_are_counted():
    score = scores_of(circle(3000))
    assert score._share_caught(rotation()) == 0
    for wrong in (rotation(0.99), rotation(1.1)):
        assert score._share_caught(wrong) == 1
    assert score(rotation(0.99))[1] == 1
    score.rows[: len(score.rows) // 4] *= 0.1  # from there a rotation goes on in a small circle
    np.testing.assert_allclose(score._share_caught(rotation()), 0.25, atol=0.05)
    assert score(rotation())[1] == pytest.approx(1 - 0.75**2, abs=0.1)


def without_kinks(params):
    """The same map as that of `rotation`, as far as data go."""
    return params | {"W1": params["W1"] / 2, "h2": np.full(4, 10.0)}


def rings(*radii, strengths, inside=None):
    """`inside`, by default a rotation that grows, and from each of some radii on so much more."""
    phases = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    outwards = np.c_[np.cos(phases), np.sin(phases)]
    params = dict(inside or rotation(1.02))
    turn = np.array([[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]])
    for radius, strength in zip(radii, strengths, strict=True):
        params["W1"] = np.hstack([params["W1"], strength * turn @ outwards.T])
        params["W2"] = np.vstack([params["W2"], outwards])
        params["h2"] = np.r_[params["h2"], np.full(len(phases), -radius)]
    return params


def identity(params):
    """A Gauss-Newton matrix in which all parameters cost the same."""
    return np.eye(sum(x.size for x in params.values()))


def metric_of_rows(score, params, n_timesteps=5):
    """The Gauss-Newton matrix of short runs from rows."""
    f, rows = score.objective.cell.lower(params), score.rows.astype(params["A"].dtype)
    J = forward_sensitivities(f, rows, n_timesteps=n_timesteps).parameters
    H = np.pad(gram([J.reshape(-1, J.shape[-1])]), (0, 2))  # with the initial state
    return to_parameters(score.objective, params, H, 0.0)[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_circles_let_go_of_what_they_catch(dtype):
    """From the origin out to 0.2 and from 0.4 to 1.3 runs grow, between and beyond they shrink."""
    params = rings(0.2, 0.4, 1.3, strengths=(-0.1, 0.2, -0.5))
    params = {name: x.astype(dtype) for name, x in params.items()}
    score = scores_of(circle(3000).astype(dtype))
    H = metric_of_rows(score, params)
    score.rows[: len(score.rows) // 4] *= 0.1
    assert score._share_caught(params) == pytest.approx(0.25, abs=0.05)
    assert score(params)[1] > 0.4
    amended = score.amended(params, H, 1e6)
    assert score._many_runs(amended)[2].min() > 0.9
    assert score(amended)[1] < 0.1
    assert score.amended(params, H, 1e-12) is None
    assert score.amended(amended, H, 1e6) is None


@pytest.mark.parametrize(("radii", "n_caught"), [((0.2, 0.4), 2), ((0.08, 0.15), 1)])
def test_circles_inside_let_go_though_no_run_from_the_data_gets_there(radii, n_caught):
    """The second repels the farther of the runs from beside the origin."""
    params = rings(*radii, 1.3, strengths=(-0.1, 0.2, -0.5))
    score = scores_of(circle(60_000))
    assert score._share_caught(params, n_times=10) == 0
    assert len(caught_inside(score, params)) == n_caught and not score.lasts(params)
    amended = score.amended(params, identity(params), 1e6)
    assert len(caught_inside(score, amended)) == 0 and score.lasts(amended)


def test_no_point_among_the_data_attracts_in_a_model_that_lasts():
    """Runs from within 0.3 rest at the origin, where none from the data gets."""
    shrinking = without_kinks(rotation(0.99))
    params = rings(0.3, 1.1, strengths=(0.05, -0.5), inside=shrinking)
    score = scores_of(circle(60_000))
    assert score._share_caught(params, n_times=10) == 0
    assert len(caught_inside(score, params)) == 0 and not score.lasts(params)
    amended = score.amended(params, identity(params), 1e6)
    assert score.lasts(amended)
    assert scores_of(circle(9000)).lasts(params)


@pytest.mark.parametrize("growth", [0, 1.05e-4, 0.02])
def test_a_spiral_that_is_slow_to_get_out_is_not_caught_inside(growth):
    """Of the second, 5000 steps lead to a circle not half as large as that of the data.

    Of the first, circles of all sizes stay as they are, by right.
    """
    score, params = scores_of(circle(60_000)), without_kinks(rotation(1 + growth))
    assert len(caught_inside(score, params)) == 0


@pytest.mark.parametrize("second", [0.8, 1.0, 1.15])
def test_circles_that_have_only_grown_have_not_let_go(second):
    """A circle of 0.4 that one growth takes past what counts as caught, if no further."""
    params = rings(0.5, second, 1.35, strengths=(-0.1, 0.2, -0.5))
    score = scores_of(circle(3000))
    score.rows[:] *= 0.1
    assert score._share_caught(params) == 1
    amended = score.amended(params, identity(params), 1e6)
    assert amended is None or score._many_runs(amended)[2].min() > 0.65


def test_gaps_do_not_count_as_quiet():
    x = circle(6000)
    x[2000:4100] = np.nan
    np.testing.assert_allclose(_free_run._quietest(x), 1, atol=0.02)
    np.testing.assert_allclose(_free_run._quietest(x[1900:4200]), 1, atol=0.1)
    x[2500] = 0  # one row that was measured
    np.testing.assert_allclose(_free_run._quietest(x), 1, atol=0.02)


def test_quiet_stretches_make_no_run_too_loud():
    x = circle(6000)
    x[2000:4000] *= 0.1
    assert scores_of(x)._share_caught(rotation()) == 0


@pytest.mark.parametrize("place", ["before", "after"])
def test_trajectories_too_short_to_compare_are_left_out(place):
    long, short = circle(1500), circle(400, angle=1.0)
    parts = [short, long] if place == "before" else [long, short]
    lengths = [*[100] * 4, 1500] if place == "before" else [1500, *[100] * 4]
    score = scores_of(np.concatenate(parts), lengths)
    for params in (rotation(), rotation(angle=0.17)):
        assert score(params) == scores_of(long)(params)


def test_a_long_series_is_compared_in_segments(monkeypatch):
    monkeypatch.setattr(_free_run, "SEGMENT", 300)
    score = scores_of(circle(2000))
    assert [len(x) for x in score.segments] == [300] * 6
    assert score(rotation())[1] < score(rotation(angle=0.17))[1]
    assert [len(x) for x in scores_of(circle(900), [100, 500, 300]).segments] == [100, 300, 300]


@pytest.mark.parametrize("sigma", [0.01, 0.1])
def test_the_level_of_white_noise_is_found(sigma):
    x = make_lorenz63(5000, random_state=0) / [8, 9, 8.6]
    noisy = x + sigma * np.random.default_rng(0).normal(size=x.shape)
    np.testing.assert_allclose(noise_level([noisy[:2000], noisy[2000:]]), sigma, rtol=0.1)
    assert (noise_level([x]) < 0.002).all()
    gappy = np.where(np.random.default_rng(1).random(x.shape) < 0.1, np.nan, noisy)
    np.testing.assert_allclose(noise_level([gappy]), sigma, rtol=0.1)


def test_too_few_rows_have_no_noise():
    np.testing.assert_array_equal(noise_level([np.zeros((1, 2)), np.full((4, 2), np.nan)]), 0)


def test_a_run_that_comes_to_rest_is_caught_inside():
    """Beside 0.25, which repels, F(z) = 0.5 for all z beyond 0.3."""
    cell = Shallow(1, 2)
    params = {
        "A": np.zeros(1),
        "W1": np.array([[5.0, -5.0]]),
        "W2": np.ones((2, 1)),
        "h1": np.zeros(1),
        "h2": np.array([-0.2, -0.3]),
        "initial_state": np.zeros(1),
    }
    x = circle(60_000)[:, :1]
    objective = Objective(cell, Identity(1, 1), NOTHING, 0)
    score = FreeRunScores.of(objective, series_of(x))
    assert len(caught_inside(score, params)) == len(_free_run.INSIDE)


def test_halves_of_a_circle_tell_each_other_and_of_less_nothing_is_known():
    x = circle(4000, noise=0.05)
    assert 0 < between_halves(series_of(x)) < 0.01
    other = np.concatenate([x[:2000], circle(2000, angle=0.3, noise=0.05)])
    assert between_halves(series_of(other)) > 10 * between_halves(series_of(x))
    transient = np.concatenate([np.full((300, 2), 5.0), x])
    assert between_halves(series_of(transient, [300, 4000])) == between_halves(series_of(x))
    delayed = np.concatenate([np.full((10, 2), np.nan), x])
    assert between_halves(series_of(delayed)) == between_halves(series_of(x))
    driven = series_of(x)._replace(inputs=x[:, :1])
    assert between_halves(driven) == 0
    assert between_halves(series_of(x, [2000, 2000])) == 0
    assert between_halves(series_of(np.concatenate([x[:2000], 3 + x[2000:]]))) == 0
    x[10] = np.nan
    assert between_halves(series_of(x)) == 0

"""DSReconstructor: how it is trained, by which solver, on what; which parameters are kept."""

import pickle
import warnings

import numpy as np
import pytest
from reconstructors import FORMS, driven_oscillation, quick
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn._model import starts
from sklearn_plrnn._model.cells import CELLS
from sklearn_plrnn._model.readouts import READOUTS
from sklearn_plrnn.datasets import make_lorenz63, make_van_der_pol
from sklearn_plrnn.estimators import _by_data, _reconstructor
from sklearn_plrnn.estimators._free_run import FreeRunScores
from sklearn_plrnn.metrics import prediction_error, state_space_divergence


def test_the_attractor_is_reconstructed():
    X = make_van_der_pol(3000, random_state=0)
    divergences = []
    for seed in range(3):
        model = DSReconstructor(n_hidden=30, max_iter=10, random_state=seed)
        model.fit(X[:2000])
        free = model.simulate(1500, x0=X[2000])[500:]
        divergences.append(state_space_divergence(X[2000:], free))
        assert model.score(X[2000:]) > 0.99
    assert np.median(divergences) < 0.4
    shuffled = np.random.default_rng(0).permuted(X[:2000], axis=0)
    assert state_space_divergence(X[2000:], shuffled[:1000]) > 2


def test_a_chaotic_map_is_not_taken_for_noise(rng):
    """Hénon's, of which errors grow by half at each step."""
    X = np.full((2100, 2), 0.1)
    for t in range(1, len(X)):
        X[t] = 1 - 1.4 * X[t - 1, 0] ** 2 + X[t - 1, 1], 0.3 * X[t - 1, 0]
    X = X[100:] / X.std(axis=0)
    noisy = X + rng.normal(0, 0.05, X.shape)
    model = DSReconstructor(n_hidden=20, max_iter=15, random_state=0).fit(noisy)
    assert np.all((0.03 < model.observation_noise_) & (model.observation_noise_ < 0.2))
    free = model.simulate(2000, x0=noisy[0])
    free += rng.normal(0, 0.05, free.shape)
    assert state_space_divergence(noisy, free) < 4
    assert np.abs(model.predict(noisy)[1:] - X[1:]).mean() < 0.2


def test_training_begins_with_smoothed_rows_where_they_are_few(monkeypatch):
    """What starts from half of each row predicts half of it."""
    halved = lambda series, noise: (series.targets / 2, np.ones(3))
    monkeypatch.setattr(_reconstructor, "smooth", halved)
    X = make_lorenz63(2000, random_state=0)
    X = X - X.mean(axis=0)
    model = DSReconstructor(n_hidden=200, solver="gauss-newton", max_iter=0, random_state=0)
    for few, spread in ((100, 0.5), (1, 1.0)):
        monkeypatch.setattr(_by_data, "FEW", few)
        kinks = -model.fit(X).h2_ / np.linalg.norm(model.W2_, axis=1)
        assert np.std(kinks) == pytest.approx(spread, rel=0.2)


def test_missed_windows_are_tried_again_but_where_data_are_few(monkeypatch):
    X, tries = make_lorenz63(2000, noise=0.02, random_state=0), []
    portions = lambda *args: tries.append(args) or []
    monkeypatch.setattr(starts, "_portions", portions)
    model = DSReconstructor(n_hidden=20, solver="gauss-newton", max_iter=0, random_state=0)
    for few in (1, 10_000):
        monkeypatch.setattr(_by_data, "FEW", few)
        tries.clear()
        model.fit(X)
        assert bool(tries) == (few == 1)


def test_the_default_ridge_is_weaker_the_more_data_there_are():
    X = make_lorenz63(4000, noise=0.05, random_state=0)
    sizes = []
    for rows in (400, 4000):
        model = DSReconstructor(n_hidden=20, solver="adam", max_iter=0, random_state=0)
        losses = [model.set_params(l2=l2).fit(X[:rows]).best_loss_ for l2 in (None, 0.0, 1.0)]
        sizes.append((losses[0] - losses[1]) / (losses[2] - losses[1]))
    assert 0 < sizes[1] < 0.2 * sizes[0] < 0.02


def test_runs_from_beside_a_limit_cycle_return_to_it():
    """No row of a clean series is beside it."""
    X = make_van_der_pol(2000, random_state=0)
    model = DSReconstructor(n_hidden=30, max_iter=12, random_state=3).fit(X)
    away = 0.1 * X.std(axis=0) * np.random.default_rng(0).normal(size=(20, 2))
    runs = [model.simulate(1000, x0=x0)[500:] for x0 in X[::100] + away]
    nearest = NearestNeighbors(n_neighbors=1).fit(X / X.std(axis=0))
    distances = [nearest.kneighbors(run / X.std(axis=0))[0].max() for run in runs]
    assert np.max(distances) < 0.1
    assert np.all(np.std(runs, axis=1) > 0.8 * X.std(axis=0))


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "gauss-newton"])
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("architecture", CELLS)
def test_every_cell_readout_and_solver_fits_and_forecasts(architecture, readout, solver):
    """Copying the last row has R^2 0.44 at this lead.

    A start without hidden units or unobserved features is linear, and ten steps do not change that.
    """
    X, later = make_lorenz63(1000, noise=0.01, random_state=0), make_lorenz63(600, random_state=1)
    has_hidden = bool(CELLS[architecture].kinks)
    options = {"architecture": architecture, "readout": readout, "n_hidden": 30}
    if not has_hidden:
        options["n_components"] = 3 if solver == "gauss-newton" else 13
    if solver == "gauss-newton":
        options["sequence_length"] = 5  # longer windows come later, and their losses are others
        options["n_init"] = 2 if readout == "relu" else 1  # one start in three runs away
    start, model = (
        DSReconstructor(solver=solver, max_iter=n, random_state=0, **options).fit(X)
        for n in (0, 10)
    )
    assert model.best_loss_ <= start.best_loss_
    assert np.isfinite(model.predict(later)).all()
    if has_hidden or (readout, solver) == ("identity", "adam"):
        assert model.score(later) > 0.8
        assert np.abs(model.simulate(2000, x0=later[0])).max() < 100
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.forecast(10, later), model.forecast(10, later))


def test_missing_observations_are_neither_scored_nor_forced(lorenz):
    gaps = lorenz.copy()
    gaps[60:70] = np.nan
    gaps[np.arange(0, 400, 7), 1] = np.nan
    model = quick(n_components=5).fit(gaps)
    assert np.isfinite(model.predict(gaps)).all()
    assert np.isfinite(model.transform(gaps)).all()
    assert np.isfinite(model.score(gaps))
    # Within the gap the model runs on by itself.
    f, states = model.to_map(), model.transform(gaps)
    np.testing.assert_allclose(states[60:70], f.step(states[59:69]), rtol=1e-9)
    filled = (states @ model.B_.T + model.b_)[60:70]
    assert np.abs(filled - lorenz[60:70]).max() < np.ptp(lorenz)
    # What stands where nothing was measured cannot matter: units change it.
    other = quick(n_components=5).fit(gaps * 8)
    np.testing.assert_allclose(other.predict(gaps * 8) / 8, model.predict(gaps), rtol=1e-6)


def test_gaps_cost_little(lorenz):
    X = make_lorenz63(3000, random_state=0)
    gaps = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    options = {"n_hidden": 50, "max_iter": 5}
    whole, some = (quick(**options).fit(x[:2000]) for x in (X, gaps))
    assert some.score(X[2000:]) > whole.score(X[2000:]) - 0.05


@pytest.mark.parametrize(
    "options",
    [
        {"forcing_schedule": "adaptive"},
        {"forcing_schedule": "annealed"},
        {"process_noise": 0.1},
        {"process_noise": 0.1, "forcing": None, "readout": "affine"},
        {"forcing_strength": [0.1, 0.3, 0.0]},
    ],
    ids=str,
)
def test_forcing_of_any_kind_is_reproducible_and_matters(options, lorenz):
    options = {"early_stopping": True, "forcing_strength": 0.01, "n_init": 2} | options
    one, two = (quick(n_jobs=n_jobs, **options).fit(lorenz) for n_jobs in (None, 2))
    np.testing.assert_array_equal(one.forecast(20), two.forecast(20))
    assert one.loss_curve_ == two.loss_curve_ and np.isfinite(one.forecast(20)).all()
    changed = {k: v for k, v in options.items() if k not in ("forcing_schedule", "process_noise")}
    plain = quick(**changed | {"forcing_strength": 0.01}).fit(lorenz)
    assert plain.loss_curve_ != one.loss_curve_


def test_held_out_rows_are_judged_without_noise_and_by_the_given_strength(lorenz):
    options = {"early_stopping": True, "learning_rate_init": 1e-12, "forcing_strength": 0.1}
    plain, noisy, annealed = (
        quick(**options | more).fit(lorenz)
        for more in ({}, {"process_noise": 0.5}, {"forcing_schedule": "annealed"})
    )
    assert noisy.loss_curve_[0] > plain.loss_curve_[0] + 0.2
    assert annealed.loss_curve_[0] < plain.loss_curve_[0]
    for model in (noisy, annealed):
        np.testing.assert_allclose(model.validation_curve_, plain.validation_curve_, rtol=1e-6)


def test_a_variable_with_much_noise_is_forced_little(rng, monkeypatch):
    """By as little as noise suggests, unless errors grow."""
    monkeypatch.setattr(_reconstructor, "error_growth", lambda *args: 0.0)
    X = make_lorenz63(2000, random_state=0)
    X += rng.normal(size=X.shape) * X.std(axis=0) * [0.0, 0.02, 0.5]
    strength = quick(max_iter=0, solver="adam").fit(X).forcing_strength_
    assert strength.shape == (3,) and strength[0] == strength[1] == 0.2
    assert 0 < strength[2] < 0.06
    permuted = quick(max_iter=0, solver="adam").fit(X[:, ::-1] * 1e6).forcing_strength_
    np.testing.assert_allclose(permuted, strength[::-1])
    mean = quick(max_iter=0, solver="adam", n_components=2).fit(X).forcing_strength_
    assert mean == pytest.approx(strength.mean())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"forcing": None}, 0.0),
        ({}, [0.2, 0.2, 0.2]),
        ({"forcing": "sparse"}, [1.0, 1.0, 1.0]),
        ({"forcing_strength": 0.3}, 0.3),
        ({"forcing_strength": [0.0, 0.0, 0.0]}, [0.0, 0.0, 0.0]),
        ({"readout": "affine"}, 0.2),
    ],
    ids=str,
)
def test_the_strength_used_is_told(options, expected, lorenz):
    model = quick(max_iter=1, **options).fit(lorenz)
    np.testing.assert_array_equal(model.forcing_strength_, expected)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_forcing_holds_runs_of_a_chaotic_map_to_the_data(noise, rng):
    """Two maps of Hénon (1976), coupled, the second seen through noise or not."""
    X = 0.1 * rng.normal(size=(3000, 2, 2))
    for t in range(1, len(X)):
        x, y = X[t - 1]
        X[t] = 1 - 1.4 * (0.9 * x + 0.1 * x[::-1]) ** 2 + y, 0.3 * x
    train, test = np.split(X.reshape(-1, 4), 2)
    train += rng.normal(size=train.shape) * [0, noise, 0, noise]
    models = [
        quick(n_hidden=60, max_iter=20, solver="adam", forcing_strength=x).fit(train)
        for x in (None, 0.2)
    ]
    assert (models[0].forcing_strength_ > 0.3).all()
    errors = [np.mean((model.predict(test) - test) ** 2) for model in models]
    assert errors[0] < 0.5 * errors[1]


def test_checkpoints_are_scored_and_the_least_product_is_kept(lorenz, monkeypatch):
    monkeypatch.setattr(FreeRunScores, "lasts", lambda self, params: True)
    model = quick(max_iter=6, learning_rate_init=0.01).fit(lorenz)
    scores = np.array(model.checkpoint_scores_)
    assert scores.shape == (7, 2)  # the start and each epoch
    assert model.restart_scores_ == [tuple(min(scores, key=np.prod))]


def test_an_unstable_checkpoint_is_never_chosen_before_a_bounded_one(lorenz):
    model = quick(max_iter=8, learning_rate_init=3.0, max_grad_norm=None, solver="sgd")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(lorenz)
    assert np.abs(model.simulate(3000, x0=lorenz[0])).max() < 1e3


def test_early_stopping_holds_the_end_out(lorenz):
    spoiled = lorenz.copy()
    spoiled[360:] = 0
    options = {"solver": "adam", "early_stopping": True, "max_iter": 3, "standardize": False}
    a, b = (quick(**options).fit(X) for X in (lorenz, spoiled))
    assert a.loss_curve_ == b.loss_curve_
    assert a.validation_curve_ != b.validation_curve_
    parts = np.split(lorenz, 4)
    assert len(quick(**options).fit(parts).validation_curve_) == 3


def test_warm_start_goes_on(lorenz):
    model = quick(max_iter=5, warm_start=True, solver="gauss-newton").fit(lorenz)
    (reached,) = model.restart_scores_
    model.set_params(random_state=1)  # with which a cold start is another
    assert model.fit(lorenz).checkpoint_scores_[0] == reached
    cold = quick(max_iter=0, solver="gauss-newton", random_state=1).fit(lorenz)
    assert cold.checkpoint_scores_[0] != reached
    with pytest.raises(ValueError, match="warm_start=True"):
        model.set_params(n_hidden=21).fit(lorenz)


def test_a_warm_start_on_new_data_begins_as_the_model_that_there_was(lorenz):
    model = quick(warm_start=True).fit(lorenz[:300])
    expected = model.predict(lorenz)
    model.set_params(max_iter=0).fit(10 + 3 * lorenz[300:500])
    np.testing.assert_array_equal(model.predict(lorenz), expected)


def test_an_interrupt_keeps_the_best_so_far(lorenz, monkeypatch):
    from sklearn_plrnn._training.optimizers import Adam

    calls = []

    def interrupting(self, *args):
        calls.append(1)
        if len(calls) > 120:
            raise KeyboardInterrupt

    monkeypatch.setattr(Adam, "step", interrupting)
    model = quick(max_iter=1000, solver="adam")
    with pytest.raises(KeyboardInterrupt):
        model.fit(lorenz)
    assert model.n_iter_ == 2 and np.isfinite(model.forecast(5)).all()


@pytest.mark.parametrize("form", FORMS)
def test_gauss_newton_improves_on_the_start(form, monkeypatch):
    monkeypatch.setattr(_by_data, "FEW", 0)  # losses on smoothed rows would be others
    noisy = make_lorenz63(4000, noise=0.02, random_state=0)
    test = make_lorenz63(400, random_state=1)
    X = np.split(noisy, [600, 1600, 3300]) if form == "list" else FORMS[form](noisy)
    options = {"n_hidden": 20, "sequence_length": 10, "random_state": 0}
    start = DSReconstructor(max_iter=0, **options).fit(X)
    model = DSReconstructor(solver="gauss-newton", max_iter=15, **options).fit(X)
    assert model.solver_ == "gauss-newton"
    assert model.best_loss_ < model.validation_curve_[0] * (1 + 1e-9)
    errors = [prediction_error(fitted, test, n=10) for fitted in (start, model)]
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize(
    "options",
    [
        {"architecture": "plrnn", "n_components": 6},
        {"architecture": "shallow", "readout": "affine"},
        {"architecture": "shallow", "dtype": "float32"},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_gauss_newton_knows_inputs_and_gaps(options):
    X = driven_oscillation()
    X[np.random.default_rng(0).random(len(X)) < 0.1, 0] = np.nan
    X[30:34, :2] = np.nan
    model = DSReconstructor(
        solver="gauss-newton",
        input_features=[2],
        n_hidden=10,
        max_iter=4,
        random_state=0,
        **options,
    ).fit(X)
    assert np.isfinite(model.simulate(300, X[0, :2] * 0, inputs=X[:300, 2:])).all()
    assert model.score(driven_oscillation(seed=1)) > 0.7


@pytest.mark.parametrize(
    ("settings", "solver"),
    [
        ({"max_iter": 5}, "gauss-newton"),
        ({"n_hidden": 500}, "adam"),
        ({"n_components": 5}, "adam"),
        ({"architecture": "plrnn"}, "adam"),
        ({"forcing": "sparse"}, "adam"),
        ({"forcing_strength": [0.1, 0.2, 0.3]}, "adam"),
        ({"process_noise": 0.1}, "adam"),
        ({"sequence_length": 50}, "adam"),
        ({"init": "random"}, "adam"),
    ],
)
def test_auto_shoots_where_the_model_is_small_and_nothing_else_was_asked_for(settings, solver):
    X = make_lorenz63(1000, random_state=0)
    assert quick(**settings).fit(X).solver_ == solver


@pytest.mark.parametrize(
    ("n_timesteps", "n_components", "n_hidden"),
    [(100, None, 10), (600, None, 25), (2000, 10, 28), (10_000, None, 100), (10_000, 6, 150)],
)
def test_hidden_units_are_as_many_as_the_data_can_tell(n_timesteps, n_components, n_hidden):
    X = make_lorenz63(n_timesteps, random_state=0)
    model = quick(n_hidden=None, n_components=n_components, max_iter=0).fit(X)
    assert model.sizes_["n_hidden"] == len(model.h2_) == n_hidden
    model.set_params(warm_start=True).fit(X[:90])
    assert model.sizes_["n_hidden"] == n_hidden


@pytest.fixture
def failing(monkeypatch):
    """No shooting is good enough; ``failing(i)`` has the i-th of both results be the better one."""
    monkeypatch.setattr(_reconstructor, "IMPROVED", 0.0)
    monkeypatch.setattr(_reconstructor, "between_halves", lambda series: 0.0)
    choose = lambda i: monkeypatch.setattr(_reconstructor, "best_of", lambda results: results[i])
    return choose


@pytest.mark.parametrize(("better", "solver"), [(0, "gauss-newton"), (1, "adam")])
def test_auto_trains_with_forcing_where_shooting_has_not_helped(
    better, solver, lorenz, failing, monkeypatch
):
    """And keeps what is better, for which chaos would depend on the machine."""
    failing(better)
    monkeypatch.setattr(_reconstructor, "are_few", lambda *_: False)
    model, alone = quick().fit(lorenz), quick(solver=solver).fit(lorenz)
    assert model.solver_ == solver
    np.testing.assert_array_equal(model.W1_, alone.W1_)


@pytest.mark.parametrize("better", [0, 1])
def test_of_few_rows_auto_shoots_again_from_another_start(better, lorenz, failing):
    """That of the second of two restarts. A warm start has no other one: forcing follows it."""
    failing(better)
    model = quick().fit(lorenz)
    two = quick(solver="gauss-newton", n_init=2, keep_restarts=True).fit(lorenz)
    alone = quick(solver="gauss-newton").fit(lorenz)
    (other,) = [x for x in (two, *two.restarts_) if not np.array_equal(x.W1_, alone.W1_)]
    assert model.solver_ == "gauss-newton"
    np.testing.assert_array_equal(model.W1_, (alone, other)[better].W1_)
    model.set_params(warm_start=True).fit(lorenz)
    assert model.solver_ == ("gauss-newton", "adam")[better]


@pytest.mark.parametrize("few", [True, False])
def test_an_interrupt_of_the_second_try_is_raised_although_the_first_was_better(
    few, lorenz, failing, monkeypatch
):
    failing(0)
    monkeypatch.setattr(_reconstructor, "are_few", lambda *_: few)
    solve, begun = DSReconstructor._solve, []

    def interrupted(self, *args, **options):
        best, *others = solve(self, *args, **options)
        begun.append(self.solver_)
        return [best._replace(interrupted=len(begun) == 2), *others]

    monkeypatch.setattr(DSReconstructor, "_solve", interrupted)
    model, alone = quick(), quick(solver="gauss-newton").fit(lorenz)
    begun.clear()
    with pytest.raises(KeyboardInterrupt):
        model.fit(lorenz)
    assert begun == ["gauss-newton", "gauss-newton" if few else "adam"]
    np.testing.assert_array_equal(model.W1_, alone.W1_)


def test_what_is_as_close_as_halves_of_the_data_are_to_each_other_is_kept(
    lorenz, failing, monkeypatch
):
    failing(1)
    alone = quick(solver="gauss-newton").fit(lorenz)
    score = np.prod(alone.restart_scores_[0])
    monkeypatch.setattr(_reconstructor, "IMPROVED", 0.5)
    for halves, is_kept in [(0.51 * score, True), (0.49 * score, False)]:
        monkeypatch.setattr(_reconstructor, "between_halves", lambda series, x=halves: x)
        assert np.array_equal(quick().fit(lorenz).W1_, alone.W1_) == is_kept

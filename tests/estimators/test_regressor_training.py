"""RegularizedPLRNNRegressor: how it is trained, by which solver, from which start."""

import tracemalloc

import numpy as np
import pytest
from regressors import FORMS, filtered_noise, quick
from sklearn.exceptions import ConvergenceWarning

from sklearn_plrnn import RegularizedPLRNNRegressor
from sklearn_plrnn._model.cells import CELLS
from sklearn_plrnn.datasets import make_addition, make_multiplication


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("architecture", CELLS)
def test_every_solver_and_cell_improves_on_its_start(solver, architecture):
    X, y = filtered_noise(200)
    options = {"solver": solver, "architecture": architecture, "init": "random", "n_hidden": 8}
    start, trained = (quick(max_iter=n, **options).fit(X, y) for n in (0, 60))
    assert start.n_iter_ == 0 and start.loss_curve_ == []
    assert trained.best_loss_ < 0.7 * start.best_loss_
    assert trained.score(X, y) > start.score(X, y)


def test_the_regularizer_pulls_its_units_to_marginal_stability():
    X, y = filtered_noise(200)
    weak, strong = (
        quick(alpha=alpha, init="random", max_iter=300, learning_rate_init=0.01).fit(X, y)
        for alpha in (0.0, 1e3)
    )
    assert np.abs(strong.A_[:3] - 1).max() < 0.1 < np.abs(weak.A_[:3] - 1).max()
    assert np.abs(strong.W_[:3]).max() < 0.05 < np.abs(weak.W_[:3]).max()
    assert np.abs(strong.h_[:3]).max() < 0.05
    assert np.abs(strong.A_[3:] - 1).min() > 0.05
    zero = quick(alpha=1e3, penalty="l2", init="random", max_iter=300, learning_rate_init=0.01)
    assert np.abs(zero.fit(X, y).A_[:3]).max() < 0.1


def test_integrators_are_where_training_starts():
    X, y = filtered_noise(50)
    model = quick(max_iter=0).fit(X, y)
    np.testing.assert_array_equal(model.A_[:3], 1)
    assert not model.W_[:3].any() and not model.h_[:3].any()
    assert model.score(X, y) > 0.5


def test_a_target_without_weight_has_no_influence():
    X, y = filtered_noise(150)
    weights = np.ones(150)
    weights[::7] = 0
    spoiled = np.where(weights > 0, y, 1e200)
    a, b = (quick().fit(X, v, sample_weight=weights) for v in (y, spoiled))
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    assert a.score(X, y, weights) == pytest.approx(b.score(X, spoiled, weights))
    assert not np.array_equal(a.predict(X), quick().fit(X, y).predict(X))


def test_weights_of_sequences_equal_repetition():
    X, y = FORMS["stack, per sequence"](*filtered_noise())
    weights = np.arange(20) % 3
    options = {"batch_size": 10**6, "max_iter": 10, "standardize": False, "alpha": 0.0}
    weighted = quick(**options).fit(X, y, sample_weight=weights)
    repeated = quick(**options).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-6)


def test_windows_see_the_whole_series_and_stay_stable():
    X, y = filtered_noise(600)
    model = RegularizedPLRNNRegressor(
        10, sequence_length=40, batch_size=8, max_iter=40, random_state=0
    ).fit(X, y)
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize("form", ["series", "list, per step", "stack, per sequence"])
def test_early_stopping_watches_what_is_held_out(form):
    X, y = FORMS[form](*filtered_noise())
    model = quick(early_stopping=True, n_iter_no_change=3, max_iter=400, tol=0.01).fit(X, y)
    assert model.n_iter_ < 400
    assert len(model.validation_curve_) == model.n_iter_
    assert model.best_loss_ <= min(model.validation_curve_)


def test_what_is_held_out_is_not_trained_on():
    X, y = filtered_noise()
    spoiled = np.r_[y[:360], -5 * y[360:]]
    options = {"early_stopping": True, "standardize": False}
    a, b = (quick(**options).fit(X, targets) for targets in (y, spoiled))
    assert a.loss_curve_ == b.loss_curve_
    assert a.validation_curve_ != b.validation_curve_


def test_rows_that_do_not_count_are_not_held_out():
    X, y = filtered_noise(100)
    weights = np.ones(100)
    weights[-10:] = 0
    model = quick(early_stopping=True).fit(X, y, weights)
    assert np.isfinite(model.validation_curve_).all()
    late = quick(early_stopping=True, washout=95).fit(X, y)
    assert np.isfinite(late.validation_curve_).all()


def test_same_seed_same_bits():
    X, y = FORMS["stack, per sequence"](*filtered_noise())
    one, again = (quick(n_init=3, batch_size=7).fit(X, y) for _ in range(2))
    other = quick(random_state=1).fit(X, y)
    np.testing.assert_array_equal(again.predict(X), one.predict(X))
    assert again.restart_scores_ == one.restart_scores_
    assert len(one.restart_scores_) == 3 and one.best_loss_ == min(one.restart_scores_)
    assert not np.array_equal(other.predict(X), one.predict(X))


def test_threads_of_a_single_restart_change_nothing():
    X, y = filtered_noise(900)
    X, y = X.reshape(150, 6, 2), y[5::6]
    one, two = (quick(n_jobs=n_jobs, batch_size=75, max_iter=3).fit(X, y) for n_jobs in (1, 2))
    np.testing.assert_array_equal(two.predict(X), one.predict(X))
    assert two.loss_curve_ == one.loss_curve_


def test_gradient_checkpointing_changes_nothing_but_memory():
    X, y = FORMS["series"](*filtered_noise(200))
    plain, saving = (
        quick(gradient_checkpointing=c, max_iter=3, sequence_length=90).fit(X, y)
        for c in (False, True)
    )
    np.testing.assert_allclose(saving.predict(X), plain.predict(X), rtol=1e-6)


@pytest.mark.parametrize("rate", [1e3, 1e12])
def test_divergence_is_never_silent_or_fatal(rate):
    X, y = filtered_noise(100)
    model = quick(learning_rate_init=rate, max_grad_norm=None, solver="sgd", max_iter=30)
    with pytest.warns(ConvergenceWarning, match=r"diverged.*learning_rate_init") as caught:
        model.fit(X, y)
    assert {warning.filename for warning in caught} == {__file__}
    assert np.isfinite(model.predict(X)).all()
    assert model.score(X, y) > 0.5  # at least as good as the start


def interrupt_after(n_calls, monkeypatch):
    """Ctrl-C in the middle of training."""
    from sklearn_plrnn._training.optimizers import Adam

    step, calls = Adam.step, []

    def interrupting(self, *args):
        calls.append(1)
        if len(calls) > n_calls:
            raise KeyboardInterrupt
        step(self, *args)

    monkeypatch.setattr(Adam, "step", interrupting)


def test_an_interrupt_keeps_the_best_so_far(monkeypatch):
    X, y = filtered_noise(100)
    interrupt_after(20, monkeypatch)
    model = quick(max_iter=1000)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.n_iter_ == 20 and model.score(X, y) > 0.5


def test_an_interrupt_is_raised_although_an_earlier_restart_is_the_best(monkeypatch):
    X, y = filtered_noise(100)
    interrupt_after(21, monkeypatch)
    model = quick(max_iter=20, n_init=3)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    first, second = model.restart_scores_
    assert first < second and model.n_iter_ == 20


def test_an_interrupt_can_be_kept_quiet(monkeypatch):
    X, y = filtered_noise(100)
    interrupt_after(20, monkeypatch)
    with pytest.warns(ConvergenceWarning, match="interrupted after 20 of 1000"):
        model = quick(max_iter=1000, on_interrupt="keep", n_init=3).fit(X, y)
    assert len(model.restart_scores_) == 1


@pytest.mark.parametrize(
    ("n", "options", "solver", "init"),
    [
        (60, {}, "gauss-newton", "closed-form"),
        (40, {}, "adam", "identity"),
        (60, {"solver": "adam"}, "adam", "identity"),
        (60, {"init": "random"}, "gauss-newton", "random"),
        (60, {"architecture": "shallow", "n_hidden": 3}, "adam", "identity"),
        (60, {"architecture": "shallow", "n_hidden": 8}, "gauss-newton", "closed-form"),
        (60, {"architecture": "clipped-shallow", "n_hidden": 8}, "gauss-newton", "closed-form"),
        (60, {"architecture": "almost-linear"}, "gauss-newton", "closed-form"),
        (60, {"architecture": "almost-linear", "n_nonlinear": 1}, "adam", "identity"),
    ],
)
def test_auto_says_what_it_chose(n, options, solver, init):
    X, y = make_addition(n, 8, random_state=0)
    model = RegularizedPLRNNRegressor(5, max_iter=1, random_state=0, **options).fit(X, y)
    assert (model.solver_, model.init_) == (solver, init)
    per_step = RegularizedPLRNNRegressor(5, max_iter=1, random_state=0).fit(X, X[..., :1])
    assert (per_step.solver_, per_step.init_) == ("adam", "identity")


@pytest.mark.parametrize("make", [make_addition, make_multiplication])
def test_long_memory_comes_with_the_defaults(make):
    X, y = make(1000, 100, random_state=0)
    X_test, y_test = make(1000, 100, random_state=1)
    order = np.argsort(y)  # what is held out must not be all of one kind
    model = RegularizedPLRNNRegressor(20, random_state=0, dtype="float32").fit(X[order], y[order])
    assert np.mean((model.predict(X_test) - y_test) ** 2) < 0.01 * y_test.var()


@pytest.mark.parametrize("solver", ["gauss-newton", "adam"])
@pytest.mark.parametrize("form", ["per step", "list", "two per sequence"])
def test_both_solvers_fit_every_form(form, solver):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(10, 21, 80)]
    y = [np.cumsum(x[:, 0]) - x[:, 1] for x in X]
    if form == "list":
        y = np.array([v[-1] for v in y])
    elif form == "two per sequence":
        y = np.array([[v[-1], 10 * v[-2]] for v in y])
    model = RegularizedPLRNNRegressor(
        6, solver=solver, init="identity", random_state=0, max_iter=30
    )
    assert model.fit(X, y).score(X, y) > 0.9


def test_gauss_newton_fits_a_single_series():
    X = np.random.default_rng(0).normal(size=(600, 1))
    y = np.convolve(X[:, 0], 0.9 ** np.arange(60))[:600]
    model = RegularizedPLRNNRegressor(5, solver="gauss-newton", max_iter=20, random_state=0)
    assert model.fit(X[:400], y[:400]).score(X[400:], y[400:]) > 0.95
    assert len(model.validation_curve_) == model.n_iter_


def test_gauss_newton_takes_a_single_sequence():
    X = np.random.default_rng(0).normal(size=(1, 60, 1))
    model = quick(solver="gauss-newton", max_iter=2, standardize=False).fit(X, [1.0])
    assert np.isfinite(model.predict(X)).all()


def test_long_sequences_need_little_more_than_themselves():
    """Data of 64 MB: neither a standardized copy nor states of all sequences are kept."""
    X = np.random.default_rng(0).random((400, 10_000, 2))
    model = RegularizedPLRNNRegressor(4, batch_size=4, random_state=0, max_iter=1)
    tracemalloc.start()
    try:
        model.fit(X, X[:, :10, 0].sum(axis=1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes


@pytest.mark.parametrize("as_sequences", [False, True])
def test_the_closed_form_start_for_every_step_is_an_echo_state_network(as_sequences):
    """It recalls inputs of many steps ago, on new rows, without training."""
    X = np.random.default_rng(0).normal(size=(1200, 1))
    y = np.convolve(X[:, 0], 0.8 ** np.arange(40))[:1200]
    if as_sequences:
        X, y = X.reshape(12, 100, 1), y.reshape(12, 100, 1)
    half = len(X) // 2
    model = RegularizedPLRNNRegressor(30, init="closed-form", max_iter=0, random_state=0)
    assert model.fit(X[:half], y[:half]).score(X[half:], y[half:]) > 0.9
    assert model.init_ == "closed-form" and model.n_iter_ == 0


@pytest.mark.parametrize("init", ["identity", "closed-form"])
def test_the_start_weighs_all_sequences_alike(init):
    """The last of 101 sequences is a batch of its own, and an outlier."""
    X = np.random.default_rng(0).normal(size=(101, 10, 2))
    y = X[:, 0, 0].copy()
    y[-1] = 50
    fits = [
        quick(init=init, solver="lbfgs", max_iter=0, batch_size=size, regularized_fraction=0.0)
        .fit(X, y)
        .predict(X)
        for size in (100, 101)
    ]
    np.testing.assert_allclose(*fits, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "shallow", "n_hidden": 3}, "n_hidden >= 6 .*'shallow', got 3"),
        ({"architecture": "almost-linear", "n_nonlinear": 2}, "n_nonlinear >= 3 .*got 2"),
    ],
)
def test_an_embedded_start_needs_relu(options, message):
    X, y = make_addition(60, 8, random_state=0)
    with pytest.raises(ValueError, match=message):
        quick(init="closed-form", **options).fit(X, y)

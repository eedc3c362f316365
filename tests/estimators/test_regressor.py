"""RegularizedPLRNNRegressor: every form of X and y, what it learns, what it promises."""

import copy
import pickle
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklearn_plrnn import RegularizedPLRNNRegressor
from sklearn_plrnn._model.cells import CELLS
from sklearn_plrnn.datasets import make_addition, make_multiplication


def filtered_noise(n_timesteps=400, seed=0, decay=0.8):
    """One series whose target is a decaying sum of past inputs."""
    X = np.random.default_rng(seed).normal(size=(n_timesteps, 2))
    y = np.zeros(n_timesteps)
    for t in range(n_timesteps):
        y[t] = decay * y[t - 1] * (t > 0) + X[t, 0] - 0.5 * X[t, 1]
    return X, y


def quick(**kwargs):
    """A small regressor."""
    return RegularizedPLRNNRegressor(
        **{"n_components": 6, "max_iter": 5, "random_state": 0} | kwargs
    )


FORMS = {
    "series": lambda X, y: (X, y),
    "series, two outputs": lambda X, y: (X, np.c_[y, -y]),
    "stack, per sequence": lambda X, y: (X.reshape(20, 20, 2), y[19::20]),
    "stack, two per sequence": lambda X, y: (X.reshape(20, 20, 2), np.c_[y, -y][19::20]),
    "stack, per step": lambda X, y: (X.reshape(20, 20, 2), y.reshape(20, 20, 1)),
    "list, per sequence": lambda X, y: (np.split(X, [15, 40, 300]), [1.0, 2.0, 3.0, 4.0]),
    "list, per step": lambda X, y: (np.split(X, [15, 40, 300]), np.split(y, [15, 40, 300])),
    "list, two per step": lambda X, y: (
        np.split(X, [15, 40, 300]),
        np.split(np.c_[y, -y], [15, 40, 300]),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_predictions_have_the_form_of_the_targets(form):
    X, y = FORMS[form](*filtered_noise())
    model = quick().fit(X, y)
    predictions = model.predict(X)
    if isinstance(y, list) and isinstance(X, list) and np.ndim(y[0]) > 0:
        assert isinstance(predictions, list)
        assert [p.shape for p in predictions] == [v.shape for v in y]
    else:
        assert predictions.shape == np.shape(y)
    assert -np.inf < model.score(X, y) <= 1
    assert model.n_features_in_ == 2


@pytest.mark.parametrize("form", FORMS)
def test_states_have_the_container_of_the_inputs(form):
    X, y = FORMS[form](*filtered_noise())
    model = quick().fit(X, y)
    states = model.transform(X)
    if isinstance(X, list):
        assert [s.shape for s in states] == [(len(x), 6) for x in X]
    else:
        assert states.shape == (*X.shape[:-1], 6)


def test_predictions_are_the_recurrence_of_the_fitted_attributes():
    X, y = filtered_noise(60)
    model = quick(max_iter=20).fit(X, y)
    z, f = model.initial_state_, model.to_map()
    scaled = (X - model.input_mean_) / model.input_scale_
    expected = []
    for s in scaled:
        z = model.A_ * z + model.W_ @ np.maximum(z, 0) + model.C_ @ s + model.h_
        expected.append(model.B_ @ z + model.b_)
    np.testing.assert_allclose(model.predict(X), np.array(expected)[:, 0])
    np.testing.assert_allclose(f.step(np.zeros(6)), model.h_)
    np.testing.assert_allclose(model.last_state_, z)
    assert not np.diag(model.W_).any()


def test_a_linear_filter_is_learned_and_generalizes():
    X, y = filtered_noise(900)
    model = RegularizedPLRNNRegressor(random_state=0).fit(X[:600], y[:600])
    assert model.score(X[600:], y[600:]) > 0.97


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


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_units_do_not_matter(unit):
    X, y = filtered_noise(150)
    model = quick().fit(X, y)
    scaled = quick().fit(X * unit, y * unit)
    np.testing.assert_allclose(scaled.predict(X * unit) / unit, model.predict(X), rtol=1e-6)
    assert scaled.score(X * unit, y * unit) == pytest.approx(model.score(X, y), abs=1e-6)


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


def test_washout_counts_in_loss_and_score_but_not_in_predictions():
    X, y = filtered_noise(200)
    spoiled = np.r_[np.full(10, 1e3), y[10:]]
    a, b = (quick(washout=10).fit(X, v) for v in (y, spoiled))
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    assert len(a.predict(X)) == 200
    assert a.score(X, y) == b.score(X, spoiled)


def test_last_state_continues_the_training_series():
    X, y = filtered_noise(900, decay=0.95)
    options = {"n_components": 10, "random_state": 0}
    fresh = RegularizedPLRNNRegressor(**options).fit(X[:800], y[:800])
    last = RegularizedPLRNNRegressor(initial_state="last", **options).fit(X[:800], y[:800])
    whole = fresh.predict(X)[800:]
    np.testing.assert_allclose(last.predict(X[800:]), whole, rtol=1e-8, atol=1e-8)
    assert last.score(X[800:], y[800:]) > fresh.score(X[800:], y[800:])
    assert not quick(initial_state="zero").fit(X, y).initial_state_.any()


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


def test_global_random_state_is_left_alone():
    X, y = filtered_noise(30)
    before = np.random.get_state()[1].copy()
    quick(random_state=None, max_iter=1).fit(X, y)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_warm_start_goes_on():
    X, y = filtered_noise(200)
    model = quick(max_iter=30, warm_start=True, learning_rate="constant").fit(X, y)
    first = model.best_loss_
    assert model.fit(X, y).best_loss_ < first
    cold = quick(max_iter=30, learning_rate="constant").fit(X, y)
    assert cold.fit(X, y).best_loss_ == first
    with pytest.raises(ValueError, match=r"The previous fit left parameters.*warm_start=True"):
        model.set_params(n_components=7).fit(X, y)


def test_a_warm_start_on_new_data_begins_as_the_model_that_there_was():
    X, y = filtered_noise()
    model = quick(warm_start=True).fit(X, y)
    expected = model.predict(X)
    model.set_params(max_iter=0).fit(10 + 3 * X[:50], y[:50] - 5)
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("rate", [1e3, 1e12])
def test_divergence_is_never_silent_or_fatal(rate):
    X, y = filtered_noise(100)
    model = quick(learning_rate_init=rate, max_grad_norm=None, solver="sgd", max_iter=30)
    with pytest.warns(ConvergenceWarning, match=r"diverged.*learning_rate_init") as caught:
        model.fit(X, y)
    assert {warning.filename for warning in caught} == {__file__}
    assert np.isfinite(model.predict(X)).all()
    assert model.score(X, y) > 0.5  # at least as good as the start


def test_no_warnings_on_healthy_data():
    X, y = filtered_noise(100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick().fit(X, y).predict(X)


def test_a_failed_refit_leaves_the_old_model_whole():
    X, y = filtered_noise(100)
    frame = pd.DataFrame(X, columns=["a", "b"])
    model = quick().fit(frame, y)
    before = pickle.dumps(model)
    for bad in (
        lambda: model.fit(X[:, :1], np.full(100, np.nan)),
        lambda: model.set_params(washout=200).fit(pd.DataFrame(X, columns=["c", "d"]), y),
    ):
        with pytest.raises(ValueError):
            bad()
        model.set_params(washout=0)
        assert pickle.dumps(model) == before
    np.testing.assert_array_equal(model.feature_names_in_, ["a", "b"])


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_follows_the_data_or_the_parameter(dtype):
    X, y = filtered_noise(80)
    model = quick().fit(X.astype(dtype), y)
    other = quick(dtype=np.dtype(dtype).name).fit(X, y)
    for fitted in (model, other):
        names = [*fitted.parameter_names_, "last_state", "input_mean", "output_scale"]
        assert {getattr(fitted, f"{name}_").dtype for name in names} == {np.dtype(dtype)}
        assert fitted.predict(X).dtype == dtype
    np.testing.assert_allclose(model.predict(X), quick().fit(X, y).predict(X), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("kind", ["integer", "boolean", "memmap"])
def test_numbers_of_any_kind_give_the_same_fit(kind, tmp_path):
    X, y = filtered_noise(60)
    X = np.round(3 * X)
    if kind == "boolean":
        X = X > 0
    plain = np.array(X, float)
    given = {
        "integer": lambda: X.astype(int),
        "boolean": lambda: X,
        "memmap": lambda: np.memmap(tmp_path / "X", float, "w+", shape=X.shape),
    }[kind]()
    if kind == "memmap":
        given[:] = X
    given.flags.writeable = False
    kept = np.array(given)
    fitted = quick().fit(given, y)
    np.testing.assert_array_equal(fitted.predict(given), quick().fit(plain, y).predict(plain))
    np.testing.assert_array_equal(given, kept)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"alpha": -1.0}, "alpha"),
        ({"alpha": "strong"}, "alpha"),
        ({"regularized_fraction": 1.5}, "regularized_fraction"),
        ({"architecture": "lstm"}, "architecture"),
        ({"init": "lift"}, "init"),
        ({"solver": "newton"}, "solver"),
        ({"learning_rate_init": 0}, "learning_rate_init"),
        ({"sequence_length": 500}, "sequence_length=500 needs.*at least 500 rows.*has 100"),
        ({"washout": 100}, "washout=100 needs.*at least 101 rows"),
        ({"dtype": "int8"}, "dtype"),
        ({"initial_state": "first"}, "initial_state"),
    ],
)
def test_bad_parameters_are_named(params, message):
    X, y = filtered_noise(100)
    with pytest.raises(ValueError, match=message):
        quick(**params).fit(X, y)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda m, X: m.predict(X[:, :1]), "1 features"),
        (lambda m, X: m.predict(X.reshape(-1, 4, 1)), "1 features"),
        (lambda m, X: m.predict(X[0]), "Reshape your data"),
        (lambda m, X: m.predict(np.full_like(X, np.nan)), "NaN"),
        (lambda m, X: m.score(X, np.zeros(3)), r"\[100, 3\]"),
    ],
)
def test_bad_input_to_a_fitted_model_is_named(use, message):
    X, y = filtered_noise(100)
    with pytest.raises(ValueError, match=message):
        use(quick().fit(X, y), X)


def test_one_sequence_for_a_sequence_model_needs_its_axis():
    X, y = make_addition(10, 12, random_state=0)
    model = quick().fit(X, y)
    with pytest.raises(ValueError, match=r"X\[np.newaxis\]"):
        model.predict(X[0])
    assert model.predict(X[:1]).shape == (1,)
    for params, message in [
        ({"sequence_length": 5}, "one target per sequence"),
        ({"initial_state": "last"}, "10 sequences"),
    ]:
        with pytest.raises(ValueError, match=message):
            quick(**params).fit(X, y)


def test_frames_keep_their_names():
    X, y = filtered_noise(60)
    frame = pd.DataFrame(X, columns=["rain", "wind"])
    model = quick().fit(frame, y)
    np.testing.assert_array_equal(model.feature_names_in_, ["rain", "wind"])
    np.testing.assert_array_equal(model.predict(frame), quick().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["wind", "rain"]])


def test_progress_is_shown_only_if_asked(capsys):
    X, y = filtered_noise(30)
    quick(max_iter=2).fit(X, y)
    assert capsys.readouterr().out == ""
    quick(max_iter=2, verbose=1).fit(X, y)
    assert "epoch 2/2" in capsys.readouterr().out


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


def test_streams_go_on_where_they_were():
    X, y = filtered_noise()
    parts = [(X[rows], y[rows]) for rows in (slice(0, 200), slice(200, 400))]
    model = quick(learning_rate_init=0.02)  # an epoch of a part is a single step
    for _ in range(100):
        for part in parts:
            model.partial_fit(*part)
    assert model.n_iter_ == len(model.loss_curve_) == 200
    assert all(model.score(*part) > 0.9 for part in parts)
    with pytest.raises(ValueError, match="feature"):
        model.partial_fit(X[:, :1], y)
    assert model.n_iter_ == 200


def test_epochs_of_a_stream_draw_other_batches(monkeypatch):
    from sklearn_plrnn._training.batches import SequenceBatches

    orders, epoch = [], SequenceBatches.epoch

    def watched(self, rng):
        orders.append(copy.deepcopy(rng).permutation(50))
        return epoch(self, rng)

    monkeypatch.setattr(SequenceBatches, "epoch", watched)
    X, y = filtered_noise()
    model = quick(random_state=0)
    for _ in range(2):
        model.partial_fit(X, y)
    quick(random_state=0).partial_fit(X, y)
    assert not np.array_equal(orders[0], orders[1])
    np.testing.assert_array_equal(orders[0], orders[2])


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


def test_gauss_newton_takes_a_single_sequence():
    X = np.random.default_rng(0).normal(size=(1, 60, 1))
    model = quick(solver="gauss-newton", max_iter=2, standardize=False).fit(X, [1.0])
    assert np.isfinite(model.predict(X)).all()


def test_rows_that_do_not_count_are_not_held_out():
    X, y = filtered_noise(100)
    weights = np.ones(100)
    weights[-10:] = 0
    model = quick(early_stopping=True).fit(X, y, weights)
    assert np.isfinite(model.validation_curve_).all()
    late = quick(early_stopping=True, washout=95).fit(X, y)
    assert np.isfinite(late.validation_curve_).all()


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


def test_no_more_units_can_be_nonlinear_than_there_are():
    X, y = make_addition(60, 8, random_state=0)
    with pytest.raises(ValueError, match="n_nonlinear=7 is larger than n_components=6"):
        quick(architecture="almost-linear", n_nonlinear=7).fit(X, y)
    assert quick(n_nonlinear=7, max_iter=0).fit(X, y).sizes_ == {"n_components": 6}


@pytest.mark.parametrize("architecture", CELLS)
def test_the_map_is_what_was_fitted(architecture):
    X, y = filtered_noise(60)
    model = quick(architecture=architecture, n_hidden=4).fit(X, y)
    predicted = model.predict(X)
    model = pickle.loads(pickle.dumps(model)).set_params(n_hidden=9, n_nonlinear=1)
    np.testing.assert_array_equal(model.predict(X), predicted)
    z = model.initial_state_
    drive = ((X - model.input_mean_) / model.input_scale_) @ model.C_.T
    for row in drive:
        z = model.to_map().step(z) + row
    np.testing.assert_allclose(z @ model.B_[0] + model.b_[0], np.ravel(predicted)[-1])


def test_a_stream_goes_on_in_the_precision_of_its_data():
    X, y = filtered_noise(60)
    model = quick().partial_fit(X.astype(np.float32), y)
    assert model.A_.dtype == np.float32
    assert model.partial_fit(X, y).A_.dtype == np.float64

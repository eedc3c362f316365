"""scikit-learn's callbacks: what they are told, how they stop a fit, that it stays the same fit."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_plrnn import (
    DSReconstructor,
    DSReconstructorCV,
    RegularizedPLRNNClassifier,
    RegularizedPLRNNClassifierCV,
    RegularizedPLRNNRegressor,
    RegularizedPLRNNRegressorCV,
)
from sklearn_plrnn.datasets import make_addition, make_van_der_pol
from sklearn_plrnn.estimators import _reconstructor
from sklearn_plrnn.estimators._base import BasePLRNN
from sklearn_plrnn.metrics import forecast_r2_scorer

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn is older than 1.9")

SUMS, TOTALS = make_addition(60, 12, random_state=0)
LABELS = TOTALS > 1
CYCLE = make_van_der_pol(200, random_state=0) * np.linspace(0.2, 1, 200)[:, None]  # grows

CASES = {
    "adam": (RegularizedPLRNNRegressor(5, solver="adam"), (SUMS, TOTALS)),
    "sgd": (RegularizedPLRNNRegressor(5, solver="sgd", n_init=2), (SUMS, TOTALS)),
    "lbfgs": (RegularizedPLRNNRegressor(5, solver="lbfgs", init="identity"), (SUMS, TOTALS)),
    "gauss-newton": (RegularizedPLRNNRegressor(5, solver="gauss-newton"), (SUMS, TOTALS)),
    "weights": (RegularizedPLRNNRegressor(5, solver="adam"), (SUMS, TOTALS, np.arange(60.0))),
    "classifier": (RegularizedPLRNNClassifier(5), (SUMS, LABELS)),
    "forcing": (DSReconstructor(n_hidden=5, solver="adam"), (CYCLE,)),
    "shooting": (DSReconstructor(n_hidden=5, solver="gauss-newton"), (CYCLE,)),
}
PATHS = {
    "regressor": (RegularizedPLRNNRegressorCV(5, solver="adam"), (SUMS, TOTALS)),
    "classifier": (RegularizedPLRNNClassifierCV(5), (SUMS, LABELS)),
    "reconstructor": (DSReconstructorCV(n_hidden=5, solver="adam"), (CYCLE.reshape(4, 50, 2),)),
}


def case(name, **kwargs):
    model, data = CASES[name]
    return clone(model).set_params(**{"max_iter": 3, "random_state": 0} | kwargs), data


def path(name):
    model, data = PATHS[name]
    return clone(model).set_params(max_iter=2, random_state=0, alphas=[0.1, 10], cv=2), data


class Recorder:
    """Keeps what it is told, in a list that all its copies share."""

    max_propagation_depth = None

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append(("setup", context, estimator, None))

    def teardown(self, estimator, context):
        self.events.append(("teardown", context, estimator, None))

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata):
        self.events.append(("begin", context, estimator, (X, y, metadata)))

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.events.append(("end", context, estimator, fitted_estimator))
        return self.asks_to_stop(context, fitted_estimator)

    def asks_to_stop(self, context, model):
        return False

    def models(self, name):
        """Models at the ends of tasks of that name."""
        return [
            model
            for kind, context, _, model in self.events
            if kind == "end" and context.task_name == name
        ]

    def tree(self):
        """Names of tasks, nested as they began and ended."""
        open_tasks = [(None, [])]
        for kind, context, *_ in self.events:
            if kind == "begin":
                open_tasks.append((context, []))
            elif kind == "end":
                begun, parts = open_tasks.pop()
                assert begun is context
                open_tasks[-1][1].append((context.task_name, parts))
        ((_, (root,)),) = open_tasks
        return root


class Stopper(Recorder):
    """Stops at the end of some tasks, by name."""

    def __init__(self, **numbers):
        super().__init__()
        self.numbers = numbers

    def asks_to_stop(self, context, model):
        return self.numbers.get(context.task_name) == context.task_id


def assert_same_fit(model, other):
    for name, x in vars(model).items():
        if name.endswith("_") and name not in ("optimizer_state_", "restarts_", "restart_scores_"):
            np.testing.assert_array_equal(x, getattr(other, name), err_msg=name)


def recorded(model, data):
    """What is recorded of a fit, which is the same fit as without."""
    plain = clone(model).fit(*data)
    recorder = Recorder()
    model.set_callbacks(recorder).fit(*data)
    assert_same_fit(model, plain)
    return recorder


@pytest.mark.parametrize("name", CASES)
def test_a_fit_is_a_tree_of_tasks_and_the_same_fit(name):
    model, data = case(name)
    recorder = recorded(model, data)
    step = "epoch" if model.solver_ in ("adam", "sgd") else "iteration"
    run = (model.solver_, [(step, [])] * 3)
    assert recorder.tree() == ("fit", [run] * model.n_init)
    kinds = [kind for kind, *_ in recorder.events]
    assert kinds[0] == "setup" and kinds[-1] == "teardown" and kinds.count("setup") == 1
    assert all(estimator is model for _, _, estimator, _ in recorder.events)
    weights = {"sample_weight": data[2]} if len(data) == 3 else {}
    for kind, *_, told in recorder.events:
        if kind == "begin":  # of a reconstruction X is also the target
            assert told[0] is data[0] and told[1] is data[len(data) > 1] and told[2] == weights


@pytest.mark.parametrize("name", CASES)
def test_callbacks_see_the_model_of_stopping_now(name):
    model, data = case(name, n_init=1)
    step = "epoch" if model.solver in ("adam", "sgd") else "iteration"
    recorder = Recorder()
    model.set_callbacks(recorder).fit(*data)
    seen = recorder.models("epoch") + recorder.models("iteration")
    assert [len(m.loss_curve_) for m in seen] == [1, 2, 3]
    for i in (0, 1):
        stopped = clone(model).set_callbacks(Stopper(**{step: i})).fit(*data)
        assert stopped.n_iter_ == i + 1
        assert_same_fit(seen[i], stopped)
        assert_equal(seen[i].predict(data[0]), stopped.predict(data[0]))
    for (last,) in (recorder.models("fit"), recorder.models(model.solver_)):
        assert_equal(last.predict(data[0]), model.predict(data[0]))
        assert last.n_iter_ == 3


def assert_equal(x, y):
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    ("few", "second"),
    [(False, ("adam", [("epoch", [])])), (True, ("gauss-newton", [("iteration", [])]))],
)
def test_a_second_solver_or_start_is_a_second_run(few, second, monkeypatch):
    monkeypatch.setattr(_reconstructor, "are_few", lambda *_: few)
    recorder = Recorder()
    model = DSReconstructor(n_hidden=1, max_iter=1, random_state=0).set_callbacks(recorder)
    model.fit(CYCLE)
    assert recorder.tree() == ("fit", [("gauss-newton", [("iteration", [])]), second])


def test_models_are_made_only_for_those_who_ask(monkeypatch):
    class Incurious(Recorder):
        def on_fit_task_end(self, estimator, context):
            self.events.append(("end", context, estimator, None))

    model, data = case("forcing")
    recorder = Incurious()
    with monkeypatch.context() as patch:
        patch.setattr(BasePLRNN, "_as_fitted", lambda *args: pytest.fail("a model was made"))
        model.set_callbacks(recorder).fit(*data)
        assert len(recorder.models("epoch")) == 3
        patch.setattr(BasePLRNN, "_init_callback_context", lambda *args: pytest.fail("a context"))
        clone(model).set_callbacks().fit(*data)


def test_a_run_is_stopped_by_an_epoch_and_restarts_by_a_run():
    model, data = case("sgd", n_init=3)
    model.set_callbacks(Stopper(epoch=1)).fit(*data)
    assert model.n_iter_ == 2 and len(model.restart_scores_) == 3
    model.set_callbacks(Stopper(sgd=1)).fit(*data)
    assert model.n_iter_ == 3 and len(model.restart_scores_) == 2


def test_what_was_stopped_is_not_finished(tmp_path, eager):
    model, data = case("adam", checkpoint_dir=tmp_path)
    model.set_callbacks(Stopper(epoch=1)).fit(*data)
    recorder = Recorder()
    again = clone(model).set_callbacks(recorder).fit(*data)
    assert len(recorder.models("epoch")) == 1
    assert_same_fit(again, case("adam")[0].fit(*data))
    recorder.events.clear()
    again.fit(*data)
    assert recorder.tree() == ("fit", [("adam", [])])


def test_every_task_that_begins_also_ends():
    """Though the last epoch comes to nothing, for the rate is absurd."""
    model, _ = case("sgd", n_init=1, learning_rate_init=1e12, max_grad_norm=None, max_iter=30)
    recorder = Recorder()
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.set_callbacks(recorder).fit(CYCLE[:90], CYCLE[:90, 0])
    assert recorder.tree() == ("fit", [("sgd", [("epoch", [])] * (model.n_iter_ + 1))])
    assert [m is None for m in recorder.models("epoch")] == [False] * model.n_iter_ + [True]


class Raising(Recorder):
    """Raises at the end of tasks of some name."""

    def __init__(self, error, name):
        super().__init__()
        self.error, self.name = error, name

    def asks_to_stop(self, context, model):
        if context.task_name == self.name:
            raise self.error


@pytest.mark.parametrize("name", ["epoch", "adam"])
def test_ctrl_c_in_a_callback_keeps_the_model(name):
    model, data = case("adam")
    with pytest.raises(KeyboardInterrupt):
        model.set_callbacks(Raising(KeyboardInterrupt(), name)).fit(*data)
    assert model.n_iter_ == (1 if name == "epoch" else 3)
    assert model.score(*data) > 0


def test_an_error_in_a_callback_leaves_the_old_model():
    model, data = case("adam")
    before = model.fit(*data).predict(SUMS)
    recorder = Raising(RuntimeError("no"), "epoch")
    with pytest.raises(RuntimeError, match="no"):
        model.set_params(n_components=3).set_callbacks(recorder).fit(*data)
    assert recorder.events[-1][0] == "teardown"
    assert_equal(model.predict(SUMS), before)


SCORING = {
    "adam": "r2",
    "weights": "r2",
    "gauss-newton": "neg_mean_absolute_error",
    "classifier": "neg_log_loss",
    "forcing": {"score": forecast_r2_scorer(5)},
}


@pytest.mark.parametrize("name", SCORING)
def test_scoring_monitor(name):
    model, data = case(name)
    monitor = callback.ScoringMonitor(scoring=SCORING[name])
    model.set_callbacks(monitor).fit(*data)
    *_, column = monitor.get_logs().data[0]
    scores = {row["task_id_path"]: row[column] for row in monitor.get_logs().data}
    assert set(scores) == {(0,), (0, 0), (0, 0, 0), (0, 0, 1), (0, 0, 2)}
    assert scores[0,] == scores[0, 0] >= scores[0, 0, 0] > -np.inf
    if name == "forcing":
        assert scores[0,] == SCORING[name]["score"](model, CYCLE)


@pytest.mark.parametrize("name", ["sgd", "shooting"])
def test_progress_bar(name, capsys):
    pytest.importorskip("rich")
    model, data = case(name)
    model.set_callbacks(callback.ProgressBar()).fit(*data)
    shown = capsys.readouterr().out
    assert f"{type(model).__name__} - fit" in shown
    for i in range(model.n_init):
        assert f"{model.solver_} #{i}" in shown
    assert "100%" in shown


@pytest.mark.parametrize("name", PATHS)
def test_a_path_is_a_tree_of_fits(name):
    model, data = path(name)
    recorder = recorded(model, data)
    fit = lambda n_epochs: ("fit", [("adam", [("epoch", [])] * n_epochs)])
    down = [fit(2), fit(1)]  # a quarter of the epochs, but one at least
    folds = ("cross-validation", [("fold", down), ("fold", down)])
    refit = ("refit", down[: 1 + int(model.alpha_ == 0.1)])
    assert recorder.tree() == ("fit", [folds, refit])
    assert not any("callback" in attribute for attribute in vars(model.set_callbacks()))


def test_each_model_of_a_path_can_be_scored():
    model, data = path("regressor")
    monitor = callback.ScoringMonitor(scoring="r2")
    model.set_callbacks(monitor).fit(*data)
    rows = monitor.get_logs().data
    names = [row["task_name"] for row in rows]
    assert names.count("alpha=10") == 3 and names.count("fit") == 1
    (last,) = [row["r2"] for row in rows if row["task_name"] == "fit"]
    assert last == model.score(*data)


def test_a_search_over_a_pipeline_hands_its_callbacks_down():
    model, (X, y) = case("classifier")
    X = X.reshape(len(X), -1)
    pipeline = make_pipeline(StandardScaler(), model.set_params(n_channels=2))
    search = GridSearchCV(pipeline, {"regularizedplrnnclassifier__alpha": [0.1, 1]}, cv=KFold(2))
    recorder = Recorder()
    search.set_callbacks(recorder).fit(X, y)
    assert len(recorder.models("epoch")) == (2 * 2 + 1) * 3
    recorder.tree()


def test_restarts_in_other_processes_are_told_of():
    model, data = case("sgd", n_jobs=2)
    monitor = callback.ScoringMonitor(scoring="r2")
    model.set_callbacks(monitor).fit(*data)
    paths = {row["task_id_path"] for row in monitor.get_logs().data}
    assert paths == {
        (0,),
        *((0, i) for i in (0, 1)),
        *((0, i, n) for i in (0, 1) for n in range(3)),
    }


def test_a_model_forgets_what_watched_its_fit():
    model, data = case("forcing", n_init=2, keep_restarts=True)
    model.set_callbacks(callback.ScoringMonitor(scoring={"s": forecast_r2_scorer(5)})).fit(*data)
    (other,) = model.restarts_
    assert not any("callback" in name for name in vars(other))
    assert [name for name in vars(model) if "callback" in name] == ["_skl_callbacks"]
    restored = pickle.loads(pickle.dumps(model))
    assert_equal(restored.predict(*data), model.predict(*data))


def test_partial_fit_has_no_tasks():
    model, data = case("adam")
    recorder = Recorder()
    model.set_callbacks(recorder).partial_fit(*data)
    assert recorder.events == []

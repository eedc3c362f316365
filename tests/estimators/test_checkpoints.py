"""Fits that are killed and run again: the same bits, and nothing is trained twice."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

import sklearn_plrnn
from sklearn_plrnn import (
    DSReconstructor,
    RegularizedPLRNNClassifier,
    RegularizedPLRNNRegressor,
    RegularizedPLRNNRegressorCV,
)
from sklearn_plrnn._training import checkpoint
from sklearn_plrnn._training.run import Run
from sklearn_plrnn.datasets import make_addition, make_van_der_pol

SUMS, TOTALS = make_addition(60, 12, random_state=0)
CYCLE = make_van_der_pol(200, random_state=0) * np.linspace(0.2, 1, 200)[:, None]  # grows
CYCLE += 0.05 * np.random.default_rng(0).normal(size=CYCLE.shape)

CASES = {
    "regressor": RegularizedPLRNNRegressor(5, solver="adam"),
    "restarts": RegularizedPLRNNRegressor(5, solver="sgd", n_init=2),
    "gauss-newton": RegularizedPLRNNRegressor(5, solver="gauss-newton"),
    "classifier": RegularizedPLRNNClassifier(5, early_stopping=True),
    "path": RegularizedPLRNNRegressorCV(5, solver="adam", alphas=[1, 0.1], cv=2),
    "shooting": DSReconstructor(n_hidden=5, solver="gauss-newton"),
    "forcing": DSReconstructor(
        4,
        n_hidden=8,
        solver="adam",
        forcing_strength=0.0,
        forcing_schedule="adaptive",  # from what it was in the epoch before
        learning_rate_init=0.03,
        process_noise=0.01,
    ),
    "a second solver": DSReconstructor(n_hidden=1),
}


def case(name, **kwargs):
    """An estimator and its data."""
    model = clone(CASES[name]).set_params(max_iter=4, random_state=0, **kwargs)
    if isinstance(model, RegularizedPLRNNClassifier):
        return model, (SUMS, TOTALS > 1)
    return model, (CYCLE,) if isinstance(model, DSReconstructor) else (SUMS, TOTALS)


def quick(**kwargs):
    return RegularizedPLRNNRegressor(
        **{"n_components": 5, "solver": "adam", "max_iter": 4, "random_state": 0} | kwargs
    )


def fitted(model):
    """Fitted attributes by name, but for buffers of the optimizer."""
    return {
        name: x
        for name, x in vars(model).items()
        if name.endswith("_") and name not in ("optimizer_state_", "restarts_")
    }


def assert_same(model, other):
    one, two = fitted(model), fitted(other)
    assert one.keys() == two.keys()
    for name, x in one.items():
        np.testing.assert_array_equal(x, two[name], err_msg=name)


class Killed(BaseException):
    """What no handler catches."""


@pytest.fixture
def killed(eager, monkeypatch):
    """``killed(fit, after)``: run ``fit()`` until `after` epochs are over."""

    def run(fit, after):
        end_epoch, calls = Run.end_epoch, []

        def deadly(self, *args, **kwargs):
            calls.append(None)
            if len(calls) > after:
                raise Killed
            return end_epoch(self, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(Run, "end_epoch", deadly)
            with pytest.raises(Killed):
                fit()

    return run


@pytest.fixture
def epochs(monkeypatch):
    """A list that grows by an entry with each epoch that is trained."""
    end_epoch, counted = Run.end_epoch, []

    def counting(self, *args, **kwargs):
        counted.append(self.n_iter)
        return end_epoch(self, *args, **kwargs)

    monkeypatch.setattr(Run, "end_epoch", counting)
    return counted


AFTER = {"restarts": 6, "path": 7, "a second solver": 6}  # epochs; all but the first run


@pytest.mark.parametrize("name", CASES)
def test_a_killed_fit_goes_on_as_if_it_had_not_been(name, killed, epochs, tmp_path):
    model, data = case(name)
    expected = clone(model).fit(*data)
    n_epochs = len(epochs)
    model.set_params(checkpoint_dir=tmp_path / "states")
    after = AFTER.get(name, 2)
    killed(lambda: model.fit(*data), after)
    epochs.clear()
    assert_same(model.fit(*data), expected)
    assert len(epochs) == n_epochs - after
    epochs.clear()
    assert_same(clone(model).fit(*data), expected)
    assert epochs == []


SUICIDE = """
import os, signal, sys
import numpy as np
from sklearn_plrnn import RegularizedPLRNNRegressor
from sklearn_plrnn._training import checkpoint
from sklearn_plrnn.datasets import make_addition

checkpoint.INTERVAL = -1
checkpoint.SHARE = np.inf
fsync, calls = os.fsync, []

def deadly(file):
    calls.append(None)
    if len(calls) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(file)

os.fsync = deadly
X, y = make_addition(60, 12, random_state=0)
RegularizedPLRNNRegressor(
    5, solver="adam", max_iter=4, random_state=0, checkpoint_dir=sys.argv[1]
).fit(X, y)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
def test_kill_9_in_the_middle_of_a_write(epochs, tmp_path):
    folder = Path(sklearn_plrnn.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", SUICIDE, str(tmp_path)], cwd=folder, check=False)
    assert done.returncode == -signal.SIGKILL
    kinds = sorted(path.suffix for path in tmp_path.iterdir())
    assert kinds == [".npz", ".tmp"]  # the state before, and what was being written
    model = quick(checkpoint_dir=tmp_path).fit(SUMS, TOTALS)
    # A file and its folder are synchronized each: of the third state there was half.
    assert epochs == [1, 2, 3]
    assert_same(model, quick().fit(SUMS, TOTALS))


OTHERS = {
    "random_state": 1,
    "alpha": 0.5,
    "max_iter": 2,
    "solver": "sgd",
    "learning_rate_init": 1e-3,
    "batch_size": 7,
    "early_stopping": True,
    "init": "random",
}


def test_other_data_parameters_or_seeds_are_other_runs(epochs, tmp_path):
    model = quick(checkpoint_dir=tmp_path, max_iter=1).fit(SUMS, TOTALS)
    touched = SUMS.copy()
    touched[-1, -1, 0] += 1e-9
    weights = np.r_[2.0, np.ones(59)]
    others = [
        (model, data) for data in ((touched, TOTALS), (SUMS, -TOTALS), (SUMS, TOTALS, weights))
    ]
    others += [(clone(model).set_params(**{name: x}), (SUMS, TOTALS)) for name, x in OTHERS.items()]
    for n_before, (other, data) in enumerate(others, start=1):
        epochs.clear()
        other.fit(*data)
        assert len(epochs) == other.max_iter
        assert len(list(tmp_path.iterdir())) == n_before + 1


def test_what_changes_no_result_changes_no_file(epochs, tmp_path):
    model = quick(checkpoint_dir=tmp_path).fit(SUMS, TOTALS)
    epochs.clear()
    for same in ({"n_jobs": 2}, {"verbose": 1}, {"on_interrupt": "keep"}):
        again = quick(checkpoint_dir=str(tmp_path), **same)
        assert_same(again.fit(SUMS.tolist(), np.asfortranarray(TOTALS)), model)
    assert epochs == []


def test_a_search_that_is_run_again_trains_only_what_is_left(epochs, tmp_path):
    search = GridSearchCV(
        quick(checkpoint_dir=tmp_path, max_iter=2), {"alpha": [0.1, 1, 10]}, cv=KFold(2)
    )
    expected = search.fit(SUMS, TOTALS).cv_results_["mean_test_score"]
    assert len(epochs) == 2 * (3 * 2 + 1)
    path = max(tmp_path.iterdir(), key=os.path.getmtime)
    path.unlink()
    epochs.clear()
    again = clone(search).fit(SUMS, TOTALS)
    np.testing.assert_array_equal(again.cv_results_["mean_test_score"], expected)
    assert len(epochs) == 2


def test_an_interrupted_fit_goes_on(eager, epochs, tmp_path, monkeypatch):
    model = quick(checkpoint_dir=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "is_over", interrupt_after_two)
        with pytest.raises(KeyboardInterrupt):
            model.fit(SUMS, TOTALS)
    assert model.n_iter_ == 2
    epochs.clear()
    assert_same(model.fit(SUMS, TOTALS), quick().fit(SUMS, TOTALS))
    assert epochs[:2] == [2, 3]


def interrupt_after_two(run):
    if run.n_iter == 2:
        raise KeyboardInterrupt
    return False


def test_a_damaged_file_costs_no_more_than_training_anew(tmp_path):
    model = quick(checkpoint_dir=tmp_path)
    expected = model.fit(SUMS, TOTALS)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(UserWarning, match=path.name):
        assert_same(clone(model).fit(SUMS, TOTALS), expected)


def test_a_full_disk_costs_no_model(tmp_path, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.warns(UserWarning, match="could not be written.*No space left on device"):
        model = quick(checkpoint_dir=tmp_path).fit(SUMS, TOTALS)
    assert_same(model, quick().fit(SUMS, TOTALS))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [quick, lambda **kwargs: case("path", **kwargs)[0]])
def test_what_cannot_work_is_said_before_anything_is_trained(make, epochs, tmp_path):
    with pytest.raises(ValueError, match=r"checkpoint_dir=.* needs a random_state"):
        make(checkpoint_dir=tmp_path).set_params(random_state=None).fit(SUMS, TOTALS)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"checkpoint_dir=.*file' is no folder"):
        make(checkpoint_dir=tmp_path / "file").fit(SUMS, TOTALS)
    with pytest.raises(ValueError, match="checkpoint_dir"):
        make(checkpoint_dir=1).fit(SUMS, TOTALS)
    assert epochs == []


def test_a_stream_leaves_no_files(tmp_path):
    quick(checkpoint_dir=tmp_path).partial_fit(SUMS, TOTALS)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "write_whole", lambda *args: pytest.fail("a file is written"))
    quick().fit(SUMS, TOTALS)
    assert list(tmp_path.iterdir()) == []

"""States on disk: whole or absent, refused when damaged, and enough to go on from to the bit."""

import os
import pickle
import warnings

import numpy as np
import pytest
from quadratic import TARGET, Quadratic, Shifts

from sklearn_plrnn._model.gradient import value_and_gradients
from sklearn_plrnn._training import checkpoint
from sklearn_plrnn._training.checkpoint import StateFile, fingerprint
from sklearn_plrnn._training.loop import minimize
from sklearn_plrnn._training.run import Settings

STATE = {
    "single": np.arange(3, dtype=np.float32),
    "matrix": np.eye(2),
    "nothing": np.zeros((0, 2)),
    "list": [np.ones(2), 1.5, np.inf, None],
    "tuple": (0.9, 0.999),
    "nested": {"state": 2**127 + 1, "name": "PCG64", "scores": [(1.0, 2.0), (3.0, np.inf)]},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


def same(x, y):
    """Whether values, types and bits are the same."""
    if isinstance(x, np.ndarray):
        return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
    if isinstance(x, dict):
        return list(x) == list(y) and all(same(x[name], y[name]) for name in x)
    if isinstance(x, list | tuple):
        return type(x) is type(y) and len(x) == len(y) and all(map(same, x, y))
    return type(x) is type(y) and x == y


def test_what_was_written_is_read(path):
    StateFile(path).write(STATE)
    assert same(StateFile(path).saved, STATE)
    StateFile(path).write({"other": 1})
    assert StateFile(path).saved == {"other": 1}
    assert os.listdir(path.parent) == [path.name]


def test_without_a_path_nothing_is_kept():
    file = StateFile(None)
    file.write(STATE)
    file.offer(lambda: pytest.fail("a state was made"))
    assert file.saved == {}


def test_a_damaged_file_is_refused_with_a_warning_that_names_it(path):
    StateFile(path).write(STATE)
    whole = path.read_bytes()
    for n in range(0, len(whole), 40):
        path.write_bytes(whole[:n])
        with pytest.warns(UserWarning, match="run.npz is not the state of a training run"):
            assert StateFile(path).saved == {}
    for i in range(0, len(whole), 17):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 0xFF]) + whole[i + 1 :])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            saved = StateFile(path).saved
        assert (caught and saved == {}) or same(saved, STATE)  # not all bytes of a zip matter


def of_another_run(path):
    StateFile(path).write(STATE)
    path.rename(path.with_name("other.npz"))
    return path.with_name("other.npz")


FOREIGN = {
    "a pickle": lambda path: path.write_bytes(pickle.dumps(STATE)),
    "an array": lambda path: np.save(path.open("wb"), np.ones(3)),
    "other arrays": lambda path: np.savez(path, a=np.ones(3)),
    "no JSON": lambda path: np.savez(path, np.ones(3)),
    "a folder": lambda path: path.mkdir(),
    "another run": of_another_run,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_so_is_a_foreign_file(path, kind):
    made = FOREIGN[kind](path)
    with pytest.warns(UserWarning, match="is not the state of a training run"):
        assert StateFile(made if kind == "another run" else path).saved == {}


class Malicious:
    def __reduce__(self):
        return os.abort, ()


def test_nothing_is_unpickled(path):
    np.savez(path, np.array([Malicious()], object))
    with pytest.warns(UserWarning, match="not the state"):
        assert StateFile(path).saved == {}


@pytest.mark.parametrize("broken", ["open", "fsync", "replace"])
def test_a_failed_write_is_a_warning_and_leaves_the_last_state(path, monkeypatch, broken):
    file = StateFile(path)
    file.write(STATE)

    def full(*args):
        raise OSError(28, "No space left on device")

    if broken == "open":
        monkeypatch.setattr(checkpoint, "open", full, raising=False)
    else:
        monkeypatch.setattr(checkpoint.os, broken, full)
    with pytest.warns(UserWarning, match=r"could not be written to .*run\.npz .*No space left"):
        file.write({"new": 1})
    assert os.listdir(path.parent) == [path.name]
    assert same(StateFile(path).saved, STATE)


def test_a_folder_that_was_deleted_is_made_again(tmp_path):
    file = StateFile(tmp_path / "states" / "run.npz")
    file.write(STATE)
    file.path.unlink()
    file.path.parent.rmdir()
    file.write(STATE)
    assert same(StateFile(file.path).saved, STATE)


def test_states_are_written_now_and_then(path, monkeypatch):
    """Not before `INTERVAL` seconds, and where writing takes long not much of the time."""
    now, taken = [0.0], [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    file, written = StateFile(path), []

    def write(state):
        now[0] += taken[0]
        written.append(state)

    monkeypatch.setattr(file, "write", write)

    def offer_until(end):
        while now[0] < end:
            file.offer(lambda: now[0])
            now[0] += 1

    offer_until(100)
    assert written[0] == checkpoint.INTERVAL
    assert len(written) == pytest.approx(100 / checkpoint.INTERVAL, abs=1)
    taken[0] = 2.0
    offer_until(400)
    assert 2.0 * (len(written) - 20) <= 0.06 * 300


def test_equal_values_have_equal_fingerprints():
    make = lambda x=1.0: ("0.1", {"data": np.arange(6.0).reshape(2, 3) * x, "settings": Settings()})
    assert fingerprint(*make()) == fingerprint(*make())
    assert fingerprint(*make()) != fingerprint(*make(1.0 + 1e-15))


def test_a_memory_map_is_the_array_that_it_maps(tmp_path):
    x = np.arange(6.0)
    np.save(tmp_path / "x.npy", x)
    assert fingerprint(x) == fingerprint(np.load(tmp_path / "x.npy", mmap_mode="r"))


class Killed(BaseException):
    """What no handler catches."""


class Mortal(Quadratic):
    """Dies at one of its evaluations; counts them."""

    death = Killed

    def __init__(self, dies_at=np.inf):
        self.n_calls, self.dies_at = 0, dies_at

    def count(self):
        self.n_calls += 1
        if self.n_calls == self.dies_at:
            raise self.death

    def value(self, params, batch):
        self.count()
        return super().value(params, batch)


class Moving(Mortal):
    """Is elsewhere in each epoch, half as far as in the one before."""

    def __init__(self, dies_at=np.inf, offset=8.0, of=None):
        super().__init__(dies_at)
        self.stage, self._of = offset, of or self

    def value(self, params, batch):
        self._of.count()
        return Quadratic.value(self, {name: x - self.stage for name, x in params.items()}, batch)

    def at_epoch(self, progress, params, draw):
        return self.at_stage(self.stage / 2 + 0.01 * draw().targets[0, 0, 0])

    def at_stage(self, stage):
        return Moving(offset=stage, of=self._of)


def near_half(params):
    return abs(params["a"][0] - 0.5), abs(params["a"][1])


RUNS = {
    "adam": {},
    "one batch": {"batches": Shifts(0)},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.01},
    "recovering": {
        "solver": "sgd",
        "learning_rate_init": 1.2,
        "learning_rate": "constant",
        "max_iter": 40,
        "batches": Shifts(0),
    },
    "stopping": {
        "held_out": Shifts(-2),
        "n_iter_no_change": 5,
        "learning_rate": "constant",
        "max_iter": 60,
    },
    "scored": {"select": near_half, "learning_rate_init": 0.02},
    "moving": {"kind": Moving},
    "gauss-newton": {"solver": "gauss-newton", "batches": Shifts(-3, -1, 5)},
}


def run(path=None, dies_at=np.inf, kind=Mortal, batches=None, held_out=None, select=None, **given):
    """The result, and how many evaluations it took."""
    settings = Settings(**{"learning_rate_init": 0.1, "max_iter": 20} | given)
    rng, file, objective = np.random.default_rng(0), StateFile(path), kind(dies_at)
    start = file.saved.get("params", {name: np.zeros_like(x) for name, x in TARGET.items()})
    batches = batches or Shifts(-1, 0.5, 1)
    result = minimize(objective, start, batches, held_out, settings, rng, select, file=file)
    return result, objective.n_calls


@pytest.mark.parametrize("name", RUNS)
def test_a_killed_run_goes_on_as_if_it_had_not_been(name, tmp_path, eager):
    expected, n_calls = run(**RUNS[name])
    for i, dies_at in enumerate(np.linspace(2, n_calls, 4).astype(int)):
        path = tmp_path / f"{i}.npz"
        with pytest.raises(Killed):
            run(path, dies_at, **RUNS[name])
        result, n_left = run(path, **RUNS[name])
        assert same(result._asdict(), expected._asdict())
        assert n_left < n_calls - dies_at + 30  # of the last epoch's


class Valley(Mortal):
    """Of unequal widths, so that L-BFGS takes its time."""

    def value(self, params, batch):
        self.count()
        a, b = params["a"], params["b"]
        return (a[0] - 1) ** 2 + 300 * (a[1] + 2 - a[0] ** 2) ** 2 + 20 * (b[0, 0] - a[1]) ** 2

    def buffered(self, n_threads=1):
        return self.value, lambda params, batch: value_and_gradients(self.value, params, batch)


def test_lbfgs_goes_on_from_its_last_iterate(path, eager):
    options = {"kind": Valley, "solver": "lbfgs", "max_iter": 60, "batches": Shifts(0)}
    expected, n_calls = run(**options)
    with pytest.raises(Killed):
        run(path, n_calls // 2, **options)
    n_done = len(StateFile(path).saved["loss_curve"])
    assert n_done > 5
    at_its_end = run(path, **options | {"max_iter": n_done})
    assert at_its_end[0].n_iter == n_done and at_its_end[1] == 0
    result, _ = run(path, **options)
    assert result.loss_curve[:n_done] == expected.loss_curve[:n_done]
    assert result.loss_curve[n_done] < result.loss_curve[n_done - 1]
    assert result.best_loss == pytest.approx(expected.best_loss, abs=1e-6)
    assert result.n_iter <= 60


class Interrupted(Mortal):
    """Gets Ctrl-C."""

    death = KeyboardInterrupt


def test_an_interrupted_run_can_be_resumed(path, eager):
    expected, _ = run()
    assert run(path, 40, Interrupted)[0].interrupted
    assert same(run(path)[0]._asdict(), expected._asdict())


def test_going_on_is_shown(path, eager, capsys):
    with pytest.raises(Killed):
        run(path, 40)
    run(path, verbose=1)
    assert "resumed after 6/20" in capsys.readouterr().out

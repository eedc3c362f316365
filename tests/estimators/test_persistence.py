"""Models saved and loaded: same bits, plain contents, old versions, damaged files."""

import io
import pickle
import warnings

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_models import FIXTURES, FORMATS, MODELS, answers, data_for, load, save

from sklearn_plrnn.estimators import _persistence

VERSIONS = sorted(folder.name for folder in FIXTURES.iterdir())


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    """A fitted model, and the data it was fitted to."""
    model = MODELS[request.param]
    data = data_for(model)
    return clone(model).fit(*data), data


def assert_same(model, other, X):
    expected, found = answers(model, X), answers(other, X)
    for name, x in expected.items():
        np.testing.assert_array_equal(found[name], x, err_msg=name)
        assert type(found[name]) is np.ndarray and found[name].dtype == x.dtype


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_loaded_model_says_the_same_to_the_last_bit(suffix, fitted, tmp_path):
    model, (X, *_) = fitted
    path = tmp_path / f"model.{suffix}"
    save(model, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load(path, type(model))
    assert_same(model, loaded, X)
    assert vars(loaded).keys() == vars(model).keys()


def test_training_goes_on_from_arrays_mapped_from_a_file(fitted, tmp_path):
    model, (X, *y) = fitted
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    before = path.read_bytes()
    plain, mapped = joblib.load(path), joblib.load(path, mmap_mode="r")
    assert isinstance(mapped.A_, np.memmap)
    assert_same(plain, mapped, X)
    for copy in (plain, mapped):
        if "warm_start" in copy.get_params():
            copy.set_params(warm_start=True, n_init=1).fit(X, *y)
        if hasattr(copy, "partial_fit"):
            copy.partial_fit(X, *y)
    assert_same(plain, mapped, X)
    assert path.read_bytes() == before


class Recorder(pickle.Unpickler):
    """Notes of which packages something is loaded."""

    def find_class(self, module, name):
        self.packages.add(module.partition(".")[0])
        return super().find_class(module, name)


def plain_parts(x):
    """What is in nested lists, tuples and dicts, and an estimator's attributes."""
    if type(x) is dict:
        assert all(type(key) is str for key in x)
        x = list(x.values())
    if type(x) in (list, tuple):
        for part in x:
            yield from plain_parts(part)
    elif isinstance(x, BaseEstimator):
        yield from plain_parts(vars(x))
    else:
        yield x


def test_what_a_fit_leaves_is_plain(fitted):
    model, _ = fitted
    for name, x in vars(model).items():
        for part in plain_parts(x):
            assert type(part) in (np.ndarray, float, int, bool, str, type(None)), name
            assert type(part) is not np.ndarray or part.dtype.kind in "fibU", name
    recorder = Recorder(io.BytesIO(pickle.dumps(model)))
    recorder.packages = set()
    recorder.load()
    assert recorder.packages == {"sklearn_plrnn", "numpy"}
    own = f"{type(model).__module__}.{type(model).__name__}"
    assert skops.io.get_untrusted_types(data=skops.io.dumps(model)) == [own]


def test_pipelines_are_trusted_with_one_class():
    X, y = data_for(MODELS["RegularizedPLRNNRegressor"])
    model = clone(MODELS["RegularizedPLRNNRegressor"]).set_output(transform="pandas")
    pipeline = make_pipeline(StandardScaler(), model).fit(X, y)
    loaded = skops.io.loads(skops.io.dumps(pipeline), trusted=[type(model)])
    np.testing.assert_array_equal(loaded.predict(X), pipeline.predict(X))
    assert list(loaded.transform(X).columns) == list(pipeline.transform(X).columns)


def test_size_does_not_grow_with_the_data(fitted):
    model, _ = fitted
    data = data_for(model, n=240)
    growth = len(pickle.dumps(clone(model).fit(*data))) - len(pickle.dumps(model))
    assert growth < data[0].nbytes / 4


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("version", VERSIONS)
def test_files_of_older_versions_are_read(version, name, suffix, monkeypatch):
    path = FIXTURES / version / f"{name}.{suffix}"
    assert path.stat().st_size < 30_000
    monkeypatch.setattr(_persistence, "__version__", "99.0")
    told = f"^{name} was saved by sklearn-plrnn {version} and is loaded by 99.0"
    with pytest.warns(InconsistentVersionWarning, match=told):
        model = load(path, type(MODELS[name]))
    with np.load(path.with_suffix(".npz")) as saved:
        X = saved["X"]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            found = answers(model, X)
        for key in set(saved) - {"X"}:
            if saved[key].dtype.kind == "U":
                np.testing.assert_array_equal(found[key], saved[key])
            else:
                np.testing.assert_allclose(found[key], saved[key], rtol=1e-9, atol=1e-12)
    assert clone(model).get_params().keys() == MODELS[name].get_params().keys()


def test_every_format_of_every_model_is_kept():
    names = {f"{name}.{suffix}" for name in MODELS for suffix in (*FORMATS, "npz")}
    for version in VERSIONS:
        assert {path.name for path in (FIXTURES / version).iterdir()} == names


@pytest.mark.parametrize("saved_by", ["0.0.1", "99.0"])
def test_other_versions_are_told_where_the_file_is_loaded(saved_by, fitted, monkeypatch):
    model, (X, *_) = fitted
    with monkeypatch.context() as before:
        before.setattr(_persistence, "__version__", saved_by)
        data = pickle.dumps(model)
    with pytest.warns(InconsistentVersionWarning, match=f"sklearn-plrnn {saved_by}") as caught:
        loaded = pickle.loads(data)
    assert {warning.filename for warning in caught} == {__file__}
    assert caught[-1].message.original_sklearn_version == saved_by
    assert_same(model, loaded, X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pickle.loads(pickle.dumps(loaded))  # it is of this version now


def test_parameters_that_came_later_have_their_defaults(fitted, monkeypatch):
    model, (X, *_) = fitted
    state = {name: x for name, x in model.__getstate__().items() if name != "tol"}
    with monkeypatch.context() as later:
        later.setattr(_persistence, "__version__", "99.0")
        old = type(model).__new__(type(model))
        with pytest.warns(InconsistentVersionWarning):
            old.__setstate__(state)
    assert clone(old).get_params() == old.get_params() == model.get_params()
    assert_same(model, old, X)


def test_damaged_arrays_are_named(fitted):
    model, (X, *_) = fitted
    scaling = ["input_scale", "output_mean", "output_scale"]
    for name in (*model.parameter_names_, "B", "b", "last_state", *scaling):
        x = getattr(model, f"{name}_")
        for wrong in (np.r_[x, x], x[..., None], x[:0]):
            if np.shape(wrong) == x.shape:  # of no inputs
                continue
            damaged = pickle.loads(pickle.dumps(model))
            setattr(damaged, f"{name}_", wrong)
            with pytest.raises(ValueError, match=rf"^{name}_ of this {type(model).__name__}"):
                damaged.predict(X)
            with pytest.raises(ValueError, match="changed, or its file is damaged"):
                damaged.to_map()

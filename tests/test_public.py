"""What is public exists, and its documentation names what the code names."""

import importlib
import importlib.util
import inspect

import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc
from packaging.version import Version

import sklearn_plrnn

REQUIRED = ("sklearn_plrnn", "sklearn_plrnn.datasets", "sklearn_plrnn.metrics")
OPTIONAL = ("sklearn_plrnn.analysis", "sklearn_plrnn.displays", "sklearn_plrnn.model_selection")
MODULES = [*REQUIRED, *(name for name in OPTIONAL if importlib.util.find_spec(name))]


def look_up(name):
    """The object of a dotted name such as ``sklearn_plrnn.metrics.prediction_error``."""
    module, _, name = name.rpartition(".")
    return getattr(importlib.import_module(module), name)


def entries(kind=lambda _: True):
    """Dotted names in ``__all__`` of the public modules, of objects for which `kind` holds."""
    names = []
    for module_name in filter(importlib.util.find_spec, MODULES):
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", ()):
            if kind(getattr(module, name, None)):
                names.append(f"{module_name}.{name}")
    return names


def methods(class_name):
    """Public methods written in this package, inherited ones included unless taken back."""
    classes = [c for c in look_up(class_name).__mro__ if c.__module__.startswith("sklearn_plrnn")]
    names = {name for c in classes for name, x in vars(c).items() if inspect.isfunction(x)}
    offered = lambda name: inspect.isfunction(getattr(look_up(class_name), name))
    names = sorted(name for name in names if not name.startswith("_") and offered(name))
    return [f"{class_name}.{name}" for name in names]


FUNCTIONS = entries(inspect.isfunction)
CLASSES = entries(inspect.isclass)
METHODS = [method for name in CLASSES for method in methods(name)]


def documented(doc, section="Parameters"):
    """Names in a section; ``a, b : float`` is two of them."""
    return [name.strip(" *") for entry in doc[section] for name in entry.name.split(",")]


def accepted(function):
    names = inspect.signature(function).parameters
    return [name for name in names if name not in ("self", "cls")]


def returns_something(function):
    return inspect.signature(function).return_annotation not in (None, "None")


def check_function(function):
    doc = FunctionDoc(function)
    assert doc["Summary"], "no docstring"
    assert documented(doc) == accepted(function)
    if returns_something(function):
        assert doc["Returns"] or doc["Yields"], "no section Returns"
    return doc


@pytest.mark.parametrize("name", MODULES)
def test_module_lists_what_is_public(name):
    names = importlib.import_module(name).__all__
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", entries())
def test_public_name_exists(name):
    assert inspect.getdoc(look_up(name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_is_documented(name):
    assert check_function(look_up(name))["Examples"], "no section Examples"


@pytest.mark.parametrize("name", CLASSES)
def test_class_is_documented(name):
    doc = ClassDoc(look_up(name), config={"show_class_members": False})
    assert doc["Summary"], "no docstring"
    assert documented(doc) == accepted(look_up(name))
    assert doc["Attributes"], "no section Attributes"
    assert doc["Examples"], "no section Examples"


@pytest.mark.parametrize("name", METHODS)
def test_method_is_documented(name):
    class_name, _, method = name.rpartition(".")
    check_function(getattr(look_up(class_name), method))


def undocumented_parameter(a, b):
    """Add.

    Parameters
    ----------
    a : int
        A number.

    Returns
    -------
    sum : int
        The sum.
    """


def undocumented_result(a):
    """Add.

    Parameters
    ----------
    a : int
        A number.
    """


@pytest.mark.parametrize("function", [undocumented_parameter, undocumented_result, accepted])
def test_gaps_are_found(function):
    with pytest.raises(AssertionError):
        check_function(function)


def test_version():
    assert "__version__" in sklearn_plrnn.__all__
    assert str(Version(sklearn_plrnn.__version__)) == sklearn_plrnn.__version__


def test_show_versions(capsys):
    sklearn_plrnn.show_versions()
    printed = capsys.readouterr().out
    for name in ("python", "scikit-learn", "numpy", "scipy", "autograd", "numba", "blas"):
        assert f"{name}: " in printed or f": {name}" in printed
    assert f"numpy: {importlib.import_module('numpy').__version__}" in printed


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("numpy", "numpy"),
        ("numba", "numba" if importlib.util.find_spec("numba") else "none: No module"),
        ("fortran", "none: SKLEARN_PLRNN_ENGINE='fortran' is not one of"),
    ],
)
def test_show_versions_tells_the_engine(asked, told, capsys, monkeypatch):
    monkeypatch.setenv("SKLEARN_PLRNN_ENGINE", asked)
    sklearn_plrnn.show_versions()
    assert f"engine: {told}" in capsys.readouterr().out

"""Imports point down: which room may use which, and what `import sklearn_plrnn` may not bring.

The first folder or module of a path below the package is its room. `ALLOWED` names what a room may
import besides itself; `LIBRARIES` where an outside library may be imported at all.
"""

import ast
import fnmatch
import graphlib
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = "sklearn_plrnn"
ROOT = Path(__file__).resolve().parents[1] / PACKAGE

ALLOWED = {
    "_recurrence": (),
    "_model": ("_recurrence",),
    "_training": ("_model.objective", "_model.turns"),
    "estimators": (
        "_recurrence.piecewise",
        "_recurrence.primitive",
        "_recurrence.tape",
        "_model",
        "_training",
        "metrics",
        "analysis",
        "_random_state",
        "_version",
    ),
    "analysis": ("_recurrence.piecewise", "_random_state"),
    "metrics": ("_random_state",),
    "datasets": ("_random_state",),
    "_random_state": (),
    "_version": (),
    "model_selection": ("metrics",),
    "displays": ("metrics", "analysis"),
    "_show_versions": ("_recurrence.engines",),
}

# Where a library may be imported; elsewhere not even inside a function.
LIBRARIES = {
    "autograd": ("_recurrence.primitive", "_model.*"),
    "numba": ("_recurrence.compilation",),
    "joblib": ("_training.*", "estimators._cv"),
    "torch": (),
    "jax": (),
    "dask": (),
    "ray": (),
}

# Nobody should need these to import the package.
ONLY_INSIDE_FUNCTIONS = ("matplotlib", "pandas", "polars", "statsmodels")


class Import(NamedTuple):
    """One imported name, absolute: ``sklearn_plrnn._model.objective.Batch``."""

    name: str
    relative: bool
    inside_function: bool

    def is_from(self, package):
        return f"{self.name}.".startswith(f"{package}.")


def imports(source, module, is_package=False):
    """Every `Import` in the source of `module`, a dotted name."""
    parts = module.split(".")

    def absolute(node):
        if not node.level:
            return node.module
        base = parts[: len(parts) + is_package - node.level]
        return ".".join([*base, *([node.module] if node.module else [])])

    def walk(node, inside):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, False, inside)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(f"{absolute(node)}.{alias.name}", node.level > 0, inside)
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside or function)

    return list(walk(ast.parse(source), False))


def complaints(source, module, is_package=False, origins=None):
    """What is wrong with the imports of `module`, one sentence each."""
    own = module.removeprefix(f"{PACKAGE}.")
    room = own.split(".")[0]
    if room not in ALLOWED:
        return [f"{module}: room {room!r} is not in the table of layers"]
    found = []
    for imported in imports(source, module, is_package):
        if imported.is_from(PACKAGE):
            if not imported.relative:
                found.append(f"{module}: absolute import of {imported.name}")
            name = (origins or {}).get(imported.name, imported.name)
            if not any(f"{name}.".startswith(f"{PACKAGE}.{ok}.") for ok in (room, *ALLOWED[room])):
                found.append(f"{module}: {name} is not below {room}")
        for library, places in LIBRARIES.items():
            if imported.is_from(library) and not _is_at(own, places):
                found.append(f"{module}: {library} is for {places or 'nobody'}")
        if any(map(imported.is_from, ONLY_INSIDE_FUNCTIONS)) and not imported.inside_function:
            found.append(f"{module}: {imported.name} at the top, not inside a function")
    return found


def _is_at(module, places):
    return any(fnmatch.fnmatch(module, p) or f"{module}.*" == p for p in places)


def module_name(path):
    parts = (PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def reexports():
    """Where a name that a package hands on is defined."""
    return {
        f"{module_name(path)}.{imported.name.rpartition('.')[2]}": imported.name
        for path in sorted(ROOT.glob("*/__init__.py"))
        for imported in imports(path.read_text(), module_name(path), is_package=True)
        if imported.relative
    }


# The package's own __init__ hands on names from everywhere.
MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_down(path):
    is_package = path.name == "__init__.py"
    found = complaints(path.read_text(), module_name(path), is_package, reexports())
    assert not found, "\n".join(found)


def test_no_cycles():
    known = {module_name(path) for path in MODULES if path.name != "__init__.py"}
    origins = reexports()
    graph = {}
    for path in MODULES:
        if path.name != "__init__.py":
            names = [i.name for i in imports(path.read_text(), module_name(path))]
            names = [origins.get(name, name) for name in names]
            graph[module_name(path)] = {
                n for name in names for n in (name, name.rpartition(".")[0])
            } & known
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("metrics", "from .estimators import DSReconstructor", "not below metrics"),
        ("datasets", "from . import metrics", "not below datasets"),
        ("_recurrence.primitive", "from .._model import cells", "not below _recurrence"),
        ("_recurrence.primitive", "from .. import _model", "not below _recurrence"),
        ("_training.loop", "from .._model.cells import CELLS", "not below _training"),
        ("_training.loop", "from .._recurrence import propagate", "not below _training"),
        ("_training.loop", "def f():\n    from ..estimators import _base", "not below _training"),
        ("estimators._base", "from .._recurrence import engine_numpy", "not below estimators"),
        ("analysis._stability", "from .._recurrence import propagate", "not below analysis"),
        ("metrics", "from . import __version__", "not below metrics"),
        ("_model.cells", "import sklearn_plrnn._recurrence", "absolute import"),
        ("_model.cells", "from sklearn_plrnn import _recurrence", "absolute import"),
        ("utils", "import numpy", "not in the table"),
        ("metrics", "import autograd.numpy as anp", "autograd is for"),
        ("_training.batches", "from autograd import grad", "autograd is for"),
        ("_recurrence.primitive", "def f():\n    import numba", "numba is for"),
        ("estimators._base", "from joblib import Parallel", "joblib is for"),
        ("displays", "import matplotlib.pyplot as plt", "at the top"),
        ("displays", "class A:\n    from matplotlib import pyplot", "at the top"),
        (
            "datasets",
            "try:\n    import pandas as pd\nexcept ImportError:\n    pd = None",
            "at the top",
        ),
        ("metrics", "def f():\n    import torch", "nobody"),
    ],
)
def test_offenders_are_found(module, source, complaint):
    found = complaints(source, f"{PACKAGE}.{module}", origins=reexports())
    assert len(found) == 1 and complaint in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("_training.batches", "from .._model.objective import Batch"),
        ("_training.loop", "from .._model.objective import Batch\nfrom .batches import Windows"),
        ("_training.loop", "from sklearn.utils.parallel import Parallel, delayed"),
        ("estimators._base", "from .._recurrence import PiecewiseLinearMap, propagate"),
        ("estimators._cv", "import joblib\nfrom ..metrics import prediction_error"),
        ("analysis._stability", "from .._recurrence import PiecewiseLinearMap"),
        ("model_selection", "from . import metrics\nfrom .metrics import prediction_error"),
        ("displays", "class A:\n    def plot(self):\n        import matplotlib.pyplot as plt"),
        ("_recurrence.compilation", "import numba\nfrom .piecewise import PiecewiseLinearMap"),
        ("_model.cells", "import autograd.numpy as anp\nfrom .._recurrence import propagate"),
    ],
)
def test_good_neighbours_are_not(module, source):
    assert complaints(source, f"{PACKAGE}.{module}", origins=reexports()) == []


IMPORT_ALONE = """
import json, sys
import sklearn_plrnn
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""

STATE_AROUND_IMPORT = """
import json, os, random, signal, sys, threading, warnings
import autograd, joblib, numpy as np, scipy, sklearn.model_selection, threadpoolctl

def state():
    signals = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    threads = [(x["user_api"], x["num_threads"]) for x in threadpoolctl.threadpool_info()]
    return {
        "np.geterr": str(np.geterr()),
        "np.random": str(np.random.get_state()),
        "random": str(random.getstate()),
        "warnings": str(warnings.filters),
        "printoptions": str(np.get_printoptions()),
        "signals": str(signals),
        "environment": str(sorted(os.environ.items())),
        "threads": str([x for x in threads if x[0] == "blas"]),
        "running": threading.active_count(),
    }

before = state()
import sklearn_plrnn
after = state()
print(json.dumps([name for name in before if before[name] != after[name]]))
"""


def printed_by_fresh_process(code):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_import_brings_nothing_optional():
    brought = set(printed_by_fresh_process(IMPORT_ALONE))
    # scikit-learn itself imports pandas where it finds it.
    optional = {"numba", "matplotlib", "torch", "jax", "dask", "ray", "polars", "statsmodels"}
    assert PACKAGE in brought
    assert not brought & optional


def test_import_changes_no_global_state():
    assert printed_by_fresh_process(STATE_AROUND_IMPORT) == []

"""What a bug report needs to say about the machine it comes from."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_info

REQUIRED = (
    "sklearn-plrnn",
    "scikit-learn",
    "numpy",
    "scipy",
    "autograd",
    "joblib",
    "threadpoolctl",
)
OPTIONAL = ("numba", "matplotlib", "pandas", "polars", "skops")


def show_versions() -> None:
    """Print the versions of Python, of this package and of what it uses, for bug reports.

    Versions are looked up without importing anything. Only numba is imported, where there is one,
    to tell which engine runs the recurrence.

    Examples
    --------
    >>> from sklearn_plrnn import show_versions
    >>> show_versions()  # doctest: +SKIP
    """
    _print_section("System", {"python": sys.version.replace("\n", " "), **_machine()})
    _print_section("Dependencies", {name: _version(name) for name in REQUIRED})
    _print_section("Optional dependencies", {name: _version(name) for name in OPTIONAL})
    _print_section("Recurrence", {"engine": _engine()})
    for library in threadpool_info():
        fields = ("user_api", "internal_api", "version", "num_threads", "threading_layer")
        _print_section("Threads", {name: library[name] for name in fields if name in library})


def _machine():
    return {"executable": sys.executable, "machine": platform.platform()}


def _engine():
    from ._recurrence.engines import engine_name

    try:
        return engine_name()
    except (ImportError, ValueError) as error:  # what was asked for is what to report
        return f"none: {error}"


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _print_section(title, entries):
    print(f"{title}:")
    for name, value in entries.items():
        print(f"{name:>16}: {value}")
    print()

"""Which engine runs the recurrence: numba where it can be imported, else numpy.

``SKLEARN_PLRNN_ENGINE=numpy`` or ``numba`` decides otherwise. The engine is imported at first use.
"""

import os
from functools import cache
from importlib import import_module

VARIABLE = "SKLEARN_PLRNN_ENGINE"
ENGINES = ("numpy", "numba")


def engine():
    """The module that holds ``forward``, ``adjoint`` and ``sensitivities``."""
    return _load(os.environ.get(VARIABLE, ""))


def engine_name():
    """ "numpy" or "numba"."""
    return engine().__name__.rpartition("_")[2]


@cache
def _load(name):
    if name and name not in ENGINES:
        raise ValueError(f"{VARIABLE}={name!r} is not one of {', '.join(ENGINES)}.")
    if name:
        return import_module(f"{__package__}.engine_{name}")
    try:
        return import_module(f"{__package__}.engine_numba")
    except ImportError:
        return import_module(f"{__package__}.engine_numpy")

"""Models on their way to a file and back: who saved them, and whether their arrays are whole.

scikit-learn writes its version into the pickles of its own estimators only.
"""

import inspect
import warnings

import numpy as np
from sklearn.exceptions import InconsistentVersionWarning

from .._version import __version__

SAVED_BY = "_sklearn_plrnn_version"


class ModelVersionWarning(InconsistentVersionWarning):
    """A model was saved by another version; those that it names are of this package."""

    def __str__(self):
        return (
            f"{self.estimator_name} was saved by sklearn-plrnn {self.original_sklearn_version} and "
            f"is loaded by {self.current_sklearn_version}. It may fail, or predict something else. "
            "Compare predictions with known ones, load it with the version that saved it, or fit "
            "it again."
        )


def with_version(state):
    """Attributes of an estimator, and the version that they are saved by."""
    return state | {SAVED_BY: __version__}


def without_version(state, estimator_class):
    """Attributes of an estimator; if another version has saved them, with a warning.

    Parameters that this version has and that one had not get their defaults.
    """
    saved_by = state.get(SAVED_BY, "unknown")
    state = {name: x for name, x in state.items() if name != SAVED_BY}
    if saved_by == __version__:
        return state
    warning = ModelVersionWarning(
        estimator_name=estimator_class.__name__,
        original_sklearn_version=saved_by,
        current_sklearn_version=__version__,
    )
    warnings.warn(warning, stacklevel=3)  # a line of who loads
    parameters = inspect.signature(estimator_class).parameters
    return {name: parameter.default for name, parameter in parameters.items()} | state


def check_shapes(model, cell):
    """Refuse fitted arrays that do not fit together: compiled code would read beyond their ends."""
    M, N, K = cell.n_components, model.n_outputs_, len(model.input_mean_)
    L = cell.n_hidden if cell.kinks else M
    expected = dict(zip(cell.rows, [(M,), (M, L), (M,)], strict=True))
    expected |= dict(zip(cell.kinks, [(L, M), (L,)], strict=False))
    expected |= {"B": (N, M), "b": (N,), "C": (M, K), "initial_state": (M,), "last_state": (M,)}
    expected |= {"input_scale": (K,), "output_mean": (N,), "output_scale": (N,)}
    for name, shape in expected.items():
        x = vars(model).get(f"{name}_")
        if x is not None and np.shape(x) != shape:
            raise ValueError(
                f"{name}_ of this {type(model).__name__} has shape {np.shape(x)}; with {M} units, "
                f"{N} outputs and {K} inputs it must be {shape}. The model was changed, or its "
                "file is damaged."
            )

"""Piecewise-linear recurrent networks as scikit-learn estimators."""

__version__ = "0.1.0.dev0"

from . import analysis, datasets, displays, metrics
from ._show_versions import show_versions
from .estimators import DSReconstructor, RegularizedPLRNNClassifier, RegularizedPLRNNRegressor

__all__ = [
    "DSReconstructor",
    "RegularizedPLRNNClassifier",
    "RegularizedPLRNNRegressor",
    "__version__",
    "analysis",
    "datasets",
    "displays",
    "metrics",
    "show_versions",
]

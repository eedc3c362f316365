"""Piecewise-linear recurrent networks as scikit-learn estimators."""

__version__ = "0.1.0.dev0"

from . import analysis, datasets, displays, metrics, model_selection
from ._show_versions import show_versions
from .estimators import (
    DSReconstructor,
    DSReconstructorCV,
    RegularizedPLRNNClassifier,
    RegularizedPLRNNClassifierCV,
    RegularizedPLRNNRegressor,
    RegularizedPLRNNRegressorCV,
)

__all__ = [
    "DSReconstructor",
    "DSReconstructorCV",
    "RegularizedPLRNNClassifier",
    "RegularizedPLRNNClassifierCV",
    "RegularizedPLRNNRegressor",
    "RegularizedPLRNNRegressorCV",
    "__version__",
    "analysis",
    "datasets",
    "displays",
    "metrics",
    "model_selection",
    "show_versions",
]

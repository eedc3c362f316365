"""Piecewise-linear recurrent networks as scikit-learn estimators."""

from . import analysis, datasets, displays, metrics, model_selection
from ._show_versions import show_versions
from ._version import __version__
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

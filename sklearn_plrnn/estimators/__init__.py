"""What a user fits."""

from ._classifier import RegularizedPLRNNClassifier
from ._cv import DSReconstructorCV, RegularizedPLRNNClassifierCV, RegularizedPLRNNRegressorCV
from ._reconstructor import DSReconstructor
from ._regressor import RegularizedPLRNNRegressor

__all__ = [
    "DSReconstructor",
    "DSReconstructorCV",
    "RegularizedPLRNNClassifier",
    "RegularizedPLRNNClassifierCV",
    "RegularizedPLRNNRegressor",
    "RegularizedPLRNNRegressorCV",
]

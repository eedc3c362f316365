"""What a user fits."""

from ._classifier import RegularizedPLRNNClassifier
from ._reconstructor import DSReconstructor
from ._regressor import RegularizedPLRNNRegressor

__all__ = ["DSReconstructor", "RegularizedPLRNNClassifier", "RegularizedPLRNNRegressor"]

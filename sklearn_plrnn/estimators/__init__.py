"""What a user fits."""

from ._reconstructor import DSReconstructor
from ._regressor import RegularizedPLRNNRegressor

__all__ = ["DSReconstructor", "RegularizedPLRNNRegressor"]

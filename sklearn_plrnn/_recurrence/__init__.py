"""What time does: the piecewise-linear map, its forced recurrence and the adjoint of that."""

from .piecewise import PiecewiseLinearMap
from .primitive import propagate, run_and_pull_back
from .tape import Workspace

__all__ = ["PiecewiseLinearMap", "Workspace", "propagate", "run_and_pull_back"]

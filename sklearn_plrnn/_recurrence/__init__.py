"""What time does: the piecewise-linear map, its forced recurrence and the adjoint of that."""

from .piecewise import PiecewiseLinearMap
from .primitive import Workspace, propagate

__all__ = ["PiecewiseLinearMap", "Workspace", "propagate"]

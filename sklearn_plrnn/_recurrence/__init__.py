"""What time does: the piecewise-linear map, its forced recurrence and the adjoint of that."""

from .piecewise import PiecewiseLinearMap
from .primitive import propagate
from .tape import Workspace

__all__ = ["PiecewiseLinearMap", "Workspace", "propagate"]

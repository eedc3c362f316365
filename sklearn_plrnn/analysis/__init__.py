"""What a fitted model does, computed rather than simulated.

Inside one region of constant activation pattern a model is affine, so that fixed points and cycles
are solutions of linear systems and Jacobians are exact. Functions take a fitted estimator, or the
`PiecewiseLinearMap` that its ``to_map()`` gives, and return named tuples of plain arrays, in latent
states and, for estimators, in the user's units.
"""

from .._recurrence import PiecewiseLinearMap
from ._basins import basins
from ._bifurcations import bifurcation_diagram
from ._gradients import gradient_norms
from ._lyapunov import kaplan_yorke_dimension, lyapunov_spectrum
from ._orbits import cycles, fixed_points
from ._regions import linear_regions
from ._time_scales import line_attractor_directions, time_constants

__all__ = [
    "PiecewiseLinearMap",
    "basins",
    "bifurcation_diagram",
    "cycles",
    "fixed_points",
    "gradient_norms",
    "kaplan_yorke_dimension",
    "line_attractor_directions",
    "linear_regions",
    "lyapunov_spectrum",
    "time_constants",
]

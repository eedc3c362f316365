"""Pictures of data, fits and what is inside a fitted model, in the manner of scikit-learn.

A display holds arrays. ``from_estimator`` computes them, ``from_predictions`` takes them where they
are at hand already, and ``plot`` draws them, again if need be, into axes of the caller or its own.
Artists are attributes, and their properties dictionaries of keywords.
"""

from ._eigenvalues import EigenvalueDisplay
from ._forecast import ForecastDisplay
from ._gradient_norms import GradientNormDisplay
from ._linear_regions import LinearRegionDisplay
from ._phase_space import PhaseSpaceDisplay
from ._power_spectrum import PowerSpectrumDisplay
from ._regularization_path import RegularizationPathDisplay
from ._report import reconstruction_report
from ._training_curve import TrainingCurveDisplay

__all__ = [
    "EigenvalueDisplay",
    "ForecastDisplay",
    "GradientNormDisplay",
    "LinearRegionDisplay",
    "PhaseSpaceDisplay",
    "PowerSpectrumDisplay",
    "RegularizationPathDisplay",
    "TrainingCurveDisplay",
    "reconstruction_report",
]

"""How alike two dynamical systems are, judged from their series.

Geometry (`state_space_divergence`), temporal structure (`power_spectrum_distance`) and forecasts
(`prediction_error`, `mase`, `smape`), and the same as callables for ``scoring=`` of scikit-learn's
model selection. A value means little without the length of the series, the bins and the transient:
report them with it.
"""

from ._divergence import state_space_divergence
from ._forecast import mase, prediction_error, smape
from ._scorers import (
    combined_rank,
    forecast_r2_scorer,
    free_run_scorer,
    neg_power_spectrum_scorer,
    neg_state_space_divergence_scorer,
)
from ._spectrum import power_spectrum_correlation, power_spectrum_distance

__all__ = [
    "combined_rank",
    "forecast_r2_scorer",
    "free_run_scorer",
    "mase",
    "neg_power_spectrum_scorer",
    "neg_state_space_divergence_scorer",
    "power_spectrum_correlation",
    "power_spectrum_distance",
    "prediction_error",
    "smape",
    "state_space_divergence",
]

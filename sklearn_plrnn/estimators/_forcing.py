"""From `forcing_strength` to the gain of each latent unit: one number, or one per variable.

Left to itself, a variable's strength is in inverse proportion to its noise, beyond that of the
quietest one: forcing by a share g of the distance to an observation puts g times the observation's
noise into the state, and so as much of it for every variable. (The gain of a Kalman filter, too,
goes with the inverse standard deviation where it is small.) Noise that all variables have in common
does not matter, for what a series is estimated to have may be how fast it moves.

Where errors grow fast, as in a chaotic map, every variable has to be forced more strongly to hold
runs to the data. A scalar whose errors are multiplied by a at each step has, in the steady state, a
Kalman gain of 1 - 1 / a^2, whatever the noise; errors then fall as fast as they would grow.
"""

import numpy as np
from sklearn.utils.validation import check_array

from .._model.forcing import FORCINGS

DEFAULT_STRENGTH = {"generalized": 0.2, "sparse": 1.0}
LITTLE_NOISE = 0.05  # in standard deviations of a variable; less is no reason to force another less


def choose_strength(forcing, strength, readout, noise, growth):
    """One strength, or an array (N,).

    None is decided by the noise (N,) of standardized variables and by ``growth()``, the rate per
    step at which errors grow. Through a readout that mixes variables, an observation can only act
    as a whole.
    """
    if forcing is None:
        return 0.0
    if strength is None:
        shares = shares_by_noise(noise)
        usual = DEFAULT_STRENGTH[forcing] * (shares if readout.n_observed else shares.mean())
        return np.maximum(usual, 1 - np.exp(-2 * growth()))
    return _checked(strength, readout) if np.ndim(strength) else float(strength)


def shares_by_noise(noise):
    """Relative strengths (N,), of which the largest is one."""
    bearable = max(noise.min(), LITTLE_NOISE)
    return bearable / np.maximum(noise, bearable)


def make_forcing(forcing, strength, interval, readout):
    """One of `FORCINGS` by its name, or None."""
    if forcing is None:
        return None
    if np.ndim(strength) == 0:
        return FORCINGS[forcing](strength, interval)
    largest, shares = float(strength.max()), np.zeros(readout.n_components)
    shares[: readout.n_observed] = strength / largest if largest else 1.0
    return FORCINGS[forcing](largest, interval, shares)


def _checked(strength, readout):
    """An array of one strength for each observed variable, which is a unit by itself."""
    strength = check_array(
        strength, ensure_2d=False, dtype=np.float64, input_name="forcing_strength"
    )
    expected = (readout.n_outputs,)
    if strength.shape != expected:
        raise ValueError(
            f"forcing_strength has shape {strength.shape}; expected one number or {expected}, one "
            "for each observed variable."
        )
    if strength.min() < 0 or strength.max() > 1:
        raise ValueError(f"forcing_strength must be within [0, 1], got {strength.tolist()}.")
    if not readout.n_observed:
        raise ValueError(
            "forcing_strength with one value for each observed variable needs "
            'readout="identity": with other readouts an observation pulls at all units together. '
            "Give one number."
        )
    return strength

"""How strongly a linear region contracts, how large a run is, and what parameters do to either."""

import autograd.numpy as anp
import numpy as np
import scipy.linalg

from .._recurrence import propagate
from .curvature import gradient_vector


def largest_modulus(objective, params, active):
    """Largest modulus of the Jacobian's eigenvalues where hidden units `active` (L,) are on.

    And its derivatives, in the order of the parameters; not finite where there are none.
    """
    J, _ = objective.cell.lower(params).region(active)
    eigenvalues, left, right = scipy.linalg.eig(J, left=True)
    largest = np.argmax(np.abs(eigenvalues))
    value, u, v = eigenvalues[largest], left[:, largest].conj(), right[:, largest]
    modulus = np.abs(value)
    with np.errstate(all="ignore"):
        of_jacobian = np.real(value.conj() / modulus * np.outer(u, v) / (u @ v))

    def linearized(p):
        f = objective.cell.lower(p)
        coupling = f.W * active if f.V is None else anp.dot(f.W * active, f.V)
        return anp.sum(of_jacobian * coupling) + anp.sum(of_jacobian.diagonal() * f.A)

    return modulus, gradient_vector(linearized, params)


def logarithmic_size(objective, params, state, n_timesteps, scale):
    """Logarithm of the spread, in units of `scale` (N,), of a free run's outputs from `state` (M,).

    And its derivatives, in the order of the parameters; they mean nothing where the run rests.
    """

    def size(p):
        states = propagate(objective.cell.lower(p), state[None], n_timesteps=n_timesteps)
        outputs = objective.readout.output(p, states) / scale
        return 0.5 * anp.log(anp.mean((outputs - anp.mean(outputs, axis=0)) ** 2))

    with np.errstate(all="ignore"):
        return float(size(params)), gradient_vector(size, params)

"""How strongly a linear region of a map contracts, and how that depends on the parameters."""

import autograd.numpy as anp
import numpy as np
import scipy.linalg

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

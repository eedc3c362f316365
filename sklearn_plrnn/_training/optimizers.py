"""First-order optimizers, in place on one flat parameter vector.

An optimizer knows its moments and no policy: the rate of each step comes from a schedule, clipping
from `clip_by_norm`, and what to do about a bad loss is the loop's business.
"""

import math

import numpy as np


class SGD:
    """Gradient descent with Nesterov momentum."""

    def __init__(self, n_parameters, dtype, momentum=0.9):
        self._velocity = np.zeros(n_parameters, dtype)
        self._momentum = momentum

    def step(self, parameters, gradient, rate):
        """Move `parameters` against `gradient`."""
        self._velocity *= self._momentum
        self._velocity -= rate * gradient
        parameters += self._momentum * self._velocity
        parameters -= rate * gradient


class Adam:
    """Adaptive moments (Kingma and Ba 2015)."""

    def __init__(self, n_parameters, dtype, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self._mean = np.zeros(n_parameters, dtype)
        self._square = np.zeros(n_parameters, dtype)
        self._buffer = np.empty(n_parameters, dtype)
        self._betas = beta1, beta2
        self._epsilon = epsilon
        self._n_steps = 0

    def step(self, parameters, gradient, rate):
        """Move `parameters` against the mean gradient, per root mean square."""
        beta1, beta2 = self._betas
        self._n_steps += 1
        self._mean *= beta1
        self._mean += np.multiply(gradient, 1 - beta1, out=self._buffer)
        self._square *= beta2
        np.multiply(gradient, gradient, out=self._buffer)
        self._buffer *= 1 - beta2
        self._square += self._buffer
        np.sqrt(self._square, out=self._buffer)
        correction = math.sqrt(1 - beta2**self._n_steps)
        self._buffer += self._epsilon * correction
        np.divide(self._mean, self._buffer, out=self._buffer)
        self._buffer *= rate * correction / (1 - beta1**self._n_steps)
        parameters -= self._buffer


class Average:
    """Mean of the parameters along the steps (Polyak and Juditsky 1992), the latest counting most.

    Minibatches keep parameters wandering around where the loss is least. The mean reaches over the
    last tenth of the steps, and over `MOST` at most.
    """

    MOST = 1000

    def __init__(self, parameters):
        self.parameters = parameters.astype(float)
        self._n_steps = 0

    def add(self, parameters):
        """Count the parameters after one more step."""
        self._n_steps += 1
        share = max(10 / (10 + self._n_steps), 1 / self.MOST)
        self.parameters += share * (parameters - self.parameters)


OPTIMIZERS = {"adam": Adam, "sgd": SGD}


def clip_by_norm(gradient, max_norm):
    """Scale `gradient` in place to at most `max_norm`; return its norm before."""
    norm = math.sqrt(float(gradient @ gradient))
    if max_norm is not None and norm > max_norm:
        gradient *= max_norm / norm
    return norm


# Fraction of the initial rate as a function of the fraction of training that is done.
SCHEDULES = {
    "constant": lambda done: 1.0,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "exponential": lambda done: 1e-3**done,
}

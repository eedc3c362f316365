"""Losses: how far outputs are from targets, and how that curves.

``value(outputs, targets, weights)`` is minimized; weights are scaled so that, broadcast against the
targets, they add up to one. ``factors`` is for methods of Gauss-Newton type: vectors v in the space
of outputs, (R, T, B, N), with ``sum_r v_r v_r' = d^2 value / d outputs^2`` for every sequence, at
once where no more than `n_samples` are needed, otherwise in expectation (random signs, sampled
labels); and with ``sum_r v_r residual_r = d value / d outputs`` where there is such a residual.
"""

from typing import NamedTuple

import numpy as np
from autograd.extend import defvjp, primitive
from scipy.special import logsumexp


class SquaredError(NamedTuple):
    """``sum(weights * (outputs - targets)^2)``."""

    def value(self, outputs, targets, weights):
        """Scalar, differentiable with respect to the outputs."""
        return _value(self, outputs, targets, weights, [])

    def value_and_slope(self, outputs, targets, weights):
        """The value and its derivative with respect to the outputs."""
        residual = outputs - targets
        weighted = weights * residual
        value = np.vdot(weighted, residual)
        weighted *= 2
        return value, weighted

    def factors(self, outputs, targets, weights, n_samples, rng):
        """Vectors v, and the residual (R, B) or None."""
        scale = np.sqrt(2 * weights) * np.ones_like(outputs)
        T, B, N = outputs.shape
        if n_samples < T * N:
            signs = rng.integers(0, 2, (n_samples, T, B, N), np.int8) * 2 - 1
            return signs * (scale / np.sqrt(n_samples).astype(scale.dtype)), None
        v = np.zeros((T, N, T, B, N), scale.dtype)
        t, n = np.ogrid[:T, :N]
        v[t, n, t, :, n] = scale.swapaxes(1, 2)
        residual = (scale * (outputs - targets)).swapaxes(1, 2)
        return v.reshape(T * N, T, B, N), residual.reshape(T * N, B)


class CrossEntropy(NamedTuple):
    """Weighted mean of ``-log softmax(outputs)[label]``; targets are one-hot rows."""

    def value(self, outputs, targets, weights):
        """Scalar, differentiable with respect to the outputs."""
        return _value(self, outputs, targets, weights, [])

    def value_and_slope(self, outputs, targets, weights):
        """The value and its derivative with respect to the outputs."""
        log_sum = logsumexp(outputs, axis=-1, keepdims=True)
        # Weights add up to one over targets, of which there are N for a label.
        weights = outputs.shape[-1] * weights
        value = ((log_sum - (targets * outputs).sum(axis=-1, keepdims=True)) * weights).sum()
        return value, (np.exp(outputs - log_sum) - targets) * weights

    def factors(self, outputs, targets, weights, n_samples, rng):
        """Vectors v of labels sampled from the model (the Fisher information), and None."""
        p, N = _softmax(outputs), outputs.shape[-1]
        scale = np.sqrt(N * weights)
        if n_samples >= N and len(outputs) == 1:
            labels = np.arange(N)[:, None, None]
            scale = scale * np.sqrt(np.moveaxis(p, -1, 0))[..., None]
        else:
            draws = rng.random((n_samples, *p.shape[:-1], 1))
            labels = (draws > np.cumsum(p, axis=-1)).sum(axis=-1).clip(max=N - 1)
            scale = scale / np.sqrt(n_samples)
        one_hot = labels[..., None] == np.arange(N)
        return ((p - one_hot) * scale).astype(outputs.dtype), None


LOSSES = {"squared_error": SquaredError, "cross_entropy": CrossEntropy}


@primitive
def _value(loss, outputs, targets, weights, left_behind):
    value, slope = loss.value_and_slope(outputs, targets, weights)
    left_behind.append(slope)
    return value


defvjp(_value, lambda value, *arguments: lambda bar: bar * arguments[-1][-1], argnums=(1,))


def _softmax(outputs):
    return np.exp(outputs - logsumexp(outputs, axis=-1, keepdims=True))

"""Slow and obvious versions of what the package does fast, to compare with."""

import autograd.numpy as anp
import numpy as np


def features(f, z):
    """``D(z) (V z + theta)`` as written in the glossary."""
    a = z if f.V is None else anp.dot(z, f.V.T)
    a = a if f.theta is None else a + f.theta
    on = a > 0 if f.always_on is None else (a > 0) | f.always_on
    return anp.where(on, a, 0.0 * a)


def propagate(
    f, start, inputs=None, targets=None, gain=None, *, C=None, readout=None, n_timesteps=None
):
    """The forced recurrence, one step at a time in autograd.numpy, stacked at the end."""
    T, M = n_timesteps, f.W.shape[0]
    drive = inputs if C is None else anp.dot(inputs, C.T)
    given = [x for x in (start, drive, targets, gain) if x is not None]
    T, B, M = np.broadcast_shapes((T, 1, M), *(anp.shape(x) for x in given))
    full = lambda x: anp.zeros((T, B, M)) + (0.0 if x is None else x)
    drive, targets, gain = full(drive), full(targets), full(gain)
    z, states = anp.zeros((B, M)) + start, []
    for t in range(T):
        z = z + gain[t] * (targets[t] - z)
        z = f.A * z + anp.dot(features(f, z), f.W.T) + f.h + drive[t]
        states.append(z)
    states = anp.stack(states)
    if isinstance(readout, tuple):
        return anp.dot(states, readout[0].T) + readout[1]
    return states[..., :readout]


def squared_error(outputs, targets, weights):
    """Weighted sum of squares."""
    return anp.sum(weights * (outputs - targets) ** 2)


def cross_entropy(outputs, targets, weights):
    """Weighted sum of minus log probabilities, N times: weights add up to one over targets."""
    p = anp.exp(outputs) / anp.sum(anp.exp(outputs), axis=-1, keepdims=True)
    return anp.sum(-targets * anp.log(p) * weights * outputs.shape[-1])


LOSSES = {"squared_error": squared_error, "cross_entropy": cross_entropy}


def state_space_divergence(X, Y, n_bins=30, smoothing=1e-5):
    """KL divergence of dense smoothed histograms over min - 0.1 std to max + 0.1 std of X."""
    low, high = X.min(0) - 0.1 * X.std(0), X.max(0) + 0.1 * X.std(0)
    edges = [np.linspace(a, b, n_bins + 1) for a, b in zip(low, high, strict=True)]
    p, q = (np.histogramdd(x, edges)[0] + smoothing for x in (X, Y))
    p, q = p / p.sum(), q / q.sum()
    return np.sum(p * np.log(p / q))


def mixture_log_density(x, centres, sigma2):
    """Log density at one point of equally weighted Gaussians, one term at a time."""
    N = len(x)
    terms = [
        -0.5 * np.sum((x - c) ** 2) / sigma2 - 0.5 * N * np.log(2 * np.pi * sigma2) for c in centres
    ]
    return np.logaddexp.reduce(terms) - np.log(len(centres))


def power_spectrum_distance(X, Y, sigma):
    """Hellinger distance of spectra, the smoothing written out as a sum with mirrored ends."""
    distances = []
    for columns in zip(X.T, Y.T, strict=True):
        spectra = []
        for x in columns:
            power = np.abs(np.fft.rfft((x - x.mean()) / x.std())) ** 2
            reach = int(4 * sigma + 0.5)
            weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
            mirrored = np.pad(power, reach, mode="symmetric")
            smooth = np.convolve(mirrored, weights / weights.sum(), mode="valid")
            spectra.append(smooth / smooth.sum())
        distances.append(np.sqrt(0.5 * np.sum((np.sqrt(spectra[0]) - np.sqrt(spectra[1])) ** 2)))
    return np.mean(distances)

"""Slow and obvious versions of what the package does fast, to compare with."""

import itertools

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


def orbits_of_all_patterns(f, order):
    """Cycles of `order` steps, (n, order, M): every sequence of patterns is solved on its own."""
    M, L = f.W.shape
    V = np.eye(M) if f.V is None else f.V
    theta = np.zeros(L) if f.theta is None else f.theta
    always_on = np.zeros(L, bool) if f.always_on is None else f.always_on
    found = []
    for sequence in itertools.product(itertools.product((0.0, 1.0), repeat=L), repeat=order):
        pieces = [
            (np.diag(f.A) + f.W @ np.diag(d) @ V, f.W @ np.diag(d) @ theta + f.h) for d in sequence
        ]
        product, offset = np.eye(M), np.zeros(M)
        for J, c in pieces:
            product, offset = J @ product, J @ offset + c
        states = [np.linalg.solve(np.eye(M) - product, offset)]
        for J, c in pieces[:-1]:
            states.append(J @ states[-1] + c)
        states = np.array(states)
        on = (states @ V.T + theta > 0) | always_on
        again = order > 1 and np.linalg.norm(states[1:] - states[0], axis=1).min() < 1e-8
        turned = any(
            np.abs(states - np.roll(orbit, shift, axis=0)).max() < 1e-8
            for orbit in found
            for shift in range(order)
        )
        if np.array_equal(on, np.array(sequence, bool)) and not again and not turned:
            found.append(states)
    return np.array(found).reshape(-1, order, M)

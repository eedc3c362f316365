"""The forced recurrence and its adjoint, one numpy call per step and operation.

    ztilde_t = z_t + G_t (zhat_t - z_t),    z_{t+1} = A ztilde_t + W g(ztilde_t) + drive_t

for t = 0 .. T-1, where ``drive`` already holds h. Arrays are (time, batch, unit); the loop over
time is the only loop, and weight gradients are left to single products over all (time, batch).
"""

from typing import NamedTuple

import numpy as np


class Tape(NamedTuple):
    """What the forward pass leaves for the adjoint."""

    states: np.ndarray  # (T + 1, B, M), z_0 .. z_T
    forced: np.ndarray  # (T, B, M), ztilde; a view of `states` where nothing is forced
    features: np.ndarray  # (T, B, L), g(ztilde)


class Cotangents(NamedTuple):
    """Derivatives of a scalar with respect to what enters each step."""

    drive: np.ndarray  # (T, B, M)
    preactivation: np.ndarray | None  # (T, B, L), None where V is the identity and theta zero
    forced: np.ndarray | None  # (T, B, M), None where nothing is forced
    start: np.ndarray  # (B, M)


def forward(f, start, drive, targets, gain, workspace):
    """States z_0 .. z_T of the map `f` (whose h is ignored) as a `Tape`."""
    T, B, M = drive.shape
    dtype = drive.dtype
    states = workspace.array("states", (T + 1, B, M), dtype)
    features = workspace.array("features", (T, B, f.n_hidden), dtype)
    forced = states[:-1] if gain is None else workspace.array("forced", (T, B, M), dtype)
    forces = np.zeros(T, bool) if gain is None else gain.any(axis=(1, 2))
    linear = np.empty((B, M), dtype)
    floor, WT, VT = f.floor(), f.W.T, None if f.V is None else f.V.T

    states[0] = start
    for t in range(T):
        z, g = states[t], features[t]
        if gain is not None:
            z = _force(z, targets[t], gain[t], forced[t]) if forces[t] else _keep(z, forced[t])
        a = z
        if VT is not None:
            a = np.matmul(z, VT, out=g)
        if f.theta is not None:
            a = np.add(a, f.theta, out=g)
        np.maximum(a, floor, out=g)
        new = np.matmul(g, WT, out=states[t + 1])
        new += np.multiply(z, f.A, out=linear)
        new += drive[t]
    return Tape(states, forced, features)


def adjoint(f, tape, gain, states_bar, workspace):
    """Pull the cotangent (T, B, M) of z_1 .. z_T back through the recurrence."""
    T, B, M = states_bar.shape
    dtype = tape.features.dtype
    hidden = f.V is not None or f.theta is not None
    drive_bar = workspace.array("drive_bar", (T, B, M), dtype)
    a_bars = workspace.array("a_bar", (T if hidden else 1, B, f.n_hidden), dtype)
    forced_bar = None if gain is None else workspace.array("forced_bar", (T, B, M), dtype)
    start_bar = np.empty((B, M), dtype)
    product = np.empty((B, M), dtype)
    off = workspace.array("off", tape.features.shape, np.bool_)
    np.less_equal(tape.features, f.floor(), out=off)

    drive_bar[-1] = states_bar[-1]
    for t in range(T - 1, -1, -1):
        bar, a_bar = drive_bar[t], a_bars[t if hidden else 0]
        np.matmul(bar, f.W, out=a_bar)
        np.copyto(a_bar, 0, where=off[t])
        z_bar = np.multiply(bar, f.A, out=drive_bar[t - 1] if t else start_bar)
        z_bar += a_bar if f.V is None else np.matmul(a_bar, f.V, out=product)
        if gain is not None:
            forced_bar[t] = z_bar
            z_bar *= 1 - gain[t]
        if t:
            z_bar += states_bar[t - 1]
    return Cotangents(drive_bar, a_bars if hidden else None, forced_bar, start_bar)


def _force(z, target, gain, out):
    """``z + G (zhat - z)``."""
    np.subtract(target, z, out=out)
    out *= gain
    out += z
    return out


def _keep(z, out):
    out[...] = z
    return out

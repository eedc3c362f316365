"""The forced recurrence and its adjoint, one numpy call per step and operation.

    ztilde_t = z_t + G_t (zhat_t - z_t),    z_{t+1} = A ztilde_t + W g(ztilde_t) + h + C s_{t+1},
    x_{t+1} = B z_{t+1} + b

for t = 0 .. T-1. Arrays are (time, batch, unit); the loop over time is the only loop, and weight
gradients are left to single products over all (time, batch).
"""

import numpy as np

from .tape import Pullback, Tape, negligible


def forward(f, ports, start, inputs, targets, gain, shape, workspace):
    """States and outputs as a `Tape`; `shape` is (T, B, M), against which the rest broadcasts."""
    T, B, M = shape
    dtype = f.W.dtype
    states = workspace.array("states", (T + 1, B, M), dtype)
    features = workspace.array("features", (T, B, f.n_hidden), dtype)
    forced = states[:-1] if gain is None else workspace.array("forced", shape, dtype)
    forces = np.zeros(T, bool) if gain is None else gain.any(axis=(1, 2))
    driven = workspace.array("driven", shape, dtype)
    driven[...] = f.h
    if inputs is not None:
        driven += inputs if ports.C is None else np.dot(inputs, ports.C.T)
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
        # What is added to an integrator is small and must be whole before it is rounded.
        new += driven[t]
        new += np.multiply(z, f.A, out=linear)
    return Tape(states, _read(ports, states[1:]), forced, features)


def adjoint(f, ports, tape, gain, outputs_bar, end_bar, workspace):
    """Pull cotangents of outputs (T, B, N) and of the last state back through the recurrence."""
    T, B, M = tape.forced.shape
    dtype = tape.features.dtype
    states_bar = _unread(ports, outputs_bar, tape.forced.shape)
    drive_bar = workspace.array("drive_bar", (T, B, M), dtype)
    a_bars = workspace.array("a_bar", (T, B, f.n_hidden), dtype)
    forced_bar = None if gain is None else workspace.array("forced_bar", (T, B, M), dtype)
    start_bar = np.empty((B, M), dtype)
    product, least = np.empty((B, M), dtype), negligible(dtype)
    off = workspace.array("off", tape.features.shape, np.bool_)
    np.less_equal(tape.features, f.floor(), out=off)

    drive_bar[-1] = states_bar[-1] if end_bar is None else states_bar[-1] + end_bar
    for t in range(T - 1, -1, -1):
        bar, a_bar = drive_bar[t], a_bars[t]
        bar[np.abs(bar) < least] = 0
        np.matmul(bar, f.W, out=a_bar)
        np.copyto(a_bar, 0, where=off[t])
        z_bar = np.multiply(bar, f.A, out=drive_bar[t - 1] if t else start_bar)
        z_bar += a_bar if f.V is None else np.matmul(a_bar, f.V, out=product)
        if gain is not None:
            forced_bar[t] = z_bar
            z_bar *= 1 - gain[t]
        if t:
            z_bar += states_bar[t - 1]
    return Pullback(
        np.einsum("tbm,tbm->m", drive_bar, tape.forced),
        drive_bar.sum((0, 1)),
        a_bars.sum((0, 1)),
        start_bar,
        drive_bar,
        forced_bar,
        None if f.V is None else a_bars,
    )


def sensitivities(f, ports, tape, inputs, gain, columns, starts, parameters, workspace):
    """Fill in derivatives of outputs by the start, (B, T, N, M), and by parameters, (B, T, N, P).

    `columns` are those of each parameter; `parameters` may be None.
    """
    T, B, M = tape.forced.shape
    active = tape.features > f.floor()
    J = _jacobians(f, active)
    if gain is not None:
        J *= (1 - gain)[..., None, :]  # of the state before it was forced
    read = (lambda x: x[:, : ports.n_outputs]) if ports.B is None else (lambda x: ports.B @ x)

    S = np.eye(M, dtype=starts.dtype)
    for t in range(T):
        S = J[t] @ S
        starts[:, t] = read(S)
    if parameters is None:
        return
    # Columns of B and b do not feed back: they stay zero here, to be filled in at the output.
    S, S_new = np.zeros((2, B, M, parameters.shape[-1]), parameters.dtype)
    for t in range(T):
        np.matmul(J[t], S, out=S_new)
        S, S_new = S_new, S
        given = tape.forced[t], tape.features[t], active[t], None if inputs is None else inputs[t]
        _add_direct(S, columns, f, *given)
        parameters[:, t] = read(S)
        if ports.B is not None:
            _own_rows(parameters[:, t], columns["B"], M)[...] = tape.states[t + 1][:, None, :]
            _own_rows(parameters[:, t], columns["b"], 1)[...] = 1


def _read(ports, states):
    """Outputs (T, B, N) of the states."""
    if ports.B is None:
        return states[..., : ports.n_outputs]
    return np.dot(states, ports.B.T) + ports.b


def _unread(ports, outputs_bar, shape):
    """Cotangent (T, B, M) of the states."""
    if ports.B is not None:
        return np.dot(outputs_bar, ports.B)
    if ports.n_outputs == shape[-1]:
        return outputs_bar
    states_bar = np.zeros(shape, outputs_bar.dtype)
    states_bar[..., : ports.n_outputs] = outputs_bar
    return states_bar


def _force(z, target, gain, out):
    """``z + G (zhat - z)``."""
    np.subtract(target, z, out=out)
    out *= gain
    out += z
    return out


def _keep(z, out):
    out[...] = z
    return out


def _jacobians(f, active):
    """``diag(A) + W D V`` for patterns (T, B, L), (T, B, M, M)."""
    if f.V is None:
        J = f.W * active[..., None, :]
    else:  # a sum over active features of what each of them does
        each = np.einsum("ml,ln->lmn", f.W, f.V).reshape(f.n_hidden, -1)
        J = (active.astype(f.W.dtype) @ each).reshape(*active.shape[:2], *f.A.shape * 2)
    np.einsum("tbmm->tbm", J)[...] += f.A
    return J


def _add_direct(S, columns, f, z, features, active, inputs):
    """Add dF/dparameters, what a step's own parameters do, to S (B, M, P)."""
    B, M, L = len(z), f.n_components, f.n_hidden
    gated = f.W * active[:, None, :]  # dF/da, a = V z + theta
    _own_rows(S, columns["A"], 1)[...] += z[..., None]
    _own_rows(S, columns["W"], L)[...] += features[:, None, :]
    _own_rows(S, columns["h"], 1)[...] += 1
    if "V" in columns:
        block = S[:, :, columns["V"]].reshape(B, M, L, M)
        for m in range(M):  # with M as the inner axis numpy takes five times as long
            block[..., m] += gated * z[:, m, None, None]
    if "theta" in columns:
        S[:, :, columns["theta"]] += gated
    if "C" in columns:
        _own_rows(S, columns["C"], inputs.shape[-1])[...] += inputs[:, None, :]


def _own_rows(S, columns, width):
    """View (B, M, width) of what a matrix's row m, flattened in `columns`, does to unit m."""
    B, M = S.shape[:2]
    return np.einsum("bmmk->bmk", S[:, :, columns].reshape(B, M, M, width))

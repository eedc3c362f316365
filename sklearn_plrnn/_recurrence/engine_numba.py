"""The forced recurrence and its adjoint, compiled: the same functions as in the numpy engine.

Batches are cut into blocks of trajectories, which know nothing of each other. Threads share the
blocks, and sums are made within blocks and then over them in order, so that results do not depend
on the number of threads. Two kernels for each, chosen by size from measurement
(``benchmarks/gradient_step.py``): *sparse* runs one trajectory at a time and multiplies active
features only, *dense* makes one BLAS product for each step of a block. Derivatives of single
outputs are carried forward one trajectory at a time.

Empty arrays stand for what is absent (V of the identity, drive, gain): one compiled variant per
precision. numba caches them on disk.
"""

import numpy as np

from . import kernels_dense, kernels_sensitivities, kernels_sparse
from .run import PARAMETERS
from .tape import SHARED_BATCH, Pullback, Tape, negligible

MIN_DENSE_BATCH = 12  # trajectories
DENSE_BLOCK = 128


def forward(f, ports, start, inputs, targets, gain, shape, workspace):
    """States and outputs as a `Tape`; `shape` is (T, B, M), against which the rest broadcasts."""
    T, B, M = shape
    dtype, N = f.W.dtype, ports.n_outputs
    full = lambda name, x, n: _full(name, x, (T, B, n), dtype, workspace)
    states = workspace.array("states", (T + 1, B, M), dtype)
    all_units = ports.B is None and N == M
    outputs = states[1:] if all_units else workspace.array("outputs", (T, B, N), dtype)
    forced = states[:-1] if gain is None else workspace.array("forced", shape, dtype)
    # Features that are max(z, floor) are as quickly made again: one step of them is enough.
    plain = f.V is None and f.theta is None
    features = workspace.array("features", (1 if plain else T, B, f.n_hidden), dtype)
    weights = (*_weights(f), *_port_weights(ports, M, dtype))
    arguments = (
        *weights,
        states,
        outputs,
        forced,
        features,
        full("full_inputs", inputs, M if ports.C is None else ports.C.shape[1]),
        full("full_targets", None if gain is None else targets, M),
        full("full_gain", gain, M),
    )
    states[0] = start
    block, dense = _blocks(B)
    kernel = (kernels_dense if dense else kernels_sparse).forward[dtype]
    workspace.share(lambda i, j: kernel(*arguments, block, i, j), -(-B // block))
    return Tape(states, outputs, forced, None if plain else features, weights)


def adjoint(f, ports, tape, gain, outputs_bar, end_bar, workspace):
    """Pull cotangents of outputs (T, B, N) and of the last state back through the recurrence."""
    shape = T, B, M = tape.forced.shape
    dtype, L = f.W.dtype, f.n_hidden
    drive_bar = workspace.array("drive_bar", shape, dtype)
    a_bar = workspace.array("a_bar", (T if f.V is not None else 0, B, L), dtype)
    forced_bar = workspace.array("forced_bar", shape if gain is not None else (0, B, M), dtype)
    start_bar = np.zeros((B, M), dtype) if end_bar is None else end_bar.copy()
    block, dense = _blocks(B)
    n_blocks = -(-B // block)
    sums = np.zeros((n_blocks, 2 * M + L), dtype)  # of A, h, theta
    outputs_bar = _full("outputs_bar", outputs_bar, outputs_bar.shape, dtype, workspace)
    arguments = (
        *tape.weights,
        tape.forced,
        tape.forced if tape.features is None else tape.features,
        _full("full_gain", gain, shape, dtype, workspace),
        outputs_bar,
        drive_bar,
        a_bar,
        forced_bar,
        start_bar,
        sums,
        negligible(dtype),
    )
    kernel = (kernels_dense if dense else kernels_sparse).adjoint[dtype]
    workspace.share(lambda i, j: kernel(*arguments, block, i, j), n_blocks)
    A_bar, h_bar, theta_bar = np.split(sums.sum(axis=0), [M, 2 * M])
    forced_bar = None if gain is None else forced_bar
    a_bar = None if f.V is None else a_bar
    return Pullback(A_bar, h_bar, theta_bar, start_bar, drive_bar, forced_bar, a_bar)


def sensitivities(f, ports, tape, inputs, gain, columns, starts, parameters, workspace):
    """Fill in derivatives of outputs by the start, (B, T, N, M), and by parameters, (B, T, N, P).

    `columns` are those of each parameter; `parameters` may be None.
    """
    shape, dtype = tape.forced.shape, f.W.dtype
    begins = [columns[name].start if name in columns else -1 for name in PARAMETERS]
    n_inputs = 0 if inputs is None else inputs.shape[-1]
    arguments = (
        *tape.weights,
        tape.states,
        tape.forced,
        tape.forced[:0] if tape.features is None else tape.features,
        _full("full_inputs", inputs, (*shape[:2], n_inputs), dtype, workspace),
        _full("full_gain", gain, shape, dtype, workspace),
        np.array(begins),
        starts,
        np.empty((0, *starts.shape[1:]), dtype) if parameters is None else parameters,
    )
    kernel = kernels_sensitivities.sensitivities[dtype]
    workspace.share(lambda i, j: kernel(*arguments, i, j), shape[1])


def _weights(f):
    """Writeable, contiguous A, W, W', h, V, V', theta, floor; V is empty for the identity."""
    dtype, L, M = f.W.dtype, f.n_hidden, f.n_components
    V = np.empty((0, M), dtype) if f.V is None else np.array(f.V, dtype, order="C")
    theta = np.zeros(L, dtype) if f.theta is None else np.array(f.theta, dtype)
    floor = np.zeros(L, dtype) + f.floor()
    A, W, h = (np.array(x, dtype, order="C") for x in f[:3])
    return A, W, np.ascontiguousarray(W.T), h, V, np.ascontiguousarray(V.T), theta, floor


def _port_weights(ports, n_components, dtype):
    """Writeable, contiguous C', B, b; empty where absent."""
    none = np.empty((0, n_components), dtype)
    CT = none if ports.C is None else np.array(ports.C.T, dtype, order="C")
    if ports.B is None:
        return CT, none, none[:, 0].copy()
    return CT, np.array(ports.B, dtype, order="C"), np.array(ports.b, dtype)


def _full(name, x, shape, dtype, workspace):
    """`x` as a contiguous, writeable array of `shape`; no rows where it is None."""
    if x is None:
        return np.empty((0, *shape[1:]), dtype)
    flags = getattr(x, "flags", None)
    if type(x) is np.ndarray and x.shape == shape and x.dtype == dtype:
        if flags.c_contiguous and flags.writeable:
            return x
    out = workspace.array(name, shape, dtype)
    out[...] = x
    return out


def _blocks(n_sequences):
    """Trajectories in a block, and whether to make dense products."""
    if n_sequences < MIN_DENSE_BATCH:
        return n_sequences, False
    n_blocks = max(-(-n_sequences // DENSE_BLOCK), 2 if n_sequences >= SHARED_BATCH else 1)
    return -(-n_sequences // n_blocks), True

"""Derivatives of single outputs with respect to every parameter, for methods of Gauss-Newton type.

Two ways to the same numbers. *Adjoint*: a pass backward for each chosen functional of the outputs,
for all sequences at once; for few outputs of long sequences. *Forward*: the recursion

    S_t = J_t S_{t-1} + dF/dparameters,    S_t = dz_t / dparameters

for all outputs of short windows of small systems; dF/dparameters is sparse and never formed.

Parameters are columns in the order of `PARAMETERS`, each flattened, those that a model does not
have left out. Arrays are kept in the precision of the model; `normal_equations` adds up in double.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import get_blas_funcs

from .products import weight_gradients_by_sequence
from .run import PARAMETERS, Run, run_arguments

ROWS = 2048  # of a product in single precision, so that its rounding errors stay small


class Sensitivities(NamedTuple):
    """Outputs, and how they or R functionals of them depend on all P parameters and the start."""

    outputs: np.ndarray  # (T, B, N), or as `propagate` returns them
    parameters: np.ndarray | None  # adjoint: (R, B, P); forward: (B, T, N, P), if wanted
    start: np.ndarray  # adjoint: (R, B, M); forward: (B, T, N, M)


def parameter_columns(f, ports):
    """For each parameter that there is, the slice of columns that it takes among all P."""
    arrays = (*f[:5], ports.C, ports.B, ports.b)
    columns, begin = {}, 0
    for name, x in zip(PARAMETERS, arrays, strict=True):
        if x is not None:
            columns[name] = slice(begin, begin + np.size(x))
            begin += np.size(x)
    return columns


def adjoint_sensitivities(functionals, f, start, *args, **options):
    """Derivatives of ``sum(functional * outputs)``, each sequence by itself, as `Sensitivities`.

    ``functionals(outputs)`` are (R, T, B, N); what follows is what `propagate` takes.
    """
    run = Run(*run_arguments(f, start, *args, **options))
    _, B, M = run.shape
    outputs = np.array(run.forward())
    functionals = functionals(outputs)
    columns = parameter_columns(f, run.ports)
    n_columns = max(x.stop for x in columns.values())
    parameters = np.zeros((len(functionals), B, n_columns), outputs.dtype)
    starts = np.empty((len(functionals), B, M), outputs.dtype)
    for functional, rows, start_rows in zip(functionals, parameters, starts, strict=True):
        for stretch in run.backward(functional):
            for name, part in _by_sequence(run, stretch).items():
                rows[:, columns[name]] += part.reshape(B, -1)
            start_rows[...] = stretch.pullback.start
    return Sensitivities(outputs, parameters, starts)


def _by_sequence(run, stretch):
    """Derivatives by name, with an axis for sequences in front."""
    f, bar, tape = run.f, stretch.pullback, stretch.tape
    parts = weight_gradients_by_sequence(f, run.ports, stretch)._asdict()
    parts["A"] = np.einsum("tbm,tbm->bm", bar.drive, tape.forced)
    parts["h"] = bar.drive.sum(axis=0)
    if f.theta is not None:
        a_bar = bar.preactivation
        if a_bar is None:
            a_bar = np.where(f.pattern(tape.forced), np.dot(bar.drive, f.W), 0)
        parts["theta"] = a_bar.sum(axis=0)
    return {name: part for name, part in parts.items() if part is not None}


def forward_sensitivities(f, start, *args, of_parameters=True, **options):
    """Derivatives of every output, as `Sensitivities`; takes what `propagate` takes.

    The Jacobian lives in `workspace`, if there is one. Without `of_parameters` only the start's.
    """
    run = Run(*run_arguments(f, start, *args, **options))
    ports, (T, B, M), dtype, tape = run.ports, run.shape, f.W.dtype, run.tape()
    inputs, _, gain = run.at(slice(T))
    active = f.pattern(tape.forced) if tape.features is None else tape.features > f.floor()
    J = _jacobians(f, active)
    if gain is not None:
        J *= (1 - gain)[..., None, :]  # of the state before it was forced
    read = (lambda x: x[:, : ports.n_outputs]) if ports.B is None else (lambda x: ports.B @ x)

    starts = np.empty((B, T, ports.n_outputs, M), dtype)
    S = np.eye(M, dtype=dtype)
    for t in range(T):
        S = J[t] @ S
        starts[:, t] = read(S)
    outputs = np.array(tape.outputs)
    if not of_parameters:
        return Sensitivities(outputs, None, starts)

    columns = parameter_columns(f, ports)
    n_columns = max(x.stop for x in columns.values())
    parameters = run.workspace.array("sensitivities", (B, *starts.shape[1:3], n_columns), dtype)
    # Columns of B and b do not feed back: they stay zero here, to be filled in at the output.
    S, S_new = np.zeros((2, B, M, n_columns), dtype)
    for t in range(T):
        np.matmul(J[t], S, out=S_new)
        S, S_new = S_new, S
        _add_direct(S, columns, f, tape.forced[t], active[t], None if inputs is None else inputs[t])
        parameters[:, t] = read(S)
        if ports.B is not None:
            _own_rows(parameters[:, t], columns["B"], M)[...] = tape.states[t + 1][:, None, :]
            _own_rows(parameters[:, t], columns["b"], 1)[...] = 1
    return Sensitivities(outputs, parameters, starts)


def _jacobians(f, active):
    """``diag(A) + W D V`` for patterns (T, B, L), (T, B, M, M)."""
    if f.V is None:
        J = f.W * active[..., None, :]
    else:  # a sum over active features of what each of them does
        each = np.einsum("ml,ln->lmn", f.W, f.V).reshape(f.n_hidden, -1)
        J = (active.astype(f.W.dtype) @ each).reshape(*active.shape[:2], *f.A.shape * 2)
    np.einsum("tbmm->tbm", J)[...] += f.A
    return J


def _add_direct(S, columns, f, z, active, inputs):
    """Add dF/dparameters, what a step's own parameters do, to S (B, M, P)."""
    B, M, L = len(z), f.n_components, f.n_hidden
    gated = f.W * active[:, None, :]  # dF/da, a = V z + theta
    _own_rows(S, columns["A"], 1)[...] += z[..., None]
    _own_rows(S, columns["W"], L)[...] += f.features(z)[:, None, :]
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


def gram(blocks):
    """``sum J'J`` over `blocks` J (rows, P), made one after another; 0 of none.

    Products are made in the precision of J, sums in double precision.
    """
    H = None
    for J in blocks:
        if H is None:
            H = np.zeros((J.shape[1], J.shape[1]))
        syrk = get_blas_funcs("syrk", (J,))
        for i in range(0, len(J), ROWS):
            H += syrk(1.0, J[i : i + ROWS].T)
    return 0.0 if H is None else H + np.triu(H, 1).T


def normal_equations(blocks):
    """The same of `blocks` (J, r), and ``sum J'r``."""
    gradient = 0.0

    def jacobians():
        nonlocal gradient
        for J, r in blocks:
            for i in range(0, len(J), ROWS):
                rows = slice(i, i + ROWS)
                product = J[rows].T @ r[rows].astype(J.dtype, copy=False)
                gradient = gradient + product.astype(float)
            yield J

    return gram(jacobians()), gradient

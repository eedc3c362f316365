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

from .engines import engine
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
    starts = np.empty((B, T, ports.n_outputs, M), dtype)
    columns, parameters = parameter_columns(f, ports), None
    if of_parameters:
        n_columns = max(x.stop for x in columns.values())
        parameters = run.workspace.array("sensitivities", (*starts.shape[:3], n_columns), dtype)
    inputs, _, gain = run.at(slice(T))
    engine().sensitivities(f, ports, tape, inputs, gain, columns, starts, parameters, run.workspace)
    return Sensitivities(np.array(tape.outputs), parameters, starts)


def gram(blocks):
    """``sum J'J`` over `blocks` J (rows, P), made one after another; 0 of none.

    Products are made in the precision of J, sums in double precision.
    """
    H = None
    for J in blocks:
        H = np.zeros((J.shape[1], J.shape[1])) if H is None else H
        for i in range(0, len(J), ROWS):
            rows = J[i : i + ROWS]
            H += rows.T @ rows  # by numpy: during scipy's products no other thread runs
    return 0.0 if H is None else H


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

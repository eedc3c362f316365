"""The forced recurrence as one differentiable operation.

``propagate(f, start, inputs, targets, gain)`` runs a `PiecewiseLinearMap` over time and returns the
states z_1 .. z_T, or what is read out of them, (time, batch, unit). A gain of zero is a free run, a
gain of one replaces a unit by its target before the step, anything between is generalized teacher
forcing. To autograd the whole loop is a single node: every argument may be traced, so that losses,
penalties and start states are ordinary ``autograd.numpy`` code around it and need no hand-written
gradient.
"""

from functools import reduce

import numpy as np
from autograd.extend import defvjp_argnums, primitive

from .products import weight_gradients
from .run import PARAMETERS, Run, run_arguments


def propagate(f, start, inputs=None, targets=None, gain=None, **options):
    """States z_1 .. z_T of ``z_t = F(ztilde_{t-1}) + C s_t``, shape (T, B, M), or their readout.

    ``ztilde_t = z_t + gain_t (targets_t - z_t)``. The other arguments are those of `run_arguments`.
    What is returned lives in `workspace`, if there is one.
    """
    return _propagate(*run_arguments(f, start, inputs, targets, gain, **options), [])


@primitive
def _propagate(*arguments):
    *arguments, left_behind = arguments
    run = Run(*arguments)
    left_behind.append(run)
    return run.forward()


def _vjp_maker(argnums, outputs, arguments, _):
    (run,) = arguments[-1]

    def vjp(outputs_bar):
        parts = [_shares(run, stretch, argnums) for stretch in run.backward(outputs_bar)]
        return tuple(
            _combined(run, argnum, shares)
            for argnum, shares in zip(argnums, zip(*parts, strict=True), strict=True)
        )

    return vjp


defvjp_argnums(_propagate, _vjp_maker)

START, INPUTS, TARGETS, GAIN = 8, 9, 10, 11  # places among the arguments; before them, parameters


def run_and_pull_back(pull, f, start, *arrays, **options):
    """``value, cotangents``, without autograd, where ``pull(outputs)`` is (value, outputs_bar).

    The cotangents are those of the map's arrays, C, B, b and the start (B, M), by name. The other
    arguments are those of `propagate`.
    """
    run = Run(*run_arguments(f, start, *arrays, **options))
    value, outputs_bar = pull(run.forward())
    shares, start_bar = [], None
    for stretch in run.backward(outputs_bar):
        shares.append(_parameter_shares(run, stretch))
        start_bar = stretch.pullback.start
    totals = [None if x[0] is None else reduce(np.add, x) for x in zip(*shares, strict=True)]
    return value, dict(zip(PARAMETERS, totals, strict=True)) | {"start": start_bar}


def _shares(run, stretch, argnums):
    """A stretch's part in the cotangents of the arguments asked for."""
    targets, gain, bar = stretch.targets, stretch.gain, stretch.pullback
    C = run.ports.C
    over_time = {
        INPUTS: lambda: bar.drive.copy() if C is None else bar.drive @ C,
        TARGETS: lambda: bar.forced * gain,
        GAIN: lambda: bar.forced * (targets - stretch.tape.states[:-1]),
    }
    known = (*_parameter_shares(run, stretch), bar.start)
    return [over_time[i]() if i in over_time else known[i] for i in argnums]


def _parameter_shares(run, stretch):
    bar, weights = stretch.pullback, weight_gradients(run.f, run.ports, stretch, run.workspace)
    return bar.A, weights.W, bar.h, weights.V, bar.theta, weights.C, weights.B, weights.b


def _combined(run, argnum, shares):
    """Cotangent of one argument from its parts, the last stretch first."""
    if argnum < START:
        return reduce(np.add, shares)
    whole = shares[-1] if argnum == START else np.concatenate(shares[::-1])
    return _unbroadcast(whole, run.given[argnum - START])


def _unbroadcast(x_bar, x):
    """Sum a cotangent over the axes along which its argument was broadcast."""
    shape = np.shape(x)
    x_bar = x_bar.sum(tuple(range(x_bar.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and x_bar.shape[i] != 1)
    return x_bar.sum(stretched, keepdims=True) if stretched else x_bar

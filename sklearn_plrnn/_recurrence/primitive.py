"""The forced recurrence as one differentiable operation.

``propagate(f, start, drive, targets, gain)`` runs a `PiecewiseLinearMap` over time and returns the
states z_1 .. z_T, (time, batch, unit). A gain of zero is a free run, a gain of one replaces a unit
by its target before the step, anything between is generalized teacher forcing. To autograd the
whole loop is a single node: every argument may be traced, so that losses, readouts, penalties and
input maps are ordinary ``autograd.numpy`` code around it and need no hand-written gradient.
"""

import numpy as np
from autograd.extend import defvjp_argnums, primitive

from .engines import engine
from .piecewise import PiecewiseLinearMap
from .tape import Workspace


def propagate(f, start, drive=None, targets=None, gain=None, *, n_timesteps=None, workspace=None):
    """States z_1 .. z_T of ``z_t = F(ztilde_{t-1}) + drive_t``, shape (T, B, M).

    ``ztilde_t = z_t + gain_t (targets_t - z_t)``. Arguments broadcast against (T, B, M); T is
    `n_timesteps` or the length of `drive`, B that of `start` (B, M). `drive` does not hold h.
    """
    if n_timesteps is None:
        n_timesteps = len(drive)
    return _propagate(
        *f[:5], start, drive, targets, gain, f.always_on, n_timesteps, workspace or Workspace()
    )


@primitive
def _propagate(A, W, h, V, theta, start, drive, targets, gain, always_on, n_timesteps, workspace):
    f = PiecewiseLinearMap(A, W, h, V, theta, always_on)
    shapes = [np.shape(x) for x in (start, drive, targets, gain) if x is not None]
    shape = np.broadcast_shapes((n_timesteps, 1, f.n_components), *shapes)
    targets, gain = _per_step(targets, n_timesteps), _per_step(gain, n_timesteps)
    workspace.tape = engine().forward(f, start, drive, targets, gain, shape, workspace)
    return workspace.tape.states[1:]


def _vjp_maker(argnums, states, arguments, _):
    A, W, h, V, theta, start, drive, targets, gain, always_on, n_timesteps, workspace = arguments
    f = PiecewiseLinearMap(A, W, h, V, theta, always_on)
    tape = workspace.tape

    def vjp(states_bar):
        bar = engine().adjoint(f, tape, _per_step(gain, n_timesteps), states_bar, workspace)
        pull = (
            lambda: bar.A,
            lambda: bar.W,
            lambda: bar.h,
            lambda: bar.V,
            lambda: bar.theta,
            lambda: _unbroadcast(bar.start, start),
            lambda: _unbroadcast(bar.drive, drive).copy(),
            lambda: _unbroadcast(bar.forced * gain, targets),
            lambda: _unbroadcast(bar.forced * (targets - tape.states[:-1]), gain),
        )
        return tuple(pull[argnum]() for argnum in argnums)

    return vjp


defvjp_argnums(_propagate, _vjp_maker)


def _per_step(x, n_timesteps):
    """View `x` with three axes, the first of them time, without filling the other two."""
    if x is None:
        return None
    x = np.asarray(x)
    x = x.reshape((1,) * (3 - x.ndim) + x.shape)
    return np.broadcast_to(x, (n_timesteps, *x.shape[1:]))


def _unbroadcast(x_bar, x):
    """Sum a cotangent over the axes along which its argument was broadcast."""
    shape = np.shape(x)
    x_bar = x_bar.sum(tuple(range(x_bar.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and x_bar.shape[i] != 1)
    return x_bar.sum(stretched, keepdims=True) if stretched else x_bar


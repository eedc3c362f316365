"""The forced recurrence as one differentiable operation.

``propagate(f, start, inputs, targets, gain)`` runs a `PiecewiseLinearMap` over time and returns the
states z_1 .. z_T, or what is read out of them, (time, batch, unit). A gain of zero is a free run, a
gain of one replaces a unit by its target before the step, anything between is generalized teacher
forcing. To autograd the whole loop is a single node: every argument may be traced, so that losses,
penalties and start states are ordinary ``autograd.numpy`` code around it and need no hand-written
gradient.
"""

import numpy as np
from autograd.extend import defvjp_argnums, primitive

from .engines import engine
from .piecewise import PiecewiseLinearMap
from .tape import Ports, Workspace


def propagate(
    f,
    start,
    inputs=None,
    targets=None,
    gain=None,
    *,
    C=None,
    readout=None,
    n_timesteps=None,
    workspace=None,
):
    """States z_1 .. z_T of ``z_t = F(ztilde_{t-1}) + C s_t``, shape (T, B, M), or their readout.

    ``ztilde_t = z_t + gain_t (targets_t - z_t)``. Without `C`, `inputs` are added as they are.
    `readout` is None, the number N of first units to return, or (B, b) of ``x_t = B z_t + b``.
    `targets`, `gain` and, in its batch axis, `inputs` broadcast; T is `n_timesteps` or the length
    of `inputs`. What is returned lives in `workspace`, if there is one.
    """
    if n_timesteps is None:
        n_timesteps = len(inputs)
    B, b = readout if isinstance(readout, tuple) else (None, None)
    n_outputs = f.n_components if readout is None else readout if B is None else B.shape[0]
    arrays = (*f[:5], C, B, b, start, inputs, targets, gain)
    return _propagate(*arrays, f.always_on, n_outputs, n_timesteps, workspace or Workspace())


@primitive
def _propagate(
    A, W, h, V, theta, C, B, b, start, inputs, targets, gain,
    always_on, n_outputs, n_timesteps, workspace,
):  # fmt: skip
    f = PiecewiseLinearMap(A, W, h, V, theta, always_on)
    added = None if inputs is None else (*np.shape(inputs)[:-1], f.n_components)
    shapes = [np.shape(x) for x in (start, targets, gain) if x is not None]
    shapes = shapes if added is None else [*shapes, added]
    shape = np.broadcast_shapes((n_timesteps, 1, f.n_components), *shapes)
    if inputs is not None and np.shape(inputs)[:-1] != shape[:-1]:
        inputs = np.broadcast_to(inputs, (*shape[:-1], np.shape(inputs)[-1]))
    targets, gain = _per_step(targets, n_timesteps), _per_step(gain, n_timesteps)
    ports = Ports(C, B, b, n_outputs)
    workspace.tape = engine().forward(f, ports, start, inputs, targets, gain, shape, workspace)
    return workspace.tape.outputs


def _vjp_maker(argnums, outputs, arguments, _):
    A, W, h, V, theta, C, B, b, start, inputs, targets, gain, *rest = arguments
    always_on, n_outputs, n_timesteps, workspace = rest
    f, ports = PiecewiseLinearMap(A, W, h, V, theta, always_on), Ports(C, B, b, n_outputs)
    tape = workspace.tape
    shape = tape.forced.shape

    def vjp(outputs_bar):
        given = inputs if C is None else np.broadcast_to(inputs, (*shape[:-1], inputs.shape[-1]))
        pulls = _per_step(gain, n_timesteps)
        bar = engine().adjoint(f, ports, tape, given, pulls, outputs_bar, workspace)
        pull = (
            *(lambda x=x: x for x in bar[:8]),
            lambda: _unbroadcast(bar.start, start),
            lambda: _unbroadcast(bar.drive if C is None else bar.drive @ C, inputs).copy(),
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

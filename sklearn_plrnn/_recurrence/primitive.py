"""The forced recurrence as one differentiable operation.

``propagate(f, start, inputs, targets, gain)`` runs a `PiecewiseLinearMap` over time and returns the
states z_1 .. z_T, or what is read out of them, (time, batch, unit). A gain of zero is a free run, a
gain of one replaces a unit by its target before the step, anything between is generalized teacher
forcing. To autograd the whole loop is a single node: every argument may be traced, so that losses,
penalties and start states are ordinary ``autograd.numpy`` code around it and need no hand-written
gradient.

Time is run in stretches. There is one, unless memory is to be saved: then each stretch leaves only
the state that it started from, and the backward pass runs it again (Griewank and Walther 2008,
chapter 12).
"""

from functools import reduce

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
    stretch=None,
    workspace=None,
):
    """States z_1 .. z_T of ``z_t = F(ztilde_{t-1}) + C s_t``, shape (T, B, M), or their readout.

    ``ztilde_t = z_t + gain_t (targets_t - z_t)``. Without `C`, `inputs` are added as they are.
    `readout` is None, the number N of first units to return, or (B, b) of ``x_t = B z_t + b``.
    `targets`, `gain` and, in its batch axis, `inputs` broadcast; T is `n_timesteps` or the length
    of `inputs`. States are kept for `stretch` steps at a time, None for all. What is returned lives
    in `workspace`, if there is one.
    """
    if n_timesteps is None:
        n_timesteps = len(inputs)
    B, b = readout if isinstance(readout, tuple) else (None, None)
    n_outputs = f.n_components if readout is None else readout if B is None else B.shape[0]
    arrays = (*f[:5], C, B, b, start, inputs, targets, gain)
    stretch = min(stretch or n_timesteps, n_timesteps) or 1
    options = (f.always_on, n_outputs, n_timesteps, stretch, workspace or Workspace())
    return _propagate(*arrays, *options, [])


@primitive
def _propagate(*arguments):
    *arguments, left_behind = arguments
    run = _Run(*arguments)
    left_behind.append(run)
    return run.forward()


def _vjp_maker(argnums, outputs, arguments, _):
    (run,) = arguments[-1]

    def vjp(outputs_bar):
        parts = [run.pull(bar, rows, argnums) for bar, rows in run.backward(outputs_bar)]
        return tuple(run.combined(*x) for x in zip(argnums, zip(*parts, strict=True), strict=True))

    return vjp


defvjp_argnums(_propagate, _vjp_maker)

START, INPUTS, TARGETS, GAIN = 8, 9, 10, 11  # places among the arguments; before them, parameters


class _Run:
    """One run through time: its arguments in full shape, and what the forward pass has left."""

    def __init__(
        self, A, W, h, V, theta, C, B, b, start, inputs, targets, gain,
        always_on, n_outputs, n_timesteps, stretch, workspace,
    ):  # fmt: skip
        self.f = PiecewiseLinearMap(A, W, h, V, theta, always_on)
        self.ports = Ports(C, B, b, n_outputs)
        self.given = (start, inputs, targets, gain)
        self.workspace = workspace
        added = None if inputs is None else (*np.shape(inputs)[:-1], self.f.n_components)
        shapes = [np.shape(x) for x in (start, targets, gain) if x is not None]
        shapes = shapes if added is None else [*shapes, added]
        self.shape = np.broadcast_shapes((n_timesteps, 1, self.f.n_components), *shapes)
        if inputs is not None and np.shape(inputs)[:-1] != self.shape[:-1]:
            inputs = np.broadcast_to(inputs, (*self.shape[:-1], np.shape(inputs)[-1]))
        self.in_time = (inputs, _per_step(targets, n_timesteps), _per_step(gain, n_timesteps))
        self.stretches = [slice(i, i + stretch) for i in range(0, n_timesteps or 1, stretch)]

    def forward(self):
        """Outputs (T, B, N)."""
        if len(self.stretches) == 1:
            return self._run(self.given[0], self.stretches[0]).outputs
        T, B, M = self.shape
        dtype = self.f.W.dtype
        outputs = self.workspace.array("all_outputs", (T, B, self.ports.n_outputs), dtype)
        self.starts = self.workspace.array("starts", (len(self.stretches), B, M), dtype)
        start = self.given[0]
        for i, rows in enumerate(self.stretches):
            self.starts[i] = start
            outputs[rows] = self._run(start, rows).outputs
            start = self.tape.states[-1].copy()
        return outputs

    def backward(self, outputs_bar):
        """Cotangents of each stretch and its rows, the last one first."""
        end_bar = None
        for i, rows in reversed(list(enumerate(self.stretches))):
            if len(self.stretches) > 1:
                self._run(self.starts[i], rows)
            inputs, _, gain = self._of(rows)
            of_outputs = outputs_bar[rows]
            bar = engine().adjoint(
                self.f, self.ports, self.tape, inputs, gain, of_outputs, end_bar, self.workspace
            )
            end_bar = bar.start
            yield bar, rows

    def pull(self, bar, rows, argnums):
        """A stretch's share in the cotangents of the arguments asked for."""
        _, targets, gain = self._of(rows)
        C = self.ports.C
        pulls = {
            INPUTS: lambda: bar.drive.copy() if C is None else bar.drive @ C,
            TARGETS: lambda: bar.forced * gain,
            GAIN: lambda: bar.forced * (targets - self.tape.states[:-1]),
        }
        return [pulls[i]() if i in pulls else bar[i] for i in argnums]

    def combined(self, argnum, parts):
        """Cotangent of one argument from its shares, the last stretch first."""
        if argnum < START:
            return reduce(np.add, parts)
        whole = parts[-1] if argnum == START else np.concatenate(parts[::-1])
        return _unbroadcast(whole, self.given[argnum - START])

    def _run(self, start, rows):
        inputs, targets, gain = self._of(rows)
        shape = (len(range(*rows.indices(self.shape[0]))), *self.shape[1:])
        self.tape = engine().forward(
            self.f, self.ports, start, inputs, targets, gain, shape, self.workspace
        )
        return self.tape

    def _of(self, rows):
        return (None if x is None else x[rows] for x in self.in_time)


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

"""One run through time, forward and backward, in stretches.

There is one stretch, unless memory is to be saved: then each leaves only the state that it started
from, and the backward pass runs it again (Griewank and Walther 2008, chapter 12).
"""

import numpy as np

from .engines import engine
from .piecewise import PiecewiseLinearMap
from .tape import Ports, Stretch, Workspace

# Arrays of map and ports, in the order in which they are the first arguments of a `Run`.
PARAMETERS = ("A", "W", "h", "V", "theta", "C", "B", "b")


def run_arguments(
    f,
    start,
    inputs=None,
    targets=None,
    gain=None,
    *,
    C=None,
    readout=None,
    n_timesteps=None,
    at_end=False,
    stretch=None,
    workspace=None,
):
    """What `Run` is made from; arrays first.

    Without `C`, `inputs` are added as they are. `readout` is None, the number N of first units to
    return, or (B, b) of ``x_t = B z_t + b``. `targets`, `gain` and, in its batch axis, `inputs`
    broadcast; T is `n_timesteps` or the length of `inputs`. With `at_end` the last state alone is
    returned, (1, B, M). States are kept for `stretch` steps at a time, None for all.
    """
    n_timesteps = len(inputs) if n_timesteps is None else n_timesteps
    B, b = readout if isinstance(readout, tuple) else (None, None)
    n_outputs = f.n_components if readout is None else readout if B is None else B.shape[0]
    n_outputs = 0 if at_end else n_outputs
    arrays = (*f[:5], C, B, b, start, inputs, targets, gain)
    stretch = min(stretch or n_timesteps, n_timesteps) or 1
    options = (f.always_on, n_outputs, n_timesteps, at_end, stretch, workspace or Workspace())
    return *arrays, *options


class Run:
    """Arguments in full shape, and what the forward pass has left."""

    def __init__(
        self, A, W, h, V, theta, C, B, b, start, inputs, targets, gain,
        always_on, n_outputs, n_timesteps, at_end, stretch, workspace,
    ):  # fmt: skip
        self.f = PiecewiseLinearMap(A, W, h, V, theta, always_on)
        self.ports = Ports(C, B, b, n_outputs)
        self.given = (start, inputs, targets, gain)
        self.at_end, self.workspace = at_end, workspace
        added = None if inputs is None else (*np.shape(inputs)[:-1], self.f.n_components)
        shapes = [np.shape(x) for x in (start, targets, gain) if x is not None]
        shapes = shapes if added is None else [*shapes, added]
        self.shape = np.broadcast_shapes((n_timesteps, 1, self.f.n_components), *shapes)
        if inputs is not None and np.shape(inputs)[:-1] != self.shape[:-1]:
            inputs = np.broadcast_to(inputs, (*self.shape[:-1], np.shape(inputs)[-1]))
        self._over_time = (inputs, _per_step(targets, n_timesteps), _per_step(gain, n_timesteps))
        self._stretches = [slice(i, i + stretch) for i in range(0, n_timesteps or 1, stretch)]

    def forward(self):
        """Outputs (T, B, N), or the last state (1, B, M); they live in the workspace."""
        if len(self._stretches) == 1:
            tape = self._forward(self.given[0], self._stretches[0])
            return tape.states[-1:] if self.at_end else tape.outputs
        T, B, M = self.shape
        dtype = self.f.W.dtype
        outputs = self.workspace.array("all_outputs", (T, B, self.ports.n_outputs), dtype)
        self._starts = self.workspace.array("starts", (len(self._stretches), B, M), dtype)
        start = self.given[0]
        for i, rows in enumerate(self._stretches):
            self._starts[i] = start
            outputs[rows] = self._forward(start, rows).outputs
            start = self._tape.states[-1].copy()
        return start[None] if self.at_end else outputs

    def backward(self, outputs_bar):
        """Pull back the cotangent of what `forward` returned; each `Stretch`, the last first."""
        end_bar = None
        if self.at_end:
            end_bar, outputs_bar = outputs_bar[0], np.empty((*self.shape[:2], 0), outputs_bar.dtype)
        for i, rows in reversed(list(enumerate(self._stretches))):
            if len(self._stretches) > 1:
                self._forward(self._starts[i], rows)
            given, of_outputs = self.at(rows), outputs_bar[rows]
            pullback = engine().adjoint(
                self.f, self.ports, self._tape, given[-1], of_outputs, end_bar, self.workspace
            )
            end_bar = pullback.start
            yield Stretch(*given, of_outputs, self._tape, pullback)

    def tape(self):
        """What a forward pass leaves that keeps all steps; it lives in the workspace."""
        return self._forward(self.given[0], slice(self.shape[0]))

    def at(self, rows):
        """Inputs, targets and gain of one or several steps; None where there are none."""
        return [None if x is None else x[rows] for x in self._over_time]

    def _forward(self, start, rows):
        shape = (len(range(*rows.indices(self.shape[0]))), *self.shape[1:])
        self._tape = engine().forward(
            self.f, self.ports, start, *self.at(rows), shape, self.workspace
        )
        return self._tape


def _per_step(x, n_timesteps):
    """View `x` with three axes, the first of them time, without filling the other two."""
    if x is None:
        return None
    x = np.asarray(x)
    x = x.reshape((1,) * (3 - x.ndim) + x.shape)
    return np.broadcast_to(x, (n_timesteps, *x.shape[1:]))

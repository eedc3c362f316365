"""The function that training minimizes: lower, drive, propagate, read out, compare.

    value = loss(outputs, targets, weights) + penalty + l2

of one `Batch`, whose weights are scaled so that the expectation over batches is the mean over
everything that counts. A step that does not count (washout, padding, a missing target) has weight
zero, a state that is not forced has gain zero; there is no other case.
"""

import math
from functools import partial
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np

from .._recurrence import Workspace, propagate
from .curvature import Curvature
from .explicit_gradient import explicit_gradient, is_explicit
from .gradient import value_and_gradients
from .losses import SquaredError


class Batch(NamedTuple):
    """Equally long stretches of B sequences, (time, batch, feature)."""

    inputs: np.ndarray  # (T, B, K), s_1 .. s_T
    targets: np.ndarray  # (T, B, N), x_1 .. x_T; or (1, B, N), due at the end
    weights: np.ndarray  # (T or 1, B, N or 1)
    observed: np.ndarray | None = None  # (T, B, N), x_0 .. x_{T-1}: for forcing, or None
    known: np.ndarray | None = None  # (T, B, N) bool: which of `observed` were measured
    noise: np.ndarray | None = None  # (T, B, M), added to the states z_1 .. z_T, or None

    @property
    def at_end(self):
        """Whether there are targets for the last step only."""
        return len(self.targets) < len(self.inputs)

    def part(self, n_timesteps=None, windows=slice(None)):
        """The first steps of a batch, or some of its windows."""
        return Batch(*(None if x is None else x[:n_timesteps, windows] for x in self))


def first_batches(batches, n_enough, count):
    """Those of batches that come first, until ``count(batch)`` adds up to so much."""
    taken, total = [], 0
    for batch in batches:
        taken.append(batch)
        total += count(batch)
        if total >= n_enough:
            break
    return taken


class Objective(NamedTuple):
    """Loss and penalties of a parameter dict on a batch."""

    cell: object  # of CELLS
    readout: object  # of READOUTS
    penalty: object  # of PENALTIES
    n_inputs: int
    loss: object = SquaredError()  # of LOSSES
    forcing: object | None = None  # of FORCINGS
    schedule: object | None = None  # of FORCING_SCHEDULES
    l2: float = 0.0
    learn_start: bool = True
    checkpointing: bool = False  # of gradients: keep about sqrt(T) states instead of T

    def init(self, rng, dtype):
        """Random parameters of cell, readout, input map and initial state."""
        M, K = self.cell.n_components, self.n_inputs
        params = self.cell.init(rng, dtype) | self.readout.init(rng, dtype)
        if K:
            params["C"] = rng.normal(0, 1 / np.sqrt(K), (M, K)).astype(dtype)
        if self.learn_start:
            start = rng.normal(0, 0.1, M)
            start[: self.readout.n_observed] = 0  # the mean of what is observed
            params["initial_state"] = start.astype(dtype)
        return params

    def sizes(self):
        """Numbers in each parameter, by name."""
        params = self.init(np.random.default_rng(0), np.float32)
        return {name: x.size for name, x in params.items()}

    def value(self, params, batch, workspace=None):
        """Scalar to minimize."""
        f, linear = self.cell.lower(params), self.readout.linear(params)
        if batch.at_end or linear is None:
            options = {"at_end": batch.at_end, "workspace": workspace}
            states = self.propagate(f, params, batch, **options)
            outputs = self.readout.output(params, states)
        else:
            outputs = self.propagate(f, params, batch, readout=linear, workspace=workspace)
        value = self.loss.value(outputs, batch.targets, batch.weights)
        return value + self.penalties(params, f)

    def penalties(self, params, f):
        """What is added to the loss; `f` is the map that `params` lower to."""
        value = self.penalty.value(self.cell, f)
        return value + self.l2 * self.size(params) if self.l2 else value

    def buffered(self, n_threads=1):
        """``value`` and ``value_and_gradients`` of (params, batch), with one workspace for both."""
        workspace = Workspace(n_threads)
        value = partial(self.value, workspace=workspace)
        if is_explicit(self):
            return value, partial(explicit_gradient, self, workspace)
        return value, partial(value_and_gradients, value)

    def at_epoch(self, progress, params, draw):
        """The objective of the epoch to come, when the share `progress` of training is over.

        ``draw()`` is a batch of training windows. What held-out windows are judged by does not
        change with it.
        """
        if self.forcing is None or self.schedule is None:
            return self
        strength = float(self.schedule.strength(self, progress, params, draw))
        return self if strength == self.stage else self.at_stage(strength)

    @property
    def stage(self):
        """What `at_epoch` changes: the strength of forcing."""
        return None if self.forcing is None else self.forcing.strength

    def at_stage(self, strength):
        """The same objective at another stage."""
        return self._replace(forcing=self.forcing._replace(strength=strength))

    def curvature(self, n_threads=1):
        """The Gauss-Newton matrix and gradient as a function of params and batches."""
        return Curvature(self, n_threads)

    def states(self, params, batch, **options):
        """Latent states z_1 .. z_T, (T, B, M)."""
        return self.propagate(self.cell.lower(params), params, batch, **options)

    def propagate(self, f, params, batch, operation=propagate, **options):
        """``operation`` on the recurrence of a batch, by default its states or outputs."""
        T = len(batch.inputs)
        targets, gain = self._forcing(params, batch, T)
        added, C = self._drive(params, batch)
        return operation(
            f,
            self._start(params, batch),
            added,
            targets,
            gain,
            C=C,
            n_timesteps=T,
            stretch=math.isqrt(T) if self.checkpointing else None,
            **options,
        )

    def forced(self, params, batch):
        """States z_0 .. z_{T-1} as observations have corrected them, and the gain; (T, B, M)."""
        states = self.states(params, batch)
        start = np.broadcast_to(self._start(params, batch), states.shape[1:])
        states = np.concatenate([start[None], states[:-1]])
        targets, gain = self._forcing(params, batch, len(states))
        gain = np.broadcast_to(gain, states.shape)
        return states + gain * (targets - states), gain

    def _drive(self, params, batch):
        """What is added to each step, (T, B, K), and with which weights (M, K): inputs, noise."""
        C = params.get("C")
        if C is None:
            return batch.noise, None
        if batch.noise is None:
            return batch.inputs, C
        identity = np.eye(len(C), dtype=batch.noise.dtype)
        inputs = np.concatenate([batch.inputs, batch.noise], axis=-1)
        return inputs, anp.concatenate([C, identity], axis=1)

    def _start(self, params, batch):
        if batch.observed is not None:
            return self.readout.start(params, batch.observed[0], batch.known[0])
        zero = np.zeros(self.cell.n_components, batch.inputs.dtype)
        return params.get("initial_state", zero)

    def _forcing(self, params, batch, n_timesteps):
        if self.forcing is None:
            return None, None
        targets, determined = self.readout.estimate(params, batch.observed, batch.known)
        return targets, self.forcing.gain(n_timesteps, batch.targets.dtype) * determined

    def rates(self, params, span):
        """Relative learning rates: what integrators receive adds up over `span` steps.

        One rate for all would be too fast for them or too slow for the others.
        """
        rates = {name: np.ones_like(x) for name, x in params.items()}
        for name in {*self.cell.rows, "C"} & rates.keys():
            rates[name][self.penalty.units] /= math.sqrt(span)
        return rates

    def size(self, params):
        """Mean squares of coupling, input and readout weights, added up."""
        return sum(anp.mean(params[name] ** 2) for name in self.weights(params))

    def weights(self, params):
        """Names of coupling, input and readout weights."""
        return [name for name in params if name[0] in "WCB"]

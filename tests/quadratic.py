"""What training can be tested on without a network: a quadratic, and batches that shift it."""

from functools import partial

import autograd.numpy as anp
import numpy as np

from sklearn_plrnn._model.gradient import value_and_gradients
from sklearn_plrnn._model.objective import Batch

TARGET = {"a": np.array([1.0, -2.0]), "b": np.array([[3.0]])}


class Quadratic:
    """Squared distance to TARGET, on batches that shift it by their single number."""

    def buffered(self, n_threads=1):
        return self.value, partial(value_and_gradients, self.value)

    def value(self, params, batch):
        shift = batch.targets[0, 0, 0]
        return sum(anp.sum((params[name] - x - shift) ** 2) for name, x in TARGET.items())

    def curvature(self, n_threads=1):
        def at(params, batches, n_sequences, n_samples, rng):
            gradients = [value_and_gradients(self.value, params, batch)[1] for batch in batches]
            vectors = [np.concatenate([x.ravel() for x in g.values()]) for g in gradients]
            return 2 * np.eye(3), np.mean(vectors, axis=0)

        return at


class Shifts:
    """One batch for each shift."""

    def __init__(self, *shifts):
        self.shifts = shifts

    target_power, n_longer = 0.0, 0

    @property
    def n_windows(self):
        return len(self.shifts)

    @property
    def is_single(self):
        return len(self.shifts) == 1

    def epoch(self, rng):
        return self._batches(rng.permutation(self.shifts))

    covering = epoch

    def ordered(self):
        return self._batches(self.shifts)

    whole = ordered

    def _batches(self, shifts):
        for shift in shifts:
            x = np.full((1, 1, 1), float(shift))
            yield Batch(x, x, x)

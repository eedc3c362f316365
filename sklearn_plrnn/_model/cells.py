"""Cells: the parameterizations of the piecewise-linear map.

A cell knows the shapes of its parameters, how to draw them, and how they ``lower`` to the one
`PiecewiseLinearMap`; nothing about time, gradients, units under regularization or data.
``rows`` names the parameters that play the parts of A, W and h in ``F(z) = A z + W g(z) + h``:
what one latent unit receives is row i of each of the three.
"""

from typing import NamedTuple

import numpy as np

from .._recurrence import PiecewiseLinearMap
from .gradient import without_diagonal


class PLRNN(NamedTuple):
    """``z_t = A z + W relu(z) + h`` with zero diagonal of W (Durstewitz 2017)."""

    n_components: int

    rows = ("A", "W", "h")

    @classmethod
    def make(cls, n_components, n_hidden):
        """Cell of `n_components` units; it has no hidden ones."""
        return cls(n_components)

    def init(self, rng, dtype):
        """Uniform in +-1 / sqrt(M), as recurrent networks commonly start; stable."""
        M = self.n_components
        draw = lambda *shape: rng.uniform(-1, 1, shape) / np.sqrt(M)
        return _typed({"A": draw(M), "W": draw(M, M) * (1 - np.eye(M)), "h": draw(M)}, dtype)

    def lower(self, params):
        """The map; the diagonal of W is held at zero, hence so is its gradient."""
        return PiecewiseLinearMap(params["A"], without_diagonal(params["W"]), params["h"])

    def pull_back(self, bar):
        """Cotangents of the parameters from those of the map."""
        return {"A": bar["A"], "W": without_diagonal(bar["W"]), "h": bar["h"]}

    @property
    def n_features(self):
        """Number of relu that a step takes."""
        return self.n_components

    def embed(self, params, A, W, h):
        """`params` with the map of a PLRNN of as many units."""
        return params | {"A": A, "W": W, "h": h}

    def free_couplings(self, n_units):
        """Number of trainable entries in `n_units` rows of W."""
        return n_units * (self.n_components - 1)


class Shallow(NamedTuple):
    """``z_t = A z + W1 relu(W2 z + h2) + h1`` (Hess et al. 2023)."""

    n_components: int
    n_hidden: int

    rows = ("A", "W1", "h1")

    @classmethod
    def make(cls, n_components, n_hidden):
        """Cell of `n_components` latent and `n_hidden` hidden units."""
        return cls(n_components, n_hidden)

    def init(self, rng, dtype):
        """Stable start with random kinks."""
        M, L = self
        A = rng.uniform(0.5, 0.9, M)
        W1 = rng.normal(0, 0.2 / np.sqrt(L), (M, L))
        W2 = rng.normal(0, 1 / np.sqrt(M), (L, M))
        params = {"A": A, "W1": W1, "h1": np.zeros(M), "W2": W2, "h2": rng.normal(size=L)}
        return _typed(params, dtype)

    def lower(self, params):
        """The map with V = W2 and theta = h2."""
        return PiecewiseLinearMap(*(params[name] for name in ("A", "W1", "h1", "W2", "h2")))

    def pull_back(self, bar):
        """Cotangents of the parameters from those of the map."""
        names = {"A": "A", "W": "W1", "h": "h1", "V": "W2", "theta": "h2"}
        return {name: bar[part] for part, name in names.items()}

    @property
    def n_features(self):
        """Number of relu that a step takes."""
        return self.n_hidden

    def embed(self, params, A, W, h):
        """`params` with the map of a PLRNN of as many units, whose relu are the first hidden units.

        Other hidden units keep their kinks, and have no influence until trained.
        """
        M, L = self
        W1, W2, h2 = np.zeros((M, L)), params["W2"].copy(), params["h2"].copy()
        W1[:, :M], W2[:M], h2[:M] = W, np.eye(M), 0
        return params | {"A": A, "W1": W1, "h1": h, "W2": W2, "h2": h2}

    def free_couplings(self, n_units):
        """Number of trainable entries in `n_units` rows of W1."""
        return n_units * self.n_hidden


CELLS = {"plrnn": PLRNN, "shallow": Shallow}


def _typed(params, dtype):
    return {name: np.asarray(x, dtype) for name, x in params.items()}

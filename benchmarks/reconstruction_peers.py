"""Other models of dynamical systems, on the same series, for `reconstruction.py`.

ESN: an echo state network of 500 leaky tanh units (reservoirpy). SINDy: sparse differential
equations in monomials up to degree 2 (pysindy). shPLRNN: the clipped shallow PLRNN of 100 hidden
units, trained in PyTorch by generalized teacher forcing for a given time (Hess et al., ICML 2023).
VAR: a linear autoregression with Gaussian noise, its order (1 to 10) chosen by BIC. Gaussian: rows
drawn independently, with mean and covariance of the data.

    peer = PEERS["ESN"](seed=0).fit(train)      # (T, N)
    peer.simulate(1000, x0)                     # (1000, N): what follows x0 (peer.context, N)

SINDy and shPLRNN need rows that are states: from a single variable they see three delays, from more
than 20 variables 16 principal components. What a peer leaves open (ESN: spectral radius, leak and
ridge; SINDy: threshold and smoothing; shPLRNN: when to stop) is chosen on the tail of the training
series: the product of D_stsp, of the largest D_H of ten free runs, and of the squared error 20
steps ahead is to be small.
"""

import time
from itertools import product
from typing import NamedTuple

import numpy as np

from sklearn_plrnn.metrics import power_spectrum_distance, state_space_divergence

WASHOUT = 100  # rows that drive a reservoir before it runs freely
LAG = 10  # steps between delays
MANY = 20  # variables
N_DIRECTIONS = 16
N_HEAD, N_TAIL = 10_000, 10_000  # rows, at most, on which peers choose
N_RUNS = 10  # free runs by which they do
N_FORECASTS, HORIZON = 100, 20  # and forecasts
N_CHECKPOINTS = 20


class Coordinates(NamedTuple):
    """Standardized rows, and from there, if a peer needs them, delays or principal components."""

    mean: np.ndarray  # (N,)
    scale: np.ndarray  # (N,)
    directions: np.ndarray | None = None  # (d, N), orthonormal
    lags: tuple = (0,)

    @classmethod
    def of(cls, rows, states):
        """Coordinates of `rows`, that are states if `states`."""
        scale = rows.std(axis=0)
        plain = cls(rows.mean(axis=0), np.where(scale > 0, scale, 1.0))
        if states and rows.shape[1] == 1:
            return plain._replace(lags=(0, LAG, 2 * LAG))
        if states and rows.shape[1] > MANY:
            _, _, directions = np.linalg.svd(plain.encode(rows), full_matrices=False)
            return plain._replace(directions=directions[:N_DIRECTIONS])
        return plain

    def encode(self, rows):
        """Points (..., k - longest lag, d) of rows (..., k, N)."""
        Z = (rows - self.mean) / self.scale
        if self.directions is not None:
            Z = Z @ self.directions.T
        longest, n = max(self.lags), Z.shape[-2]
        return np.concatenate([Z[..., longest - j : n - j, :] for j in self.lags], axis=-1)

    def decode(self, Z):
        """Rows (..., N) of points (..., d)."""
        Z = Z[..., : Z.shape[-1] // len(self.lags)]
        return (Z if self.directions is None else Z @ self.directions) * self.scale + self.mean


class Peer:
    """A model of points (T, d), which knows ``learn``, ``start``, ``step`` and ``read``.

    ``start`` makes states (B, m) of points (B, k, d), ``step`` advances them, ``read`` takes points
    (B, d) from them. With ``noise`` (d, d) each new point gets Gaussian noise of that root.
    """

    states = False  # whether a point has to tell the state
    memory = 1  # points that do
    noise = None

    def __init__(self, seed=0, budget=60.0):
        self.seed, self.budget = seed, budget

    def fit(self, train):
        """Learn from rows (T, N)."""
        self.coordinates = Coordinates.of(train, self.states)
        self.learn(self.coordinates.encode(train))
        return self

    @property
    def context(self):
        """Rows from which a run starts."""
        return self.memory + max(self.coordinates.lags)

    def simulate(self, n, x0, quiet=False):
        """Rows (n, N) after x0 (k, N), or (B, n, N) after (B, k, N); `quiet` without noise.

        A run that leaves the floating-point range goes on as NaN.
        """
        rng, x0 = np.random.default_rng(self.seed), np.asarray(x0, float)
        Z = self.coordinates.encode(x0 if x0.ndim == 3 else x0[None])
        noise = None if quiet else self.noise
        points = self.coordinates.decode(self.run(n, Z, noise, rng))
        return points.swapaxes(0, 1) if x0.ndim == 3 else points[:, 0]

    def run(self, n, Z, noise=None, rng=None):
        """Points (n, B, d) after Z (B, k, d)."""
        points = np.full((n, len(Z), Z.shape[-1]), np.nan)
        with np.errstate(all="ignore"):
            states = self.start(Z)
            for t in range(n):
                states = self.step(states)
                if noise is not None:
                    states[:, : len(noise)] += rng.normal(size=(len(Z), len(noise))) @ noise.T
                points[t] = self.read(states)
                if not np.isfinite(states).any():
                    break
        return points

    def exponent(self, x0, n=20_000, distance=1e-8):
        """Largest Lyapunov exponent per step, from two runs held at a small distance."""
        if self.noise is not None:
            return np.nan
        states = self.start(self.coordinates.encode(np.asarray(x0, float)[None]))
        direction = np.random.default_rng(self.seed).normal(size=states.shape)
        direction, growth = direction / np.linalg.norm(direction), 0.0
        with np.errstate(all="ignore"):
            for t in range(n + n // 4):
                pair = self.step(np.concatenate([states, states + distance * direction]))
                states, direction = pair[:1], (pair[1:] - pair[:1]) / distance
                size = np.linalg.norm(direction)
                direction = direction / size
                growth += np.log(size) if t >= n // 4 else 0.0
        return float(growth / n)

    def choose(self, Z, candidates):
        """The candidate that, learned from the head of Z, is most like its tail."""
        n_tail = min(max(len(Z) // 10, 500), len(Z) // 3)
        head = Z[:-n_tail][-N_HEAD:]
        tail = Z[-n_tail:][:N_TAIL]
        unlikeness = []
        for candidate in candidates:
            self.solve(head, **candidate)
            unlikeness.append(self.unlikeness(head, tail))
        return candidates[int(np.argmin(unlikeness))]

    def unlikeness(self, Z, reference):
        """How far free runs from several places of Z, and forecasts, are from the reference."""
        pick = lambda points, n, rest: (
            np.linspace(self.memory, len(points) - rest, n).astype(int)[:, None]
            - np.arange(self.memory, 0, -1)
        )
        free = self.run(len(reference), Z[pick(Z, N_RUNS, 0)])
        pooled = free.reshape(-1, free.shape[-1])
        distances = [power_spectrum_distance(reference, points) for points in free.swapaxes(0, 1)]
        rows = pick(reference, N_FORECASTS, HORIZON)
        ahead = self.run(HORIZON, reference[rows])[-1] - reference[rows[:, -1] + HORIZON]
        divergence = state_space_divergence(reference, pooled, n_bins=10)
        return divergence * max(distances) * np.nan_to_num(np.mean(ahead**2), nan=np.inf)


class ESN(Peer):
    """``r_t = (1 - a) r + a tanh(W r + Win x + b)``, ``x_t = Wout r_t + c``."""

    memory = WASHOUT
    units, input_scaling = 500, 0.3
    grid = [
        {"sr": radius, "lr": leak, "ridge": ridge}
        for radius, leak, ridge in product((0.4, 0.8, 1.2), (0.3, 1.0), (1e-8, 1e-6, 1e-4, 1e-2))
    ]

    def learn(self, Z):
        """Fit to all points with what was chosen on some of them."""
        self.solve(Z, **self.choose(Z, self.grid))
        self.n_parameters_ = self.output.Wout.size + self.output.bias.size

    def solve(self, Z, sr, lr, ridge):
        """Ridge regression of the next point on the state of the reservoir."""
        from reservoirpy.mat_gen import uniform
        from reservoirpy.nodes import Reservoir, Ridge

        self.reservoir = Reservoir(
            self.units,
            lr=lr,
            sr=sr,
            input_scaling=self.input_scaling,
            input_connectivity=1.0,
            bias=uniform,
            seed=self.seed,
        )
        states = self.reservoir.run(Z[:-1])
        self.output = Ridge(ridge * len(states))
        self.output.fit(states[WASHOUT:], Z[1 + WASHOUT :])

    def start(self, Z):
        """Reservoirs driven by all points but the last, from zero, and the last."""
        states = np.zeros((len(Z), self.units))
        for x in Z[:, :-1].swapaxes(0, 1):
            states = self._driven(states, x)
        return np.concatenate([states, Z[:, -1]], axis=1)

    def step(self, states):
        """The reservoir takes its own output in, and has a new one."""
        states = self._driven(states[:, : self.units], states[:, self.units :])
        outputs = states @ self.output.Wout + self.output.bias
        return np.concatenate([states, outputs], axis=1)

    def read(self, states):
        """The output."""
        return states[:, self.units :]

    def _driven(self, states, x):
        of = self.reservoir
        return (1 - of.lr) * states + of.lr * np.tanh((of.W @ states.T + of.Win @ x.T).T + of.bias)


class SINDy(Peer):
    """``dx/dt`` a sparse polynomial of degree 2, integrated by fourth-order Runge-Kutta steps."""

    states = True
    grid = [
        {"threshold": threshold, "smoothed": smoothed}
        for threshold, smoothed in product((1e-3, 3e-3, 1e-2, 3e-2, 1e-1), (False, True))
    ]

    def learn(self, Z):
        """Fit to all points with what was chosen on some of them; time is counted in steps."""
        self.solve(Z, **self.choose(Z, self.grid))
        self.n_parameters_ = int(np.count_nonzero(self.coefficients))

    def solve(self, Z, threshold, smoothed):
        """Sequentially thresholded least squares of the derivative on all monomials."""
        import pysindy

        derivative = pysindy.SmoothedFiniteDifference if smoothed else pysindy.FiniteDifference
        model = pysindy.SINDy(
            optimizer=pysindy.STLSQ(threshold=threshold),
            feature_library=pysindy.PolynomialLibrary(degree=2),
            differentiation_method=derivative(),
        )
        model.fit(Z, t=1.0)
        self.coefficients = model.coefficients()  # (d, monomials): 1, x_i, x_i x_j for i <= j
        self.pairs = np.triu_indices(Z.shape[1])

    def start(self, Z):
        """The last point."""
        return Z[:, -1]

    def step(self, x):
        """One step of Runge and Kutta."""
        a = self._velocity(x)
        b = self._velocity(x + a / 2)
        c = self._velocity(x + b / 2)
        return x + (a + 2 * (b + c) + self._velocity(x + c)) / 6

    def read(self, states):
        """A state is a point."""
        return states

    def _velocity(self, x):
        i, j = self.pairs
        ones = np.ones((len(x), 1))
        return np.concatenate([ones, x, x[:, i] * x[:, j]], axis=1) @ self.coefficients.T


class ShPLRNN(Peer):
    """``z_t = A z + W1 (relu(W2 z + h2) - relu(W2 z)) + h1``, pulled towards the data in training.

    RAdam, its rate falling exponentially over the time that is given; in its second half free runs
    are compared with the tail now and then. (The paper goes on for 250 000 updates; this is how far
    the time of one fit goes.)
    """

    states = True
    hidden, window, batch = 100, 30, 64
    forcing = 0.1
    rate, last_rate = 1e-2, 1e-4

    def learn(self, Z):
        """Train by back-propagation through time; the best checkpoint is kept."""
        import torch

        torch.manual_seed(self.seed)
        torch.set_num_threads(1)
        d, window = Z.shape[1], min(self.window, len(Z) - 1)
        draw = lambda *shape: torch.randn(shape) / np.sqrt(shape[-1])
        start = [torch.rand(d) * 0.4 + 0.5, draw(d, self.hidden), torch.zeros(d)]
        start += [draw(self.hidden, d), torch.randn(self.hidden)]
        params = [torch.nn.Parameter(p) for p in start]
        optimizer = torch.optim.RAdam(params, lr=self.rate)
        rows, steps = torch.tensor(Z, dtype=torch.float32), torch.arange(window + 1)
        tail, checkpoints, begin = Z[-min(len(Z) // 3, N_TAIL) :], [], time.perf_counter()
        while (share := (time.perf_counter() - begin) / self.budget) < 1 or not checkpoints:
            for group in optimizer.param_groups:
                group["lr"] = self.rate * (self.last_rate / self.rate) ** min(share, 1.0)
            first = torch.randint(len(Z) - window, (1, self.batch))
            optimizer.zero_grad()
            _forced_error(params, rows[first + steps[:, None]], self.forcing).backward()
            torch.nn.utils.clip_grad_norm_(params, 10.0)
            optimizer.step()
            if share > 0.5 + 0.5 * len(checkpoints) / N_CHECKPOINTS:
                self.params = [p.detach().numpy().astype(float) for p in params]
                checkpoints.append((self.unlikeness(tail, tail), self.params))
        self.params = min(checkpoints, key=lambda checkpoint: checkpoint[0])[1]
        self.n_parameters_ = sum(p.size for p in self.params)

    def start(self, Z):
        """The last point."""
        return Z[:, -1]

    def step(self, z):
        """The map, in double precision."""
        A, W1, h1, W2, h2 = self.params
        a = z @ W2.T
        return A * z + (np.maximum(a + h2, 0) - np.maximum(a, 0)) @ W1.T + h1

    def read(self, states):
        """A state is a point."""
        return states


def _forced_error(params, x, strength):
    """Mean squared one-step error along windows x (T, B, d) with generalized forcing."""
    import torch

    A, W1, h1, W2, h2 = params
    z, outputs = x[0], []
    for row in x[1:]:
        a = z @ W2.T
        z = torch.addmm(h1 + A * z, torch.relu(a + h2) - torch.relu(a), W1.T)
        outputs.append(z)
        z = torch.lerp(z, row, strength)
    return torch.nn.functional.mse_loss(torch.stack(outputs), x[1:])


class VAR(Peer):
    """``x_t = c + sum_k A_k x_{t-k} + noise``; a state is the last points, the newest first."""

    orders = range(1, 11)
    memory = max(orders)

    def learn(self, Z):
        """Least squares for every order; the one of smallest BIC, on the same rows, is kept."""
        fits = [self._regressed(Z, order) for order in self.orders]
        bic = []
        for X, coefficients, residual in fits:
            _, log_volume = np.linalg.slogdet(residual.T @ residual / len(residual))
            bic.append(log_volume + coefficients.size * np.log(len(X)) / len(X))
        best = int(np.argmin(bic))
        _, self.coefficients, residual = fits[best]
        self.order = self.orders[best]
        covariance = residual.T @ residual / len(residual)
        variances, directions = np.linalg.eigh(covariance)
        self.noise = directions * np.sqrt(np.maximum(variances, 0))
        self.n_parameters_ = self.coefficients.size + Z.shape[1] * (Z.shape[1] + 1) // 2

    def _regressed(self, Z, order):
        longest, n = max(self.orders), len(Z)
        columns = [Z[longest - k : n - k] for k in range(1, order + 1)]
        X = np.concatenate([*columns, np.ones((n - longest, 1))], axis=1)
        coefficients = np.linalg.lstsq(X, Z[longest:], rcond=None)[0]  # (order d + 1, d)
        return X, coefficients, Z[longest:] - X @ coefficients

    def start(self, Z):
        """The last points; of order 0 one that does not matter."""
        return Z[:, : -max(self.order, 1) - 1 : -1].reshape(len(Z), -1)

    def step(self, states):
        """The expected next point before the others."""
        d = self.coefficients.shape[1]
        new = states[:, : self.order * d] @ self.coefficients[:-1] + self.coefficients[-1]
        return np.concatenate([new, states[:, : states.shape[1] - d]], axis=1)

    def read(self, states):
        """The newest point."""
        return states[:, : self.coefficients.shape[1]]


class Gaussian(VAR):
    """A VAR of order 0: independent rows."""

    orders = range(1)


PEERS = {"ESN": ESN, "SINDy": SINDy, "shPLRNN": ShPLRNN, "VAR": VAR, "Gaussian": Gaussian}

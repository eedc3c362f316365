"""Multiple shooting: how well free runs of short windows fit the data, and how that curves.

A window runs freely from a state of its own, which no noisy row is to fix: a few damped
Gauss-Newton steps find the state from which the run fits best (`starts`). In the normal equations
of the parameters that state is eliminated; what parameters do is projected onto the complement of
what the start can do (variable projection, Golub and Pereyra 1973; QR of dz_t / dz_0). The matrix
comes from some of the windows only, though of many where they are long, for rows of one window tell
much the same: whether a step is right depends on the gradient, and that of many more is cheap, for
it takes one pass backward and no derivative of single rows. Rows that were not measured have weight
zero. What a window does not determine, such as units that are not observed, a weak prior ties to
the state that the readout suggests for its first row, and this teaches the readout where unobserved
units start.

Windows hold no state but those on the attractor: as far as they tell, a run that is a little beside
it may go anywhere. So each window is also begun from a state beside its best one, and what a few
steps later is still off the data counts, if little, for it is not all the model's fault: such noise
in training makes free runs return (Wikner et al. 2022, arXiv:2211.05262).
"""

import itertools
from functools import partial
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np

from .._recurrence import Workspace, propagate
from .._recurrence.sensitivities import forward_sensitivities, gram
from .curvature import gradient_vector, to_parameters
from .objective import Batch, Objective, first_batches
from .starts import LOST, Windows, best_starts, errors_of
from .turns import in_turns

NUMBERS_PER_SEQUENCE = 250  # asked for, up to all; windows are many, and all their rows count
NUMBERS_PER_PARAMETER = 50  # in the matrix, at least; windows may overlap
WINDOWS_PER_PARAMETER = 2 / 3  # the same, but for numbers that were measured only once
PIECE = 5000  # steps of windows that are handled together
MIN_PIECE = 50  # windows
MAX_NUMBERS = 2**21  # of derivatives at a time; more would leave the caches
PRIOR = {"observed": 1e-6, "unobserved": 1e-2}  # weights beside that of a measured number
SURE = 0.01  # standard deviation of noise below which variables count alike
TOLERATED = 10  # variances of noise; more is a spike too early or too late, which few rows decide
BESIDE = 0.03, 0.1  # standard deviations of states beside the attractor, between them the noise
RETURN = 5  # steps, at most, that windows run from there
STEPS_BESIDE = 1.0  # of a window, that such a run counts for
ONE_IN_BESIDE = 4  # of such runs is enough in the matrix


class Runs(NamedTuple):
    """Free runs of a batch, and how much they count."""

    batch: Batch
    start: np.ndarray  # (B, M)
    errors: np.ndarray  # (B,)
    found: Windows
    weight: float = 1.0
    one_in: int = 1  # so many goes into the matrix


class Shooting(NamedTuple):
    """The objective of Gauss-Newton on windows that run freely."""

    objective: Objective
    precision: np.ndarray | float = 1.0  # (N,), weights of variables, mean 1
    tolerated: float = 1.0  # squared error from which windows count by its logarithm
    beside: np.ndarray | float = BESIDE[0]  # (M,), standard deviations of states from best ones
    n_measured: float = np.inf  # numbers, in all the training series
    tries_again: bool = True  # where windows were missed; with few data, models come out worse

    @classmethod
    def of(cls, objective, noise, n_measured, tries_again=True):
        """Weights as the inverse variances of the noise (N,) of variables."""
        precision = precision_of(noise)
        tolerated, objective = TOLERATED / precision.mean(), objective._replace(forcing=None)
        n_observed = objective.readout.n_observed
        beside = np.full(objective.cell.n_components, noise.mean(), dtype=float)
        beside[:n_observed] = noise[:n_observed]
        beside = np.clip(beside, *BESIDE)
        precision /= precision.mean()
        return cls(objective, precision, tolerated, beside, n_measured, tries_again)

    def buffered(self, n_threads=1):
        """Values of windows as a function of params and batch; no gradient for first order."""
        return partial(self.values, n_threads=n_threads), None

    def curvature(self, n_threads=1):
        """The Gauss-Newton matrix and gradient as a function of params and batches."""
        return partial(self._normal_equations, n_threads=n_threads)

    def values(self, params, batch, n_threads=1):
        """What errors of windows count, and the penalties, (B,)."""
        pieces = list(_pieces(batch))
        counted = np.concatenate(list(in_turns(partial(self._counted, params), pieces, n_threads)))
        return counted + self.objective.penalties(params, self.objective.cell.lower(params))

    def _counted(self, params, batch):
        """What windows' errors count, (B,)."""
        counted = lambda errors: self.tolerated * np.log1p(errors / self.tolerated)
        return sum(x.weight * counted(x.errors) for x in self._all_runs(params, batch))

    def _all_runs(self, params, batch):
        """Those of windows from their best start states, and of their beginnings from beside."""
        start, errors, found = self.best_starts(params, batch)
        yield Runs(batch, start, errors, found)
        weight = STEPS_BESIDE / len(batch.targets)
        away = np.random.default_rng(0).normal(0, self.beside, start.shape)
        start, batch = start + away.astype(start.dtype), batch.part(RETURN)
        found = self._run(params, batch, start)
        fixed = found._replace(of_start=found.of_start[..., :0])
        yield Runs(batch, start, errors_of(found, len(start)), fixed, weight, ONE_IN_BESIDE)

    def best_starts(self, params, batch):
        """States (B, M) from which free runs fit the windows best, their errors (B,), the runs."""
        run = partial(self._run, params)
        return best_starts(run, self._suggested(params, batch), batch, self.tries_again)

    def _suggested(self, params, batch):
        return self.objective.readout.start(params, batch.observed[0], batch.known[0])

    def _run(self, params, batch, start, of_parameters=False, workspace=None):
        """Free runs from `start`, as `Windows`; the first row measured is that of the start."""
        readout, B = self.objective.readout, len(start)
        linear = readout.linear(params)
        with np.errstate(all="ignore"):
            found = forward_sensitivities(
                self.objective.cell.lower(params),
                start,
                batch.inputs if "C" in params else None,
                C=params.get("C"),
                readout=linear,
                n_timesteps=len(batch.inputs),
                of_parameters=of_parameters,
                workspace=workspace,
            )
            if linear is None:
                found = _read_out(readout, params, found)
            outputs = np.concatenate([readout.output(params, start)[None], found.outputs])
            targets = np.concatenate([batch.observed[:1], batch.targets])
            root = self._root_weights(batch)
            prior = self._root_prior(batch)
            flat = lambda x: x.reshape(B, -1, *x.shape[3:])
            scaled = lambda x: flat(x * root.swapaxes(0, 1)[..., None])
            residuals = flat((root * (outputs - targets)).swapaxes(0, 1))
            missed = prior * (start - self._suggested(params, batch))
            slope = readout.slope(params, start[:, None])
            at_start = np.broadcast_to(slope, (B, 1, *slope.shape[-2:]))
            of_start = scaled(np.concatenate([at_start, found.start], axis=1))
            prior_rows = np.broadcast_to(np.diag(prior), (B, *prior.shape * 2))
            windows = Windows(
                np.concatenate([residuals, missed], axis=1),
                np.concatenate([of_start, prior_rows], axis=1),
                None,
            )
            if not of_parameters:
                return windows
            first = self._first_row(start, found.parameters.shape[-1])
            J = scaled(np.concatenate([first, found.parameters], axis=1))
            return windows._replace(
                of_parameters=_blocks(J, self._prior_rows(params, batch, prior))
            )

    def _root_weights(self, batch):
        """Square roots (T + 1, B, N) of twice the weights of rows."""
        unit = batch.weights.max(initial=0)  # of a measured number
        weights = np.concatenate([batch.known[:1] * unit, batch.weights])
        return np.sqrt(2 * weights * self.precision).astype(batch.targets.dtype)

    def _root_prior(self, batch):
        """The same (M,) of the prior."""
        is_observed = (
            np.arange(self.objective.cell.n_components) < self.objective.readout.n_observed
        )
        weight = np.where(is_observed, PRIOR["observed"], PRIOR["unobserved"])
        return np.sqrt(2 * batch.weights.max(initial=0) * weight).astype(batch.targets.dtype)

    def _first_row(self, start, n_entries):
        """Derivatives (B, 1, N, entries) of what is read out at the start."""
        readout, B = self.objective.readout, len(start)
        first = np.zeros((B, 1, readout.n_outputs, n_entries), start.dtype)
        if readout.n_observed == 0:  # B and b are the last entries
            own = _of_readout(readout, start[:, None])
            first[..., -own.shape[-1] :] = own
        return first

    def _prior_rows(self, params, batch, prior):
        """Derivatives (B, M, entries) of the prior by initial state and E, where there are any."""
        readout, known, dtype = self.objective.readout, batch.known[0], batch.targets.dtype
        M, (B, N) = len(prior), known.shape
        determined = readout.estimate(params, batch.observed[:1], batch.known[:1])[1][0]
        determined = np.broadcast_to(determined, (B, M))
        parts = [np.zeros((B, M, 0), dtype)]
        if "initial_state" in params:
            parts.append(np.where(determined, 0, -prior)[..., None] * np.eye(M, dtype=dtype))
        if "E" in params:
            rows, unit = np.zeros((B, M, M - N, N), dtype), np.arange(M - N)
            rows[:, N + unit, unit] = -prior[N:, None] * (known * batch.observed[0])[:, None, :]
            parts.append(rows.reshape(B, M, -1))
        return np.concatenate(parts, axis=-1)

    def _normal_equations(self, params, batches, n_sequences, n_samples, rng, n_threads=1):
        """``(H, gradient)`` in the order of the parameters, from as many windows as it takes."""
        parts = self._parted(params, batches, n_sequences)
        work = lambda part: self._matrix_and_gradient(params, *part)
        H, gradient, n_curved, n_windows = 0.0, 0.0, 0, 0
        found = in_turns(work, parts, n_threads)
        for (piece, is_curved), (its_H, its_gradient) in zip(parts, found, strict=True):
            n = _n_windows(piece)
            n_windows += n
            gradient = gradient + n * its_gradient
            if is_curved:
                n_curved += n
                H = H + n * its_H
        H, of_penalties = to_parameters(self.objective, params, H / n_curved, 0.0)
        return H, gradient / n_windows + of_penalties

    def _parted(self, params, batches, n_sequences):
        """Pieces of windows, and whether they are for the matrix, too, or the gradient alone."""
        batches = iter(batches)
        first = next(batches)
        n_numbers = self._enough_for_matrix(params, first.targets[:, 0].size)
        n_asked = max(min(NUMBERS_PER_SEQUENCE * n_sequences, self.n_measured), n_numbers)
        taken = _enough(itertools.chain([first], batches), n_asked)
        pieces = list(itertools.chain.from_iterable(map(_pieces, taken)))
        n_curved = len(_enough(pieces, n_numbers))
        return [(piece, i < n_curved) for i, piece in enumerate(pieces)]

    def _enough_for_matrix(self, params, of_window):
        """How many measured numbers the matrix needs, there being so many in a window."""
        n_parameters = sum(x.size for x in params.values())
        in_windows = min(WINDOWS_PER_PARAMETER * n_parameters * of_window, self.n_measured)
        return max(NUMBERS_PER_PARAMETER * n_parameters, in_windows)

    def _shares(self, runs, kept):
        """Of windows' errors, by how much what they count grows with them."""
        return runs.weight / (1 + runs.errors[kept] / self.tolerated)

    def _matrix_and_gradient(self, params, piece, is_curved):
        """Of windows: J'J of all entries, if wanted, and the gradient in the order of params."""
        of_windows = list(self._all_runs(params, piece))
        H = gram(self._rows(params, of_windows)) if is_curved else None
        return H, self._gradient(params, of_windows)

    def _rows(self, params, of_windows):
        """Derivatives (R, entries) of runs, off what their starts can do.

        They are many numbers: of few windows at a time, and in single precision, for which a matrix
        that steps are damped in has no need.
        """
        n_entries, workspace = sum(x.size for x in params.values()), Workspace()
        single = {name: _single(x) for name, x in params.items()}
        for runs in of_windows:
            kept = np.flatnonzero(runs.errors < LOST)
            chosen = kept[:: runs.one_in]
            share = len(kept) / max(len(chosen), 1)
            n_together = max(1, MAX_NUMBERS // (runs.found.residuals.shape[1] * n_entries))
            for i in range(0, len(chosen), n_together):
                now = chosen[i : i + n_together]
                batch = Batch(*map(_single, runs.batch.part(windows=now)))
                start = _single(runs.start[now])
                J = self._run(single, batch, start, True, workspace).of_parameters
                root = np.sqrt(share * self._shares(runs, now))[:, None, None]
                Q = np.linalg.qr(runs.found.of_start[now])[0]
                yield _off(_single(Q), _single(root) * J).reshape(-1, J.shape[-1])

    def _gradient(self, params, of_windows):
        """The gradient of windows alone, in the order of the parameters, no penalties."""
        return sum(self._gradient_of_runs(params, x) for x in of_windows)

    def _gradient_of_runs(self, params, runs):
        """The same of some runs."""
        kept, readout = runs.errors < LOST, self.objective.readout
        if not kept.any():
            return 0.0
        batch, T = runs.batch.part(windows=kept), len(runs.batch.targets)
        start, r, of_start = runs.start[kept], runs.found.residuals[kept], runs.found.of_start[kept]
        r = _off(np.linalg.qr(of_start)[0], r[..., None])[..., 0]
        r *= self._shares(runs, kept).astype(r.dtype)[:, None]
        of_rows, of_prior = np.split(r, [r.shape[1] - start.shape[1]], axis=1)
        of_rows = of_rows.reshape(len(r), T + 1, -1).swapaxes(0, 1) * self._root_weights(batch)
        of_prior = of_prior * self._root_prior(batch)

        def linearized(p):
            f, linear = self.objective.cell.lower(p), readout.linear(p)
            options = {"C": p.get("C"), "n_timesteps": T}
            inputs = batch.inputs if "C" in p else None
            outputs = propagate(f, start, inputs, readout=linear, **options)
            if linear is None:
                outputs = readout.output(p, outputs)
            ties = params | {name: p[name] for name in ("initial_state", "E") if name in p}
            return (
                anp.sum(of_rows[1:] * outputs)
                + anp.sum(of_rows[0] * readout.output(p, start))
                - anp.sum(of_prior * self._suggested(ties, batch))
            )

        return gradient_vector(linearized, params)


def precision_of(noise):
    """Inverse variances (N,) of variables that are measured with such noise."""
    return 1 / (SURE**2 + noise.astype(float) ** 2)


def _enough(batches, n_rows):
    """The first batches, until they have so many rows that count."""
    return first_batches(batches, n_rows, lambda batch: np.count_nonzero(batch.weights))


def _read_out(readout, params, found):
    """Sensitivities of what a readout that is not linear makes of the states."""
    states = found.outputs
    slope = readout.slope(params, states).swapaxes(0, 1)  # (B, T, N, M)
    parameters = found.parameters
    if parameters is not None:
        own = _of_readout(readout, states.swapaxes(0, 1))
        parameters = np.concatenate([slope @ parameters, own], axis=-1)
    return found._replace(
        outputs=readout.output(params, states), parameters=parameters, start=slope @ found.start
    )


def _of_readout(readout, states):
    """Derivatives (B, T, N, N M + N) of ``B features(z) + b`` by B and b."""
    features, one = readout.features(states), np.eye(readout.n_outputs, dtype=states.dtype)
    of_B = one[:, :, None] * features[:, :, None, None, :]
    of_b = np.broadcast_to(one, (*states.shape[:2], *one.shape))
    return np.concatenate([of_B.reshape(*of_b.shape[:3], -1), of_b], axis=-1)


def _pieces(batch):
    """Some windows at a time, as batches of their own."""
    n_windows, size = _n_windows(batch), max(MIN_PIECE, PIECE // len(batch.targets))
    for i in range(0, n_windows, size):
        piece = batch.part(windows=slice(i, i + size))
        yield piece._replace(weights=piece.weights * (n_windows / _n_windows(piece)))


def _n_windows(batch):
    return batch.targets.shape[1]


def _single(x):
    """Numbers in single precision."""
    return x.astype(np.float32) if x is not None and x.dtype == np.float64 else x


def _blocks(upper, lower):
    """The block-diagonal matrix of each window."""
    (B, r, c), (_, s, d) = upper.shape, lower.shape
    whole = np.zeros((B, r + s, c + d), upper.dtype)
    whole[:, :r, :c], whole[:, r:, c:] = upper, lower
    return whole


def _off(Q, x):
    """What of x (B, R, columns) is orthogonal to the columns of Q (B, R, M)."""
    return x - Q @ (Q.swapaxes(1, 2) @ x)

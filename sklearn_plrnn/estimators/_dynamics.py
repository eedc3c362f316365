"""What a fitted reconstruction does: take rows in, look ahead, run freely, say how sure it is."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_array, check_is_fitted

from .._model.readouts import READOUTS
from .._model.simulation import assimilate, run_ahead, simulate
from .._model.uncertainty import Noise, sample_paths
from .._random_state import local_random_state
from .._training.batches import Series
from ..metrics import forecast_r2_scorer
from ._base import BasePLRNN
from ._delays import embed
from ._input_features import future_inputs, split_columns
from ._sequences import Scaling, check_sequences

RUNAWAY = 1000.0  # times the range of the training data


class FittedDynamics(BasePLRNN):
    """All of `DSReconstructor` but its parameters and how it is fitted."""

    def predict(self, X, *, lead=1):
        """Predict every row from the rows at least `lead` steps before it.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts, inputs included.
        lead : int, default=1
            Steps ahead. Rows that have no row so far before them are predicted from
            ``initial_state_`` alone.

        Returns
        -------
        predictions : ndarray of shape (n_timesteps, n_outputs), or the container of X
            Observed variables; row t uses rows up to t - lead (and inputs up to t).
        """
        sequences = self._check(X)
        f, params = self.to_map(), self._params()
        parts = [
            run_ahead(f, params, states, inputs, lead)
            for states, inputs, *_ in self._assimilated(sequences)
        ]
        return sequences.restore(self._read_out(np.concatenate(parts)))

    def transform(self, X):
        """Latent state at each row, that row's observation included.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts, inputs included.

        Returns
        -------
        states : ndarray of shape (n_timesteps, n_components), or the container of X
            States from which the model continues.
        """
        sequences = self._check(X)
        states = [states for states, *_ in self._assimilated(sequences)]
        return sequences.restore(np.concatenate(states))

    def forecast(
        self,
        n_timesteps,
        X=None,
        *,
        inputs=None,
        return_std=False,
        quantiles=None,
        n_samples=200,
        random_state=None,
    ):
        """Continue after the end of a series.

        What may be measured then is found by sampling: runs start from where the last row may have
        been, are shaken by the noise that one step leaves unexplained in training, and are read
        with the noise of measurement. With `keep_restarts` the samples come from all restarts.

        Parameters
        ----------
        n_timesteps : int
            Steps to forecast.
        X : array-like or list of arrays, default=None
            Series to continue, in any form that `fit` accepts; None continues the training series
            (the last one, if there were several).
        inputs : array-like of shape (n_timesteps, n_inputs), default=None
            Future values of the `input_features`, in their units; needed if there are any. With
            several trajectories in X, shape (n_trajectories, n_timesteps, n_inputs).
        return_std : bool, default=False
            Whether to return standard deviations, too.
        quantiles : array-like of shape (n_quantiles,), default=None
            Which quantiles to return, too, from 0 to 1.
        n_samples : int, default=200
            Number of runs from which deviations and quantiles are found.
        random_state : int, RandomState instance or None, default=None
            Seed of these runs.

        Returns
        -------
        forecast : ndarray of shape (n_timesteps, n_outputs)
            Observed variables at the steps after the last row, as the best model has them without
            noise; with several trajectories (n_trajectories, n_timesteps, n_outputs).
        std : ndarray of the shape of `forecast`
            Standard deviation of what may be measured; only with `return_std`. inf where runs leave
            the floating-point range.
        quantiles : ndarray of shape (n_quantiles, ...)
            Quantiles of it, each of the shape of `forecast`; only with `quantiles`.

        Raises
        ------
        ValueError
            If the model has inputs and none, or too few, are given, or if a quantile is outside
            [0, 1].
        """
        check_is_fitted(self)
        sequences = None if X is None else self._check(X)
        is_single = X is None or sequences.container == "series"
        arranged = lambda rows: rows[..., 0, :] if is_single else rows.swapaxes(-3, -2)
        forecast = arranged(self._run(self._ends(sequences), n_timesteps, inputs))
        if not return_std and quantiles is None:
            return forecast
        check_scalar(n_samples, "n_samples", Integral, min_val=2)
        models, rng = [self, *self.restarts_], local_random_state(random_state)
        n_each = -(-n_samples // len(models))
        samples = np.concatenate(
            [m._samples(m._ends(sequences), n_timesteps, inputs, n_each, rng) for m in models],
            axis=1,
        )
        spread = []
        with np.errstate(all="ignore"):
            if return_std:
                std = samples.std(axis=1)
                spread.append(arranged(np.nan_to_num(std, nan=np.inf, posinf=np.inf)))
            if quantiles is not None:
                spread.append(arranged(np.quantile(samples, _checked(quantiles), axis=1)))
        return forecast, *(x.astype(forecast.dtype, copy=False) for x in spread)

    def simulate(self, n_timesteps, x0=None, *, inputs=None, n_trajectories=1, random_state=None):
        """Run the model freely.

        Parameters
        ----------
        n_timesteps : int
            Steps to run.
        x0 : array-like of shape (n_outputs,) or (n_trajectories, n_outputs), default=None
            Observed variables to start from; the first row returned is the step after. With
            `delay_embedding` all else is that of the nearest of ``start_states_``. None draws from
            these.
        inputs : array-like of shape (n_timesteps, n_inputs), default=None
            Values of the `input_features`, in their units; needed if there are any.
        n_trajectories : int, default=1
            Number of runs, at once.
        random_state : int, RandomState instance or None, default=None
            Seed of the draw of start states.

        Returns
        -------
        trajectories : ndarray of shape (n_timesteps, n_outputs)
            The free run; with ``n_trajectories > 1`` (n_trajectories, n_timesteps, n_outputs).
        """
        check_is_fitted(self)
        if x0 is None:
            rng = local_random_state(random_state)
            start = self.start_states_[rng.randint(len(self.start_states_), size=n_trajectories)]
        else:
            start = self._start_at(x0, n_trajectories)
        rows = self._run(start, n_timesteps, inputs)
        return rows[:, 0] if n_trajectories == 1 else rows.swapaxes(0, 1)

    def score(self, X, y=None):
        """R^2 of forecasts `score_horizon` steps ahead.

        One step ahead it is near 1 for any densely sampled series, and ranks nothing.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts, inputs included.
        y : None
            Ignored.

        Returns
        -------
        score : float
            R^2 over all rows that have one `score_horizon` steps before them, averaged over
            observed variables.
        """
        return forecast_r2_scorer(self.score_horizon)(self, X)

    def split_inputs(self, X):
        """Split the columns of X into observed variables and inputs.

        Parameters
        ----------
        X : array-like or list of arrays
            Any form that `fit` accepts.

        Returns
        -------
        observed : ndarray of shape (n_timesteps, n_outputs), or the container of X
            Observed variables.
        inputs : ndarray of shape (n_timesteps, n_inputs), or the container of X, or None
            Inputs, None without `input_features`.
        """
        sequences = self._check(X)
        observed, inputs = split_columns(sequences.rows, self.input_features_)
        return sequences.restore(observed), sequences.restore(inputs) if inputs.size else None

    def _check(self, X):
        """Validated trajectories for a prediction."""
        check_is_fitted(self)
        return check_sequences(self, X, reset=False, dtype=self.A_.dtype, allow_nan=True)

    def _assimilated(self, sequences):
        """Per trajectory: states with each row taken in, inputs, rows, which of these are known."""
        f, params, series = self.to_map(), self._params(), self._series(sequences)
        readout = self._readout()
        parts = map(sequences.split, (series.targets, series.weights > 0, series.inputs))
        for rows, known, inputs in zip(*parts, strict=True):
            start = self._first_state(rows[:1], known[:1])
            yield assimilate(f, params, readout, start, rows, known, inputs), inputs, rows, known

    def _start_at(self, x0, n_trajectories):
        """States (n_trajectories, M) where x0 was just observed."""
        x0 = check_array(
            x0, ensure_2d=False, dtype=self.A_.dtype, ensure_all_finite="allow-nan", input_name="x0"
        )
        N = self.n_outputs_
        if x0.shape not in ((N,), (n_trajectories, N)):
            raise ValueError(
                f"x0 has shape {x0.shape}; expected ({N},) or ({n_trajectories}, {N}), "
                "(trajectory, observed variable)."
            )
        rows = np.broadcast_to(x0, (n_trajectories, N))
        scaled = Scaling(self.output_mean_, self.output_scale_).apply(rows)
        alone = np.ones(n_trajectories, int)
        return self._first_state(*self._with_delays(scaled, alone))

    def _first_state(self, rows, known):
        """States (B, M) at the first rows (B, N) of trajectories, where no row has its delays."""
        if self.delay_embedding_ == 1:
            return self._readout().start(self._params(), rows, known)
        # What is missing is that of the state in training that is nearest to what is known.
        N = rows.shape[1]
        observed = self.start_states_[:, :N]
        distances = np.sum(known[:, None] * (rows[:, None] - observed) ** 2, axis=-1)
        nearest = self.start_states_[distances.argmin(axis=1)]
        return np.hstack([np.where(known, rows, nearest[:, :N]), nearest[:, N:]])

    def _ends(self, sequences):
        """Latent states (B, M) after the last rows of trajectories, or of training."""
        if sequences is None:
            return self.last_state_[None]
        return np.stack([states[-1] for states, *_ in self._assimilated(sequences)])

    def _samples(self, start, n_timesteps, inputs, n_samples, rng):
        """Rows (n_timesteps, n_samples, B, N) that may be measured after latent states (B, M)."""
        rng = np.random.default_rng(rng.randint(2**31 - 1))
        deviations = self.observation_noise_, self.process_noise_
        noise = Noise(*(np.tile(x / self.output_scale_, self.delay_embedding_) for x in deviations))
        inputs = self._future(inputs, n_timesteps, len(start))
        args = self.to_map(), self._params(), self._readout(), start, noise
        rows = sample_paths(*args, n_timesteps, n_samples, inputs, rng)[..., : self.n_outputs_]
        return Scaling(self.output_mean_, self.output_scale_).undo(rows)

    def _future(self, inputs, n_timesteps, n_trajectories):
        """Standardized inputs of a free run, None without any."""
        n_inputs, scaling = len(self.input_features_), Scaling(self.input_mean_, self.input_scale_)
        inputs = future_inputs(inputs, n_timesteps, n_trajectories, n_inputs, self.A_.dtype)
        return None if inputs is None else scaling.apply(inputs)

    def _run(self, start, n_timesteps, inputs):
        """Observed variables (n_timesteps, B, N) of a free run from latent states (B, M)."""
        check_scalar(n_timesteps, "n_timesteps", Integral, min_val=1)
        inputs = self._future(inputs, n_timesteps, len(start))
        f, params = self.to_map(), self._params()
        rows, _ = simulate(f, params, self._read_out, start, n_timesteps, inputs)
        limit = RUNAWAY * np.maximum(self.data_range_, self.output_scale_)
        if not np.all(np.abs(rows - self.output_mean_) <= limit):
            warnings.warn(
                f"The free run left the range of the training data by more than a factor of "
                f"{RUNAWAY:g}: the model is unstable. Fit it again with more data, another seed or "
                "stronger regularization.",
                RuntimeWarning,
                stacklevel=3,
            )
        return rows

    def _read_out(self, states):
        return self._readout().features(states) @ self.B_.T + self.b_

    def _readout(self):
        """Of rows with their delays."""
        return READOUTS[self.readout_](len(self.A_), self.n_outputs_ * self.delay_embedding_)

    def _standardized(self, sequences):
        """Observed variables in standard units, NaN where missing."""
        observed, _ = split_columns(sequences.rows, self.input_features_)
        return Scaling(self.output_mean_, self.output_scale_).apply(observed)

    def _series(self, sequences):
        """Standardized rows, delays beside them; what is missing has value and weight zero."""
        rows, known = self._with_delays(self._standardized(sequences), sequences.lengths)
        _, inputs = split_columns(sequences.rows, self.input_features_)
        return Series(
            Scaling(self.input_mean_, self.input_scale_).apply(inputs),
            sequences.lengths,
            rows,
            known.astype(rows.dtype),
        )

    def _with_delays(self, rows, lengths):
        """Rows of trajectories, delays beside them, zero where missing; and which are known."""
        rows = embed(rows, lengths, self.delay_embedding_, self.delay_lag_)
        known = ~np.isnan(rows)
        return np.where(known, rows, 0), known


def _checked(quantiles):
    """`quantiles` as an array, if they are such."""
    values = check_array(quantiles, ensure_2d=False, dtype=float, input_name="quantiles")
    if values.ndim != 1 or not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"quantiles must be a list of numbers from 0 to 1, got {quantiles!r}.")
    return values

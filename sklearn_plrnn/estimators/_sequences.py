"""Every accepted container of sequences <-> rows of all sequences one after another.

X is one series (time, feature), a stack (sequence, time, feature) or a list of series of any
lengths; the axis order is always (sequence, time, feature). `check_sequences` and `check_targets`
turn them into rows and lengths with errors that name array and axis, `Sequences.restore` gives
results back in the caller's container, and `Scaling` is the one place where units change.
"""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_array, validate_data

SHAPES = (
    "2-D (time, feature) for one series, 3-D (sequence, time, feature), "
    "or a list of 2-D arrays (time, feature)"
)
# What a pandas index may hold that has an order in time; labels have none.
ORDERED = ("integer", "floating", "datetime64", "timedelta64", "period")


class Sequences(NamedTuple):
    """Rows (R, K) of n sequences, their lengths, and the container they came in."""

    rows: np.ndarray
    lengths: np.ndarray
    container: str  # "series", "stack" or "list"

    def restore(self, rows):
        """Put rows (R, ...) back into a container like the one given."""
        if self.container == "series":
            return rows
        if self.container == "stack":
            return rows.reshape(len(self.lengths), -1, *rows.shape[1:])
        return self.split(rows)

    def split(self, rows):
        """List of the rows of each sequence."""
        return np.split(rows, np.cumsum(self.lengths)[:-1])


def check_sequences(estimator, X, *, reset, dtype, allow_nan=False, min_timesteps=1):
    """Validate X in any accepted form; with `reset`, learn feature count and names from it.

    Then also warn of frames whose index runs backwards anywhere, as a line of who called `fit`.
    """
    if reset and _is_scrambled(X):
        warnings.warn(
            "The index of X is not increasing, but its rows are taken as time steps in the order "
            "given. Were they shuffled? Split with shuffle=False or TimeSeriesSplit, or sort them "
            "with X.sort_index().",
            stacklevel=6,
        )
    options = {
        "reset": reset,
        "dtype": dtype,
        "order": "C",  # memory order decides how products are rounded
        "ensure_all_finite": "allow-nan" if allow_nan else True,
    }
    if isinstance(X, (list, tuple)) and len(X) and _n_dimensions(X[0]) == 2:
        sequences = _check_list(estimator, X, options, min_timesteps)
    elif _n_dimensions(X) == 3:
        sequences = _check_stack(estimator, X, options, min_timesteps)
    else:
        _refuse_other_shapes(X)
        rows = validate_data(estimator, X, ensure_min_samples=min_timesteps, **options)
        sequences = Sequences(rows, np.array([len(rows)]), "series")
    return sequences


def check_flattened(estimator, X, n_channels, *, reset, dtype):
    """Validate X as one flattened sequence per row; None if it is no table."""
    if _n_dimensions(X) != 2:
        return None
    table = validate_data(estimator, X, reset=reset, dtype=dtype, order="C")
    n, width = table.shape
    if width % n_channels:
        raise ValueError(
            f"X has {width} columns, which n_channels={n_channels} does not divide: each row is a "
            "flattened sequence (time, channel)."
        )
    length = width // n_channels
    return Sequences(table.reshape(n * length, n_channels), np.full(n, length), "stack")


def check_targets(estimator, y, sequences, dtype):
    """Targets (R or n, N), float, and whether y names one number per target."""
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    n, container = len(sequences.lengths), sequences.container
    if container != "series" and _is_per_step(y, sequences):
        return _check_steps(y, sequences, dtype)
    expected = len(sequences.rows) if container == "series" else n
    y = check_array(y, ensure_2d=False, dtype=dtype, input_name="y")
    if y.ndim > 2 or len(y) != expected:
        raise ValueError(
            f"y of shape {y.shape} does not fit X of {_describe(sequences)}: Found input variables "
            f"with inconsistent numbers of samples: [{expected}, {len(y)}]. {_expected(sequences)}"
        )
    return y.reshape(expected, -1), y.ndim == 1


def check_weights(sample_weight, n_targets, dtype):
    """Column of non-negative weights, not all zero; ones by default."""
    if sample_weight is None:
        return np.ones((n_targets, 1), dtype)
    if _n_dimensions(sample_weight) == 0:
        sample_weight = np.full(n_targets, sample_weight)
    weights = check_array(sample_weight, ensure_2d=False, dtype=dtype, input_name="sample_weight")
    if weights.shape != (n_targets,):
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(n_targets,)}: one weight per "
            "row of y."
        )
    if (weights < 0).any():
        raise ValueError(f"Negative values in data passed to `sample_weight`: {weights.min()}.")
    if not weights.any():
        raise ValueError("sample_weight is zero for every target: at least one must be positive.")
    return weights[:, None]


class Scaling(NamedTuple):
    """Shift and scale of each column, ``standardized = (x - mean) / scale``."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, rows, weights=None, *, enabled=True):
        """Weighted mean and standard deviation of the columns of `rows`, NaN left out."""
        n_columns, dtype = rows.shape[1], rows.dtype
        if not enabled:
            return cls(np.zeros(n_columns, dtype), np.ones(n_columns, dtype))
        weights = np.ones((1, 1)) if weights is None else weights
        weights = np.broadcast_to(weights, (len(rows), weights.shape[1]))
        largest = np.zeros(n_columns)
        for x, _ in _counted(rows, weights, 1.0):
            np.maximum(largest, np.abs(x).max(axis=0, initial=0), out=largest)
        # Squares of very large or very small units would overflow or vanish.
        unit = np.where(largest > 0, largest, 1.0)
        total = sum(w.sum(axis=0) for _, w in _counted(rows, weights, unit))
        total = np.maximum(total, np.finfo(float).tiny)
        mean = sum((w * x).sum(axis=0) for x, w in _counted(rows, weights, unit)) / total
        squares = sum((w * (x - mean) ** 2).sum(axis=0) for x, w in _counted(rows, weights, unit))
        scale = np.sqrt(squares / total)
        # Only rounding is left of a column without variation.
        scale = np.where(scale > 10 * np.finfo(dtype).eps, scale * unit, 1.0)
        return cls((mean * unit).astype(dtype), scale.astype(dtype))

    def apply(self, rows):
        """Rows in standardized units."""
        return (rows - self.mean) / self.scale

    def undo(self, rows):
        """Standardized rows in the user's units."""
        return rows * self.scale + self.mean


def _counted(rows, weights, unit, chunk=2**16):
    """Some rows at a time in double precision and per `unit`, and what each entry counts."""
    for i in range(0, len(rows), chunk):
        part = rows[i : i + chunk]
        counted = np.where(np.isnan(part), 0, weights[i : i + chunk]).astype(float)
        yield np.where(counted > 0, part, 0).astype(float) / unit, counted


def _is_scrambled(X):
    if isinstance(X, (list, tuple)):
        return any(_is_scrambled(x) for x in X if hasattr(x, "index"))
    index = getattr(X, "index", None)
    return getattr(index, "inferred_type", None) in ORDERED and not index.is_monotonic_increasing


def _n_dimensions(x):
    shape = getattr(x, "shape", None)
    if shape is not None:
        return len(shape)
    try:
        return np.asarray(x).ndim
    except ValueError:  # ragged nested lists
        return -1


def _check_list(estimator, X, options, min_timesteps):
    arrays = []
    for i, x in enumerate(X):
        try:
            if _n_dimensions(x) != 2:
                raise ValueError(
                    f"every sequence must be 2-D (time, feature), got {_n_dimensions(x)}-D."
                )
            arrays.append(
                validate_data(
                    estimator,
                    x,
                    ensure_min_samples=min_timesteps,
                    **options | {"reset": options["reset"] and i == 0},
                )
            )
        except ValueError as error:
            raise ValueError(f"X[{i}]: {error}") from error
    dtype = np.result_type(*arrays)
    rows = np.concatenate(arrays).astype(dtype, copy=False)
    return Sequences(rows, np.array([len(x) for x in arrays]), "list")


def _check_stack(estimator, X, options, min_timesteps):
    X = np.asarray(X)
    n, T, K = X.shape
    if T < min_timesteps:
        raise ValueError(
            f"X of shape {X.shape} (sequence, time, feature) has {T} time step(s); at least "
            f"{min_timesteps} are required."
        )
    rows = validate_data(estimator, X.reshape(n * T, K), **options)
    return Sequences(rows, np.full(n, T), "stack")


def _refuse_other_shapes(X):
    dtype = getattr(X, "dtype", None)
    if getattr(dtype, "kind", None) == "O" and _n_dimensions(X) == 1:
        raise ValueError(
            f"X is one object array of shape {X.shape}; pass sequences of unequal lengths as a "
            f"list. Reshape your data to be {SHAPES}."
        )
    if getattr(dtype, "kind", None) in ("m", "M"):
        raise ValueError(f"X has dtype {dtype}; dates and durations are not numbers to learn from.")
    if isinstance(X, (list, tuple)) and _n_dimensions(X) == -1:
        raise ValueError(f"X is a list of unequal rows; X must be {SHAPES}.")
    if _n_dimensions(X) not in (0, 1, 2):
        raise ValueError(
            f"X has {_n_dimensions(X)} dimensions, shape {np.shape(X)}. Reshape your data to be "
            f"{SHAPES}."
        )


def _is_per_step(y, sequences):
    if isinstance(y, (list, tuple)) and len(y) == len(sequences.lengths):
        # An array for each sequence can only be meant per step; nested lists may be a table.
        arrays = all(hasattr(v, "shape") and _n_dimensions(v) > 0 for v in y)
        lengths = [len(v) if _n_dimensions(v) > 0 else -1 for v in y]
        return arrays or lengths == list(sequences.lengths)
    return _n_dimensions(y) == 3


def _check_steps(y, sequences, dtype):
    single = isinstance(y, (list, tuple)) and all(_n_dimensions(v) == 1 for v in y)
    arrays = [
        check_array(v, ensure_2d=False, dtype=dtype, input_name=f"y[{i}]") for i, v in enumerate(y)
    ]
    lengths = [len(v) for v in arrays]
    if lengths != list(sequences.lengths):
        raise ValueError(
            f"y has sequences of {_lengths(lengths)} steps, X of {_lengths(sequences.lengths)}. "
            f"{_expected(sequences)}"
        )
    return np.concatenate([v.reshape(len(v), -1) for v in arrays]), single


def _lengths(lengths):
    low, high = min(lengths), max(lengths)
    return str(low) if low == high else f"{low} to {high}"


def _describe(sequences):
    n, T = len(sequences.lengths), _lengths(sequences.lengths)
    return f"{T} rows" if sequences.container == "series" else f"{n} sequences of {T} steps"


def _expected(sequences):
    if sequences.container == "series":
        return "Expected (time,) or (time, output)."
    return (
        "Expected one target per sequence, (sequence,) or (sequence, output), or one per step: "
        "3-D (sequence, time, output) or a list of arrays (time,) or (time, output)."
    )

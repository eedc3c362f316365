"""How the long-term behaviour changes with one parameter."""

from copy import copy
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_array

from ._orbits import cycles
from ._protocol import observe, piecewise_of, start_of

BESIDE = ("B", "b", "C", "E", "initial_state")  # parameters that are not those of the map
MAX_PATTERNS = 2**14  # of the exhaustive search at each value


class BifurcationDiagram(NamedTuple):
    """Last states of runs, and exact orbits, for each value of a parameter."""

    values: np.ndarray  # (P,)
    states: np.ndarray  # (P, n_last, M)
    observations: np.ndarray | None  # (P, n_last, N)
    orbits: list  # P sequences of Orbit


@validate_params(
    {
        "model": "no_validation",
        "parameter": [str],
        "index": ["array-like", Integral],
        "values": ["array-like"],
        "start": ["array-like", None],
        "transient": [Interval(Integral, 0, None, closed="left")],
        "n_last": [Interval(Integral, 1, None, closed="left")],
        "max_order": [Interval(Integral, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def bifurcation_diagram(
    model,
    parameter,
    index,
    values,
    *,
    start=None,
    transient=1000,
    n_last=100,
    max_order=1,
):
    r"""Long-term behaviour as one parameter of a model changes.

    For each value, in the order given, a run goes on from where the last one ended; going up and
    down shows hysteresis. Fixed points and cycles are exact, and followed whether stable or not.

    Parameters
    ----------
    model : estimator or PiecewiseLinearMap
        A fitted estimator, whose inputs are taken to be at their mean in training, or what its
        ``to_map()`` gave.
    parameter : str
        Which array: of an estimator an attribute without its underscore, "A", "W" or "h", or, for
        "shallow" and "clipped-shallow", "A", "W1", "h1", "W2" or "h2"; of a map "A", "W", "h", "V"
        or "theta".
    index : int or tuple of int
        Entry of it: ``i`` or, where it has two axes, ``(i, j)``.
    values : array-like of shape (n_values,)
        Values that the entry takes.
    start : array-like of shape (n_components,) or None, default=None
        Latent state of the first run; None is ``last_state_`` of the estimator.
    transient : int, default=1000
        Steps to let pass at each value.
    n_last : int, default=100
        Steps after these, which are returned.
    max_order : int, default=1
        Find fixed points (1) and cycles up to this order by `cycles`, with ``max_patterns=2**14``;
        0 for none.

    Returns
    -------
    diagram : BifurcationDiagram
        Named tuple:

        values : ndarray of shape (n_values,)
            As given.
        states : ndarray of shape (n_values, n_last, n_components)
            Last states of each run; NaN or inf where it diverged, after which the next one starts
            from `start` again.
        observations : ndarray of shape (n_values, n_last, n_outputs), or None
            The same in the user's units, for an estimator.
        orbits : list of sequence of Orbit
            Fixed points and cycles for each value; see `cycles`.

    Raises
    ------
    ValueError
        If there is no such parameter or entry, or nowhere to start.

    Examples
    --------
    A fixed point loses its stability when the slope above it passes -1:

    >>> import numpy as np
    >>> from sklearn_plrnn.analysis import PiecewiseLinearMap, bifurcation_diagram
    >>> f = PiecewiseLinearMap(A=np.array([0.5]), W=np.zeros((1, 1)), h=np.ones(1))
    >>> diagram = bifurcation_diagram(f, "W", (0, 0), [-1.2, -1.8], start=[0.1])
    >>> [orbits[0].stable for orbits in diagram.orbits]
    [True, False]
    >>> [len(np.unique(states.round(6))) for states in diagram.states]
    [1, 2]
    """
    f = piecewise_of(model)
    values = check_array(values, ensure_2d=False, dtype=np.float64, input_name="values")
    if values.ndim != 1:
        raise ValueError(f"values has shape {values.shape}; expected (n_values,).")
    first = start_of(model, start, f.n_components)
    arrays, with_parameter = _changeable(model, f)
    if parameter not in arrays:
        raise ValueError(f"parameter must be one of {list(arrays)}, got {parameter!r}.")
    array, index = arrays[parameter], tuple(np.atleast_1d(index).tolist())
    if len(index) != array.ndim or not _is_within(index, array.shape):
        raise ValueError(f"index {index} is no entry of {parameter}, of shape {array.shape}.")
    states, orbits, state = [], [], first
    for value in values:
        changed = array.astype(np.float64)
        changed[index] = value
        g = with_parameter(parameter, changed)
        run = _run(g, state, transient, n_last)
        state = run[-1] if np.isfinite(run[-1]).all() else first
        states.append(run)
        orbits.append(
            cycles(g, max_order, min_order=1, max_patterns=MAX_PATTERNS) if max_order else []
        )
    states = np.stack(states)
    return BifurcationDiagram(values, states, observe(model, states), orbits)


def _changeable(model, f):
    """Arrays that make up a map, by name, and the function that exchanges one of them."""
    if not hasattr(model, "to_map"):
        arrays = {name: getattr(f, name) for name in ("A", "W", "h", "V", "theta")}
        arrays = {name: x for name, x in arrays.items() if x is not None}
        return arrays, lambda name, x: f._replace(**{name: x})

    def with_parameter(name, x):
        changed = copy(model)
        setattr(changed, f"{name}_", x)
        return piecewise_of(changed)

    names = [name for name in model.parameter_names_ if name not in BESIDE]
    return {name: getattr(model, f"{name}_") for name in names}, with_parameter


def _is_within(index, shape):
    return all(-n <= i < n for i, n in zip(index, shape, strict=True))


def _run(f, state, transient, n_last):
    """The last states (n_last, M) of a run."""
    last = np.empty((n_last, f.n_components))
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(transient + n_last):
            state = f.step(state)
            last[max(t - transient, 0)] = state
    return last

"""Columns of X that drive a system from outside: which they are, and their future."""

import numpy as np
from sklearn.utils.validation import check_array


def input_columns(input_features, n_features, names):
    """Indices of the columns that `input_features` gives by index or name."""
    names, columns = list(names), []
    for feature in input_features if input_features is not None else ():
        if isinstance(feature, str):
            if feature not in names:
                raise ValueError(
                    f"input_features names {feature!r}, but the columns of X are "
                    f"{names or 'without names'}."
                )
            columns.append(names.index(feature))
        elif -n_features <= feature < n_features:
            columns.append(int(feature) % n_features)
        else:
            raise ValueError(f"input_features has {feature!r}, but X has {n_features} columns.")
    if len(set(columns)) != len(columns) or len(columns) == n_features:
        raise ValueError(
            f"input_features={input_features!r} must name each column once and leave at least one "
            f"of the {n_features} columns of X to reconstruct."
        )
    return columns


def split_columns(rows, columns):
    """Observed variables and inputs of rows (R, n_features)."""
    inputs = rows[:, columns]
    if np.isnan(inputs).any():
        raise ValueError(
            "Input X contains NaN in an input column: inputs drive the system and must be known. "
            f"input_features are the columns {columns}."
        )
    return np.delete(rows, columns, axis=1), inputs


def future_inputs(inputs, n_timesteps, n_trajectories, n_inputs, dtype):
    """Inputs (n_timesteps, 1 or n_trajectories, n_inputs) of a free run, None without any."""
    if n_inputs == 0:
        if inputs is not None:
            raise ValueError("inputs were given, but the model has no input_features.")
        return None
    shape = (n_timesteps, n_inputs)
    if inputs is None:
        raise ValueError(
            f"inputs of shape {shape} (time, input) are needed: the model is driven by "
            f"{n_inputs} of the columns of X, its input_features."
        )
    inputs = check_array(inputs, ensure_2d=False, allow_nd=True, dtype=dtype, input_name="inputs")
    if inputs.shape not in (shape, (n_trajectories, *shape)):
        raise ValueError(
            f"inputs has shape {inputs.shape}; expected {shape} (time, input) or "
            f"{(n_trajectories, *shape)} (trajectory, time, input)."
        )
    return inputs[:, None] if inputs.ndim == 2 else inputs.swapaxes(0, 1)

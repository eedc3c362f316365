"""Basins whose borders are known."""

import numpy as np
import pytest

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.analysis import PiecewiseLinearMap, basins, fixed_points
from sklearn_plrnn.datasets import make_van_der_pol

RIVALS = PiecewiseLinearMap(np.full(2, 0.5), np.array([[0, -1.0], [-1.0, 0]]), np.ones(2))


def test_the_larger_of_two_rivals_wins():
    found = basins(RIVALS, [[0.0, 2.0], [0.05, 2.05]], n_points=15)
    x, y = np.meshgrid(*found.axes, indexing="ij")
    first, second = found.labels[x > y], found.labels[x < y]
    assert len(np.unique(first)) == len(np.unique(second)) == 1 and first[0] != second[0]
    ends = np.array([attractor[-1] for attractor in found.attractors])
    stable = np.array([point.states[0] for point in fixed_points(RIVALS) if point.stable])
    np.testing.assert_allclose(np.sort(ends, axis=0), np.sort(stable, axis=0))
    assert found.shares.sum() == 1 and found.shares[0] >= found.shares[1]
    assert found.shares[0] == np.mean(found.labels == 0)


def test_three_variables_and_sections():
    f = PiecewiseLinearMap(np.full(3, 0.5), np.pad(RIVALS.W, (0, 1)), np.append(RIVALS.h, 0.3))
    limits = [[0.0, 2.0], [0.05, 2.05], [-1.0, 1.0]]
    whole = basins(f, limits, n_points=6)
    assert whole.labels.shape == (6, 6, 6)
    assert np.all(whole.labels == whole.labels[:, :, :1])
    limits[2] = [0.4, 0.4]
    section = basins(f, limits, n_points=6)
    np.testing.assert_array_equal(section.labels[..., 0], whole.labels[..., 0])


def test_a_chaotic_attractor_is_one_and_what_leaves_it_diverges():
    """Tent map in the first unit: chaos from -2.33 to 1, and away from what is beyond."""
    W = np.array([[-3.8, 0], [0, 0]])
    f = PiecewiseLinearMap(np.array([1.9, 0.5]), W, np.array([1.0, 0.0]))
    found = basins(f, [[-2.0, 2.0], [-1.0, 1.0]], n_points=20, n_timesteps=300)
    low = -1 / (1.9 - 1)  # the unstable fixed point below
    leaves = (found.axes[0] < low) | (found.axes[0] > (1 - low) / 1.9)
    assert 0 < leaves.sum() < 20
    np.testing.assert_array_equal(found.labels == -1, np.repeat(leaves[:, None], 20, axis=1))
    assert len(found.attractors) == 1
    assert np.ptp(found.attractors[0][:, 0]) > 1


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_hidden": 15},
        {"n_components": 5, "architecture": "plrnn"},
        {"n_hidden": 10, "delay_embedding": 2},
        {"n_components": 4, "n_hidden": 10, "readout": "relu"},
    ],
)
def test_an_estimator_is_started_as_its_runs_are_and_in_its_units(parameters):
    X = make_van_der_pol(400, random_state=0) * [100, 0.01] + [5000, -3]
    model = DSReconstructor(max_iter=1, random_state=0, **parameters).fit(X)
    limits = np.quantile(X, [0.3, 0.7], axis=0).T
    found = basins(model, limits, n_points=2, n_timesteps=3, n_last=4, resolution=0.001)
    assert len(found.attractors) == 4  # so early each run is by itself
    for i, j in np.ndindex(2, 2):
        run = model.simulate(7, x0=[found.axes[0][i], found.axes[1][j]])[3:]
        np.testing.assert_allclose(found.observations[found.labels[i, j]], run)


@pytest.mark.parametrize(
    ("f", "limits", "message"),
    [
        (RIVALS, [[0, 1]], r"limits must have shape \(2, 2\)"),
        (RIVALS, [[0, 1], [1, 0]], "limits must have shape"),
        (
            PiecewiseLinearMap(np.zeros(4), np.zeros((4, 4)), np.zeros(4)),
            np.zeros((4, 2)),
            "2 or 3 observed variables; the model has 4",
        ),
    ],
)
def test_bad_input_is_named(f, limits, message):
    with pytest.raises(ValueError, match=message):
        basins(f, limits)

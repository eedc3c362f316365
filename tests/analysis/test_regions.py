"""Regions and transitions against counting one step at a time."""

from collections import Counter

import numpy as np
import pytest

from sklearn_plrnn.analysis import PiecewiseLinearMap, linear_regions


@pytest.fixture
def f(rng):
    M, L = 2, 9
    W, V = rng.normal(size=(M, L)), rng.normal(size=(L, M))
    return PiecewiseLinearMap(rng.uniform(size=M), W, rng.normal(size=M), V, rng.normal(size=L))


def test_regions_and_transitions_are_counted(f, rng):
    states = rng.normal(size=(300, 2))
    found = linear_regions(f, states)
    patterns = [tuple(row) for row in f.pattern(states)]
    counts = Counter(patterns)
    assert len(found.patterns) == len(counts)
    assert [counts[tuple(row)] for row in found.patterns] == found.counts.tolist()
    assert np.all(np.diff(found.counts) <= 0)
    np.testing.assert_array_equal(found.patterns[found.labels], patterns)
    steps = Counter(zip(found.labels[:-1].tolist(), found.labels[1:].tolist(), strict=True))
    edges = [tuple(edge) for edge in found.edges.tolist()]
    assert dict(zip(edges, found.edge_counts.tolist(), strict=True)) == steps
    assert np.all(np.diff(found.edge_counts) <= 0)


def test_pieces_together_are_the_map(f, rng):
    states = rng.normal(size=(50, 2))
    found = linear_regions(f, states)
    J, c = f.region(found.patterns[found.labels])
    np.testing.assert_allclose((J @ states[..., None])[..., 0] + c, f.step(states))


def test_no_transition_from_one_trajectory_to_the_next(f, rng):
    states = rng.normal(size=(4, 25, 2))
    found = linear_regions(f, states)
    assert found.labels.shape == (4, 25)
    assert found.edge_counts.sum() == 4 * 24
    assert found.counts.sum() == 100
    alone = linear_regions(f, states[0])
    assert alone.edge_counts.sum() == 24


def test_one_state_has_no_transition(f):
    assert linear_regions(f, np.zeros((1, 2))).edges.shape == (0, 2)


def test_wrong_states_are_named(f):
    with pytest.raises(ValueError, match=r"expected \(time, 2\)"):
        linear_regions(f, np.zeros((5, 3)))

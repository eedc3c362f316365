"""`LinearRegionDisplay`: points by region, and the graph of transitions."""

import numpy as np
import pytest

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.analysis import PiecewiseLinearMap
from sklearn_plrnn.displays import LinearRegionDisplay

F = PiecewiseLinearMap(np.ones(2), np.zeros((2, 2)), np.zeros(2))
STATES = np.array([[1, 1], [2, 2], [3, 3], [-1, 1], [-3, 1], [-2, -4], [-1, 1]])


def test_centres_edges_and_colours():
    display = LinearRegionDisplay.from_estimator(F, STATES)
    assert display.regions.counts.tolist() == [3, 3, 1]
    colours = display.points_.get_facecolors()
    for a in range(7):
        for b in range(7):
            same = (colours[a] == colours[b]).all()
            assert same == (display.regions.labels[a] == display.regions.labels[b])
    centres = np.asarray(display.centres_.get_offsets())
    for centre in ([2, 2], [-5 / 3, 1], [-2, -4]):
        assert np.abs(centres - centre).max(axis=1).min() < 1e-12
    # Between upper right and upper left, from there to below and back.
    ends = display.edges_.get_xydata()
    assert np.isnan(ends[2::3]).all() and len(ends) == 3 * 3
    assert display.ax_.get_title() == "3 linear regions"
    assert display.ax_.get_xlabel() == "z0"


@pytest.mark.parametrize(("n_nodes", "n_edges"), [(3, 3), (2, 1), (1, 0), (0, 0)])
def test_the_graph_has_the_nodes_asked_for(n_nodes, n_edges):
    display = LinearRegionDisplay.from_estimator(F, STATES, n_nodes=n_nodes)
    assert len(display.centres_.get_offsets()) == n_nodes
    assert len(display.edges_.get_xydata()) == 3 * n_edges


def test_neighbours_differ_and_what_is_seldom_visited_is_grey(rng):
    angle = np.repeat(np.linspace(0, 4 * np.pi, 120), rng.integers(1, 9, 120))
    V = np.stack([np.cos(np.arange(8)), np.sin(np.arange(8))], axis=1)  # 16 sectors
    f = PiecewiseLinearMap(np.ones(2), np.zeros((2, 8)), np.zeros(2), V)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    display = LinearRegionDisplay.from_estimator(f, circle, n_nodes=20)
    labels, colours = display.regions.labels, display.points_.get_facecolors()
    assert len(display.regions.counts) == 16 and len(np.unique(colours, axis=0)) <= 4
    moved = labels[1:] != labels[:-1]
    assert (colours[1:] != colours[:-1]).any(axis=1).tolist() == moved.tolist()
    display = display.plot(n_nodes=5, colors=["tab:red", "tab:green"])
    grey = (display.points_.get_facecolors()[:, :3] == 0.5).all(axis=1)
    assert grey.tolist() == (labels >= 5).tolist()


def test_a_single_variable_is_shown_by_latent_states(frame):
    x = frame[["a&b"]]
    model = DSReconstructor(n_hidden=5, delay_embedding=3, max_iter=0).fit(x)
    display = LinearRegionDisplay.from_estimator(model, model.transform(x))
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("z0", "z1")
    model = DSReconstructor(1, n_hidden=5, max_iter=0).fit(x)
    with pytest.raises(ValueError, match="features are 1 variables; expected 2 or 3"):
        LinearRegionDisplay.from_estimator(model, model.transform(x))


def test_a_reconstruction_is_shown_as_it_is_observed(model, frame):
    states = model.transform(frame)
    display = LinearRegionDisplay.from_estimator(model, states, features=["a&b", 0, 1])
    np.testing.assert_allclose(display.points, states @ model.B_.T + model.b_)
    assert display.ax_.get_xlabel() == "a&b" and display.ax_.name == "3d"

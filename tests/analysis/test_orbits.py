"""Fixed points and cycles: complete, exact, and described as they are."""

import numpy as np
import pytest
import reference

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.analysis import PiecewiseLinearMap, cycles, fixed_points
from sklearn_plrnn.analysis._arrangement import n_regions, possible_patterns
from sklearn_plrnn.analysis._branching import promising_patterns
from sklearn_plrnn.analysis._pattern_search import _listed, _solve_all, distinct
from sklearn_plrnn.datasets import make_van_der_pol

MAPS = ("plrnn", "almost-linear", "shallow", "clipped-shallow", "narrow", "shallow always-on")


def random_map(kind, seed, M=2, L=4, strength=3.0):
    """A map with strong coupling, so that there is something to find."""
    rng = np.random.default_rng(seed)
    A, h = rng.uniform(-0.9, 0.9, M), rng.normal(size=M)
    if kind in ("plrnn", "almost-linear"):
        W = rng.normal(0, strength / np.sqrt(M), (M, M)) * (1 - np.eye(M))
        always_on = np.arange(M) < M // 2 if kind == "almost-linear" else None
        return PiecewiseLinearMap(A, W, h, always_on=always_on)
    W, V = rng.normal(0, strength / np.sqrt(L), (M, L)), rng.normal(size=(L, M))
    theta = rng.normal(size=L)
    if kind == "clipped-shallow":  # pairs of parallel kinks, and many through the origin
        W, V, theta = np.hstack([W, -W]), np.vstack([V, V]), np.append(theta, np.zeros(L))
    if kind == "narrow":  # V sees one direction only
        V = rng.normal(size=(L, 1)) * rng.normal(size=(1, M))
    always_on = rng.random(L) < 0.5 if kind == "shallow always-on" else None
    return PiecewiseLinearMap(A, W, h, V, theta, always_on)


def as_found(orbits, order, M):
    """States (n, order, M) of those of one order."""
    found = [orbit.states for orbit in orbits if orbit.order == order]
    return np.array(found).reshape(-1, order, M)


def assert_same_orbits(found, expected):
    """Each of one is, up to rotation, in the other."""
    assert found.shape == expected.shape
    for orbit in expected:
        shifts = [np.roll(orbit, shift, axis=0) for shift in range(len(orbit))]
        assert min(np.abs(found - shift).max(axis=(1, 2)).min() for shift in shifts) < 1e-8


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("seed", range(6))
def test_exhaustive_search_finds_what_brute_force_finds(kind, seed):
    L = 2 if kind == "clipped-shallow" else 4
    f = random_map(kind, seed, L=L)
    for order in (1, 2):
        found = cycles(f, order, min_order=order, method="exhaustive")
        assert found.exhaustive
        assert_same_orbits(as_found(found, order, 2), reference.orbits_of_all_patterns(f, order))


@pytest.mark.parametrize("seed", range(4))
def test_exhaustive_search_of_longer_cycles(seed):
    f = random_map("plrnn", seed)
    found = cycles(f, 4, min_order=4, method="exhaustive")
    assert_same_orbits(as_found(found, 4, 2), reference.orbits_of_all_patterns(f, 4))


def test_brute_force_has_something_to_find():
    n = [len(reference.orbits_of_all_patterns(random_map(kind, 1), 1)) for kind in MAPS[:3]]
    assert sum(n) >= 2


@pytest.mark.parametrize("kind", MAPS)
def test_possible_patterns_are_those_of_states(kind, rng):
    f = random_map(kind, 3, M=3, L=6)
    listed = {row.tobytes() for row in possible_patterns(f)}
    states = 10 ** rng.uniform(-2, 2, (20_000, 1)) * rng.normal(size=(20_000, 3))
    seen = {row.tobytes() for row in np.unique(f.pattern(states), axis=0)}
    assert seen <= listed
    assert len(seen) > 1


@pytest.mark.parametrize(("M", "L", "n"), [(1, 7, 8), (2, 7, 29), (3, 7, 64), (9, 7, 128)])
def test_number_of_regions_of_kinks_in_general_position(M, L, n):
    f = random_map("shallow", 0, M, L)
    assert n_regions(f) == n == len(np.unique(possible_patterns(f), axis=0))


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("unit", [1, 1e-9])
def test_no_branch_with_an_orbit_is_cut_off(kind, unit):
    n_orbits, n_promising, n_sequences = 0, 0, 0
    for seed in range(4):
        f = random_map(kind, seed, L=2 if kind == "clipped-shallow" else 4)
        theta = None if f.theta is None else unit * f.theta
        scaled = f._replace(h=unit * f.h, theta=theta)  # has the same orbits, in another unit
        for order in (1, 2):
            patterns, complete = promising_patterns(scaled, order, 10**4)
            assert complete and patterns.shape[1:] == (order, f.n_hidden)
            orbits = reference.orbits_of_all_patterns(f, order)
            listed = {row.tobytes() for row in patterns}
            assert {row.tobytes() for row in f.pattern(orbits)} <= listed
            n_orbits, n_promising = n_orbits + order * len(orbits), n_promising + len(listed)
            n_sequences += 2 ** (order * f.n_hidden)
    assert n_orbits <= n_promising < n_sequences / 3


@pytest.mark.parametrize("n_linear", [0, 4])
def test_all_fixed_points_of_20_units(n_linear, rng):
    """Of four pairs of rivals one wins or none does, which the others follow one after another."""
    W = np.kron(np.eye(10), [[0, -1.0], [-1.0, 0]])
    W[8:] = np.tril(rng.normal(size=(12, 20)), 7)
    h = np.r_[rng.uniform(0.9, 1.1, 8), rng.normal(size=12)]
    f = PiecewiseLinearMap(np.full(20, 0.5), W, h, always_on=np.arange(20) >= 20 - n_linear)
    order = rng.permutation(20)
    f = f._replace(W=W[order][:, order], h=h[order], always_on=f.always_on[order])
    points = fixed_points(f)
    assert points.exhaustive and not points.singular
    states = np.concatenate([point.states for point in points])
    assert len(np.unique(states.round(9), axis=0)) == len(states) == 3**4
    np.testing.assert_allclose(f.step(states), states, atol=1e-9)


def test_a_tree_has_the_cycles_of_the_list():
    f = random_map("plrnn", 8, M=8, strength=4)
    listed = distinct(f, _solve_all(f, 2, _listed(f, 2)))
    assert len(listed) > 1
    assert_same_orbits(as_found(cycles(f, 2), 2, 8), listed)


@pytest.mark.parametrize(("kind", "M", "L"), [("plrnn", 10, None), ("shallow", 3, 20)])
def test_search_finds_nearly_all(kind, M, L):
    n_found, n_all = 0, 0
    for seed in range(15):
        f = random_map(kind, seed, M, L)
        every = as_found(fixed_points(f, method="exhaustive"), 1, M)
        found = fixed_points(f, method="search", n_starts=200)
        assert not found.exhaustive
        for point in found:  # nothing but fixed points, each of them once
            assert np.abs(every - point.states).max(axis=(1, 2)).min() < 1e-6
        n_found, n_all = n_found + len(found), n_all + len(every)
    assert n_all >= 10
    assert n_found >= 0.9 * n_all


def test_search_takes_known_states(rng):
    """A region of 1e-6 around a point far away is not found by chance."""
    V, theta = np.ones((2, 1)), np.array([-1e4 + 1e-6, -1e4 - 1e-6])
    f = PiecewiseLinearMap(
        np.full(1, 0.5), np.array([[-1e9, 1e9]]), np.full(1, 5e3 + 1e3), V, theta
    )
    near = fixed_points(f, method="search", n_starts=1, starts=[[1e4]])
    assert len(near) == len(fixed_points(f, method="exhaustive")) == 1


def test_the_tent_map_has_all_its_cycles():
    """As many as there are aperiodic necklaces of two colours."""
    tent = PiecewiseLinearMap(np.array([2.0]), np.array([[-4.0]]), np.array([1.0]))
    found = cycles(tent, 6, min_order=1)
    assert [sum(orbit.order == k for orbit in found) for k in range(1, 7)] == [2, 1, 2, 3, 6, 9]
    for orbit in found:
        assert np.abs(orbit.eigenvalues) == pytest.approx(2.0**orbit.order)
        np.testing.assert_allclose(tent.step(orbit.states), np.roll(orbit.states, -1, axis=0))


@pytest.mark.parametrize("kind", MAPS)
def test_orbits_return_and_eigenvalues_are_of_the_whole_orbit(kind):
    step = 1e-6
    for seed in range(5):
        f = random_map(kind, seed)
        for orbit in cycles(f, 3, min_order=1):
            around = orbit.states[0] + step * np.vstack([np.zeros(2), np.eye(2)])
            for t in range(orbit.order):
                np.testing.assert_array_equal(f.pattern(orbit.states[t]), orbit.patterns[t])
                around = f.step(around)
            np.testing.assert_allclose(around[0], orbit.states[0], atol=1e-8)
            J = (around[1:] - around[0]).T / step
            assert np.prod(orbit.eigenvalues).real == pytest.approx(np.linalg.det(J), abs=1e-4)
            assert np.sum(orbit.eigenvalues).real == pytest.approx(np.trace(J), abs=1e-4)
            assert np.all(np.diff(np.abs(orbit.eigenvalues)) <= 1e-9)


def test_stable_orbits_attract_and_others_do_not(rng):
    n = {True: 0, False: 0}
    for seed in range(20):
        f = random_map("plrnn", seed)
        for orbit in cycles(f, 2, min_order=1):
            start = z = orbit.states[0] + 1e-7 * rng.normal(size=2)
            for _ in range(50 * orbit.order):
                z = f.step(z)
            nearer = np.linalg.norm(z - orbit.states[0]) < np.linalg.norm(start - orbit.states[0])
            n[orbit.stable] += 1
            assert nearer == orbit.stable
    assert min(n.values()) > 3


@pytest.mark.parametrize(
    ("J", "kind", "stable"),
    [
        ([[0.5, 0], [0, -0.2]], "stable node", True),
        ([[0.5, 0.4], [-0.4, 0.5]], "stable focus", True),
        ([[2.0, 0], [0, 3.0]], "unstable node", False),
        ([[1.5, 0.4], [-0.4, 1.5]], "unstable focus", False),
        ([[1.5, 0], [0, 0.5]], "saddle", False),
        ([[-1.0, 0], [0, 0.5]], "neutral", False),
    ],
)
def test_kinds(J, kind, stable):
    """Two linear units of a shallow map are any matrix."""
    f = PiecewiseLinearMap(np.zeros(2), np.array(J), np.ones(2), always_on=np.ones(2, bool))
    (point,) = fixed_points(f)
    assert (point.kind, point.stable, point.order) == (kind, stable, 1)
    np.testing.assert_allclose(point.states[0], np.linalg.solve(np.eye(2) - J, np.ones(2)))


@pytest.mark.parametrize("method", ["auto", "search"])
def test_a_point_on_kinks_is_one_point(method):
    f = random_map("plrnn", 0, M=14)._replace(h=np.zeros(14))
    points = fixed_points(f, method=method, n_starts=1000)
    assert sum(np.abs(point.states).max() < 1e-12 for point in points) == 1


@pytest.mark.parametrize("method", ["auto", "search"])
def test_continua_are_left_out_but_not_concealed(method, rng):
    f = PiecewiseLinearMap(np.array([1.0, 0.5]), np.zeros((2, 2)), np.array([0.0, 1.0]))
    points = fixed_points(f, method=method)
    assert len(points) == 0 and points.singular
    turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    J = turned @ np.diag([1, 0.5, 0.2]) @ turned.T  # singular but for rounding
    f = PiecewiseLinearMap(np.zeros(3), J, np.ones(3), always_on=np.ones(3, bool))
    points = fixed_points(f, method=method)
    assert len(points) == 0 and points.singular


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_orbits_are_told_apart_in_any_unit(unit):
    rivals = PiecewiseLinearMap(np.full(2, 0.5), np.array([[0, -1.0], [-1.0, 0]]), np.ones(2))
    states = [point.states[0] for point in fixed_points(rivals._replace(h=unit * rivals.h))]
    np.testing.assert_allclose(states, unit * np.array([[-2, 2], [2 / 3, 2 / 3], [2, -2]]))


def test_observations_are_in_the_units_of_the_data():
    X = make_van_der_pol(600, random_state=0)
    scaled = X * [100, 0.01] + [5000, -3]
    model = DSReconstructor(n_hidden=8, max_iter=2, random_state=0).fit(scaled)
    point = fixed_points(model)[0]
    np.testing.assert_allclose(model.simulate(1, x0=point.observations[0]), point.observations)
    assert fixed_points(model.to_map())[0].observations is None
    np.testing.assert_allclose(point.states, fixed_points(model.to_map())[0].states)


@pytest.mark.parametrize("readout", ["affine", "relu"])
@pytest.mark.parametrize("architecture", ["plrnn", "almost-linear", "shallow", "clipped-shallow"])
def test_every_architecture_stays_at_its_fixed_points(architecture, readout):
    X = make_van_der_pol(300, random_state=0)
    model = DSReconstructor(
        3, architecture=architecture, n_hidden=6, readout=readout, max_iter=0, random_state=0
    ).fit(X)
    points = fixed_points(model)
    assert points.exhaustive and len(points) > 0
    f = model.to_map()
    assert_same_orbits(as_found(points, 1, 3), reference.orbits_of_all_patterns(f, 1))
    for point in points:
        model.last_state_ = point.states[0]
        np.testing.assert_allclose(model.forecast(1), point.observations, atol=1e-6)


def test_same_seed_same_result_and_global_state_untouched():
    f = random_map("plrnn", 2, M=8)
    before = np.random.get_state()[1].copy()
    first, second = (cycles(f, 2, method="search", random_state=3) for _ in range(2))
    assert [x.states.tolist() for x in first] == [x.states.tolist() for x in second]
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_bad_arguments_are_named():
    f = random_map("plrnn", 0, M=6)
    with pytest.raises(ValueError, match=r"more than max_patterns=10 patterns for order 1"):
        fixed_points(f, method="exhaustive", max_patterns=10)
    assert not fixed_points(f, max_patterns=10).exhaustive
    with pytest.raises(ValueError, match="starts has shape"):
        fixed_points(f, starts=np.zeros((3, 2)))
    with pytest.raises(TypeError, match="to_map"):
        fixed_points(lambda z: z)
    for name, x, message in (
        ("A", np.ones(5), r"A of the map has shape \(5,\); expected \(6,\)"),
        ("W", np.ones((6, 4)), r"W of the map has shape \(6, 4\); without V it must be square"),
        ("h", np.full(6, np.nan), "h of the map holds NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            fixed_points(f._replace(**{name: x}))

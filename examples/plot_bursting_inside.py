"""
What did the network learn? A bursting neuron
=============================================

A neuron that fires in bursts has two clocks: spikes of a few milliseconds, and a slow current that
lets them start and stop. A reconstruction is only given the series. Whether it has found the two
clocks, and how they play together, is computed from its weights and compared with the equations.
"""

# %%
# Three seconds of membrane voltage V, of the gate n of the fast potassium current and of the gate h
# of the slow one, without noise. The model has three units, one for each, and 50 hidden ones.

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import brentq

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.analysis import cycles, fixed_points, time_constants
from sklearn_plrnn.datasets import make_bursting_neuron
from sklearn_plrnn.displays import ForecastDisplay, PhaseSpaceDisplay
from sklearn_plrnn.metrics import power_spectrum_distance

dt = 0.5  # ms
names = ["V (mV)", "n", "h"]
X = make_bursting_neuron(6000, dt=dt, random_state=0)
test = make_bursting_neuron(6000, dt=dt, random_state=1)
model = DSReconstructor(
    n_hidden=50,
    architecture="clipped-shallow",
    forcing="sparse",
    solver="adam",
    learning_rate_init=3e-3,
    sequence_length=200,
    max_iter=60,
    random_state=0,
).fit(X)

# %%
# Rows it has not seen, and a free run from the first of them. The run soon bursts too early or too
# late, but with the right rhythm. On the right, voltage is shown against the slow gate: spikes are
# loops that drift to the right, silence is the way back along the lower edge. All fixed points of
# the model are marked; the stable ones are off its way.

free = model.simulate(7500, x0=test[0])[1500:]
spikes = lambda x: np.flatnonzero((x[1:, 0] > -20) & (x[:-1, 0] <= -20))
print(f"spikes in 3 s: {len(spikes(free))}, measured {len(spikes(test))}")
print(f"distance of power spectra: {power_spectrum_distance(test, free):.3f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
run = model.simulate(800, x0=test[0])
ForecastDisplay.from_predictions(test[1:801], run, feature_names=names, dt=dt, ax=left, features=0)
left.set_xlabel("time ahead (ms)")
PhaseSpaceDisplay.from_predictions(
    test, free, orbits=fixed_points(model), feature_names=names, features=["h", "V (mV)"], ax=right
)
plt.show()

# %%
# To see why it bursts, hold the slow gate where it is. With one unit fixed the map is still
# piecewise linear, with two units and other thresholds of the hidden ones, so that all its fixed
# points are found, for each value of h. In the equations these are where V and n are at rest.

f = model.to_map()
mean, scale = model.output_mean_, model.output_scale_


def frozen(h):
    """The map of V and n alone, for a fixed value of h."""
    theta = f.theta + f.V[:, 2] * (h - mean[2]) / scale[2]
    return f._replace(A=f.A[:2], W=f.W[:2], h=f.h[:2], V=f.V[:, :2], theta=theta)


def gate(V, half, slope):
    """Where a gate of the equations goes at a voltage."""
    return 1 / (1 + np.exp((half - V) / slope))


def velocity(V, n, h):
    """dV/dt and dn/dt of the equations."""
    current = 8 * (V + 80) + 20 * gate(V, -20, 15) * (V - 60) + (10 * n + 25 * h) * (V + 90)
    current += 10.2 * V / (1 + 0.33 * np.exp(-0.0625 * V))
    return np.array([-current / 6, gate(V, -25, 5) - n])


at_rest = lambda V, h: velocity(V, gate(V, -25, 5), h)[0]
voltages = np.linspace(-75, -20, 200)
true, found = [], []
for h in np.linspace(*np.quantile(test[:, 2], [0, 1]), 60):
    crossings = np.flatnonzero(np.diff(np.sign(at_rest(voltages, h))))
    true += [(h, brentq(at_rest, *voltages[i : i + 2], args=(h,))) for i in crossings]
    for point in fixed_points(frozen(h)):
        found.append((h, point.states[0, 0] * scale[0] + mean[0], point.stable))
true, found = np.array(true), np.array(found)

figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
axis.plot(test[:, 2], test[:, 0], color="0.8", lw=0.5, zorder=0, label="measured")
axis.plot(*true.T, ".", color="0.5", ms=9, label="equations, at rest")
for stable, colour, label in ((1, "#0072b2", "stable"), (0, "#d55e00", "not stable")):
    chosen = found[found[:, 2] == stable]
    axis.plot(chosen[:, 0], chosen[:, 1], ".", color=colour, ms=4, label=f"model, {label}")
axis.set(xlabel="h, held fixed", ylabel="V (mV)", ylim=(-80, 12))
axis.legend(loc="upper center", ncols=2, fontsize="small")
plt.show()

# %%
# Silence is a slow manifold: a stable branch, on which V and n rest while h falls. It meets the
# branch of saddles, both end, and spikes begin: so it is in the equations, at 0.047, and so in the
# model, a little further on. Where the data do not lead, in the middle between the spikes and at
# the far ends of h, the model is wrong, or adds points that the neuron does not have.
#
# How fast is fast? Time constants of V and n along the stable branch come from Jacobians, those of
# the equations, too: the model returns to it even faster than the neuron, of which silent data, all
# on the branch, tell nothing. The slow one is how fast h falls in silence, in the free run.


def fast_constants(h):
    """Of the model and of the equations, where both are silent."""
    points = fixed_points(frozen(h))
    rest = min(points, key=lambda point: abs(point.states[0, 0] * scale[0] + mean[0] + 66))
    V = brentq(at_rest, -75, -62, args=(h,))
    n, step = gate(V, -25, 5), 1e-5
    columns = velocity(V + step, n, h), velocity(V, n + step, h)
    J = np.stack([column - velocity(V, n, h) for column in columns], axis=1) / step
    found = time_constants(frozen(h), rest.states, dt=dt).modes[0]
    return found, np.sort(-1 / np.linalg.eigvals(J))[::-1]


fast = np.median([fast_constants(h) for h in np.linspace(0.049, 0.057, 17)], axis=0)
print("fast: {} ms, equations {} ms".format(*fast.round(2).tolist()))


def slow_constant(x):
    """Time constant with which h falls where the neuron is silent, by least squares."""
    silent = (x[1:, 0] < -60) & (x[:-1, 0] < -60)
    ratio = np.log(x[1:, 2] / x[:-1, 2])[silent]
    return -dt / ratio.mean()


print(f"slow: {slow_constant(free):.0f} ms, measured {slow_constant(test):.0f} ms")

# %%
# Spikes at a fixed h are a cycle of the fast part, and the cycle is computed as well, to be stable
# or not. A search starts from a run of the frozen map.

h = 0.055
g, z = frozen(h), (test[np.argmax(test[:, 0]), :2] - mean[:2]) / scale[:2]
run = [z := g.step(z) for _ in range(1100)][1000:]
for orbit in cycles(g, 10, min_order=7, method="search", n_starts=50, starts=run):
    V = orbit.states[:, 0] * scale[0] + mean[0]
    print(f"{orbit.kind} of {orbit.order} steps, {V.min():.0f} to {V.max():.0f} mV")
fired = spikes(test)
between = np.diff(fired)[np.abs(test[fired[:-1], 2] - h) < 0.002]
print(f"measured: {np.median(between):.0f} steps from spike to spike")

"""
A system of which one variable is measured
==========================================

The Lorenz system has three variables. Of the first alone, with 1 % noise, a row does not tell what
comes next, but three rows do: `DSReconstructor` takes them as the state with ``delay_embedding=3``.
The map that it finds has the attractor of the system, as far as one variable shows it, and its
fixed points.
"""

# %%
# The lag between the rows of a state is read off the autocorrelation.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.analysis import fixed_points
from sklearn_plrnn.datasets import make_lorenz63
from sklearn_plrnn.metrics import power_spectrum_distance, state_space_divergence

x = make_lorenz63(40_000, random_state=0)[:, :1]
noise = np.random.default_rng(0).normal(0, 0.01 * x.std(), x.shape)
train, test = (x + noise)[:20_000], x[20_000:]
model = DSReconstructor(delay_embedding=3, score_horizon=20, random_state=0).fit(train)
lag = model.delay_lag_
print(f"lag: {lag} rows")

# %%
# Without delays there is nothing to tell rising from falling. Both models are asked for the row 20
# steps ahead.

blind = DSReconstructor(solver="gauss-newton", max_iter=10, score_horizon=20, random_state=0)
blind.fit(train)
print(f"R^2, 20 steps ahead: {model.score(test):.4f} with delays, {blind.score(test):.3f} without")

# %%
# A free run starts on one row: what it lacks is taken from the nearest state in training. It is
# compared with the test series in the same delays, beside a second true trajectory.

free = model.simulate(25_000, x0=test[0])[5_000:]
other = make_lorenz63(20_000, random_state=1)[:, :1]


def delays(x):
    """Rows (x_t, x_{t - lag}, x_{t - 2 lag})."""
    return np.hstack([x[2 * lag :], x[lag:-lag], x[: -2 * lag]])


for title, run in (("model", free), ("true run", other)):
    divergence = state_space_divergence(delays(test), delays(run))
    distance = power_spectrum_distance(test, run)
    print(f"{title:9} state space {divergence:.3f}, spectrum {distance:.3f}")

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharex=True, sharey=True)
for axis, title, run, color in zip(
    axes, ("Lorenz-63", "Model, running freely"), (test, free), ("C0", "C1"), strict=True
):
    axis.plot(run[lag:8000], run[: 8000 - lag], color=color, lw=0.4)
    axis.set(title=title, xlabel="$x_t$")
axes[0].set_ylabel(rf"$x_{{t-{lag}}}$")

# %%
# The model's fixed points are computed, not searched for by running it. Where the system would
# rest it shows one value in all three delays: for the Lorenz system 0 and the two square roots of
# 72. The model has a point near each of these, within a tenth of the range of x, less exact than
# where all variables are measured: no row of the series comes to any of them. Where there are
# others, nothing told the model what to do there.

points = fixed_points(model)
for point in points:
    print(f"{point.kind:14} at x = {point.observations[0, 0]:6.2f}")
true = np.sqrt(72) * np.array([-1, 0, 1])
axes[1].plot(true, true, "x", color="0.4", ms=9, label="rest of the system")
seen = [point.observations[0, 0] for point in points]
axes[1].plot(seen, seen, "o", color="k", mfc="none", ms=9, label="fixed point of the model")
axes[1].legend(loc="lower right")
plt.show()

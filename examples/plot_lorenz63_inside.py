"""
What did the network learn? The Lorenz system
=============================================

A reconstruction that looks right may still be wrong inside. In a piecewise-linear model one can
look: fixed points are solutions of linear equations, all of them are found, and Lyapunov exponents
come from exact Jacobians. The Lorenz system, where all this is known, shows how far to trust it.
"""

# %%
# 30 000 rows without noise, 300 units of time, and the first 30 rows of 1000 runs that come from
# somewhere around the attractor: what attracts can only be seen from beside it.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.analysis import (
    fixed_points,
    kaplan_yorke_dimension,
    lyapunov_spectrum,
)
from sklearn_plrnn.datasets import make_lorenz63
from sklearn_plrnn.displays import LinearRegionDisplay, PhaseSpaceDisplay

dt, rho, beta = 0.01, 28, 8 / 3
X = make_lorenz63(30_000, dt=dt, random_state=0)
rng = np.random.default_rng(0)
starts = rng.choice(X, 1000) + rng.normal(0, 10, (1000, 3))
transients = [make_lorenz63(30, dt=dt, initial_state=z, transient=0) for z in starts]
model = DSReconstructor(n_hidden=100, solver="gauss-newton", max_iter=20, random_state=0)
model.fit([X, *transients])

# %%
# The Lorenz equations have three fixed points, all of them saddles: the origin, and one in the
# middle of each wing. 100 hidden units cut the three-dimensional state space into at most 166 751
# regions, and all of them are tried.

wing = np.sqrt(beta * (rho - 1))
true = np.array([[0, 0, 0], [wing, wing, rho - 1], [-wing, -wing, rho - 1]])
points = fixed_points(model)
print(f"{len(points)} fixed points{', and there are no others' if points.exhaustive else ''}")
for point in points:
    place = point.observations[0]
    nearest = np.argmin(np.linalg.norm(true - place, axis=1))
    distance = np.linalg.norm((true[nearest] - place) / X.std(axis=0))
    print(
        f"{point.kind:14} at ({place[0]:5.1f}, {place[1]:5.1f}, {place[2]:5.1f}), "
        f"{distance:.2f} standard deviations from {true[nearest].round(1).tolist()}"
    )

# %%
# The three are there, each within a tenth of a standard deviation, though rows on the attractor
# keep away from them, and few transients pass: in the wings runs turn around the fixed points, and
# the origin is inferred from how they part above it. Others, if there are any, lie far from all
# rows.
#
# In the wings the true points are saddles, but hardly: what is near spirals out by a factor of
# 1.001 each step. So close to the points, where there are no data, the model is not as exact as
# that, and may even take one for stable. Then a run that starts there stays; those on the attractor
# do not get there.

for place in true[1:]:
    nearest = min(points, key=lambda point: np.linalg.norm(point.observations[0] - place))
    turning = max(nearest.eigenvalues, key=np.imag)
    modulus, period = np.abs(turning), 2 * np.pi / np.angle(turning) * dt
    print(f"spirals by {modulus:.4f} a step, around in {period:.3f}; true 1.0009, 0.616")

# %%
# Rates at which nearby trajectories part, per unit of time: the largest is what makes the system
# chaotic, the second is 0 for a flow, and the third says how fast the attractor is approached. The
# last is right because of the transients. From the attractor alone, on which nothing of it is to
# be seen, models have anything from -13 to -19.

exponents = lyapunov_spectrum(model, 50_000, dt=dt)
known = np.array([0.906, 0, -14.57])
print("exponents of the model", exponents.round(2).tolist(), "true", known.tolist())
dimensions = kaplan_yorke_dimension(exponents), kaplan_yorke_dimension(known)
print("dimension of the attractor {:.3f}, true {:.3f}".format(*dimensions))

# %%
# Left: a free run of the model over the data, its fixed points, and circles around the true ones.
# Right: the linear pieces that a run is made of, with the transitions between those visited most.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained", sharey=True)
PhaseSpaceDisplay.from_estimator(model, X, orbits=points, features=[0, 2], ax=left)
left.plot(true[:, 0], true[:, 2], "o", ms=14, mfc="none", color="0.5")
states = model.transform(model.simulate(8000, x0=X[0]))
LinearRegionDisplay.from_estimator(model, states, features=[0, 2], ax=right)
for axis in (left, right):
    axis.set(xlabel="$x$", ylabel="$z$")
plt.show()

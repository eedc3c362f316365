"""
Reconstruct the Lorenz attractor
================================

From 20 000 rows with 5 % noise, `DSReconstructor` finds a piecewise-linear map whose free run has
the attractor and the power spectrum of the Lorenz system. How far ahead it forecasts is limited by
chaos; what it does in the long run is not.
"""

# %%
# Noise is 5 % of the standard deviation of each variable. The test rows have none.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.datasets import make_lorenz63
from sklearn_plrnn.metrics import power_spectrum_distance, state_space_divergence

clean = make_lorenz63(40_000, random_state=0)
noise = np.random.default_rng(0).normal(0, 0.05 * clean.std(axis=0), clean.shape)
train, test = (clean + noise)[:20_000], clean[20_000:]
model = DSReconstructor(random_state=0).fit(train)

# %%
# A free run starts on the first test row and is never shown another. Its first quarter is dropped.
# Both measures are meaningless without what a second true trajectory scores.

free = model.simulate(25_000, x0=test[0])[5_000:]
other = make_lorenz63(20_000, random_state=1)
for metric in (state_space_divergence, power_spectrum_distance):
    print(f"{metric.__name__:24} {metric(test, free):.3f}  true run {metric(test, other):.3f}")

figure = plt.figure(figsize=(9, 4), layout="constrained")
for i, (title, x) in enumerate((("Lorenz-63", test), ("Model, running freely", free))):
    axis = figure.add_subplot(1, 2, i + 1, projection="3d")
    axis.plot(*x[:8000].T, color=f"C{i}", lw=0.4)
    axis.set(title=title, xlabel="$x$", ylabel="$y$", zlabel="$z$")
plt.show()

# %%
# The spectrum of each variable, smoothed as it is for the distance.

from scipy.ndimage import gaussian_filter1d

figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained", sharey=True)
frequency = np.fft.rfftfreq(len(test), d=0.01)
for i, axis in enumerate(axes):
    for x, color, label in ((test, "0.6", "true"), (free, "C1", "model")):
        x = (x[:, i] - x[:, i].mean()) / x[:, i].std()
        power = gaussian_filter1d(np.abs(np.fft.rfft(x)) ** 2, 20)
        axis.semilogy(frequency, power / power.sum(), color=color, label=label)
    axis.set(
        xlabel="frequency (1 / time unit)", title=f"${'xyz'[i]}$", xlim=(0, 8), ylim=(1e-7, 1e-1)
    )
axes[0].set_ylabel("share of power")
axes[0].legend()
plt.show()

# %%
# A forecast goes on from the end of any series. Errors grow as fast as nearby trajectories part, by
# a factor of e in 1.1 time units, until the forecast is as good as a row drawn at random.

horizon, n_forecasts = 800, 50
ends = np.linspace(2000, len(test) - horizon, n_forecasts, dtype=int)
forecasts = model.forecast(horizon, [test[end - 50 : end] for end in ends])
truth = np.stack([test[end : end + horizon] for end in ends])
error = np.sqrt(np.median((((forecasts - truth) / test.std(axis=0)) ** 2).mean(axis=2), axis=0))
time = 0.01 * np.arange(1, horizon + 1)

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained")
left.plot(time, truth[0, :, 0], color="0.6", label="true")
left.plot(time, forecasts[0, :, 0], color="C1", label="forecast")
left.set(xlabel="time ahead", ylabel="$x$", title="One forecast")
left.legend(loc="lower left")
right.semilogy(time, error, color="C1", label=f"median of {n_forecasts} forecasts")
right.axhline(np.sqrt(2), color="0.6", ls="--", label="row drawn at random")
right.semilogy(
    time, error[0] * np.exp(0.906 * time), color="0.6", label="largest Lyapunov exponent"
)
right.set(xlabel="time ahead", ylabel="error in standard deviations", ylim=(None, 4))
right.legend(loc="lower right")
plt.show()

"""
A simulated system and a measured series, in a minute
=====================================================

Reconstructs the Lorenz system from a noisy series, forecasts atmospheric CO2 from weekly
measurements with gaps, prints how good both are on data that training has not seen, and writes
``demo.png``.
"""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from statsmodels.datasets import co2

from sklearn_plrnn import DSReconstructor
from sklearn_plrnn.datasets import make_lorenz63
from sklearn_plrnn.metrics import power_spectrum_distance, state_space_divergence


def reconstruct_lorenz63():
    """Train on 10 000 noisy rows; return the next 10 000 without noise, a free run, a forecast."""
    clean = make_lorenz63(20_000, random_state=0)
    noise = np.random.default_rng(0).normal(0, 0.05 * clean.std(axis=0), (10_000, 3))
    model = DSReconstructor(random_state=0, verbose=1).fit(clean[:10_000] + noise)
    test = clean[10_000:]
    return test, model.simulate(12_500, x0=test[0])[2_500:], model.forecast(500, clean[:10_000])


def forecast_co2(n_years=10):
    """Train on all but the last years, then forecast each of them from the end of the one before.

    The rival repeats the last year and adds the mean rise of the five years before.
    """
    series = co2.load_pandas().data["co2"]
    year = (series.index.year + series.index.day_of_year / 365.25).to_numpy()
    season = [wave(2 * np.pi * k * year) for k in (1, 2) for wave in (np.cos, np.sin)]
    X = np.column_stack([series, *season])
    starts = len(X) - 52 * np.arange(n_years, 0, -1)
    model = DSReconstructor(
        1,
        architecture="plrnn",
        input_features=[1, 2, 3, 4],
        sequence_length=260,
        random_state=0,
        verbose=1,
    ).fit(X[: starts[0]])
    future = np.stack([X[start : start + 52, 1:] for start in starts])
    forecasts = model.forecast(52, [X[:start] for start in starts], inputs=future)
    known = series.ffill().to_numpy()
    years = [known[start - 6 * 52 : start].reshape(6, 52) for start in starts]
    naive = [x[-1] + (x[-1].mean() - x[0].mean()) / 5 for x in years]
    return year, X[:, 0], forecasts.ravel(), np.concatenate(naive)


def rmse(truth, forecast):
    """Root mean squared error where there is a measurement."""
    return np.sqrt(np.nanmean((truth - forecast) ** 2))


print("Lorenz-63, 10 000 rows with 5 % noise")
test, free, ahead = reconstruct_lorenz63()
other = make_lorenz63(len(test), random_state=1)
for name, metric in (
    ("state-space divergence ", state_space_divergence),
    ("power-spectrum distance", power_spectrum_distance),
):
    print(f"  {name} {metric(test, free):.3f}   another true run {metric(test, other):.3f}")

print("CO2 at Mauna Loa, weekly with gaps, ten years forecast a year ahead")
year, measured, forecast, naive = forecast_co2()
n_train = len(measured) - len(forecast)
print(f"  model                   RMSE {rmse(measured[n_train:], forecast):.2f} ppm")
print(f"  last year and its rise  RMSE {rmse(measured[n_train:], naive):.2f} ppm")

figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
axes[0].plot(*test[:4000, [0, 2]].T, color="0.75", lw=0.6, label="true")
axes[0].plot(*free[:4000, [0, 2]].T, color="C0", lw=0.6, label="model, running freely")
axes[0].set(title="Lorenz-63: the attractor", xlabel="$x$", ylabel="$z$")
axes[1].plot(test[:500, 0], color="0.6", label="true")
axes[1].plot(ahead[:, 0], color="C0", label="forecast")
axes[1].set(title="Lorenz-63: a forecast", xlabel="steps ahead", ylabel="$x$")
axes[2].plot(year[-600:], measured[-600:], color="0.6", label="measured")
axes[2].plot(year[n_train:], forecast, color="C0", label="a year ahead")
axes[2].set(title="Mauna Loa", xlabel="year", ylabel="CO$_2$ (ppm)")
for axis, place in zip(axes, ("upper center", "lower left", "upper left"), strict=True):
    axis.legend(loc=place, fontsize="small")
figure.savefig("demo.png", dpi=150)
print("figure: demo.png")

"""
Forecast a measured series with gaps
====================================

Carbon dioxide in the air of Mauna Loa has been measured every week since 1958, with 59 weeks
missing. `DSReconstructor` takes NaN as it comes: what is missing is neither scored nor forced, and
the state runs on through the gap. The season enters as a known input from outside.
"""

# %%
# The measurements are followed by two harmonics of the year, which ``input_features`` declares as
# known from outside. Ten years are kept for testing, and one more year is taken out of the training
# rows, to see what the model makes of a gap whose content we know.

import matplotlib.pyplot as plt
import numpy as np
from statsmodels.datasets import co2

from sklearn_plrnn import DSReconstructor

series = co2.load_pandas().data["co2"]
measured = series.to_numpy()
year = (series.index.year + series.index.day_of_year / 365.25).to_numpy()
season = [wave(2 * np.pi * k * year) for k in (1, 2) for wave in (np.cos, np.sin)]
X = np.column_stack([measured, *season])

n_years = 10
n_train = len(X) - 52 * n_years
train = X[:n_train].copy()
gap = slice(1500, 1552)
train[gap, 0] = np.nan
print(f"{np.isnan(train[:, 0]).sum()} of {n_train} weeks of training are missing")

# %%
# One unit is enough: its state is the concentration itself, which it carries from week to week, and
# the season adds and takes away. Windows of five years show it the trend.

model = DSReconstructor(
    1,
    architecture="plrnn",
    input_features=[1, 2, 3, 4],
    sequence_length=260,
    random_state=0,
).fit(train)
print(f"A = {model.A_[0]:.4f}: what is left of the state after a week")

# %%
# Inside the gap the state runs on from the last week before it.


def rmse(forecast, truth):
    """Root mean squared error where there is a measurement."""
    return np.sqrt(np.nanmean((forecast - truth) ** 2))


filled = (model.transform(train) @ model.B_.T + model.b_)[gap, 0]
ends = [gap.start - 1, gap.stop]
line = np.interp(year[gap], year[ends], measured[ends])
print(f"the gap: model {rmse(filled, measured[gap]):.2f} ppm", end=", ")
print(f"straight line {rmse(line, measured[gap]):.2f} ppm")

# %%
# `forecast` continues any series, here ten that end a year apart, all at once; it needs the future
# of the inputs. The model has seen none of these years. A fair rival, which has, repeats the last
# year and adds the mean rise of the five years before.

starts = n_train + 52 * np.arange(n_years)
future = np.stack([X[start : start + 52, 1:] for start in starts])
forecasts = model.forecast(52, [X[:start] for start in starts], inputs=future)[:, :, 0]

known = series.ffill().to_numpy()
last = np.stack([known[start - 52 : start] for start in starts])
before = np.stack([known[start - 6 * 52 : start - 5 * 52] for start in starts])
naive = last + (last.mean(axis=1) - before.mean(axis=1))[:, None] / 5

truth = np.stack([measured[start : start + 52] for start in starts])
print(f"ten years, each from the one before: model {rmse(forecasts, truth):.2f} ppm", end=", ")
print(f"last year and its rise {rmse(naive, truth):.2f} ppm")

# %%
# The trend of this model grows exponentially, at a rate that training fixed ten years ago: good for
# a year, too rigid for a decade.

figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
windows = {"A gap": slice(1400, 1652), "Forecasts": slice(n_train - 52, None)}
for axis, (title, rows) in zip(axes, windows.items(), strict=True):
    axis.plot(year[rows], measured[rows], ".", color="0.6", ms=4, label="measured")
    axis.set(title=title, xlabel="year", ylabel="CO$_2$ (ppm)")
axes[0].plot(year[gap], filled, color="C1", label="model, without these weeks")
for i, (start, forecast) in enumerate(zip(starts, forecasts, strict=True)):
    label = {0: "a year ahead"}.get(i)
    axes[1].plot(year[start : start + 52], forecast, color="C1", label=label)
for axis in axes:
    axis.legend(loc="upper left")
plt.show()

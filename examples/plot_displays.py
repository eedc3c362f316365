"""
Displays
========

All displays, of one noisy oscillator and its reconstruction, and of a regression with memory. They
have the colours and the size of a column of print, in light styles and in dark ones.
"""

# %%
# 1500 rows of the van der Pol oscillator with 5 % noise; the last 300 are for testing.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_plrnn import DSReconstructor, RegularizedPLRNNRegressor
from sklearn_plrnn.analysis import fixed_points
from sklearn_plrnn.datasets import make_van_der_pol
from sklearn_plrnn.displays import (
    EigenvalueDisplay,
    ForecastDisplay,
    GradientNormDisplay,
    LinearRegionDisplay,
    PhaseSpaceDisplay,
    PowerSpectrumDisplay,
    RegularizationPathDisplay,
    TrainingCurveDisplay,
    reconstruction_report,
)

dt = 0.05
X = make_van_der_pol(1500, dt=dt, noise=0.05, random_state=0)
train, test = X[:1200], X[1200:]
model = DSReconstructor(
    n_hidden=20,
    architecture="clipped-shallow",
    solver="adam",
    max_iter=40,
    early_stopping=True,
    random_state=0,
).fit(train)

# %%
# A forecast goes on from the end of a series. The interval is of what may be measured.

ForecastDisplay.from_estimator(
    model, train, n_timesteps=300, y_true=test, n_past=100, dt=dt, random_state=0
)
plt.show()

# %%
# The attractor with its fixed points, which are computed once here, and the power spectra.

points = fixed_points(model)
PhaseSpaceDisplay.from_estimator(model, train, orbits=points)
plt.show()

# %%

PowerSpectrumDisplay.from_estimator(model, train, dt=dt)
plt.show()

# %%
# The linear pieces that the data are made of, and which follow on which.

LinearRegionDisplay.from_estimator(model, model.transform(train))
plt.show()

# %%
# Several displays share a figure in the usual way, and any style will do.

with plt.style.context("dark_background"):
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
    EigenvalueDisplay.from_estimator(model, orbits=points, ax=left)
    TrainingCurveDisplay.from_estimator(model, ax=right)
    plt.show()

# %%
# A leaky sum of a random drive: how much regularization does it take, and what does it do to
# gradients? A path can be put together from any search.

rng = np.random.default_rng(0)
drive = rng.normal(size=(600, 1))
sums = np.convolve(drive[:, 0], 0.98 ** np.arange(200))[:600]
search = GridSearchCV(
    RegularizedPLRNNRegressor(8, max_iter=20, random_state=0),
    {"alpha": np.logspace(-3, 3, 5)},
    cv=KFold(3),
).fit(drive, sums)
results = search.cv_results_
scores = np.stack([results[f"split{i}_test_score"] for i in range(3)], axis=1)

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
RegularizationPathDisplay(
    alphas=results["param_alpha"], scores=scores, alpha=search.best_params_["alpha"]
).plot(left)
memory = search.best_estimator_
GradientNormDisplay.from_estimator(memory, memory.transform(drive), ax=right)
plt.show()

# %%
# All that suits a reconstruction is on one page.

page = reconstruction_report(model, X, dt=dt, title="Van der Pol oscillator")
print(f"{len(page) / 1e6:.1f} MB of HTML")

"""
Grid search over the strength of regularization
===============================================

Water that seeps through the ground answers rain over months, and the sun within days. We simulate
such a well, lose some readings of the gauges, and let a grid search over a pipeline decide how
strongly the network should be pulled towards a manifold attractor (``alpha``), and whether its
regularized units should start there (``init``).

One row is one sample, so scikit-learn's own `TimeSeriesSplit` does what it should: it trains on the
past and tests on what follows. With ``initial_state="last"`` a test block goes on from the state
after the last training row, which is exact for such splits.
"""

# %%
# The well: a slow store with a memory of 50 days, filled by rain, and a fast response.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline

from sklearn_plrnn import RegularizedPLRNNRegressor

rng = np.random.default_rng(0)
n_days, decay = 4500, np.exp(-1 / 50)
rain, sun = np.maximum(rng.normal(size=n_days), 0), rng.normal(size=n_days)
store = np.zeros(n_days)
for day in range(1, n_days):
    store[day] = decay * store[day - 1] + np.sqrt(1 - decay**2) * rain[day]
level = 1.7 * store + 0.5 * np.convolve(sun, 0.6 ** np.arange(10))[:n_days]
y = level + rng.normal(0, 0.3, n_days)
X = np.column_stack([rain, sun])
X[rng.random(X.shape) < 0.02] = np.nan
X_train, y_train, X_test, y_test = X[:4000], y[:4000], X[4000:], y[4000:]

# %%
# Imputation and network are searched as one. The last 500 rows stay out of the search.

pipeline = make_pipeline(
    SimpleImputer(),
    RegularizedPLRNNRegressor(
        8, max_iter=50, sequence_length=200, initial_state="last", random_state=0
    ),
)
search = GridSearchCV(
    pipeline,
    {
        "regularizedplrnnregressor__alpha": [0, 0.01, 0.1, 1, 10],
        "regularizedplrnnregressor__init": ["random", "identity"],
    },
    cv=TimeSeriesSplit(4, test_size=500),
    n_jobs=2,
).fit(X_train, y_train)

print("best:", {name.split("__")[1]: value for name, value in search.best_params_.items()})
print(f"R^2 on the last 500 days: {search.score(X_test, y_test):.2f}")
noise_free = 1 - np.mean((y - level)[4000:] ** 2) / y_test.var()
print(f"R^2 of the true level:    {noise_free:.2f}")

# %%
# From a random start the penalty helps up to a point, and too much of it leaves no unit that
# forgets at the right pace. Units that start as integrators need it less: training only has to find
# out what they should forget.

results = search.cv_results_
alphas = results["param_regularizedplrnnregressor__alpha"].astype(float)
inits = results["param_regularizedplrnnregressor__init"]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
for init in ("random", "identity"):
    chosen = inits == init
    standard_error = results["std_test_score"][chosen] / np.sqrt(search.n_splits_)
    left.errorbar(
        alphas[chosen], results["mean_test_score"][chosen], standard_error, fmt="o-", label=init
    )
left.set_xscale("symlog", linthresh=0.01)
left.set(xlabel="alpha", ylabel="R$^2$, mean of 4 folds and its error", title="Cross-validation")
left.legend(title="init", loc="center left")
right.plot(y_test, ".", color="0.7", ms=4, label="measured")
right.plot(search.predict(X_test), color="C1", label="predicted from rain and sun")
right.set(xlabel="day", ylabel="level", title="The days after training")
right.set_ylim(3, 11)
right.legend(loc="upper left", ncols=2)
plt.show()

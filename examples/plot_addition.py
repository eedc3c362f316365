"""
Addition with and without the regularizer
=========================================

Two numbers far apart in a sequence have to be added up at its end. A network whose units forget
cannot learn this, because no gradient reaches back that far. Half of the units here are pulled
towards marginal stability (A = 1, W = h = 0), and everything else is equal: the same random start,
the same data, the same number of steps.
"""

# %%
# A sequence has 60 steps with two inputs: a random number, and a marker that is 1 at two of them.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_plrnn import RegularizedPLRNNRegressor
from sklearn_plrnn.datasets import make_addition

X, y = make_addition(2000, 60, random_state=0)
X_test, y_test = make_addition(2000, 60, random_state=1)

# %%
# ``init="random"`` treats no unit in a special way: what differs is the penalty alone. The third
# model also *starts* with perfect integrators, which is the default.

settings = {
    "no regularizer": {"alpha": 0.0, "init": "random"},
    "regularizer": {"alpha": 5.0, "init": "random"},
    "regularizer and its start": {"alpha": 5.0, "init": "identity"},
}
models = {
    name: RegularizedPLRNNRegressor(
        20, max_iter=60, dtype="float32", random_state=0, **parameters
    ).fit(X, y)
    for name, parameters in settings.items()
}
for name, model in models.items():
    correct = np.mean(np.abs(model.predict(X_test) - y_test) < 0.04)
    print(f"{name:26} answers to within 0.04: {correct:.2f}")

# %%
# On the left the sums that the models give for new sequences. On the right the auto-regression
# weights: the regularized half has come to rest near 1, and what it holds it keeps.

figure, axes = plt.subplots(1, 4, figsize=(14, 3.6), layout="constrained")
for axis, (name, model) in zip(axes, models.items(), strict=False):
    axis.plot([0, 2], [0, 2], color="0.7", lw=1)
    axis.plot(y_test, model.predict(X_test), ".", ms=2)
    axis.set(xlabel="sum", ylabel="answer", title=name, xlim=(0, 2), ylim=(0, 2))
for i, (name, model) in enumerate(models.items()):
    axes[3].plot(model.A_, "os^"[i], ms=5, label=name)
axes[3].axvspan(-0.5, 9.5, color="0.93", zorder=0)
axes[3].set(xlabel="unit (shaded: regularized)", ylabel="$A_{ii}$", title="Auto-regression")
axes[3].legend(fontsize="small", loc="upper right", framealpha=1)
axes[3].set_ylim(-0.3, 1.4)
plt.show()

"""
Addition: solved for, refined, or learned by gradients
======================================================

Two numbers far apart in a sequence have to be added up at its end. A network whose units forget
cannot learn this, because no gradient reaches back that far. Units that are pulled towards marginal
stability (A = 1, W = h = 0) hold what they are given. There are several ways to find out what that
should be.
"""

# %%
# A sequence has 60 steps with two inputs: a random number, and a marker that is 1 at two of them.

import time

import matplotlib.pyplot as plt
import numpy as np

from sklearn_plrnn import RegularizedPLRNNRegressor
from sklearn_plrnn.datasets import make_addition

X, y = make_addition(1000, 60, random_state=0)
X_test, y_test = make_addition(1000, 60, random_state=1)

# %%
# By default a first network is solved for, and Gauss-Newton steps then refine it on all parameters
# at once. ``max_iter=0`` leaves the first network as it is. The other two are trained by Adam, as
# in the paper that the regularizer comes from: on units that start as perfect integrators, and, for
# comparison, on a network without regularizer.

settings = {
    "closed-form start": {"max_iter": 0},
    "start and Gauss-Newton": {},
    "regularizer and Adam": {"alpha": 5.0, "init": "identity", "solver": "adam", "max_iter": 60},
    "Adam alone": {"alpha": 0.0, "init": "random", "solver": "adam", "max_iter": 60},
}
models, errors = {}, {}
for name, parameters in settings.items():
    model = RegularizedPLRNNRegressor(20, dtype="float32", random_state=0, **parameters)
    begin = time.perf_counter()
    models[name] = model.fit(X, y)
    seconds = time.perf_counter() - begin
    errors[name] = np.abs(model.predict(X_test) - y_test)
    right = np.mean(errors[name] < 0.04)
    print(f"{name:24} answers to within 0.04: {right:5.1%}   {seconds:4.1f} s")

# %%
# On the left the errors on new sequences, with a line at 0.04. On the right the auto-regression
# weights: where there is a regularizer, its half of the units is at 1 or close to it, and what it
# holds it keeps.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
share = np.arange(1, len(y_test) + 1) / len(y_test)
for (name, model), marker in zip(models.items(), "o.v^", strict=True):
    left.plot(np.sort(errors[name]), share)
    face = "none" if marker == "o" else None  # what is at the same place shows through
    right.plot(model.A_, marker, ms=9 if marker in "o." else 5, mfc=face, label=name)
left.axvline(0.04, color="0.7", lw=1, zorder=0)
left.set_xscale("log")
left.set(xlabel="error", ylabel="share of answers with less", title="New sequences")
left.set_xlim(1e-5, 2)
right.axvspan(-0.5, 9.5, color="0.93", zorder=0)
right.set(xlabel="unit (shaded: regularized)", ylabel="$A_{ii}$", title="Auto-regression")
right.set_xticks(range(0, 20, 5))
right.legend(loc=(0.5, 0.5), title="both figures")
plt.show()

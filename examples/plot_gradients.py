"""
Gradients over a thousand steps
===============================

The product of Jacobians along a trajectory is what a gradient meets on its way back. Without
regularization it vanishes or explodes. On units that are pulled towards marginal stability it stays
between bounds, which can be computed for each network and trajectory.
"""

# %%
# Three networks of 20 units learn to add two numbers, from sequences of 60 steps and by
# Gauss-Newton: one by default settings, with ten units regularized; one whose ten units start as
# perfect integrators, with no penalty to keep them so; one with neither.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_plrnn import RegularizedPLRNNRegressor
from sklearn_plrnn.analysis import gradient_norms
from sklearn_plrnn.datasets import make_addition

X, y = make_addition(1000, 60, random_state=0)
X_test, y_test = make_addition(1000, 60, random_state=1)
settings = {
    "regularized": {},
    "integrators at the start only": {"alpha": 0.0, "init": "identity"},
    "nothing of the kind": {"alpha": 0.0, "init": "random"},
}
models = {}
for name, parameters in settings.items():
    model = RegularizedPLRNNRegressor(20, solver="gauss-newton", random_state=0, **parameters)
    models[name] = model.fit(X, y)
    error = np.abs(model.predict(X_test) - y_test)
    print(f"{name:31} answers to within 0.04: {np.mean(error < 0.04):5.1%}")

# %%
# Each then reads one sequence of 1000 steps. Inputs push the latent states, and the Jacobians
# depend on these alone.

(sequence,), _ = make_addition(1, 1000, random_state=2)


def latent_states(model, inputs):
    """States before each step, which are what its Jacobian is taken at."""
    f = model.to_map()
    push = (inputs - model.input_mean_) / model.input_scale_ @ model.C_.T
    states = [model.initial_state_]
    for row in push[:-1]:
        states.append(f.step(states[-1]) + row)
    return np.array(states)


norms = {
    name: gradient_norms(model, latent_states(model, sequence)) for name, model in models.items()
}
for name, found in norms.items():
    print(
        f"{name:31} after 1000 steps {found.smallest[-1]:.0e} to {found.largest[-1]:.0e}, "
        f"bounds {found.lower[-1]:.0e} and {found.upper[-1]:.0e}"
    )

# %%
# Between the two lines are all gradients with respect to what the ten units held at the beginning;
# the shaded band is what the bounds allow. For the regularized network it has hardly widened after
# 1000 steps, though training went over 60 only. That its largest gradients are well above 1 is due
# to one of the other units, which reads the integrators with large weights. Without the penalty the
# bounds are lost within some ten steps; gradients of the second network then explode along some
# directions and vanish along others, and those of the third, which has learned nothing, vanish.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained", sharey=True)
steps = np.arange(1, 1001)
for axis, (name, found) in zip(axes, norms.items(), strict=True):
    floor, ceiling = 1e-40, 1e40
    band = np.clip(found.lower, floor, None), np.clip(found.upper, None, ceiling)
    axis.fill_between(steps, *band, color="C0", alpha=0.2, lw=0, label="bounds")
    axis.loglog(steps, found.largest, color="C0", label="largest")
    axis.loglog(steps, found.smallest, color="C0", ls="--", label="smallest")
    axis.axhline(1, color="0.6", lw=0.8, zorder=0)
    axis.set(xlabel="steps", title=name.capitalize(), ylim=(1e-20, 1e12), xlim=(1, 1000))
axes[0].set_ylabel("gradient norm")
axes[0].legend(loc="lower left")
plt.show()

"""
What the integrators of a multiplication hold
=============================================

Two numbers in a sequence are marked, and at its end, after 200 steps, their product is due. Sums
over time can hold the two numbers, but not multiply them. The default start solves for what should
be summed up so that the product can be read from it, and Gauss-Newton steps refine the network.
"""

# %%
# An answer is right if it is within 0.04 of the product. Their mean, as the answer to everything,
# would be right in 11 % of all cases.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from sklearn_plrnn import RegularizedPLRNNRegressor
from sklearn_plrnn.datasets import make_multiplication

X, y = make_multiplication(1000, 200, random_state=0)
X_test, y_test = make_multiplication(1000, 200, random_state=1)

model = RegularizedPLRNNRegressor(30, dtype="float32", random_state=0)
for max_iter in (0, None):
    model.set_params(max_iter=max_iter).fit(X, y)
    answers = model.predict(X_test)
    right = np.mean(np.abs(answers - y_test) < 0.04)
    r2 = model.score(X_test, y_test)
    print(f"{model.n_iter_:2} Gauss-Newton steps: {right:.1%} right, R^2 {r2:.4f}")

figure, axis = plt.subplots(figsize=(4.2, 4), layout="constrained")
axis.fill_between([0, 1], [-0.04, 0.96], [0.04, 1.04], color="0.88", label="within 0.04")
axis.plot(y_test, answers, ".", ms=3, label="new sequences")
axis.set(xlabel="product", ylabel="answer", xlim=(0, 1), ylim=(-0.05, 1.05))
axis.legend(loc="upper left")
plt.show()

# %%
# Half of the units are regularized, and integrate. On one sequence they run at a steady rate from
# step to step, which bias and inputs without a mark give them, and jump at the two marks. Jumps and
# rates cancel at the end, where all sequences come together to within some standard deviations.
# That is the unit on the left, so that what is left at the end is too small to be seen there.
#
# Seen closely, on the right, the last states of all integrators are nearly on a plane, and on this
# plane every pair of numbers has a place of its own. As their order does not matter for the
# product, the square of pairs is folded into a triangle with bent sides. Equal numbers are along
# that from (0, 0) to (1, 1).

integrators = np.arange(15)
states = model.transform(X_test)[:, :, integrators].astype(float)
final = states[:, -1]
states = (states - final.mean(axis=0)) / final.std(axis=0)

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for step in np.flatnonzero(X_test[0, :, 1]):
    left.axvline(step, color="0.6", lw=1, ls="--")
left.plot(states[0][:, ::3])
left.set(xlabel="step (dashed: marked)", title="Five integrators on one sequence")
left.set_ylabel("state, in standard deviations of the last")

pca = PCA(2).fit(states[:, -1])
print(f"share of variance within the plane: {pca.explained_variance_ratio_.sum():.3f}")
plane = pca.transform(states[:, -1])
points = right.scatter(*plane.T, c=y_test, s=8)
right.set(xlabel="first principal component", ylabel="second", title="All last states")
numbers = np.sort(X_test[:, :, 0][X_test[:, :, 1] > 0].reshape(-1, 2))
for corner in ((0, 0), (0, 1), (1, 1)):
    nearest = np.abs(numbers - corner).sum(axis=1).argmin()
    right.annotate(str(corner), plane[nearest], (8, -3), textcoords="offset points")
right.margins(x=0.15)
figure.colorbar(points, ax=right, label="product")
plt.show()

"""
Digits, one pixel at a time
===========================

`RegularizedPLRNNClassifier` reads the 64 pixels of an image one after another, and says after the
last of them which digit it was. What the first rows have shown has to be held meanwhile. How much
of that is the work of the regularizer?
"""

# %%
# An array of shape (sequence, time, feature) may have any number of features; here it is one, the
# brightness of a pixel. ``n_channels=8`` with the flat images would read them row by row.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, train_test_split

from sklearn_plrnn import RegularizedPLRNNClassifier

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.data[:, :, np.newaxis], digits.target, random_state=0, stratify=digits.target
)

# %%
# With ``init="random"`` no unit is special at the start, and ``alpha`` alone makes the difference.
# The default ``init="identity"`` starts half of the units as integrators.

search = GridSearchCV(
    RegularizedPLRNNClassifier(
        40, max_iter=50, learning_rate_init=0.01, dtype="float32", random_state=0
    ),
    {"init": ["random", "identity"], "alpha": [0, 1, 10, 100, 1000]},
    cv=2,
).fit(X_train, y_train)
model = search.best_estimator_
print("best:", search.best_params_)
print(f"accuracy on {len(y_test)} new images: {model.score(X_test, y_test):.3f}")

# %%
# From a random start the penalty decides how well images are told apart; between 1 and 100 its
# strength does not matter much, and too much of it costs accuracy again. Units that start as
# integrators need it less.

results = search.cv_results_
inits, alphas = (results[f"param_{name}"] for name in ("init", "alpha"))
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for init in ("random", "identity"):
    chosen = inits == init
    left.plot(alphas[chosen].astype(float), results["mean_test_score"][chosen], "o-", label=init)
left.set_xscale("symlog", linthresh=1)
left.set(xlabel="alpha", ylabel="accuracy, mean of 2 folds", title="Cross-validation")
left.legend(title="init")
ConfusionMatrixDisplay.from_estimator(
    model, X_test, y_test, ax=right, cmap="Blues", colorbar=False, text_kw={"fontsize": 8}
)
right.set(title="New images", xlabel="predicted", ylabel="true")
plt.show()

# %%
# ``transform`` gives the last state of a sequence. A sequence that ends early has its last state
# there, so that the beginnings of one image, as a list, show how the states develop. Training has
# asked for an answer at the end only, and those before it jump with every row of the image. The
# free units go with the rows as well, while the regularized ones change slowly.

image = X_test[0]
beginnings = [image[:n_timesteps] for n_timesteps in range(1, 65)]
states, p = model.transform(beginnings), model.predict_proba(beginnings)

figure, axes = plt.subplot_mosaic(
    [["image", "regularized", "p"], ["image", "free", "p"]],
    figsize=(12, 4),
    layout="constrained",
    width_ratios=[1, 2, 2],
)
axes["image"].imshow(image.reshape(8, 8), cmap="gray_r")
axes["image"].set(title=f"A {y_test[0]}", xticks=[], yticks=[])
for name, units in (("regularized", slice(0, 20, 3)), ("free", slice(20, 40, 3))):
    axes[name].plot(np.arange(1, 65), states[:, units], lw=1)
    axes[name].set(ylabel=f"state, {name}", xlim=(1, 64))
axes["regularized"].set(title="Seven units of each kind", xticklabels=[])
axes["free"].set_xlabel("pixels read")
shown = axes["p"].imshow(
    p.T, aspect="auto", cmap="Blues", vmin=0, vmax=1, extent=(0.5, 64.5, 9.5, -0.5)
)
axes["p"].set(title="Probabilities", xlabel="pixels read", ylabel="digit", yticks=range(10))
figure.colorbar(shown, ax=axes["p"])
plt.show()

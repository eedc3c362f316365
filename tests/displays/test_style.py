"""What all displays promise: axes, keywords, names as they are, legible colours."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from sklearn.exceptions import NotFittedError

from sklearn_plrnn import DSReconstructor, RegularizedPLRNNRegressor
from sklearn_plrnn.displays import (
    EigenvalueDisplay,
    ForecastDisplay,
    GradientNormDisplay,
    LinearRegionDisplay,
    PhaseSpaceDisplay,
    PowerSpectrumDisplay,
    RegularizationPathDisplay,
    TrainingCurveDisplay,
)
from sklearn_plrnn.displays._linear_regions import COLOURS
from sklearn_plrnn.displays._style import DATA, WIDTH

SCORES = np.array([[0.5, 0.6], [0.8, 0.7], [0.4, 0.5]])

# How to draw each, one keyword argument of plot, the artist it is for.
DRAWN = {
    "forecast": (
        lambda model, X, **more: ForecastDisplay.from_estimator(
            model, X, n_timesteps=5, features=1, random_state=0, **more
        ),
        "prediction_kwargs",
        lambda display: display.prediction_lines_[0],
    ),
    "phase space": (
        lambda model, X, **more: PhaseSpaceDisplay.from_estimator(
            model, X, features=[0, 1], orbits=(), **more
        ),
        "simulated_kwargs",
        lambda display: display.simulated_,
    ),
    "power spectrum": (
        lambda model, X, **more: PowerSpectrumDisplay.from_estimator(model, X, features=1, **more),
        "observed_kwargs",
        lambda display: display.observed_lines_[0],
    ),
    "regularization path": (
        lambda model, X, **more: RegularizationPathDisplay(alphas=[9, 3, 1], scores=SCORES).plot(
            **more
        ),
        "mean_kwargs",
        lambda display: display.mean_line_,
    ),
    "eigenvalues": (
        lambda model, X, **more: EigenvalueDisplay.from_estimator(model, **more),
        "point_kwargs",
        lambda display: display.points_[0],
    ),
    "training curve": (
        lambda model, X, **more: TrainingCurveDisplay.from_estimator(model, **more),
        "validation_kwargs",
        lambda display: display.validation_line_,
    ),
    "gradient norms": (
        lambda model, X, **more: GradientNormDisplay.from_estimator(
            model, model.transform(X)[:20], **more
        ),
        "full_kwargs",
        lambda display: display.full_,
    ),
    "linear regions": (
        lambda model, X, **more: LinearRegionDisplay.from_estimator(
            model, model.transform(X), **more
        ),
        "edge_kwargs",
        lambda display: display.edges_,
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_display_draws_where_it_is_told(name, model, frame):
    draw, _, artist = DRAWN[name]
    figure, (given, untouched) = plt.subplots(1, 2)
    display = draw(model, frame, ax=given)
    assert display.ax_ is given and display.figure_ is figure
    assert artist(display).axes is given
    assert not untouched.has_data()
    assert given.get_xlabel() and given.get_ylabel()
    first = artist(display).get_xydata()
    again = display.plot(None, **({"features": [0, 1]} if name == "phase space" else {}))
    assert again is display and display.ax_ is not given
    if name not in ("forecast", "power spectrum"):  # all variables, where plot is not told
        np.testing.assert_array_equal(artist(display).get_xydata(), first)
    assert display.figure_.get_figwidth() <= WIDTH


@pytest.mark.parametrize("name", DRAWN)
def test_keywords_go_to_the_artist(name, model, frame):
    draw, keywords, artist = DRAWN[name]
    given = {"c": "tab:green", "lw": 4}  # short names, beside long ones in the defaults
    display = draw(model, frame, **{keywords: given})
    assert artist(display).get_color() == "tab:green"
    assert artist(display).get_linewidth() == 4
    assert given == {"c": "tab:green", "lw": 4}


@pytest.mark.parametrize("sheet", ["default", "dark_background"])
@pytest.mark.parametrize("name", DRAWN)
def test_a_display_is_rendered_whole_in_any_style(name, sheet, model, frame):
    with plt.style.context(sheet):
        display = DRAWN[name][0](model, frame)
        display.figure_.canvas.draw()
    width, height = display.figure_.canvas.get_width_height()
    for axis in (display.ax_.xaxis, display.ax_.yaxis):
        box = axis.label.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height


def luminance(colour):
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [
        0.2126,
        0.7152,
        0.0722,
    ]


@pytest.mark.parametrize("colour", [DATA, *COLOURS])
def test_colours_are_seen_on_white_and_on_black(colour):
    y = luminance(colour)
    assert 1.05 / (y + 0.05) >= 3 and (y + 0.05) / 0.05 >= 3


def test_names_are_shown_as_they_are(model, frame):
    display = ForecastDisplay.from_estimator(model, frame, n_timesteps=5, random_state=0)
    display.figure_.canvas.draw()  # "$\\frac{" would be an error in mathematical text
    assert [ax.get_ylabel().replace(r"\$", "$") for ax in display.ax_] == list(frame.columns)


def test_features_by_name_or_index(model, frame):
    display = PowerSpectrumDisplay.from_estimator(model, frame, features=["a&b", 0])
    assert [ax.get_ylabel() for ax in display.ax_] == ["a&b", frame.columns[0]]
    for features in ("unknown", [3], [-4]):
        with pytest.raises(ValueError, match="features has"):
            display.plot(features=features)
    with pytest.raises(ValueError, match="ax holds 1 axes; expected 2"):
        display.plot(plt.subplots()[1], features=[0, 1])


@pytest.mark.parametrize("display", [PhaseSpaceDisplay, PowerSpectrumDisplay])
def test_one_trajectory_at_a_time(display, model, frame):
    with pytest.raises(ValueError, match="X has 3 dimensions; expected one trajectory"):
        display.from_estimator(model, np.stack([frame, frame]))


@pytest.mark.parametrize("display", [ForecastDisplay, PhaseSpaceDisplay, PowerSpectrumDisplay])
def test_only_a_reconstruction_runs_by_itself(display, frame):
    regressor = RegularizedPLRNNRegressor(4, max_iter=1).fit(frame, frame["a&b"])
    with pytest.raises(TypeError, match="must be a fitted DSReconstructor; got Regularized"):
        display.from_estimator(regressor, frame)
    with pytest.raises(NotFittedError):
        display.from_estimator(DSReconstructor(), frame)

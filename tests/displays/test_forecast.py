"""`ForecastDisplay` shows what `forecast` says, beside what was measured."""

import numpy as np
import pytest

from sklearn_plrnn.displays import ForecastDisplay


def test_forecast_and_interval_are_those_of_the_estimator(model, frame):
    past, future = frame[:300], frame[300:320].to_numpy()
    display = ForecastDisplay.from_estimator(
        model, past, n_timesteps=20, y_true=future, coverage=0.8, n_past=30, dt=0.01, random_state=3
    )
    expected, ends = model.forecast(
        20, past, quantiles=[(1 - 0.8) / 2, (1 + 0.8) / 2], random_state=3
    )
    for i, (line, true, band) in enumerate(
        zip(display.prediction_lines_, display.true_lines_, display.bands_, strict=True)
    ):
        np.testing.assert_allclose(line.get_xdata(), 0.01 * np.arange(1, 21))
        np.testing.assert_array_equal(line.get_ydata(), expected[:, i])
        np.testing.assert_allclose(true.get_xdata(), 0.01 * np.arange(-29, 21))
        np.testing.assert_array_equal(true.get_ydata(), frame.iloc[270:320, i])
        height = band.get_paths()[0].vertices[:, 1]
        assert set(ends[:, :, i].ravel().tolist()) <= set(height.tolist())
    assert display.ax_[-1].get_xlabel() == "time ahead"
    labels = [text.get_text() for text in display.ax_[0].get_legend().get_texts()]
    assert labels == ["measured", "80 % interval", "forecast"]


def test_inputs_are_shown_to_the_model_and_not_to_the_reader(driven):
    X, model = driven
    display = ForecastDisplay.from_estimator(
        model, X[:-50], n_timesteps=50, inputs=X[-50:, 2:], random_state=0
    )
    assert [ax.get_ylabel() for ax in display.ax_] == ["x0", "x1"]
    expected = model.forecast(50, X[:-50], inputs=X[-50:, 2:])
    np.testing.assert_array_equal(display.y_pred, expected)


def test_predictions_of_any_model(rng):
    y = rng.normal(size=30)
    display = ForecastDisplay.from_predictions(None, y)
    assert not display.bands_ and not display.true_lines_
    assert display.ax_.get_xlabel() == "steps ahead"
    display = ForecastDisplay.from_predictions(y[:10], y, lower=y - 1, upper=y + 1)
    assert display.true_lines_[0].get_xdata().tolist() == list(range(1, 11))


@pytest.mark.parametrize("beyond", [1e11, np.inf])
def test_an_interval_that_explodes_hides_nothing(beyond, rng):
    y = rng.uniform(size=30)
    upper = y + np.r_[np.zeros(29), beyond]
    display = ForecastDisplay.from_predictions(y, y, lower=y - 0.1, upper=upper)
    display.figure_.canvas.draw()
    low, high = display.ax_.get_ylim()
    assert -0.6 < low < y.min() and y.max() < high < 1.6


@pytest.mark.parametrize("past", [np.full(5, np.nan), np.ones(5)])
def test_a_past_that_tells_no_range(past):
    display = ForecastDisplay.from_predictions(None, [1.0, 3.0], y_past=past)
    low, high = display.ax_.get_ylim()
    assert low <= 1 and high >= 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lower": [0, 0]}, "give both or none"),
        ({"lower": [0, 0], "upper": [1, 1, 1]}, "upper has 3 rows, but y_pred has 2"),
        ({"y_past": np.zeros((4, 2))}, r"y_past has shape \(4, 2\); expected \(time, 1\)"),
    ],
)
def test_shapes_must_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        ForecastDisplay.from_predictions(None, [0.0, 1.0], **arguments)


def test_bad_coverage_is_named(model, frame):
    with pytest.raises(ValueError, match="coverage"):
        ForecastDisplay.from_estimator(model, frame, coverage=1.5)

"""`reconstruction_report`: all that can be told of a reconstruction, on one page.

The page asks nothing of the network and runs no script: styles are inside, pictures are data
addresses, each in a light and a dark version of which the browser takes one. Whatever comes from
the user, such as names of columns, is text, and escaped.
"""

import io
from base64 import b64encode
from html import escape
from numbers import Real
from pathlib import Path

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from ..analysis import (
    fixed_points,
    kaplan_yorke_dimension,
    lyapunov_spectrum,
    time_constants,
)
from ..metrics import forecast_r2_scorer, power_spectrum_distance, state_space_divergence
from ._eigenvalues import EigenvalueDisplay
from ._forecast import ForecastDisplay
from ._gradient_norms import GradientNormDisplay
from ._linear_regions import LinearRegionDisplay
from ._observed import names_of, single_run
from ._phase_space import PhaseSpaceDisplay
from ._power_spectrum import PowerSpectrumDisplay
from ._style import WIDTH
from ._training_curve import TrainingCurveDisplay

MIN_ROWS = 40
MAX_FORECAST = 200  # steps
MAX_GRADIENT = 500  # steps
MAX_VARIABLES, MAX_POINTS, MAX_EXPONENTS = 6, 20, 10  # shown
SHEETS = {"light": ["default"], "dark": ["default", "dark_background"]}
CLEAR = {"figure.facecolor": "none", "axes.facecolor": "none"}

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem;
  color: #111; background: #fff; overflow-wrap: anywhere; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
th, td {{ text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #8886;
  vertical-align: top; font-variant-numeric: tabular-nums; }}
pre {{ white-space: pre-wrap; }}
figure {{ display: inline-block; margin: 1rem 1rem 1rem 0; max-width: 100%; vertical-align: top; }}
figcaption {{ font-weight: 600; }}
img {{ max-width: 100%; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #eee; background: #000; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


@validate_params(
    {
        "estimator": "no_validation",
        "X": "no_validation",
        "path": [str, Path, None],
        "title": [str],
        "dt": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def reconstruction_report(
    estimator, X, *, path=None, title="Reconstruction", dt=1.0, random_state=0
):
    """Report on a fitted reconstruction, as one self-contained HTML page.

    Model and parameters; how a free run and forecasts compare with X, and what the two halves of X
    score against each other; displays; fixed points; Lyapunov exponents. Inputs, if there are any,
    are at their mean in training for the last two.

    Parameters
    ----------
    estimator : DSReconstructor
        A fitted estimator.
    X : array-like of shape (n_timesteps, n_features)
        One trajectory of at least 40 rows, best one that training has not seen.
    path : str, Path or None, default=None
        File to write the page to.
    title : str, default="Reconstruction"
        Title of the page.
    dt : float, default=1.0
        Time that a step takes.
    random_state : int, RandomState instance or None, default=0
        Seed of the runs for forecast intervals.

    Returns
    -------
    page : str
        HTML, with pictures inside, for light and dark screens.

    Raises
    ------
    ValueError
        If X is not one trajectory, or too short.

    See Also
    --------
    sklearn_plrnn.metrics.state_space_divergence : What is compared.

    Examples
    --------
    >>> from sklearn_plrnn import DSReconstructor
    >>> from sklearn_plrnn.datasets import make_van_der_pol
    >>> from sklearn_plrnn.displays import reconstruction_report
    >>> X = make_van_der_pol(1000, random_state=0)
    >>> model = DSReconstructor(n_hidden=20, max_iter=5, random_state=0).fit(X)
    >>> page = reconstruction_report(model, X, dt=0.05, title="Van der Pol")
    >>> page.startswith("<!DOCTYPE html>")
    True
    """
    run = single_run(estimator, X)
    if len(X) < MIN_ROWS:
        raise ValueError(f"X has {len(X)} rows; a report needs at least {MIN_ROWS}.")
    points = fixed_points(estimator)
    sections = {
        "Model": _summary(estimator),
        "Scores": _scores(estimator, X, run),
        "Pictures": _pictures(estimator, X, run, points, dt, random_state),
        "Fixed points": _fixed_points(estimator, points, dt),
        "Lyapunov exponents": _lyapunov(estimator, dt),
    }
    body = "\n".join(f"<h2>{name}</h2>\n{content}" for name, content in sections.items())
    page = PAGE.format(title=escape(title), body=body)
    if path is not None:
        Path(path).write_text(page, encoding="utf-8", errors="xmlcharrefreplace")
    return page


def _strength(estimator):
    """Of the penalty: as given, or chosen by cross-validation."""
    return estimator.alpha_ if hasattr(estimator, "alpha_") else estimator.alpha


def _summary(estimator):
    units = str(len(estimator.A_))
    if strength := _strength(estimator):
        n_regularized = len(estimator.regularized_units_)
        units += f", {n_regularized} of them regularized with strength {strength:.3g}"
    sizes = {name: size for name, size in estimator.sizes_.items() if name != "n_components"}
    n_parameters = sum(getattr(estimator, f"{name}_").size for name in estimator.parameter_names_)
    noise = zip(names_of(estimator), estimator.observation_noise_, strict=True)
    noise = ", ".join(f"{name} {level:.3g}" for name, level in list(noise)[:MAX_VARIABLES])
    rows = {
        "architecture": estimator.architecture_,
        "units": units,
        **sizes,
        "parameters": n_parameters,
        "readout": estimator.readout_,
        "solver": f"{estimator.solver_}, {estimator.n_iter_} epochs",
        "best loss": f"{estimator.best_loss_:.3g}",
        "noise of measurement (standard deviation)": noise,
    }
    return f"<pre>{escape(repr(estimator))}</pre>\n{_table(None, rows.items())}"


def _scores(estimator, X, run):
    """Measures of the free run beside the same of the second half of X, and of forecasts."""
    half = len(run[1]) // 2
    first, second, free = run[0][:half], run[0][half : 2 * half], run[1][:half]
    rows = []
    for name, measure in (
        ("state-space divergence", state_space_divergence),
        ("power spectrum distance", power_spectrum_distance),
    ):
        values = [f"{measure(first, y):.3g}" for y in (free, second)]
        rows.append([f"{name}, {half} rows", *values])
    variance = np.nanvar(run[0], axis=0)
    noise = estimator.observation_noise_**2 / np.where(variance > 0, variance, 1)
    ceiling = max(0.0, 1 - float(noise.mean()))
    for lead in (1, estimator.score_horizon):
        r2 = forecast_r2_scorer(lead)(estimator, X)
        rows.append([f"R² of forecasts, lead {lead}", f"{r2:.4f}", f"{ceiling:.4f}"])
    note = (
        "Divergence and distance: smaller is better. A free run, and for the floor the second half "
        "of X, are compared with the first half, so that what time and chance alone do is counted. "
        "R²: larger is better, and noise of measurement sets its limit."
    )
    return f"{_table(['', 'model', 'floor or limit'], rows)}\n<p>{note}</p>"


def _pictures(estimator, X, run, points, dt, random_state):
    """All displays that suit the model, as figures."""
    names = names_of(estimator)
    shown = list(range(min(len(names), MAX_VARIABLES)))
    n_ahead = min(MAX_FORECAST, len(X) // 4)
    past, (future, inputs) = X[:-n_ahead], estimator.split_inputs(X[-n_ahead:])
    states = estimator.transform(X)
    forecast = lambda ax, **keywords: ForecastDisplay.from_estimator(
        estimator,
        past,
        n_timesteps=n_ahead,
        y_true=future,
        inputs=inputs,
        random_state=random_state,
        dt=dt,
        ax=ax,
        **keywords,
    )
    spectrum = lambda ax, **keywords: PowerSpectrumDisplay.from_predictions(
        *run, feature_names=names, dt=dt, ax=ax, **keywords
    )
    space = lambda ax: PhaseSpaceDisplay.from_predictions(
        *run, orbits=points, feature_names=names, ax=ax
    )
    regions = lambda ax: LinearRegionDisplay.from_estimator(estimator, states, ax=ax)
    eigenvalues = lambda ax: EigenvalueDisplay.from_estimator(estimator, orbits=points, ax=ax)
    training = lambda ax: TrainingCurveDisplay.from_estimator(estimator, ax=ax)
    # A map knows of no regularized units; where nothing was regularized, they mean nothing.
    model = estimator if _strength(estimator) > 0 else estimator.to_map()
    gradients = lambda ax: GradientNormDisplay.from_estimator(model, states[:MAX_GRADIENT], ax=ax)
    figures = [
        _figure(f"The last {n_ahead} rows of X, forecast", forecast, len(shown), features=shown),
        _figure("Power spectra", spectrum, len(shown), features=shown),
    ]
    if len(names) > 1:
        projection = "3d" if len(names) > 2 else None
        figures.append(_figure("Attractors", space, projection=projection))
    if states.shape[1] > 1:
        figures.append(_figure("Linear regions along X", regions))
    if len(points):
        figures.append(_figure("Eigenvalues at fixed points", eigenvalues))
    if estimator.loss_curve_:
        figures.append(_figure("Training", training))
    figures.append(_figure("Gradients along X", gradients))
    return "\n".join(figures)


def _figure(caption, draw, n_axes=1, projection=None, **keywords):
    """A display in both styles; `draw` makes it in given axes, and it draws itself again."""
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (1.3 * WIDTH, 1.1 * WIDTH if n_axes == 1 else 1.7 * n_axes)
    addresses, display = {}, None
    for name, sheet in SHEETS.items():
        with style.context([*sheet, CLEAR]):
            figure = Figure(size, layout="constrained", dpi=110)
            grid = {"squeeze": False, "sharex": True, "subplot_kw": {"projection": projection}}
            axes = figure.subplots(n_axes, **grid)[:, 0]
            display = (draw if display is None else display.plot)(axes, **keywords)
            buffer = io.BytesIO()
            FigureCanvasAgg(figure).print_png(buffer)  # savefig would arrange everything twice
        addresses[name] = f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"
    return (
        f"<figure><figcaption>{caption}</figcaption><picture>"
        f'<source media="(prefers-color-scheme: dark)" srcset="{addresses["dark"]}">'
        f'<img alt="{caption}" src="{addresses["light"]}"></picture></figure>'
    )


def _fixed_points(estimator, points, dt):
    complete = points.exhaustive and not points.singular
    continuum = " Where their equations are singular there may be a continuum of them."
    singular = continuum if points.singular else ""
    if not len(points):
        found = "There are none." if complete else "None was found."
        return f"<p>{found}{singular}</p>"
    names = names_of(estimator)[:MAX_VARIABLES]
    slowest = time_constants(estimator, np.concatenate([p.states for p in points]), dt=dt).modes
    rows = [
        [
            point.kind,
            *(f"{x:.4g}" for x in point.observations[0][:MAX_VARIABLES]),
            f"{np.abs(point.eigenvalues[0]):.4f}",
            f"{times[0]:.3g}",
        ]
        for point, times in zip(points, slowest, strict=True)
    ]
    count = f"{len(points)} found" + (", and there are no others" if complete else "")
    if len(points) > MAX_POINTS:
        count += f"; the first {MAX_POINTS} of them"
    header = ["", *names, "largest |eigenvalue|", "time constant of it"]
    note = "A negative time constant is one of growth."
    return f"<p>{count}.{singular} {note}</p>\n{_table(header, rows[:MAX_POINTS])}"


def _lyapunov(estimator, dt):
    try:
        exponents = lyapunov_spectrum(estimator, 5000, dt=dt)
    except ValueError as error:
        return f"<p>{escape(str(error))}</p>"
    rows = [[i + 1, f"{x:.4g}"] for i, x in enumerate(exponents[:MAX_EXPONENTS])]
    dimension = kaplan_yorke_dimension(exponents)
    note = f"From 5000 steps. Kaplan-Yorke dimension {dimension:.3f}."
    return f"{_table(['', 'per step' if dt == 1 else 'per unit of time'], rows)}\n<p>{note}</p>"


def _table(header, rows):
    """Rows of anything as an HTML table, the first cell of each being its name."""
    cells = lambda tag, row: "".join(f"<{tag}>{escape(str(x))}</{tag}>" for x in row)
    head = f"<thead><tr>{cells('th', header)}</tr></thead>" if header else ""
    lines = (f"<tr>{cells('th', row[:1])}{cells('td', row[1:])}</tr>" for row in rows)
    return f"<table>{head}<tbody>{''.join(lines)}</tbody></table>"

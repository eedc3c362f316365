"""`reconstruction_report`: one page, whole, harmless, true."""

import base64
import io
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.image import imread

from sklearn_plrnn import DSReconstructorCV
from sklearn_plrnn.analysis import fixed_points
from sklearn_plrnn.analysis._orbits import Orbits
from sklearn_plrnn.displays import reconstruction_report
from sklearn_plrnn.displays._report import _fixed_points
from sklearn_plrnn.metrics import forecast_r2_scorer, power_spectrum_distance

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), 0
)
VOID = {"meta", "img", "source"}


class Page(HTMLParser):
    """Tags, attributes and texts of a page; every tag that is opened must be closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data.strip())

    def row(self, name):
        """Texts of the cells after the one of this name, to the next row."""
        texts = [text for text in self.texts if text]
        return texts[texts.index(name) + 1 :]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Where the page is written."""
    return tmp_path_factory.mktemp("report") / "report.html"


@pytest.fixture(scope="module")
def page(model, frame, file):
    """The report on the small reconstruction."""
    return reconstruction_report(model, frame, path=file, title="<b>&", dt=0.01)


def test_nothing_is_fetched_and_nothing_runs(page):
    parsed = Page(page)
    assert "script" not in parsed.tags and "link" not in parsed.tags
    for name, value in parsed.attributes:
        assert not name.startswith("on")
        if name in ("src", "srcset", "href"):
            assert value.startswith("data:image/png;base64,")
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in (
        parsed.attributes
    )
    assert "://" not in page


def test_hostile_names_are_text(page, frame):
    texts = Page(page).texts
    assert "<b>&" in texts
    assert all(name in texts for name in frame.columns)


def test_pictures_are_there_for_light_and_dark(page):
    pictures = [
        imread(io.BytesIO(base64.b64decode(value.partition(",")[2])), format="png")
        for name, value in Page(page).attributes
        if name in ("src", "srcset")
    ]
    assert len(pictures) == 2 * 7
    for dark, light in zip(pictures[::2], pictures[1::2], strict=True):  # source before img
        assert dark.shape == light.shape
        seen = [x[x[..., 3] > 0.5][:, :3] for x in (dark, light)]
        assert np.quantile(seen[0], 0.95) > 0.9 and np.quantile(seen[1], 0.05) < 0.1


def test_numbers_are_those_of_metrics_and_analysis(page, model, frame):
    parsed, X = Page(page), frame.to_numpy()
    free = model.simulate(500, x0=X[0])[100:300]
    distance, floor = parsed.row("power spectrum distance, 200 rows")[:2]
    assert distance == f"{power_spectrum_distance(X[:200], free):.3g}"
    assert floor == f"{power_spectrum_distance(X[:200], X[200:]):.3g}"
    r2, limit = map(float, parsed.row("R² of forecasts, lead 10")[:2])
    assert r2 == pytest.approx(forecast_r2_scorer(10)(model, frame), abs=1e-4)
    assert 0.99 < limit < 1  # of 2 % noise
    point = fixed_points(model)[0]
    cells = parsed.row("time constant of it")
    assert cells[0] == point.kind
    assert cells[1:4] == [f"{x:.4g}" for x in point.observations[0]]


def test_it_is_written_where_told(page, file):
    assert file.read_text(encoding="utf-8") == page


def test_a_driven_model_of_one_variable_and_one_unit_chosen_by_cross_validation(rng):
    u = rng.normal(size=100)
    X = np.c_[np.convolve(u, 0.9 ** np.arange(30))[:100], u]
    parameters = {"input_features": [1], "readout": "affine", "max_iter": 1}
    model = DSReconstructorCV(1, n_hidden=5, alphas=[2.5], cv=2, random_state=0, **parameters)
    page = reconstruction_report(model.fit(X), X)
    assert Page(page).row("units")[0] == "1, 1 of them regularized with strength 2.5"
    assert "Attractors" not in page and "Linear regions" not in page


@pytest.mark.parametrize(
    ("orbits", "exhaustive", "singular", "said"),
    [
        ([], True, False, "There are none."),
        ([], False, False, "None was found."),
        ([], True, True, "None was found. Where their equations are singular"),
    ],
)
def test_what_is_said_of_fixed_points_that_are_not_there(orbits, exhaustive, singular, said, model):
    assert said in _fixed_points(model, Orbits(orbits, exhaustive, singular), 1.0)


def test_bad_input_is_named(model, frame):
    with pytest.raises(ValueError, match="X has 39 rows"):
        reconstruction_report(model, frame[:39])
    with pytest.raises(ValueError, match="expected one trajectory"):
        reconstruction_report(model, [frame, frame])


@pytest.mark.skipif(not BROWSER, reason="no Chromium on the path (Debian: chromium)")
def test_a_browser_shows_it(page, file, tmp_path):
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    run = subprocess.run(
        [BROWSER, *options, "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "<title>&lt;b&gt;&amp;</title>" in run.stdout  # no script has changed it
    assert "Lyapunov exponents" in run.stdout and "data:image/png" in run.stdout

"""One BLAS thread, no window for figures, a hypothesis profile, and small fixtures."""

import os
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"  # before anything imports matplotlib

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

from sklearn_plrnn._training import checkpoint
from sklearn_plrnn.datasets import make_lorenz63

COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile("plrnn", **COMMON)
settings.register_profile("plrnn-ci", derandomize=True, **COMMON)
settings.load_profile("plrnn-ci" if os.environ.get("CI") else "plrnn")


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    """Products of small matrices are slower when shared, and workers would compete."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture
def rng():
    """A generator in the same state for every test."""
    return np.random.default_rng(0)


@pytest.fixture
def eager(monkeypatch):
    """With `checkpoint_dir`, the state of every epoch is written."""
    monkeypatch.setattr(checkpoint, "INTERVAL", -1)
    monkeypatch.setattr(checkpoint, "SHARE", np.inf)
    monkeypatch.setattr(checkpoint.os, "fsync", lambda file: None)  # which takes long


@pytest.fixture
def series():
    """Two noisy oscillations of different periods, (60, 2)."""
    phase = 2 * np.pi * np.arange(60)[:, None] / [12, 20]
    return np.sin(phase) + 0.01 * np.random.default_rng(1).normal(size=(60, 2))


@pytest.fixture(scope="session")
def shared_data():
    """Folder of optional reference data, beside the repository."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("optional reference data are not there: ../shared/data beside the repository")
    return folder


@pytest.fixture(scope="module")
def lorenz():
    """A piece of the Lorenz attractor, (400, 3)."""
    return make_lorenz63(400, random_state=0)

"""Compiled kernels on disk: shared by processes, and done without where there is no place."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

numba = pytest.importorskip("numba")
compilation = pytest.importorskip("sklearn_plrnn._recurrence.compilation")

RUN = """
import sys
import numpy as np
from sklearn_plrnn._recurrence import PiecewiseLinearMap, propagate
for dtype in sys.argv[1:]:
    f = PiecewiseLinearMap(*(x.astype(dtype) for x in (np.ones(2), np.ones((2, 2)), np.ones(2))))
    assert propagate(f, np.zeros((1, 2), dtype), n_timesteps=2)[-1, 0, 0] == 4
"""


def start(cache, *dtypes):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "SKLEARN_PLRNN_ENGINE": "numba"}
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen([sys.executable, "-c", RUN, *dtypes], env=environment, cwd=root)


@pytest.mark.slow
def test_processes_that_compile_at_the_same_time_leave_a_sound_cache(tmp_path):
    both = [start(tmp_path, dtype) for dtype in ("float32", "float64")]
    assert [process.wait() for process in both] == [0, 0]
    written = sorted(tmp_path.rglob("*.nb?"))
    assert len(written) == 4
    assert start(tmp_path, "float64", "float32").wait() == 0
    assert sorted(tmp_path.rglob("*.nb?")) == written


def test_kernels_are_compiled_where_nothing_can_be_written(monkeypatch):
    def njit(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return numba.njit(**options)

    monkeypatch.setattr(compilation, "njit", njit)
    double = compilation.compiled(lambda x: x + x)
    for dtype, kernel in double.items():
        assert kernel(np.ones(3, dtype)).dtype == dtype

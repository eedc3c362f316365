"""Where joblib runs the fits of one machine changes no bit of what they leave."""

import pytest
from fits import assert_same, fits
from joblib import parallel_config


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_fits_are_those_of_one_process(backend):
    here = fits()
    with parallel_config(backend, n_jobs=2, max_nbytes=1000):  # data are read-only files
        there = fits()
    for fitted, expected in zip(there, here, strict=True):
        assert_same(fitted, expected)

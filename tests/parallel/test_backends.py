"""Where joblib runs fits, on one machine, changes no bit of what they leave."""

import pytest
from fits import NAMES, assert_same, fit, fitted_here
from joblib import parallel_config


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_fits_are_those_of_one_process(backend):
    with parallel_config(backend, n_jobs=2, max_nbytes=1000):  # data become read-only files
        fitted = [fit(name) for name in NAMES]
    for name, model in zip(NAMES, fitted, strict=True):
        assert_same(model, fitted_here(name))

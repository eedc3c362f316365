"""Every registered forcing: gains within [0, 1], where and how strong."""

import numpy as np
import pytest

from sklearn_plrnn._model.forcing import FORCINGS, Generalized, Sparse


@pytest.mark.parametrize("name", sorted(FORCINGS))
def test_gain_is_a_share(name):
    gain = FORCINGS[name](0.4, 3).gain(10, np.float32)
    assert gain.shape == (10, 1, 1) and gain.dtype == np.float32
    assert gain.min() >= 0 and gain.max() == np.float32(0.4)


def test_generalized_forces_always_sparse_at_intervals():
    np.testing.assert_array_equal(Generalized(0.2, 4).gain(6, float)[:, 0, 0], [0.2] * 6)
    np.testing.assert_array_equal(Sparse(1.0, 4).gain(6, float)[:, 0, 0], [1, 0, 0, 0, 1, 0])

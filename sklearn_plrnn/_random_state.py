"""Seeds, with one rule of our own: None never draws from numpy's global generator."""

import numpy as np
from sklearn.utils import check_random_state


def local_random_state(random_state):
    """A `RandomState` from a seed, a `RandomState`, or (None) fresh entropy."""
    if random_state is None:
        random_state = int(np.random.default_rng().integers(2**32))
    return check_random_state(random_state)

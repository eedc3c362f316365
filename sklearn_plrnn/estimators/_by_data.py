"""What follows from the data where nobody has said it: sizes, penalties, lengths of windows."""

from itertools import pairwise

import numpy as np

from .._model.shooting import precision_of
from ._analogues import steps_together
from ._autocorrelation import find_period

NUMBERS_PER_PARAMETER = 10  # at least, measured, for hidden units
MIN_HIDDEN, MAX_HIDDEN = 10, 100
HIDDEN_PER_COMPONENT = 25  # where that is more than the most
FEW = 100  # measured numbers per parameter, below which training begins with smoothed rows
WEIGHT = 0.15  # standard deviation of a weight, as far as is known before

FORCED = {"observed": 50, "unobserved": 100}  # steps; what is not forced remembers more
FREE = 10, 100  # steps of windows that run freely, but of a period more
SOON = 10  # steps for which what was alike stays so; with fine steps 14, beside noise of 0.5
PER_TOGETHER = 2  # times so many steps are windows long, at most, where that is so soon
PER_NOISE = 1000  # by how many they grow with the noise, in standard deviations of X
PER_SPAN = 3  # by how many, at least, with what delays reach back
FIRST = 5  # steps, at least, of those from a start that may be poor
ITERATIONS = 3  # for windows of one length, about, where a period is to be followed


def hidden_units(n_components, n_measured):
    """As many as so many measured numbers can tell."""
    n_numbers = NUMBERS_PER_PARAMETER * (2 * n_components + 1)
    most = max(MAX_HIDDEN, HIDDEN_PER_COMPONENT * n_components)
    return int(np.clip(n_measured // n_numbers, MIN_HIDDEN, most))


def ridge(objective, n_measured, noise):
    """Strength of the ridge penalty that weights of a usual size call for, beside noise (N,)."""
    sizes = objective.sizes()
    size = np.mean([sizes[name] for name in objective.weights(sizes)])
    return float(size / (WEIGHT**2 * precision_of(noise).mean()) / n_measured)


def are_few(n_measured, objective):
    """Whether what is measured hardly determines the parameters."""
    return n_measured < FEW * sum(objective.sizes().values())


def is_observed(objective):
    """Whether what is measured determines all units."""
    return objective.cell.n_components <= objective.readout.n_outputs


def forced_steps(objective):
    """Steps of windows that forcing holds to the data."""
    return FORCED["observed" if is_observed(objective) else "unobserved"]


def free_steps(series, noise, span=0):
    """Steps of windows that run freely over a standardized series with noise (N,), ever more.

    The noisier rows are, the more of them it takes to tell where a window started; but where what
    was alike is soon apart, as in a chaotic map, nothing can be followed for longer. What is wrong
    with the length of a period hides in the noise of a part of it: to be followed last. Where rows
    are delays that reach back by `span`, a window shorter than that holds pieces of the series that
    have no row in common, and nothing holds their runs together.
    """
    usual, least = int(np.clip(PER_NOISE * noise.max(), *FREE)), PER_SPAN * span
    if series.inputs.shape[1] == 0:  # these part what was alike, but are known
        segments = np.split(series.observed, np.cumsum(series.lengths)[:-1])
        together = steps_together(segments, SOON + 1)
        if together <= SOON:
            return [max(min(PER_TOGETHER * together, usual), least)]
    usual = max(usual, least)
    period = find_period(series.observed, series.lengths, noise)
    return [usual] if period <= usual else [usual, period]


def stages(steps, n_iter):
    """Lengths of windows for so many iterations: `steps`, what leads to the first and lies between.

    Each is about half the next, for runs of a model that is not yet so good get lost in windows
    much longer. Between `steps` there are no more than iterations can serve.
    """
    lengths = [steps[0]]
    while lengths[0] >= 2 * FIRST:
        lengths.insert(0, lengths[0] // 2)
    for shorter, longer in pairwise(steps):
        n_doublings = int(np.ceil(np.log2(longer / shorter)))
        n_served = n_iter // ITERATIONS - len(lengths)
        between = np.geomspace(shorter, longer, max(1, min(n_doublings, n_served)) + 1)
        lengths += between[1:].round().astype(int).tolist()
    return lengths

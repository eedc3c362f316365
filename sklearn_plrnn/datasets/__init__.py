"""Sequence problems with known answers and series of known dynamical systems."""

from ._systems import (
    make_bursting_neuron,
    make_lorenz63,
    make_lorenz96,
    make_mackey_glass,
    make_van_der_pol,
)
from ._tasks import make_addition, make_multiplication

__all__ = [
    "make_addition",
    "make_bursting_neuron",
    "make_lorenz63",
    "make_lorenz96",
    "make_mackey_glass",
    "make_multiplication",
    "make_van_der_pol",
]

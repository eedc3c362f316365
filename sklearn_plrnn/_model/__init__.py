"""What is learned: pure functions on a dict of parameter arrays.

A cell, a readout, a forcing and a penalty make up an `Objective`; each is a small immutable class
chosen by name from a registry (`CELLS`, `READOUTS`, `FORCINGS`, `PENALTIES`, `INITS`, `LOSSES`).
"""

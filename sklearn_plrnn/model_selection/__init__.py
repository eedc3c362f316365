"""Splits of one series into a past to learn from and a future to be tested on.

Those of scikit-learn are right wherever every sample is a sequence (`KFold`, `GroupKFold`), and
where predictions go on from the end of training (`TimeSeriesSplit`).
"""

from ._split import ContextTimeSeriesSplit

__all__ = ["ContextTimeSeriesSplit"]

"""`ContextTimeSeriesSplit`: test blocks that begin with rows in which a state can settle."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import TimeSeriesSplit
from sklearn.utils import check_scalar


class ContextTimeSeriesSplit(TimeSeriesSplit):
    """`TimeSeriesSplit` with the rows before each test block prepended to it.

    A recurrent model that starts anew at a test block does not know what came before, and is judged
    for it. Here every test block begins with `n_context` rows that lead up to it; they are also
    among the training rows (or in the gap), so they must not be scored: give the estimator
    ``washout=n_context``. `DSReconstructor` needs none of this for `score`, where a forecast is
    made from all the rows before it, but gains by knowing them.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits, at least 2.
    n_context : int, default=100
        Rows before each test block that are prepended to it.
    max_train_size : int or None, default=None
        Largest number of training rows, None for all.
    test_size : int or None, default=None
        Rows of a test block, without its context; None is ``n_timesteps // (n_splits + 1)``.
    gap : int, default=0
        Rows left out between training rows and test block. The context lies in it first.

    Attributes
    ----------
    n_splits, n_context, max_train_size, test_size, gap
        As given.

    See Also
    --------
    sklearn.model_selection.TimeSeriesSplit : Without context.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_plrnn import RegularizedPLRNNRegressor
    >>> from sklearn_plrnn.model_selection import ContextTimeSeriesSplit
    >>> for train, test in ContextTimeSeriesSplit(2, n_context=2).split(np.zeros((9, 1))):
    ...     print(train, test)
    [0 1 2] [1 2 3 4 5]
    [0 1 2 3 4 5] [4 5 6 7 8]
    >>> X = np.random.default_rng(0).normal(size=(300, 1))
    >>> y = np.convolve(X[:, 0], 0.8 ** np.arange(20))[:300]
    >>> model = RegularizedPLRNNRegressor(5, washout=20, max_iter=60, random_state=0)
    >>> scores = cross_val_score(model, X, y, cv=ContextTimeSeriesSplit(2, n_context=20))
    >>> bool(scores.min() > 0.8)
    True
    """

    def __init__(self, n_splits=5, *, n_context=100, max_train_size=None, test_size=None, gap=0):
        super().__init__(n_splits, max_train_size=max_train_size, test_size=test_size, gap=gap)
        self.n_context = n_context

    def split(self, X, y=None, groups=None):
        """Rows to train and to test on.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_features)
            The series.
        y : None
            Ignored.
        groups : None
            Ignored.

        Yields
        ------
        train : ndarray of shape (n_train,)
            Training rows.
        test : ndarray of shape (n_context + n_test,)
            Context and test rows.

        Raises
        ------
        ValueError
            If the series is too short for the splits, or for the context of the first of them.
        """
        check_scalar(self.n_context, "n_context", Integral, min_val=0)
        for train, test in super().split(X, y, groups):
            if self.n_context > test[0]:
                raise ValueError(
                    f"n_context={self.n_context} rows are needed before each test block, but the "
                    f"first begins at row {test[0]}."
                )
            yield train, np.arange(test[0] - self.n_context, test[-1] + 1)

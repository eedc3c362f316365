"""A fit as scikit-learn's callbacks see it: a tree of tasks, of runs of training, of epochs.

scikit-learn has callbacks from 1.9 on. Where an estimator has none, `NO_TASK` takes the place of
its tasks, and nobody watches the training.
"""

from contextlib import contextmanager

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before 1.9

    class CallbackSupportMixin:
        """What cannot be given callbacks."""


def begin_fit(estimator, X, y, sample_weight=None, max_subtasks=None):
    """The task that is a whole fit, begun; before anything is copied from the estimator."""
    if not hasattr(estimator, "_skl_callbacks"):
        return NO_TASK
    context = estimator._init_callback_context(max_subtasks=max_subtasks, sequential_subtasks=False)
    task = Task(context, estimator, told_of(X, y, sample_weight))
    task.begin()
    return task


def told_of(X, y, sample_weight=None):
    """What hooks are told of data. Without y, X is what is to be predicted: the y of scores."""
    metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
    return {"X": X, "y": X if y is None else y, "metadata": metadata}


class Task:
    """A task of a fit. Its hooks are told of the data, and at its end of the model so far."""

    def __init__(self, context, estimator, data):
        self._context, self._estimator, self._data = context, estimator, data
        self._n_subtasks = 0

    def subtask(self, name, max_subtasks=0, sequential=True, **data):
        """A part of this task, yet to begin, with other `data` where they are given."""
        # Tasks that may run at the same time are told apart by a number that they are given.
        number = None if self._context.sequential_subtasks else self._n_subtasks
        self._n_subtasks += 1
        context = self._context.subcontext(name, number, max_subtasks, sequential)
        return Task(context, self._estimator, self._data | data)

    def run(self, name, max_epochs, name_of_epochs, fitted):
        """A part of this task that is a run of training, to be watched by the loop."""
        return RunTasks(self.subtask(name, max_epochs), name_of_epochs, fitted)

    def begin(self):
        """Call the hooks of the beginning."""
        self._context.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def end(self, attributes=None):
        """Call the hooks of the end; whether one of them asks to stop.

        `attributes` are those by which the estimator would be fitted, or a function that finds
        them, which is called only if a hook wants to see the model.
        """
        return self._context.call_on_fit_task_end(
            estimator=self._estimator, **self._data, reconstruction_attributes=attributes
        )

    @contextmanager
    def around(self):
        """From its beginning to its end."""
        self.begin()
        yield
        self.end()

    @contextmanager
    def around_fit(self, model):
        """The same where the task is to fit another estimator, which shares the callbacks."""
        with self._context.propagate_callback_context(model):
            self.begin()
            yield
            self.end(lambda: fitted_attributes(model))


class NoTask:
    """What is left of a task where there are no callbacks."""

    def subtask(self, *args, **data):
        """Nothing again."""
        return self

    def run(self, *args):
        """Nothing for the loop to call."""
        return None

    def end(self, attributes=None):
        """Ask for nothing."""
        return False

    @contextmanager
    def around(self, model=None):
        """Nothing before, nothing after."""
        yield

    around_fit = around


NO_TASK = NoTask()


class RunTasks:
    """A run of training as a task, and its epochs as parts of it.

    ``fitted(result)`` are the attributes of an estimator whose training ends with that result.
    """

    def __init__(self, task, name_of_epochs, fitted):
        self._task, self._name, self._fitted = task, name_of_epochs, fitted
        self._epoch = None

    def begin(self):
        """Begin the run."""
        self._task.begin()

    def begin_epoch(self):
        """Begin an epoch, unless one has begun and not ended."""
        if self._epoch is None:
            self._epoch = self._task.subtask(self._name)
            self._epoch.begin()

    def end_epoch(self, result):
        """End it; whether training is to stop. ``result()`` is that of stopping now."""
        epoch, self._epoch = self._epoch, None
        return epoch.end(lambda: self._fitted(result()))

    def end(self, result):
        """End the run, and an epoch that came to nothing; whether there are to be no others."""
        if self._epoch is not None:
            self._epoch.end()
        return self._task.end(lambda: self._fitted(result))


def fitted_attributes(model):
    """What a fit has learned, by name."""
    return {name: x for name, x in vars(model).items() if name.endswith("_")}


def without_callbacks(model):
    """The model, which forgets what watched its fit."""
    model.__dict__ = {name: x for name, x in vars(model).items() if "callback" not in name}
    return model

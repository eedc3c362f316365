"""The state of training runs on disk, from which a run that was killed goes on.

A run is a function of what it is given and its seed, and its file is named by a fingerprint of all
that. So a run that is started again finds its own file and no other, whoever starts it and where.
Any process may be killed at any moment: a file is written under another name and only then put in
place, so that what is there is the whole of one state. It is an .npz of arrays, the first of which
holds everything else as JSON; nothing in it is unpickled.
"""

import json
import os
import time
import uuid
import warnings
from contextlib import suppress
from pathlib import Path

import joblib
import numpy as np

INTERVAL = 5.0  # seconds from one state to the next, at least
SHARE = 0.05  # of the time, at most, that goes into writing


def fingerprint(*what):
    """A name for what is given: the same for equal values, in every process."""
    return joblib.hash(what, coerce_mmap=True)


class StateFile:
    """Where the state of one run is kept: a file, or with the path None nowhere.

    Training never fails because of it. What cannot be read or written is said in a warning.
    """

    def __init__(self, path):
        self.path = None if path is None else Path(path)
        self.saved = {} if path is None else self._read()
        self._due = time.monotonic() + INTERVAL

    def offer(self, make_state):
        """Write ``make_state()``, unless the last state is too recent to take the time."""
        if self.path is None or time.monotonic() < self._due:
            return
        began = time.monotonic()
        self.write(make_state())
        now = time.monotonic()
        self._due = now + max(INTERVAL, (now - began) / SHARE)

    def write(self, state):
        """Put `state` (dicts, lists, tuples, arrays, numbers, text) in place of the last one."""
        if self.path is None:
            return
        arrays = []
        text = json.dumps({"run": self.path.stem, "state": _packed(state, arrays)})
        arrays.insert(0, np.frombuffer(text.encode(), np.uint8))
        try:
            write_whole(self.path, lambda file: np.savez(file, *arrays))
        except OSError as error:
            warnings.warn(
                f"The state of a training run could not be written to {self.path} ({error}). "
                "Training goes on; if it is killed, it will begin again from the last state that "
                "was written, or from the start.",
                stacklevel=2,
            )

    def _read(self):
        """The state last written, empty if there is none."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                text, *arrays = (file[f"arr_{i}"] for i in range(len(file.files)))
            content = json.loads(text.tobytes())
            if content["run"] != self.path.stem:
                raise ValueError(f"it belongs to the run {content['run']}")
            return _unpacked(content["state"], arrays)
        except FileNotFoundError:
            return {}
        # Anything may be in a file, and be wrong with it in as many ways.
        except Exception as error:
            warnings.warn(
                f"{self.path} is not the state of a training run, or is damaged ({error!r}). "
                "Training begins from the start and will replace it.",
                stacklevel=3,
            )
            return {}


def write_whole(path, write):
    """``write(file)`` to a file at `path`, which is replaced at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # not every system can do that to a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _packed(x, arrays):
    """`x` as JSON has it, its arrays moved to a list."""
    if isinstance(x, np.ndarray):
        arrays.append(x)
        return {"array": len(arrays) - 1}
    if isinstance(x, dict):
        return {"dict": {name: _packed(part, arrays) for name, part in x.items()}}
    if isinstance(x, tuple):
        return {"tuple": [_packed(part, arrays) for part in x]}
    return [_packed(part, arrays) for part in x] if isinstance(x, list) else x


def _unpacked(x, arrays):
    """What `_packed` was given."""
    if isinstance(x, list):
        return [_unpacked(part, arrays) for part in x]
    if not isinstance(x, dict):
        return x
    ((kind, content),) = x.items()
    if kind == "array":
        return arrays[content]
    if kind == "dict":
        return {name: _unpacked(part, arrays) for name, part in content.items()}
    return tuple(_unpacked(part, arrays) for part in content)

"""Runs of a benchmark, each a file in a folder: what is there is not run again."""

import json
import os
import warnings


def once(path, task, arguments, keys):
    """Run ``task(*arguments)``, figures by name, unless its file is there.

    The file holds `keys` as well, and is written whole or not at all.
    """
    if path.exists():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = keys | task(*arguments)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(found))
    part.replace(path)
    print(found, flush=True)


def grouped(folder, *keys):
    """All runs in a folder so far, by the values of `keys`, in their order."""
    groups = {}
    for path in sorted(folder.glob("*.json")):
        found = json.loads(path.read_text())
        groups.setdefault(tuple(found[key] for key in keys), []).append(found)
    return dict(sorted(groups.items()))

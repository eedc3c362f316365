"""Speed and memory of what users call, from commit to commit; see ``doc/developing.rst``."""

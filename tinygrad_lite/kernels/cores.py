"""How many cores there are for this process. Imports the standard library only."""

import os

__all__ = ["usable_cores"]


def usable_cores() -> int:
    """The cores that this process may use, where the system tells; else those there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

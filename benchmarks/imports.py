"""How long an import takes, measured in processes that do nothing else.

The processes import what they time and nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from time import perf_counter

from tinygrad_lite.commands.timing import Summary, summary

__all__ = ["race"]

PROGRAM = """
from time import perf_counter
start = perf_counter()
import {module}
print(perf_counter() - start)
"""


def race(modules: Sequence[str], rounds: int) -> list[tuple[Summary, Summary]]:
    """Import each module in fresh processes, in turns.

    Returns:
        For each module the seconds of the import alone, and of the whole process.
    """
    times: list[list[tuple[float, float]]] = [[] for _ in modules]
    for module in modules:
        import_once(module)  # which leaves its byte code, and its files in memory
    for _ in range(rounds):
        for module, seen in zip(modules, times, strict=True):
            seen.append(import_once(module))
    results = []
    for seen in times:
        alone, whole = zip(*seen, strict=True)
        results.append((summary(alone), summary(whole)))
    return results


def import_once(module: str) -> tuple[float, float]:
    """Seconds that the import, and that the process took."""
    command = [sys.executable, "-c", PROGRAM.format(module=module)]
    # An installed package has its byte code; this variable would keep a checkout from it.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = perf_counter()
    result = subprocess.run(command, env=environment, capture_output=True, text=True,
                            check=True)
    return float(result.stdout), perf_counter() - start

"""Timing side by side: contestants take turns, so that all of them meet the same machine.

It imports the standard library only.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

__all__ = ["Summary", "race", "summary"]

BLOCK = 0.005     # seconds: calls are timed in blocks of about this length
WARM_UP = 0.1     # seconds for each contestant, before anything counts
FEWEST_ROUNDS = 7


class Summary(NamedTuple):
    """Seconds per call: the median of all blocks, and the quartiles around it."""

    median: float
    low: float
    high: float


def summary(times: Sequence[float]) -> Summary:
    """The median and the quartiles of at least two times."""
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return Summary(median, low, high)


def race(contestants: Sequence[Callable[[], object]], seconds: float) -> list[Summary]:
    """Call each contestant again and again, in turns.

    Args:
        contestants: functions without arguments.
        seconds: how long to go on, after the warm-up and a least number of rounds.

    Returns:
        The seconds that a call of each one takes.
    """
    calls = [_calls_per_block(run) for run in contestants]
    times: list[list[float]] = [[] for _ in contestants]
    end = perf_counter() + seconds
    while perf_counter() < end or len(times[0]) < FEWEST_ROUNDS:
        for run, n, seen in zip(contestants, calls, times, strict=True):
            seen.append(_time_block(run, n))
    return [summary(seen) for seen in times]


def _calls_per_block(run: Callable[[], object]) -> int:
    """Warm up, and count how many calls fill a block."""
    start = perf_counter()
    calls = 0
    while calls == 0 or perf_counter() - start < WARM_UP:
        run()
        calls += 1
    elapsed = perf_counter() - start
    return max(1, round(calls * BLOCK / elapsed))


def _time_block(run: Callable[[], object], calls: int) -> float:
    """Seconds per call in one block of them."""
    start = perf_counter()
    for _ in range(calls):
        run()
    return (perf_counter() - start) / calls

"""Timing side by side: contestants take turns, so that all of them meet the same machine.

It imports the standard library only.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

__all__ = ["FEWEST", "Summary", "race", "summary"]

BLOCK = 0.004   # seconds: calls are timed in blocks of about this length
FEWEST = 5      # blocks of each contestant, however long they take


class Summary(NamedTuple):
    """Seconds per call: the median of all blocks, and the quartiles around it."""

    median: float
    low: float
    high: float

    def scaled(self, factor: float) -> Summary:
        """All three times a number."""
        return Summary(*(factor * seconds for seconds in self))


def summary(times: Sequence[float]) -> Summary:
    """The median and the quartiles of one or more times."""
    if len(times) == 1:
        return Summary(times[0], times[0], times[0])
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return Summary(median, low, high)


def race(contestants: Sequence[Callable[[], object]], seconds: float, warm_up: float = 0.1,
         blocks: int | None = None) -> list[Summary]:
    """Call each contestant again and again, in turns.

    Nobody gets more time than the others: one that is slow sits out until they have caught
    up, so that its quicker rivals are measured more often.

    Args:
        contestants: functions without arguments.
        seconds: how long to go on, after the warm-up and until each has had `FEWEST` blocks.
        warm_up: seconds for each contestant before anything counts; two calls at least.
        blocks: so many blocks of each, whatever the time.

    Returns:
        The seconds that a call of each one takes.
    """
    racers = [_Racer(run, warm_up) for run in contestants]
    end = perf_counter() + (seconds if blocks is None else 0)
    fewest = FEWEST if blocks is None else blocks
    while True:
        late = perf_counter() >= end
        fair = statistics.median_low(racer.spent for racer in racers)
        ready = [racer for racer in racers
                 if (len(racer.times) < fewest if late else racer.spent <= fair)]
        if not ready:
            return [summary(racer.times) for racer in racers]
        for racer in ready:
            racer.time_block()


class _Racer:
    """A contestant, warmed up, with the seconds per call in each of its blocks.

    Attributes:
        times: seconds per call, block after block.
        spent: how long its blocks took in all.
    """

    def __init__(self, run: Callable[[], object], warm_up: float) -> None:
        self._run = run
        self.times: list[float] = []
        self.spent = 0.0
        run()  # the first call may prepare what the others use
        calls = 0
        start = perf_counter()
        while calls == 0 or perf_counter() - start < warm_up:
            run()
            calls += 1
        self._calls = max(1, round(calls * BLOCK / (perf_counter() - start)))

    def time_block(self) -> None:
        """Time one block of calls."""
        run = self._run
        begin = perf_counter()
        if self._calls > 1:
            run()  # not counted: it brings back to the cache what the others drove out
        start = perf_counter()
        for _ in range(self._calls):
            run()
        end = perf_counter()
        self.times.append((end - start) / self._calls)
        self.spent += end - begin

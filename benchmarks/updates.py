"""The goals of an optimizer's step in C, each as a ratio with a peer's time.

It is measured by the code of ``python -m tinygrad_lite bench``, which says more about each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import steps
from rows import Row

from tinygrad_lite import kernels
from tinygrad_lite.commands.timing import race
from tinygrad_lite.commands.updates import (
    VARIANTS,
    Case,
    measure,
    our_steps,
    parameters,
    torch_parameters,
    torch_steps,
)

__all__ = ["rows"]

# Of small nets: how many tensors, how many parameters in all, and the goal.
NETS = [(tensors, size, goal) for tensors in (4, 10)
        for size, goal in ((1_000, 0.1), (10_000, 0.1), (100_000, 0.25))]
SIZES = [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000]
LARGE = 1_000_000        # from here on the goals beside PyTorch hold, and Python's
PAST_CACHE = 10_000_000  # from here on the arrays are larger than the last-level cache

FUSED = "torch fused"
FUSED_GOAL = 1.0
NUMPY_GOAL = 1 / 5
PYTHON_GOAL = 1 / 1000
LOOP_GOAL = 1 / 0.95   # 95 % of the speed of a plain loop
TENSORS_GOAL = 1.3

ADAM = next(variant for variant in VARIANTS if variant.name == "Adam")
SGD = next(variant for variant in VARIANTS if variant.name == "SGD")


def rows(seconds: float, largest: int, torch: Any) -> Iterator[Row]:
    """All goals of a step; none without the C kernels.

    Args:
        seconds: how long to measure all that belongs to one update.
        largest: parameters, at most.
        torch: the module, or None to leave it out.
    """
    if kernels.why_not_c():
        return
    if torch is not None:
        yield from net_rows(seconds, torch)
    for size in SIZES:
        if size <= largest:
            for variant in VARIANTS:
                yield from size_rows(Case(variant, size), seconds, torch)
    for variant in (SGD, ADAM):
        one, many = race([our_steps(Case(variant, 1_000_000, tensors=tensors))["c"]
                          for tensors in (1, 200)], seconds)
        yield Row(f"{variant.name}, 1,000,000 in 200 tensors", many, "in one tensor", one,
                  TENSORS_GOAL)


def net_rows(seconds: float, torch: Any) -> Iterator[Row]:
    """Adam on small nets beside PyTorch's fused one: as PyTorch's own benchmarks time it,
    step after step with the same gradients, and with new gradients at each step."""
    for tensors, size, goal in NETS:
        case = Case(ADAM, size, tensors=tensors)
        name = f"Adam, {tensors} tensors, {size:,} in all"
        fused = torch_steps(case, torch)[FUSED]
        yield Row(name, *alternately(our_steps(case)["c"], fused, seconds), goal)
        racers = new_gradients(case, torch)
        yield Row(f"{name}, new gradients", *alternately(*racers, seconds))


def alternately(ours: Callable[[], None], fused: Callable[[], None],
                seconds: float) -> tuple[Any, str, Any]:
    """Our time, the peer's name, and its time."""
    mine, theirs = race([ours, fused], seconds)
    return mine, FUSED, theirs


def new_gradients(case: Case, torch: Any) -> list[Callable[[], None]]:
    """Our step and PyTorch's fused one, with gradients other than those of the step before."""
    ours = [parameters(case) for _ in range(2)]
    theirs = [torch_parameters(case, torch) for _ in range(2)]
    optimizers = (case.variant.make(ours[0], "c"), torch.optim.Adam(theirs[0], fused=True))
    return [steps.update(optimizer, tensors[0], [[p.grad for p in each] for each in tensors])
            for optimizer, tensors in zip(optimizers, (ours, theirs))]


def size_rows(case: Case, seconds: float, torch: Any) -> Iterator[Row]:
    """One optimizer at one size, beside NumPy, Python, PyTorch and the memory."""
    large = case.parameters >= LARGE
    result = measure(case, seconds, torch=torch if large else None)
    what = f"{case.variant.name}, {case.parameters:,}"
    ours = result.times["c"]
    yield Row(what, ours, "NumPy", result.times["numpy"], NUMPY_GOAL)
    if case.parameters == LARGE:
        yield Row(what, ours, "Python, scaled", result.times["python"], PYTHON_GOAL)
    if FUSED in result.times:
        yield Row(what, ours, FUSED, result.times[FUSED], FUSED_GOAL)
    if case.parameters >= PAST_CACHE:
        yield Row(what, ours, "best plain loop", result.best, LOOP_GOAL)

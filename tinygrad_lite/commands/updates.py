"""Optimizer steps to be timed: ours on each backend, PyTorch's, and the memory's own loops.

Bytes are those that really move between processor and memory: an array that is read counts
once, one that is updated twice, and one that is only written twice as well, for a processor
reads a line of the cache before it writes to it. So Adam moves 28 bytes for each float32
parameter: it updates w, m and v, and reads g.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from .. import kernels, optim
from ..kernels.table import KERNELS
from ..tensor import Tensor
from .timing import Summary, race

__all__ = ["FORMS", "LOOPS", "SLICE", "VARIANTS", "Case", "Result", "Variant", "backends",
           "load_torch", "measure", "our_steps", "parameters", "torch_parameters",
           "torch_steps"]

SLICE = 2_000   # elements on which plain Python is timed, at most

# Loops that do nothing but move memory; the best of them is the limit of the machine.
LOOPS = ("scale", "add_scaled", "triad")
LEAST_FOOTPRINT = 2 ** 18   # bytes: below, a loop would time its call

# What PyTorch calls its ways to update; each is an argument of its optimizers.
FORMS = {"torch for-loop": {"foreach": False}, "torch foreach": {"foreach": True},
         "torch fused": {"fused": True}}


class Variant(NamedTuple):
    """An optimizer with some settings, by the name that the table shows.

    Attributes:
        name: as ``SGD momentum``.
        ours: the class of `tinygrad_lite.optim`.
        theirs: the name of PyTorch's class; "" where it has none of this formula.
        settings: what both are made with; everything else is left at its default.
    """

    name: str
    ours: type[optim.Optimizer]
    theirs: str
    settings: Mapping[str, float] = MappingProxyType({})

    @property
    def arrays(self) -> tuple[int, int]:
        """How many arrays of a parameter's shape a step reads, and how many it updates."""
        optimizer = self.make([Tensor([0.0], requires_grad=True)])
        letters = optimizer._letters(optimizer.param_groups[0])
        return 1, 1 + sum(letter is not None for letter in letters)

    def make(self, parameters: list[Tensor], backend: str | None = None) -> optim.Optimizer:
        """Our optimizer of these parameters."""
        make: Any = self.ours
        return make(parameters, **self.settings, backend=backend)


VARIANTS = [
    Variant("SGD", optim.SGD, "SGD"),
    Variant("SGD momentum", optim.SGD, "SGD", {"momentum": 0.9}),
    Variant("Momentum", optim.Momentum, ""),
    Variant("Adagrad", optim.Adagrad, "Adagrad"),
    Variant("Adadelta", optim.Adadelta, "Adadelta"),
    Variant("RMSprop", optim.RMSprop, "RMSprop"),
    Variant("Adam", optim.Adam, "Adam"),
    Variant("AdamW", optim.AdamW, "AdamW"),
]


class Case(NamedTuple):
    """What is updated: so many parameters, in tensors of nearly equal size.

    Attributes:
        variant: by which optimizer.
        parameters: numbers in all tensors together.
        dtype: "float32" or "float64".
        tensors: how many there are.
    """

    variant: Variant
    parameters: int
    dtype: str = "float32"
    tensors: int = 1

    @property
    def element(self) -> int:
        """Bytes of a number."""
        return np.dtype(self.dtype).itemsize

    @property
    def moved(self) -> int:
        """Bytes that a step moves."""
        read, updated = self.variant.arrays
        return (read + 2 * updated) * self.element * self.parameters

    @property
    def footprint(self) -> int:
        """Bytes of all its arrays."""
        return sum(self.variant.arrays) * self.element * self.parameters

    def slice(self) -> Case:
        """The part on which plain Python is timed: tensors as large, but fewer numbers."""
        parameters = min(self.parameters, SLICE)
        tensors = max(1, self.tensors * parameters // self.parameters)
        return self._replace(parameters=parameters, tensors=tensors)

    def memory(self, peers: bool) -> int:
        """Bytes that all contestants need side by side, about."""
        read, updated = self.variant.arrays
        state = updated - 1
        temporaries = 4
        ours = 2 + 2 * state + (read + updated) + temporaries
        theirs = 2 + len(FORMS) * state + temporaries if peers else 0
        return (ours + theirs) * self.element * self.parameters


class Result(NamedTuple):
    """What was measured of a case.

    Attributes:
        case: what was updated.
        times: seconds per step, by backend and by PyTorch's form; Python's are scaled up
            from its slice.
        limits: seconds that each loop would take to move the bytes of a step.
    """

    case: Case
    times: dict[str, Summary]
    limits: dict[str, Summary]

    def ratio(self, name: str) -> float | None:
        """How many times longer than C a contestant takes; None if one of them is missing."""
        if name not in self.times or "c" not in self.times:
            return None
        return self.times[name].median / self.times["c"].median

    @property
    def best(self) -> Summary | None:
        """The time of the fastest loop; None without C."""
        return min(self.limits.values(), default=None)

    def speed(self, time: Summary) -> float:
        """GB/s, if the bytes of a step take this time."""
        return self.case.moved / time.median / 1e9

    @property
    def share(self) -> float | None:
        """How near C comes to the limit of the machine, which is 1; None without C."""
        return self.best.median / self.times["c"].median if self.best else None


def measure(case: Case, seconds: float, warm_up: float = 0.05, blocks: int | None = None,
            torch: Any = None) -> Result:
    """Time a case on every backend, with PyTorch unless it is None, and the memory loops.

    Args:
        case: what is updated.
        seconds, warm_up, blocks: as `timing.race` takes them.
        torch: the module.
    """
    gc.collect()   # the arrays of the case before
    steps = our_steps(case)
    if torch is not None:
        steps.update(torch_steps(case, torch))
    loops = memory_loops(case) if "c" in steps else {}
    runs = [*steps.values(), *(loop.run for loop in loops.values())]
    times = race(runs, seconds, warm_up, blocks)
    of_steps = dict(zip(steps, times))
    of_steps["python"] = of_steps["python"].scaled(case.parameters / case.slice().parameters)
    limits = {name: time.scaled(case.moved / loop.moved)
              for (name, loop), time in zip(loops.items(), times[len(steps):])}
    return Result(case, of_steps, limits)


# ---- ours ------------------------------------------------------------------------------


def random_arrays(case: Case, seed: int) -> Iterator[np.ndarray]:
    """Random numbers for each tensor."""
    random = np.random.default_rng(seed)
    whole, more = divmod(case.parameters, case.tensors)
    for k in range(case.tensors):
        size = whole + (k < more)
        yield random.standard_normal(size, case.dtype)  # type: ignore[call-overload]


def backends() -> list[str]:
    """Those that are there, the fastest first."""
    return [name for name in kernels.BACKENDS if name != "c" or not kernels.why_not_c()]


def our_steps(case: Case) -> dict[str, Callable[[], None]]:
    """``optimizer.step`` on each backend, with gradients in place; Python's on a slice.

    C and NumPy update the same parameters, each with its own state.
    """
    shared = parameters(case)
    return {name: case.variant.make(parameters(case.slice()) if name == "python" else shared,
                                    name).step
            for name in backends()}


def parameters(case: Case) -> list[Tensor]:
    """Our tensors, with gradients."""
    made = [Tensor(w, requires_grad=True) for w in random_arrays(case, 0)]
    for p, g in zip(made, random_arrays(case, 1), strict=True):
        p.grad = Tensor(g)
    return made


# ---- the limit of the machine ----------------------------------------------------------


class MemoryLoop(NamedTuple):
    """A call of a loop, and the bytes that it moves."""

    run: Callable[[], None]
    moved: int


def memory_loops(case: Case) -> dict[str, MemoryLoop]:
    """The loops that show how fast memory is, in C, over as many bytes as the case has.

    They share one buffer; each cuts it into as many arrays as it takes.
    """
    footprint = max(case.footprint, LEAST_FOOTPRINT)
    buffer = np.ones(footprint // case.element, case.dtype)
    return {kernel: memory_loop(kernel, buffer) for kernel in LOOPS}


def memory_loop(kernel: str, buffer: np.ndarray) -> MemoryLoop:
    """One of them."""
    letters, reads = KERNELS[kernel].arrays, KERNELS[kernel].reads
    n = buffer.size // len(letters) // 16 * 16   # all begin at a like place of a cache line
    columns = [[buffer[i * n:(i + 1) * n]] for i in range(len(letters))]
    cache: dict = {}
    update = kernels.body("c").update

    def run() -> None:
        update(kernel, columns, (1.0,), cache)

    return MemoryLoop(run, (2 * len(letters) - len(reads)) * n * buffer.itemsize)


# ---- PyTorch ---------------------------------------------------------------------------


def load_torch(threads: int) -> Any:
    """PyTorch, held to so many threads; None where it is not installed."""
    if find_spec("torch") is None:
        return None
    torch = import_module("torch")
    torch.set_num_threads(threads)
    return torch


def torch_steps(case: Case, torch: Any) -> dict[str, Callable[[], None]]:
    """``optimizer.step`` of each of PyTorch's forms that this optimizer has."""
    make = getattr(torch.optim, case.variant.theirs, None)
    if make is None:
        return {}
    shared = torch_parameters(case, torch)
    known = signature(make).parameters
    return {name: make(shared, **case.variant.settings, **form).step
            for name, form in FORMS.items() if form.keys() <= known.keys()}


def torch_parameters(case: Case, torch: Any) -> list[Any]:
    """PyTorch's tensors, with gradients."""
    made = [torch.tensor(w, requires_grad=True) for w in random_arrays(case, 0)]
    for p, g in zip(made, random_arrays(case, 1), strict=True):
        p.grad = torch.tensor(g)
    return made

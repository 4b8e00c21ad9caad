"""micrograd's demonstration, one step of it at a time: two moons, an SVM's loss, Values.

Run as ``python moons.py RUNNER``, with RUNNER one of `RUNNERS`, it takes a step for each line
that it reads, and answers with the seconds and the loss. Each runner has a process to itself,
so that none collects another's garbage. The net is micrograd's own ``nn.py``; for
tinygrad_lite its import, and nothing else, is changed. Under `tg.jit`, where a replay could
not do ``p.data -= ...`` again, the same update is that of `tg.optim.SGD`.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

from tinygrad_lite.commands.timing import Summary, summary

__all__ = ["RUNNERS", "race"]

RUNNERS = ("tinygrad_lite", "tinygrad_lite jitted", "micrograd")

OLD_IMPORT = "from micrograd.engine import Value"
NEW_IMPORT = "from tinygrad_lite import Value"


def race(warm_up: int, rounds: int) -> list[Summary]:
    """Seconds per step of each of `RUNNERS`, which take turns.

    The first two steps of the jitted one, in which it runs as it stands and is recorded, should
    be among those of the warm-up.

    Raises:
        RuntimeError: if their losses differ.
    """
    times: list[list[float]] = [[] for _ in RUNNERS]
    with ExitStack() as stack:
        ask = [stack.enter_context(worker(runner)) for runner in RUNNERS]
        for i in range(warm_up + rounds):
            answers = [step() for step in ask]
            losses = [loss for _, loss in answers]
            if max(losses) - min(losses) > 1e-6:
                raise RuntimeError(f"the losses of step {i} differ: {answers}")
            if i >= warm_up:
                for seen, (seconds, _) in zip(times, answers, strict=True):
                    seen.append(seconds)
    return [summary(seen) for seen in times]


@contextmanager
def worker(runner: str) -> Iterator[Callable[[], list[float]]]:
    """A process of this file; the function takes a step there: its seconds and its loss."""
    command = [sys.executable, __file__, runner]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:

        def step() -> list[float]:
            print(file=process.stdin, flush=True)
            return [float(number) for number in process.stdout.readline().split()]

        yield step
        process.stdin.close()


# ---- what a worker does ----------------------------------------------------------------


def serve(runner: str) -> None:
    """Take a step for each line of the input."""
    package, *jitted = runner.split()
    step = (jitted_step if jitted else training_step)(micrograd_nn(package))
    for _ in sys.stdin:
        start = perf_counter()
        loss = step()
        print(perf_counter() - start, loss, flush=True)


def micrograd_nn(package: str) -> ModuleType:
    """micrograd's module ``nn``, on the Value of this package."""
    (directory,) = find_spec("micrograd").submodule_search_locations
    source = (Path(directory) / "nn.py").read_text(encoding="utf-8")
    if OLD_IMPORT not in source:
        raise RuntimeError(f"micrograd's nn.py has no line {OLD_IMPORT!r}")
    if package == "tinygrad_lite":
        source = source.replace(OLD_IMPORT, NEW_IMPORT)
    module = ModuleType("micrograd_nn")
    exec(compile(source, f"nn.py on {package}", "exec"), vars(module))
    return module


def training_step(nn: ModuleType) -> Callable[[], float]:
    """A function that takes one step of gradient descent on all points: the loss before it."""
    points, labels = moons()
    random.seed(1337)
    model = nn.MLP(2, [16, 16, 1])
    step_number = 0

    def step() -> float:
        nonlocal step_number
        loss = svm_loss(nn, model, points, labels)
        model.zero_grad()
        loss.backward()
        rate = falling_rate(step_number)
        for p in model.parameters():
            p.data -= rate * p.grad
        step_number += 1
        return float(loss.data)

    return step


def jitted_step(nn: ModuleType) -> Callable[[], float]:
    """The same, recorded at the second call and replayed from then on."""
    import tinygrad_lite as tg

    points, labels = moons()
    random.seed(1337)
    model = nn.MLP(2, [16, 16, 1])
    optimizer = tg.optim.SGD(model.parameters(), lr=1.0)

    @tg.jit
    def train() -> Any:
        loss = svm_loss(nn, model, points, labels)
        model.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    def step() -> float:
        optimizer.param_groups[0]["lr"] = falling_rate(optimizer.steps_taken)
        return float(train())

    return step


def falling_rate(step: int) -> float:
    """micrograd's learning rate at a step, 0 at first."""
    return 1.0 - 0.9 * step / 100


def svm_loss(nn: ModuleType, model: Any, points: list, labels: list) -> Any:
    """Mean of max(0, 1 - label * score), plus 1e-4 times the squares of the parameters."""
    inputs = [[nn.Value(x) for x in point] for point in points]
    scores = [model(x) for x in inputs]
    losses = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
    data_loss = sum(losses) * (1.0 / len(losses))
    return data_loss + 1e-4 * sum(p * p for p in model.parameters())


def moons() -> tuple[list, list]:
    """100 points on two half circles, with some noise; their labels are -1 and 1."""
    angle = np.linspace(0, np.pi, 50)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    noise = np.random.default_rng(0).normal(scale=0.1, size=(100, 2))
    points = np.concatenate([upper, lower]) + noise
    return points.tolist(), [-1] * 50 + [1] * 50


if __name__ == "__main__":
    serve(sys.argv[1])

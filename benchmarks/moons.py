"""micrograd's demonstration, one step of it at a time: two moons, an SVM's loss, Values.

Run as ``python moons.py PACKAGE``, with PACKAGE tinygrad_lite or micrograd, it takes a step
for each line that it reads, and answers with the seconds and the loss. Each package has a
process to itself, so that none collects another's garbage. The net is micrograd's own
``nn.py``; for tinygrad_lite its import, and nothing else, is changed.
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

__all__ = ["race"]

OLD_IMPORT = "from micrograd.engine import Value"
NEW_IMPORT = "from tinygrad_lite import Value"


def race(warm_up: int, rounds: int) -> list[Summary]:
    """Seconds per step of tinygrad_lite and of micrograd, which take turns.

    Raises:
        RuntimeError: if their losses differ.
    """
    times: list[list[float]] = [[], []]
    with ExitStack() as stack:
        ask = [stack.enter_context(worker(name)) for name in ("tinygrad_lite", "micrograd")]
        for i in range(warm_up + rounds):
            answers = [step() for step in ask]
            if abs(answers[0][1] - answers[1][1]) > 1e-6:
                raise RuntimeError(f"the losses of step {i} differ: {answers}")
            if i >= warm_up:
                for seen, (seconds, _) in zip(times, answers, strict=True):
                    seen.append(seconds)
    return [summary(seen) for seen in times]


@contextmanager
def worker(package: str) -> Iterator[Callable[[], list[float]]]:
    """A process of this file; the function takes a step there: its seconds and its loss."""
    command = [sys.executable, __file__, package]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:

        def step() -> list[float]:
            print(file=process.stdin, flush=True)
            return [float(number) for number in process.stdout.readline().split()]

        yield step
        process.stdin.close()


# ---- what a worker does ----------------------------------------------------------------


def serve(package: str) -> None:
    """Take a step for each line of the input."""
    step = training_step(micrograd_nn(package))
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
        rate = 1.0 - 0.9 * step_number / 100
        for p in model.parameters():
            p.data -= rate * p.grad
        step_number += 1
        return float(loss.data)

    return step


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

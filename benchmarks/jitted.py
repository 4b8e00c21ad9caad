"""Training steps replayed by `tg.jit`, beside PyTorch's eager ones and JAX's compiled ones.

And beside the machine's limit: the time that a step's multiplications take at the speed of the
best matrix product, and its update at that of the memory, both measured in the same run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import layers
import numpy as np
import steps
from rows import Row

import tinygrad_lite as tg
from tinygrad_lite.commands.timing import Summary, race
from tinygrad_lite.commands.updates import memory_loop

__all__ = ["rows"]


class Goal(NamedTuple):
    """A problem, and the largest ratios of our time to JAX's and to PyTorch's."""

    problem: steps.Problem
    jax: float
    torch: float


GOALS = [
    Goal(steps.Problem((64, 32, 10), 32, 0), 0.1, 0.05),
    Goal(steps.Problem((2, 16, 16, 10), 100, 0), 0.2, 1 / 12),
    Goal(steps.Problem((784, 50, 10), 100, 0), 0.5, 0.35),
    Goal(steps.Problem((784, 100, 100, 100, 100, 10), 128, 0), 0.65, 0.35),
    Goal(steps.Problem((784, 512, 512, 10), 128, 0), 0.9, 0.4),
]
CNN_GOAL = 0.4


def rows(seconds: float, torch: Any) -> Iterator[Row]:
    """A row for each problem and peer that is installed; times of a row were taken in turns."""
    jax = importlib.import_module("jax") if find_spec("jax") else None
    speeds = Speeds.measured(seconds)
    for problem, jax_goal, torch_goal in GOALS:
        racers = jitted_steps(problem, torch)
        goals = [("PyTorch eager", torch_goal)] * (torch is not None)
        if jax is not None:
            racers.append(jax_step(problem, jax))
            goals.append(("JAX jit", jax_goal))
        what = f"{problem.name}, batch {problem.batch}"
        ours, *theirs = race(racers, seconds)
        for (peer, goal), time in zip(goals, theirs, strict=True):
            yield Row(what, ours, peer, time, goal)
        limit = speeds.least_time(problem)
        yield Row(what, ours, "machine's limit", Summary(limit, limit, limit))
    ours, *theirs = race([tg.jit(step) for step in layers.cnn_steps(None)]
                         + layers.cnn_steps(torch)[1:], seconds)
    what = f"CNN on 28x28, batch {layers.CNN_BATCH}"
    if theirs:
        yield Row(what, ours, "PyTorch eager", theirs[0], CNN_GOAL)
    else:
        yield Row(what, ours)


class Speeds(NamedTuple):
    """Multiplications and additions, and bytes, per second: the best that this run saw."""

    flops: float
    bytes: float

    @classmethod
    def measured(cls, seconds: float) -> Speeds:
        """Of square matrix products, ours and NumPy's, and of C's triad in the main memory."""
        best = 0.0
        for n in (256, 512, 1024):
            a, b = np.ones((2, n, n), np.float32)
            products = [lambda a=a, b=b: tg.kernels.body().matmul(a, b),
                        lambda a=a, b=b: np.matmul(a, b)]
            best = max(best, *(2 * n**3 / time.low for time in race(products, seconds / 4)))
        loop = memory_loop("triad", np.ones(1 << 25, np.float32))
        (time,) = race([loop.run], seconds / 4)
        return cls(best, loop.moved / time.low)

    def least_time(self, problem: steps.Problem) -> float:
        """Seconds for a step's products, and for Adam's 8 accesses to each parameter."""
        layers = list(zip(problem.sizes, problem.sizes[1:], strict=False))
        weights = sum(n * m for n, m in layers)
        products = 3 * weights - layers[0][0] * layers[0][1]  # the first has no dL/dx
        accesses = 8 * (weights + sum(problem.sizes[1:]))
        return 2 * problem.batch * products / self.flops + 4 * accesses / self.bytes


def jitted_steps(problem: steps.Problem, torch: Any) -> list[Callable]:
    """Our step as a replay that is given its batch anew each time; and PyTorch's."""
    x, target = batch_of(problem)
    _, *peers = steps.training_steps(problem, torch)
    net = steps.mlp(tg, problem.sizes)
    optimizer = tg.optim.Adam(net.parameters())

    @tg.jit
    def step(x: Any, target: Any) -> Any:
        optimizer.zero_grad()
        loss = tg.nn.functional.cross_entropy(net(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return [lambda: step(x, target), *peers]


def batch_of(problem: steps.Problem) -> tuple[np.ndarray, np.ndarray]:
    """Random numbers, and a class for each row."""
    random = np.random.default_rng(0)
    x = random.standard_normal((problem.batch, problem.sizes[0])).astype(np.float32)
    return x, random.integers(problem.sizes[-1], size=problem.batch)


def jax_step(problem: steps.Problem, jax: Any) -> Callable:
    """The same step in JAX: one compiled function, whose buffers are donated to its results."""
    jnp = jax.numpy
    net = steps.mlp(tg, problem.sizes)
    weights = [jnp.array(p.numpy()) for p in net.parameters()]
    x, target = map(jnp.array, batch_of(problem))

    def loss_of(weights: list, x: Any, target: Any) -> Any:
        for i in range(0, len(weights), 2):
            x = x @ weights[i].T + weights[i + 1]
            x = jax.nn.relu(x) if i + 2 < len(weights) else x
        return -jax.nn.log_softmax(x)[jnp.arange(len(target)), target].mean()

    def step(weights: list, m: list, v: list, count: Any, x: Any, target: Any) -> tuple:
        loss, slopes = jax.value_and_grad(loss_of)(weights, x, target)
        count = count + 1
        m = [0.9 * m + 0.1 * g for m, g in zip(m, slopes, strict=True)]
        v = [0.999 * v + 0.001 * g * g for v, g in zip(v, slopes, strict=True)]
        rate, scale = 1e-3 / (1 - 0.9**count), 1 / jnp.sqrt(1 - 0.999**count)
        weights = [w - rate * m / (jnp.sqrt(v) * scale + 1e-8)
                   for w, m, v in zip(weights, m, v, strict=True)]
        return weights, m, v, count, loss

    compiled = jax.jit(step, donate_argnums=(0, 1, 2, 3))
    state = [weights, *([jnp.zeros_like(w) for w in weights] for _ in range(2)),
             jnp.array(0.0)]

    def call() -> Any:
        *state[:], loss = compiled(*state, x, target)
        return loss.block_until_ready()

    return call

"""Training steps replayed by `tg.jit`, beside PyTorch's eager ones and JAX's compiled ones."""

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
from tinygrad_lite.commands.timing import race

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
    for problem, jax_goal, torch_goal in GOALS:
        racers = jitted_steps(problem, torch)
        goals = [("PyTorch eager", torch_goal)] * (torch is not None)
        if jax is not None:
            racers.append(jax_step(problem, jax))
            goals.append(("JAX jit", jax_goal))
        what = f"jitted step of {problem.name}, batch {problem.batch}"
        yield from rows_of(what, racers, goals, seconds)
    ours, *peers = layers.cnn_steps(torch)
    what = f"jitted step of a CNN on 28x28, batch {layers.CNN_BATCH}"
    yield from rows_of(what, [tg.jit(ours), *peers], [("PyTorch eager", CNN_GOAL)] * len(peers),
                       seconds)


def rows_of(what: str, racers: list[Callable], goals: list[tuple[str, float]],
            seconds: float) -> Iterator[Row]:
    """Ours against each peer, or alone."""
    ours, *theirs = race(racers, seconds)
    for (peer, goal), time in zip(goals, theirs, strict=True):
        yield Row(what, ours, peer, time, goal)
    if not theirs:
        yield Row(what, ours)


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

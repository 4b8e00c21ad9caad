"""Training steps and optimizer updates, ours and PyTorch's.

The code of a step is the same on both sides: ``lib`` is tinygrad_lite or torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import tinygrad_lite as tg

__all__ = ["PROBLEMS", "Problem", "backends", "our_update", "torch_update",
           "training_steps"]


class Problem(NamedTuple):
    """An MLP with ReLU between its layers, the size of a batch, and the goal for a step.

    The goal is the largest ratio of our time to PyTorch's.
    """

    sizes: tuple[int, ...]
    batch: int
    goal: float

    @property
    def name(self) -> str:
        """The sizes as 64-32-10."""
        return "-".join(map(str, self.sizes))


PROBLEMS = [
    Problem((64, 32, 10), batch=32, goal=0.45),
    Problem((2, 16, 16, 10), batch=100, goal=0.45),
    Problem((784, 50, 10), batch=100, goal=1.0),
    Problem((784, 100, 100, 100, 100, 10), batch=128, goal=1.0),
]


def mlp(lib: Any, sizes: tuple[int, ...]) -> Any:
    """Linear layers of these sizes with a ReLU between every two."""
    layers = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [lib.nn.Linear(inputs, outputs), lib.nn.ReLU()]
    return lib.nn.Sequential(*layers[:-1])


def training_step(lib: Any, net: Any, x: Any, target: Any) -> Callable[[], Any]:
    """A function that takes one step of Adam on the batch and returns the loss."""
    optimizer = lib.optim.Adam(net.parameters())
    cross_entropy = lib.nn.functional.cross_entropy

    def step() -> Any:
        optimizer.zero_grad()
        loss = cross_entropy(net(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return step


def training_steps(problem: Problem, torch: Any) -> list[Callable[[], Any]]:
    """Our training step and, unless ``torch`` is None, PyTorch's, from the same weights.

    Raises:
        AssertionError: if the two do not compute the same losses.
    """
    random = np.random.default_rng(0)
    x = random.standard_normal((problem.batch, problem.sizes[0])).astype(np.float32)
    target = random.integers(problem.sizes[-1], size=problem.batch)
    net = mlp(tg, problem.sizes)
    if torch is None:
        return [training_step(tg, net, tg.Tensor(x), target)]
    peer_net = mlp(torch, problem.sizes)
    net.load_state_dict(peer_net.state_dict())
    ours = training_step(tg, net, tg.Tensor(x), target)
    peer = training_step(torch, peer_net, torch.tensor(x), torch.tensor(target))
    for _ in range(3):
        np.testing.assert_allclose(ours().item(), peer().item(), rtol=1e-4)
    return [ours, peer]


# ---- the update alone ------------------------------------------------------------------


def backends() -> list[str]:
    """Those that are there, the one in use first."""
    there = [name for name in tg.kernels.BACKENDS if name != "c" or not tg.kernels.why_not_c()]
    return sorted(there, key=lambda name: name != tg.get_backend())


def our_update(problem: Problem, backend: str) -> Callable[[], None]:
    """One step of our Adam on the net's parameters."""
    parameters = [tg.Tensor(w, requires_grad=True) for w in arrays(problem)]
    gradients = [[tg.Tensor(g) for g in arrays(problem)] for _ in range(2)]
    return update(tg.optim.Adam(parameters, backend=backend), parameters, gradients)


def torch_update(problem: Problem, torch: Any, **form: bool) -> Callable[[], None]:
    """One step of PyTorch's Adam on the same; ``form`` is ``foreach=`` or ``fused=``."""
    parameters = [torch.tensor(w, requires_grad=True) for w in arrays(problem)]
    gradients = [[torch.tensor(g) for g in arrays(problem)] for _ in range(2)]
    return update(torch.optim.Adam(parameters, **form), parameters, gradients)


def arrays(problem: Problem) -> Iterator[np.ndarray]:
    """Random numbers in the shapes of the net's parameters, each time others."""
    for parameter in mlp(tg, problem.sizes).parameters():
        yield np.random.standard_normal(parameter.shape).astype(np.float32)


def update(optimizer: Any, parameters: list, gradients: list[list]) -> Callable[[], None]:
    """A function that takes one step with gradients other than those of the step before.

    As in training, where each step brings new ones; their assignment is timed as well.
    """
    gradients = list(gradients)

    def step() -> None:
        gradients.reverse()
        for p, g in zip(parameters, gradients[0], strict=True):
            p.grad = g
        optimizer.step()

    return step

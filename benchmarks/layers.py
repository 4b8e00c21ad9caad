"""Layers and losses alone, forward and backward, and the training step of a small CNN.

The code is the same on both sides: ``lib`` is tinygrad_lite or torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from steps import training_step

import tinygrad_lite as tg

__all__ = ["CNN_BATCH", "CNN_GOAL", "LAYERS", "SIZES", "Layer", "cnn_steps", "contestants"]

CNN_BATCH = 100
CNN_GOAL = 0.6
SIZES = [10**3, 10**4, 10**5, 10**6, 10**7]


class Layer(NamedTuple):
    """What is timed: its name, and how to make it for about so many numbers.

    ``make(lib, size)`` returns a function of the input, and ``shape(size)`` the input's shape.
    """

    name: str
    make: Callable[[Any, int], Callable[[Any], Any]]
    shape: Callable[[int], tuple[int, ...]]


def images(size: int) -> tuple[int, ...]:
    """Images of 5 to 100 channels: (n, c, height, width)."""
    return {10**3: (2, 5, 10, 10), 10**4: (5, 20, 10, 10), 10**5: (10, 10, 32, 32),
            10**6: (32, 32, 32, 32), 10**7: (100, 100, 32, 32)}[size]


def rows(size: int) -> tuple[int, ...]:
    """Rows of up to 1,000 numbers."""
    return {10**3: (100, 10), 10**4: (200, 50), 10**5: (1000, 100), 10**6: (1000, 1000),
            10**7: (10000, 1000)}[size]


def cross_entropy(lib: Any, size: int) -> Callable[[Any], Any]:
    """The mean cross-entropy of rows of logits with random class ids."""
    n, classes = rows(size)
    ids = np.random.default_rng(1).integers(classes, size=n)
    target = ids if lib is tg else lib.tensor(ids)
    return lambda x: lib.nn.functional.cross_entropy(x, target)


def embedding(lib: Any, size: int) -> Callable[[Any], Any]:
    """So many numbers, looked up in a table of 1,000 rows of 50."""
    ids = np.random.default_rng(1).integers(1000, size=size // 50)
    chosen = ids if lib is tg else lib.tensor(ids)
    return lambda table: lib.nn.functional.embedding(chosen, table)


LAYERS = [
    Layer("BatchNorm2d", lambda lib, size: lib.nn.BatchNorm2d(images(size)[1]), images),
    Layer("BatchNorm1d", lambda lib, size: lib.nn.BatchNorm1d(rows(size)[1]), rows),
    Layer("MaxPool2d(2)", lambda lib, _size: lib.nn.MaxPool2d(2), images),
    Layer("cross_entropy", cross_entropy, rows),
    Layer("embedding", embedding, lambda _size: (1000, 50)),
]


def contestants(layer: Layer, size: int, torch: Any) -> list[Callable[[], Any]]:
    """One pass forward and backward of ours and, unless ``torch`` is None, of PyTorch's.

    Raises:
        AssertionError: if the two do not compute the same.
    """
    x = np.random.default_rng(0).standard_normal(layer.shape(size)).astype(np.float32)
    ours = tg.Tensor(x, requires_grad=True)
    runs = [there_and_back(layer.make(tg, size), ours)]
    if torch is not None:
        theirs = torch.tensor(x, requires_grad=True)
        runs.append(there_and_back(layer.make(torch, size), theirs))
        y, wanted = [np.asarray(run().detach()) for run in runs]
        np.testing.assert_allclose(y, wanted, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(ours.grad.data, theirs.grad.numpy(), rtol=1e-3, atol=1e-3)
    return runs


def there_and_back(function: Callable[[Any], Any], x: Any) -> Callable[[], Any]:
    """A function that runs another one on x, then the sweep from its sum back to x."""
    def run() -> Any:
        x.grad = None
        y = function(x)
        y.sum().backward()
        return y

    return run


# ---- the CNN ---------------------------------------------------------------------------


def cnn(lib: Any) -> Any:
    """30 kernels of 5x5, a pool of 2, and layers of 100 and 10, for images of 28x28."""
    nn = lib.nn
    return nn.Sequential(
        nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(30 * 12 * 12, 100), nn.ReLU(), nn.Linear(100, 10))


def cnn_steps(torch: Any) -> list[Callable[[], Any]]:
    """Our training step and, unless ``torch`` is None, PyTorch's, from the same weights.

    Raises:
        AssertionError: if the two do not compute the same losses.
    """
    random = np.random.default_rng(0)
    x = random.standard_normal((CNN_BATCH, 1, 28, 28)).astype(np.float32)
    target = random.integers(10, size=CNN_BATCH)
    net = cnn(tg)
    if torch is None:
        return [training_step(tg, net, tg.Tensor(x), target)]
    peer_net = cnn(torch)
    net.load_state_dict(peer_net.state_dict())
    ours = training_step(tg, net, tg.Tensor(x), target)
    peer = training_step(torch, peer_net, torch.tensor(x), torch.tensor(target))
    for _ in range(3):
        np.testing.assert_allclose(ours().item(), peer().item(), rtol=1e-4)
    return [ours, peer]

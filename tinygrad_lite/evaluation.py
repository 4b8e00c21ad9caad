"""What a net makes of data: losses and metrics, without gradients and in evaluation mode.

It imports the engine, `Module` and Tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .engine import no_grad
from .nn import Module
from .tensor import as_tensor

__all__ = ["accuracy", "confusion_matrix", "evaluate", "predict"]

Metrics = Mapping[str, Callable[[Any, Any], Any]]


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Record no graph, and let the model evaluate; each Module's mode comes back after it.

    A model that is no Module is a function, and has no mode.
    """
    modules = list(model.modules()) if isinstance(model, Module) else []
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        with no_grad():
            yield
    finally:
        for module, mode in zip(modules, modes):
            module.training = mode


def evaluate(model: Callable, loss: Callable, data: Iterable,
             metrics: Metrics | None = None, prefix: str = "") -> dict[str, float]:
    """The mean loss, and mean metrics, of a model over batches.

    Args:
        model: a Module, or a function of a batch's inputs.
        loss: ``loss(output, target)`` gives the mean over a batch.
        data: batches ``(*inputs, target)``, such as a `DataLoader`.
        metrics: for each name a function of ``(output, target)``, again a mean:
            ``{"accuracy": tg.accuracy}``.
        prefix: what every name of the result begins with.

    Returns:
        ``{"loss": number, name of a metric: number, ...}``; each batch counts by its length.

    Raises:
        ValueError: if there is no batch, or a metric has the name "loss".
        TypeError: if a batch is no tuple or list of inputs and a target.
    """
    means = Means()
    with evaluating(model):
        for batch in data:
            inputs, target = split_batch(batch)
            output = model(*inputs)
            found = {"loss": loss(output, target), **measured(metrics, output, target)}
            means.add(len(target), found)
    return means.result(prefix)


def predict(model: Callable, *inputs: Any, batch_size: int = 1000) -> np.ndarray:
    """What a model gives for each sample: without gradients, in evaluation mode, in batches.

    Args:
        model: a Module, or a function.
        inputs: what it takes, arrays or Tensors of the same length along axis 0.
        batch_size: how many samples it gets at once.

    Returns:
        The outputs of all samples, one array; ``predict(net, images).argmax(axis=1)`` are
        the classes that a classifier chooses.

    Raises:
        ValueError: for no input, or a `batch_size` below 1.
    """
    if not inputs or batch_size < 1:
        raise ValueError("predict expects at least one input, and batch_size of 1 or more; "
                         f"got {len(inputs)} inputs, batch_size={batch_size}")
    arrays = [as_tensor(x).numpy() for x in inputs]
    starts = range(0, max(len(arrays[0]), 1), batch_size)
    with evaluating(model):
        outputs = [model(*[a[start:start + batch_size] for a in arrays]) for start in starts]
    return np.concatenate([np.asarray(output) for output in outputs])


def accuracy(output: Any, target: Any) -> float:
    """The share of right answers, from 0 to 1.

    Args:
        output: logits of shape (N, C), of which the largest is the answer; or one logit a
            sample, (N,) or (N, 1), where the answer is 1 if it is above 0, else 0.
        target: the N true classes; or of the same shape as (N, C) `output`, probabilities,
            of which the largest counts.

    Raises:
        ValueError: for other shapes, or of no sample.
    """
    scores, truth = np.asarray(output), np.asarray(target)
    n = len(scores) if scores.ndim else 0
    if scores.ndim == 2 and scores.shape[1] > 1:
        answers = scores.argmax(axis=1)
        truth = truth.argmax(axis=1) if truth.shape == scores.shape else truth
    else:
        answers = scores.reshape(-1) > 0
    if not n or len(answers) != n or truth.shape not in ((n,), (n, 1)):
        raise ValueError("accuracy expects logits of shape (N, C), (N,) or (N, 1) and a class "
                         f"for each of N samples; got {scores.shape} and {truth.shape}")
    return float(np.mean(answers == truth.reshape(-1)))


def confusion_matrix(labels: Any, predicted: Any,
                     classes: int | Sequence[str] | None = None) -> np.ndarray:
    """How often each class was taken for each.

    Args:
        labels: the N true classes, integers from 0.
        predicted: the N predicted ones.
        classes: how many classes there are, or their names; as many as appear if left out.

    Returns:
        int64 of shape (C, C): entry [i, j] counts the samples of class i that were predicted
        to be j. The diagonal holds the right answers.

    Raises:
        TypeError: if classes are not integers.
        ValueError: if there are not as many predictions as labels.
        IndexError: if a class is negative, or too large for `classes`.
    """
    true, guess = np.asarray(labels), np.asarray(predicted)
    if true.shape != guess.shape or true.ndim != 1:
        raise ValueError("confusion_matrix expects two rows of classes, of the same length; "
                         f"got shapes {true.shape} and {guess.shape}. Of logits, take "
                         "argmax(axis=1) first")
    both = np.concatenate([true, guess])
    if both.dtype.kind not in "iub" and both.size:
        raise TypeError(f"confusion_matrix expects integer classes; got {true.dtype} and "
                        f"{guess.dtype}")
    both = both.astype(np.int64)
    n = classes if isinstance(classes, int) else len(classes or ())
    n = int(both.max(initial=-1)) + 1 if classes is None else n
    if both.size and not 0 <= both.min() <= both.max() < n:
        raise IndexError(f"confusion_matrix expects classes from 0 to {n - 1}; got "
                         f"{both.min()} to {both.max()}")
    pairs = both[:len(true)] * n + both[len(true):]
    return np.bincount(pairs, minlength=n * n).reshape(n, n)


# ---- what evaluate and fit share -------------------------------------------------------


class Means:
    """Means over samples of what is measured batch by batch."""

    def __init__(self) -> None:
        self.count = 0
        self.sums: dict[str, float] = {}

    def add(self, n: int, measured: Mapping[str, Any]) -> None:
        """Count a batch of n samples by its means."""
        self.count += n
        for name, mean in measured.items():
            self.sums[name] = self.sums.get(name, 0.0) + n * float(mean)

    def result(self, prefix: str) -> dict[str, float]:
        """The means so far, under their names behind the prefix; ValueError of no sample."""
        if not self.count:
            raise ValueError("expected batches, got none. Pass a DataLoader or a list; a "
                             "generator is used up after one pass")
        return {prefix + name: total / self.count for name, total in self.sums.items()}


def measured(metrics: Metrics | None, output: Any, target: Any) -> dict[str, Any]:
    """The metrics of a batch; ValueError where one takes the name of the loss."""
    if not metrics:
        return {}
    if "loss" in metrics:
        raise ValueError("a metric cannot have the name 'loss'; give it another")
    return {name: metric(output, target) for name, metric in metrics.items()}


def split_batch(batch: Any) -> tuple[Sequence, Any]:
    """A batch as its inputs, and its target, the last."""
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise TypeError("expected batches (input, target), such as those of a DataLoader of "
                        f"two arrays; got {type(batch).__name__}"
                        + (f" of {len(batch)}" if isinstance(batch, (tuple, list)) else ""))
    return batch[:-1], batch[-1]

"""The training loop. It imports the evaluation and `Module`; tqdm where it is used.

``docs/training.md`` shows the same loop by hand, in ten lines.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from time import perf_counter
from typing import Any

from ..evaluation import Means, Metrics, evaluate, measured, split_batch
from ..nn import Module
from ..nn.utils import clip_grad_norm_
from ..optim.lr_scheduler import ReduceLROnPlateau
from .callbacks import Callback
from .history import History

__all__ = ["Run", "fit", "training_step"]


class Run:
    """A training under way, as callbacks see it.

    Attributes:
        model, optimizer: what `fit` was given.
        history: the `History`; its last record is that of the last finished epoch.
        epoch: the number of the epoch under way, from 1.
        stop: set it to True to end the training after this epoch.
    """

    def __init__(self, model: Module, optimizer: Any, history: History,
                 callbacks: Sequence[Any]) -> None:
        self.model = model
        self.optimizer = optimizer
        self.history = history
        self.epoch = len(history)
        self.stop = False
        self._callbacks = callbacks

    def tell(self, moment: str) -> None:
        """Call that method of each callback; a function is one for ``after_epoch``."""
        for callback in self._callbacks:
            if isinstance(callback, Callback):
                getattr(callback, moment)(self)
            elif moment == "after_epoch":
                callback(self)


def fit(model: Module, loss: Callable, optimizer: Any, train: Iterable,
        valid: Iterable | None = None, epochs: int = 10, *, scheduler: Any = None,
        scheduler_each: str = "epoch", metrics: Metrics | None = None,
        clip_norm: float | None = None, callbacks: Sequence[Any] = (),
        history: History | None = None, progress: bool = True) -> History:
    """Train a model, and write down how it goes.

    Args:
        model: a Module.
        loss: ``loss(output, target)`` gives the mean over a batch, a Tensor.
        optimizer: of the model's parameters.
        train: batches ``(*inputs, target)``, such as a `DataLoader`; passed once an epoch.
        valid: batches to measure the model with after each epoch, in evaluation mode.
        epochs: how many passes to make.
        scheduler: of learning rates, from `optim.lr_scheduler`. A `ReduceLROnPlateau`
            watches the loss of `valid`, or else that of `train`.
        scheduler_each: whether it steps after each "epoch" or each "batch".
        metrics: for each name a function of ``(output, target)``, a mean over a batch:
            ``{"accuracy": tg.accuracy}``.
        clip_norm: the largest norm of all gradients together; longer ones are scaled down.
        callbacks: `Callback` objects, or functions of the `Run`, called after each epoch.
        history: an earlier one to go on with, epochs counted on; it keeps what was recorded
            even if the training is interrupted.
        progress: whether to show a bar, if tqdm is installed and someone can see it.

    Returns:
        The history: for each epoch its number ``epoch``, ``train_loss`` and the metrics, means
        over the batches as they were trained on; ``valid_loss`` and so on; the learning rate
        ``lr`` of the first parameter group, and ``seconds``.

    Raises:
        TypeError: if the model is no Module, or a batch no tuple of inputs and a target.
        ValueError: for `epochs` below 0, no batches, or another `scheduler_each`.
        FloatingPointError: if the loss of a batch is nan or infinite.
    """
    _check(model, epochs, callbacks)
    if scheduler is not None:
        callbacks = [_Scheduling(scheduler, scheduler_each), *callbacks]
    run = Run(model, optimizer, History() if history is None else history, callbacks)
    with _progress_bar(train, epochs, progress) as bar:
        run.tell("at_start")
        for _ in range(epochs):
            run.epoch += 1
            start = perf_counter()
            trained = _train_epoch(run, loss, train, metrics, clip_norm, bar)
            record = {"epoch": run.epoch, **trained}
            if valid is not None:
                record |= evaluate(model, loss, valid, metrics, prefix="valid_")
            record["lr"] = optimizer.param_groups[0]["lr"]
            record["seconds"] = perf_counter() - start
            run.history.append(record)
            bar.set_postfix(_shown(record))
            run.tell("after_epoch")
            if run.stop:
                break
        run.tell("at_end")
    return run.history


def _train_epoch(run: Run, loss: Callable, train: Iterable, metrics: Metrics | None,
                 clip_norm: float | None, bar: Any) -> dict[str, float]:
    """One pass over the batches; the means of the losses and metrics on the way."""
    means = Means()
    run.model.train()
    for batch in train:
        inputs, target = split_batch(batch)
        output, y = training_step(run.model, loss, run.optimizer, inputs, target, clip_norm)
        means.add(len(target), {"loss": y, **measured(metrics, output, target)})
        if not math.isfinite(y):
            raise FloatingPointError(f"the loss in epoch {run.epoch} is {float(y)}: try a "
                                     "smaller learning rate")
        run.tell("after_batch")
        bar.update()
    return means.result("train_")


def training_step(model: Module, loss: Callable, optimizer: Any, inputs: Sequence, target: Any,
                  clip_norm: float | None = None) -> tuple[Any, Any]:
    """One update; the output and the loss before it."""
    optimizer.zero_grad()
    output = model(*inputs)
    y = loss(output, target)
    y.backward()
    if clip_norm is not None:
        clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    return output, y


# ---- around the loop -------------------------------------------------------------------


def _check(model: Any, epochs: int, callbacks: Any) -> None:
    """Raise for what would fail late."""
    if not isinstance(model, Module):
        raise TypeError(f"fit trains a Module; got {type(model).__name__}")
    if epochs < 0:
        raise ValueError(f"fit expects epochs of 0 or more; got {epochs}")
    for callback in callbacks:
        if not isinstance(callback, Callback) and not callable(callback):
            raise TypeError("callbacks are Callback objects or functions of the run; got "
                            f"{type(callback).__name__}")


class _Scheduling(Callback):
    """Steps a scheduler of learning rates."""

    def __init__(self, scheduler: Any, each: str) -> None:
        if each not in ("epoch", "batch"):
            raise ValueError(f"scheduler_each is 'epoch' or 'batch'; got {each!r}")
        self.watches = isinstance(scheduler, ReduceLROnPlateau)
        if self.watches and each == "batch":
            raise ValueError("a scheduler that watches the loss steps each epoch; got "
                             "scheduler_each='batch'")
        self.scheduler = scheduler
        self.each = each

    def after_batch(self, run: Run) -> None:  # noqa: ARG002  # a moment is told the run
        if self.each == "batch":
            self.scheduler.step()

    def after_epoch(self, run: Run) -> None:
        if self.watches:
            record = run.history[-1]
            self.scheduler.step(record.get("valid_loss", record["train_loss"]))
        elif self.each == "epoch":
            self.scheduler.step()


class _NoBar(AbstractContextManager):
    """A progress bar that shows nothing."""

    def __exit__(self, *exception: object) -> None:
        pass

    def update(self) -> None:
        """A batch is done."""

    def set_postfix(self, shown: Any) -> None:
        """An epoch is done."""


def _progress_bar(train: Any, epochs: int, wanted: bool) -> Any:
    """A bar over all batches, if tqdm is there and a terminal or a notebook shows it."""
    if not wanted or not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        return _NoBar()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return _NoBar()
    total = epochs * len(train) if hasattr(train, "__len__") else None
    return tqdm(total=total, unit="batch")


def _shown(record: dict[str, float]) -> dict[str, str]:
    """What of the record stands beside the bar."""
    return {name: f"{number:.4g}" for name, number in record.items() if name != "seconds"}

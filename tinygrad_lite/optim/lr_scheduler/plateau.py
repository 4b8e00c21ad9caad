"""A schedule that waits for what it is told; it imports `LRScheduler`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ...engine import refuse_to_replay
from ..optimizer import Optimizer
from ..parameters import check_range
from .scheduler import LRScheduler, per_group, whole

__all__ = ["ReduceLROnPlateau"]

_MODES = ("min", "max")
_THRESHOLD_MODES = ("rel", "abs")


class ReduceLROnPlateau(LRScheduler):
    """Cut the rate once a metric, such as the validation loss, has stopped to improve::

        lr = max(lr * factor, min_lr)

    after more than `patience` epochs in a row without a new best. An epoch is better than
    the best one if, in mode "min", metric < best * (1 - threshold), or metric < best -
    threshold for `threshold_mode` "abs"; in mode "max", metric > best * (1 + threshold), or
    metric > best + threshold. A metric of nan is never better. For metrics below 0 "abs" is
    the mode that makes sense.

    Args:
        optimizer: whose rates it sets.
        mode: "min" or "max", what is better.
        factor: at least 0, below 1.
        patience: how many bad epochs in a row are let pass, 0 or more.
        threshold: how much better is better, 0 or more.
        threshold_mode: "rel" or "abs", a share of the best or a number.
        cooldown: for how many epochs after a cut no bad one is counted, 0 or more.
        min_lr: no rate falls below it; a number, or one for each parameter group.
        eps: a cut by this or less is left out, 0 or more.

    Attributes:
        best: the best metric so far.
        num_bad_epochs: how many epochs in a row were no better.
        cooldown_counter: how many epochs of the cooldown are left.

    Raises:
        TypeError: if `optimizer` is no Optimizer, or a setting no number.
        ValueError: for a setting out of range, or an unknown mode.
    """

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1,
                 patience: int = 10, threshold: float = 1e-4, threshold_mode: str = "rel",
                 cooldown: int = 0, min_lr: float | Sequence[float] = 0.0,
                 eps: float = 1e-8) -> None:
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.eps = eps
        self.best = -math.inf if mode == "max" else math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self._attach(optimizer)

    def _check(self) -> None:
        if self.mode not in _MODES:
            raise ValueError(f"mode {self.mode} is unknown; expected one of {_MODES}")
        if self.threshold_mode not in _THRESHOLD_MODES:
            raise ValueError(f"threshold mode {self.threshold_mode} is unknown; expected one "
                             f"of {_THRESHOLD_MODES}")
        check_range("factor", self.factor, below=1.0)
        check_range("threshold", self.threshold)
        check_range("eps", self.eps)
        if not isinstance(self.best, (int, float)):
            raise TypeError(f"best must be a number; got {self.best!r}")
        for name in ("patience", "cooldown", "num_bad_epochs", "cooldown_counter"):
            whole(name, getattr(self, name), 0)
        per_group("min_lr", self.min_lr, self.optimizer)

    def step(self, metrics: Any) -> None:  # type: ignore[override]  # it needs to know
        """End an epoch, whose metric decides whether to cut the rates.

        Args:
            metrics: a number, or a Tensor, Value or array of one element.

        Raises:
            TypeError, ValueError: if `metrics` is not one number.
        """
        refuse_to_replay("ReduceLROnPlateau.step()", "it reads a number that will be another "
                         "one at the next call; call it outside")
        self._all_or_nothing(self._judge, float(metrics))

    def _judge(self, metric: float) -> None:
        self.last_epoch += 1
        if self._is_better(metric):
            self.best = metric
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
            self._write(self._reduced())
        self._last_lr = self._rates()

    def _is_better(self, metric: float) -> bool:
        sign = 1.0 if self.mode == "max" else -1.0
        if self.threshold_mode == "rel":
            bound = self.best * (1 + sign * self.threshold)
        else:
            bound = self.best + sign * self.threshold
        return metric > bound if self.mode == "max" else metric < bound

    def _reduced(self) -> list[float]:
        rates = self._rates()
        lowest = per_group("min_lr", self.min_lr, self.optimizer)
        cut = [max(rate * self.factor, low) for rate, low in zip(rates, lowest)]
        return [new if rate - new > self.eps else rate for rate, new in zip(rates, cut)]

    def preview(self, metrics: Iterable[float]) -> list[list[float]]:  # type: ignore[override]
        """The rates of the next epochs, if they ended with these metrics.

        Returns:
            A row for each metric: the rates, one for each group, of the epoch that ends with
            it. The optimizer is not touched.
        """
        twin = self._twin()
        rows = []
        for metric in metrics:
            rows.append(twin._rates())
            twin._judge(float(metric))
        return rows

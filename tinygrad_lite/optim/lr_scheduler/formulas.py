"""Schedules that are a formula of the base rate and the epoch; it imports `LRScheduler`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..optimizer import Optimizer
from ..parameters import check_range
from .scheduler import LRScheduler

__all__ = ["InverseTimeLR", "LambdaLR"]


class LambdaLR(LRScheduler):
    """Whatever a function says::

        lr = lr0 * lr_lambda(t)

    Functions are not saved: `state_dict` holds the epoch and the rates, and the schedule
    that loads it must be made with the same functions.

    Args:
        optimizer: whose rates it sets.
        lr_lambda: a function of the epoch, or one for each parameter group.
        last_epoch: see `LRScheduler`.

    Raises:
        TypeError: if `lr_lambda` is no function, or gives no number.
        ValueError: if there are not as many functions as groups, or a rate would be
            negative or not a number.
        KeyError: see `LRScheduler`.
    """

    unsaved = (*LRScheduler.unsaved, "lr_lambdas")

    def __init__(self, optimizer: Optimizer,
                 lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
                 last_epoch: int = -1) -> None:
        self.lr_lambdas: Any = lr_lambda
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        groups = len(self.optimizer.param_groups)
        if not isinstance(self.lr_lambdas, (list, tuple)):
            self.lr_lambdas = [self.lr_lambdas] * groups
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(self.lr_lambdas)}")
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError("lr_lambda should be a function, but got "
                                f"{type(function).__name__}")

    def get_lr(self) -> list[float]:
        rates = []
        for base, function in zip(self.base_lrs, self.lr_lambdas):
            factor = function(self.last_epoch)
            check_range(f"factor from lr_lambda at epoch {self.last_epoch}", factor)
            rates.append(base * float(factor))
        return rates


class InverseTimeLR(LRScheduler):
    """Let the rate fall as the inverse of time, the textbook's decay::

        lr = lr0 / (1 + k * t)

    The sum of its rates grows without bound, the sum of their squares does not: the two
    conditions under which stochastic gradient descent converges. Source: Robbins and Monro,
    "A Stochastic Approximation Method" (1951).

    Args:
        optimizer: whose rates it sets.
        k: how fast it falls, 0 or more; the rate is halved after 1 / k epochs.
        last_epoch: see `LRScheduler`.

    Raises:
        TypeError, ValueError, KeyError: see `LRScheduler`.
    """

    def __init__(self, optimizer: Optimizer, k: float, last_epoch: int = -1) -> None:
        self.k = k
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        check_range("k", self.k)

    def get_lr(self) -> list[float]:
        return [base / (1 + self.k * self.last_epoch) for base in self.base_lrs]

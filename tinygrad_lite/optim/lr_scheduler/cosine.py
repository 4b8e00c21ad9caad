"""Schedules along a cosine; it imports `LRScheduler`.

Source of both: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts"
(2017), equation 5.
"""

from __future__ import annotations

import math

import numpy as np

from ..optimizer import Optimizer
from ..parameters import check_range
from .scheduler import LRScheduler, plain, whole

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


class CosineAnnealingLR(LRScheduler):
    """Let the rate fall along half a cosine, without the paper's restarts::

        lr = eta_min + (lr0 - eta_min) * (1 + cos(pi * t / T_max)) / 2

    Past T_max it rises again. As in PyTorch each rate is computed from the one before, so
    that the schedule can be chained.

    Args:
        optimizer: whose rates it sets.
        T_max: after how many epochs the rate is `eta_min`, 1 or more.
        eta_min: the lowest rate, 0 or more.
        last_epoch: see `LRScheduler`.

    Raises:
        TypeError, ValueError, KeyError: see `LRScheduler`.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        whole("T_max", self.T_max)
        check_range("eta_min", self.eta_min)

    def _first_lr(self) -> list[float]:
        return self._rates()

    def _restart(self) -> None:
        super()._restart()  # the formula at t = 0, which may round otherwise than lr0
        self._write([self.eta_min + (base - self.eta_min) for base in self.base_lrs])

    def get_lr(self) -> list[float]:
        now = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        before = 1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        if (self.last_epoch - 1) % (2 * self.T_max) == self.T_max:  # `before` is 0
            rise = 1 - math.cos(math.pi / self.T_max)
            return [rate + (base - self.eta_min) * rise / 2
                    for rate, base in zip(self._rates(), self.base_lrs)]
        return [now / before * (rate - self.eta_min) + self.eta_min for rate in self._rates()]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Let the rate fall along half a cosine, again and again::

        lr = eta_min + (lr0 - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2

    where T_cur counts the epochs since the last restart, and T_i is the length of cycle i:
    T_0, T_0 * T_mult, T_0 * T_mult ** 2, ...

    Args:
        optimizer: whose rates it sets.
        T_0: length of the first cycle, 1 or more.
        T_mult: by how much each cycle is longer than the one before, 1 or more.
        eta_min: the lowest rate, 0 or more.
        last_epoch: see `LRScheduler`.

    Attributes:
        T_cur: as in the formula.
        T_i: likewise.

    Raises:
        TypeError, ValueError, KeyError: see `LRScheduler`.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:
        self.T_0 = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        whole("T_0", self.T_0)
        whole("T_mult", self.T_mult)
        if not isinstance(self.eta_min, (int, float, np.number)):
            raise ValueError(f"Expected float or int eta_min, but got {self.eta_min!r}")
        check_range("eta_min", self.eta_min)

    def _check_progress(self) -> None:
        super()._check_progress()
        check_range("T_cur", self.T_cur)
        whole("T_i", self.T_i)

    def get_lr(self) -> list[float]:
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next epoch; or to the one that is given, in whatever order.

        Args:
            epoch: a number, 0 or more; a fraction says how much of an epoch has passed:
                ``scheduler.step(epoch + i / batches)`` after batch i.

        Raises:
            TypeError, ValueError: if `epoch` is no number, or negative.
            RuntimeError: without `epoch`, as `LRScheduler.step`.
        """
        if epoch is None:
            super().step()
        else:
            check_range("epoch", epoch)
            self._all_or_nothing(self._go_to, plain(epoch))

    def _begin(self, last_epoch: int) -> None:
        self._go_to(last_epoch + 1)

    def _go_to(self, epoch: float) -> None:
        self.last_epoch = math.floor(epoch)
        self.T_cur, self.T_i = self._place(epoch)
        self._write(self.get_lr())

    def _place(self, epoch: float) -> tuple[float, int]:
        """T_cur and T_i at an epoch; the differences are exact, for fractions as well."""
        if self.T_mult == 1:
            return epoch % self.T_0, self.T_0
        T_cur, T_i = epoch, self.T_0
        while T_cur >= T_i:
            T_cur -= T_i
            T_i *= self.T_mult
        return T_cur, T_i

    def _advance(self) -> None:
        self.last_epoch += 1
        self.T_cur += 1
        if self.T_cur >= self.T_i:
            self.T_cur -= self.T_i
            self.T_i *= self.T_mult
        self._write(self.get_lr())

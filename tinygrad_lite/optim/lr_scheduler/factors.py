"""Schedules that multiply the present rates by a factor, so that several can be chained.

They use the recursive forms of PyTorch, whose rounding is part of the result. It imports
`LRScheduler`.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..optimizer import Optimizer
from ..parameters import check_range
from .scheduler import LRScheduler, increasing, whole

__all__ = ["ConstantLR", "ExponentialLR", "LinearLR", "MultiStepLR", "PolynomialLR", "StepLR"]


class FactorLR(LRScheduler):
    """Base class: at each epoch, every rate is multiplied by ``_factor()``."""

    def _factor(self) -> float:
        """By what to multiply the rates of the epoch before."""
        raise NotImplementedError  # an abstract method: every schedule has its own

    def _first_factor(self) -> float:
        """By what to multiply the rates that the groups have at the beginning.

        In a resumed run that is 1: its rates were loaded.
        """
        return 1.0

    def get_lr(self) -> list[float]:
        factor = self._factor()
        return [rate * factor for rate in self._rates()]

    def _first_lr(self) -> list[float]:
        factor = self._first_factor()
        return [rate * factor for rate in self._rates()]


class StepLR(FactorLR):
    """Multiply the rate by gamma every `step_size` epochs::

        lr = lr0 * gamma ** (t // step_size)

    Args:
        optimizer: whose rates it sets.
        step_size: after how many epochs, 1 or more.
        gamma: the factor, 0 or more.
        last_epoch: see `LRScheduler`.

    Raises:
        TypeError, ValueError, KeyError: see `LRScheduler`.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        whole("step_size", self.step_size)
        check_range("gamma", self.gamma)

    def _factor(self) -> float:
        return 1.0 if self.last_epoch % self.step_size else self.gamma


class MultiStepLR(FactorLR):
    """Multiply the rate by gamma at each milestone::

        lr = lr0 * gamma ** (number of milestones <= t)

    Args:
        optimizer: whose rates it sets.
        milestones: epochs, in increasing order; one that is named twice counts twice.
        gamma: the factor, 0 or more.
        last_epoch: see `LRScheduler`.

    Raises:
        TypeError, ValueError, KeyError: see `LRScheduler`; PyTorch takes milestones in any
            order.
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        self.milestones = list(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        increasing("milestones", self.milestones)
        check_range("gamma", self.gamma)

    def _factor(self) -> float:
        return self.gamma ** self.milestones.count(self.last_epoch)

    def _first_factor(self) -> float:
        return self._factor() if self.last_epoch == 0 else 1.0


class ConstantLR(FactorLR):
    """Multiply the rate by `factor` for the first epochs::

        lr = lr0 * (factor if t < total_iters else 1)

    Args:
        optimizer: whose rates it sets.
        factor: above 0, at most 1.
        total_iters: for how many epochs, 1 or more.
        last_epoch: see `LRScheduler`.

    Raises:
        TypeError, ValueError, KeyError: see `LRScheduler`.
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5,
                 last_epoch: int = -1) -> None:
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        check_share("factor", self.factor, above=0)
        whole("total_iters", self.total_iters)

    def _factor(self) -> float:
        return 1 / self.factor if self.last_epoch == self.total_iters else 1.0

    def _first_factor(self) -> float:
        return self.factor if self.last_epoch == 0 else 1.0


class LinearLR(FactorLR):
    """Change the rate along a straight line, as a warm-up does by default::

        s  = start_factor + (end_factor - start_factor) * min(t, total_iters) / total_iters
        lr = lr0 * s

    Args:
        optimizer: whose rates it sets.
        start_factor: s at the beginning, above 0, at most 1.
        end_factor: s at the end, at least 0, at most 1.
        total_iters: after how many epochs the end is reached, 1 or more.
        last_epoch: see `LRScheduler`.

    Raises:
        TypeError, ValueError, KeyError: see `LRScheduler`.
    """

    def __init__(self, optimizer: Optimizer, start_factor: float = 1 / 3,
                 end_factor: float = 1.0, total_iters: int = 5,
                 last_epoch: int = -1) -> None:
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        check_share("start_factor", self.start_factor, above=0)
        check_share("end_factor", self.end_factor)
        whole("total_iters", self.total_iters)

    def _factor(self) -> float:
        if self.last_epoch > self.total_iters:
            return 1.0
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return max(1 + rise / before, 0.0)  # it may round to below 0 where the rate is 0

    def _first_factor(self) -> float:
        return self.start_factor if self.last_epoch == 0 else 1.0


class ExponentialLR(FactorLR):
    """Multiply the rate by gamma at every epoch::

        lr = lr0 * gamma ** t

    Args:
        optimizer: whose rates it sets.
        gamma: the factor, 0 or more.
        last_epoch: see `LRScheduler`.

    Raises:
        TypeError, ValueError, KeyError: see `LRScheduler`.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        check_range("gamma", self.gamma)

    def _factor(self) -> float:
        return self.gamma


class PolynomialLR(FactorLR):
    """Let the rate fall to 0 along a power of the epochs that are left::

        lr = lr0 * (1 - min(t, total_iters) / total_iters) ** power

    Args:
        optimizer: whose rates it sets.
        total_iters: after how many epochs the rate is 0, 1 or more.
        power: 1 is a straight line, 0 or more.
        last_epoch: see `LRScheduler`.

    Raises:
        TypeError, ValueError, KeyError: see `LRScheduler`.
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0,
                 last_epoch: int = -1) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        whole("total_iters", self.total_iters)
        check_range("power", self.power)

    def _factor(self) -> float:
        if self.last_epoch > self.total_iters:
            return 1.0
        left = 1 - self.last_epoch / self.total_iters
        before = 1 - (self.last_epoch - 1) / self.total_iters
        return (left / before) ** self.power


def check_share(name: str, x: float, above: float = float("-inf")) -> None:
    """Raise unless x is a number from 0, or above `above`, to 1: TypeError, ValueError."""
    check_range(name, x)
    if x > 1 or x <= above:
        bound = f"greater than {above}" if above == 0 else "at least 0"
        raise ValueError(f"Expected {name} to be {bound} and at most 1; got {x}")

"""One long cycle: the rate rises and falls, the momentum does the opposite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..optimizer import Optimizer
from ..parameters import check_range
from .scheduler import LRScheduler, per_group, whole

__all__ = ["OneCycleLR"]

_STRATEGIES = ("cos", "linear")


class OneCycleLR(LRScheduler):
    """From max_lr / div_factor up to max_lr, then down, far below where it began::

        cos:     x = end + (start - end) / 2 * (1 + cos(pi * p))
        linear:  x = start + (end - start) * p

    where p is the share of the phase that has passed, and x the rate or the momentum:

    ===== ===================== ==================== =============================
    phase ends at step          rate                 momentum
    ===== ===================== ==================== =============================
    up    pct_start * total - 1 initial_lr to max_lr max_momentum to base_momentum
    down  total - 1             max_lr to min_lr     base_momentum to max_momentum
    ===== ===================== ==================== =============================

    with initial_lr = max_lr / div_factor, min_lr = initial_lr / final_div_factor. With
    `three_phase`, the paper's form, the way down leads to initial_lr first, in as many steps
    as up, and from there to min_lr at the highest momentum. It is meant to be stepped after
    every batch; the step that ends the last one changes nothing, where PyTorch follows the
    formula past its end, for "linear" to a negative rate.

    Source: Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using
    Large Learning Rates" (2018).

    Args:
        optimizer: whose rates it sets, and whose "momentum" or first of the "betas".
        max_lr: the highest rate, or one for each parameter group.
        total_steps: length of the cycle; or else
        epochs, steps_per_epoch: whose product it is.
        pct_start: share of the cycle in which the rate rises, a float from 0 to 1.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether the momentum moves too.
        base_momentum: the lowest momentum, or one for each group.
        max_momentum: the highest, likewise.
        div_factor: see above, greater than 0.
        final_div_factor: likewise.
        three_phase: likewise.
        last_epoch: see `LRScheduler`.

    Raises:
        TypeError, KeyError: see `LRScheduler`.
        ValueError: see `LRScheduler`; without a length; for an optimizer without momentum if
            `cycle_momentum`; and by `step`, past the end of the cycle.
    """

    def __init__(self, optimizer: Optimizer, max_lr: float | Sequence[float],
                 total_steps: int | None = None, epochs: int | None = None,
                 steps_per_epoch: int | None = None, pct_start: float = 0.3,
                 anneal_strategy: str = "cos", cycle_momentum: bool = True,
                 base_momentum: float | Sequence[float] = 0.85,
                 max_momentum: float | Sequence[float] = 0.95, div_factor: float = 25.0,
                 final_div_factor: float = 1e4, three_phase: bool = False,
                 last_epoch: int = -1) -> None:
        self.total_steps = _length(total_steps, epochs, steps_per_epoch)
        self.pct_start = pct_start
        self.anneal_strategy = anneal_strategy
        self.three_phase = three_phase
        self.max_lr: Any = max_lr  # a list of them, once checked
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.cycle_momentum = cycle_momentum
        self.base_momentum: Any = base_momentum  # likewise
        self.max_momentum: Any = max_momentum
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        whole("total_steps", self.total_steps)
        check_range("pct_start", self.pct_start)
        if self.pct_start > 1 or not isinstance(self.pct_start, float):
            raise ValueError("Expected float between 0 and 1 pct_start, but got "
                             f"{self.pct_start}")
        if self.anneal_strategy not in _STRATEGIES:
            raise ValueError(f"anneal_strategy must be one of {_STRATEGIES}; got "
                             f"{self.anneal_strategy!r}")
        self.max_lr = per_group("max_lr", self.max_lr, self.optimizer)
        for name in ("div_factor", "final_div_factor"):
            check_range(name, getattr(self, name))
            if getattr(self, name) == 0:
                raise ValueError(f"Expected {name} to be greater than 0; got 0")
        if self.cycle_momentum:
            self._check_momentum()

    def _check_momentum(self) -> None:
        settings = self.optimizer.defaults
        if "momentum" not in settings and "betas" not in settings:
            raise ValueError(f"{type(self.optimizer).__name__} has neither momentum nor betas; "
                             "optimizer must support momentum or beta1 with `cycle_momentum` "
                             "option enabled, so pass cycle_momentum=False")
        below = 1.0 if "betas" in settings else float("inf")
        self.base_momentum = per_group("base_momentum", self.base_momentum, self.optimizer,
                                       below)
        self.max_momentum = per_group("max_momentum", self.max_momentum, self.optimizer, below)

    def _note_initial(self) -> None:
        for group, rate in zip(self.optimizer.param_groups, self.max_lr):
            group["initial_lr"] = rate / self.div_factor

    def get_lr(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise ValueError(f"Tried to step {self.last_epoch} times. The specified number of "
                             f"total steps is {self.total_steps}")
        lowest = [base / self.final_div_factor for base in self.base_lrs]
        middle = [self.max_lr, self.base_lrs] if self.three_phase else [self.max_lr]
        return self._between([self.base_lrs, *middle, lowest])

    def _momentum(self) -> list[float]:
        highest = self.max_momentum
        return self._between([highest, self.base_momentum, highest, highest])

    def _between(self, levels: Sequence[list[float]]) -> list[float]:
        """A number for each group, of its levels where the phases meet."""
        i, p = self._phase()
        if self.anneal_strategy == "linear":
            return [(end - start) * p + start for start, end in zip(levels[i], levels[i + 1])]
        return [end + (start - end) / 2 * (1 + math.cos(math.pi * p))
                for start, end in zip(levels[i], levels[i + 1])]

    def _phase(self) -> tuple[int, float]:
        """Number of the present phase, and which share of it has passed."""
        ends: list[float] = [self.total_steps - 1]
        if self.three_phase:
            ends.insert(0, 2 * self.pct_start * self.total_steps - 2)
        ends.insert(0, self.pct_start * self.total_steps - 1)
        start = 0.0
        i = 0
        while self.last_epoch > ends[i] and i < len(ends) - 1:
            start = ends[i]
            i += 1
        if self.last_epoch >= ends[i]:  # also of a phase without steps
            return i, 1.0
        return i, (self.last_epoch - start) / (ends[i] - start)

    def _write(self, rates: Sequence[float]) -> None:
        super()._write(rates)
        self._write_momentum()

    def _write_momentum(self) -> None:
        if not self.cycle_momentum:
            return
        for group, momentum in zip(self.optimizer.param_groups, self._momentum()):
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def _adopt(self, new: dict, rates: list[float]) -> None:
        super()._adopt(new, rates)
        self._write_momentum()


def _length(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    """How many steps the cycle has; ValueError if that is not said."""
    if total_steps is not None:
        return total_steps
    if epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    whole("epochs", epochs)
    whole("steps_per_epoch", steps_per_epoch)
    return epochs * steps_per_epoch

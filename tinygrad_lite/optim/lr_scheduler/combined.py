"""Schedules made of schedules; it imports `LRScheduler`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..optimizer import Optimizer
from .plateau import ReduceLROnPlateau
from .scheduler import Fitting, LRScheduler, check_mapping, increasing

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Combined(LRScheduler):
    """Base class: a schedule that steps others, all of one optimizer."""

    unsaved = (*LRScheduler.unsaved, "_schedulers")  # their states are saved
    _schedulers: list[LRScheduler]

    def _take(self, schedulers: Iterable[LRScheduler], optimizer: Any) -> None:
        """Keep the schedulers, if all of them can be stepped together."""
        kind = type(self).__name__
        self._schedulers = list(schedulers)
        if not self._schedulers:
            raise ValueError(f"{kind} expects at least one scheduler, but got no scheduler")
        for i, scheduler in enumerate(self._schedulers):
            if not isinstance(scheduler, LRScheduler):
                raise TypeError(f"{kind} expects schedulers; got {type(scheduler).__name__} "
                                f"at index {i}")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"{kind} does not support ReduceLROnPlateau, whose step needs "
                                 f"a metric, but got one at index {i}; step it by itself")
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"{kind} expects all schedulers to belong to the same "
                                 f"optimizer; the one at index {i} has another")

    def _members(self) -> Iterator[LRScheduler]:
        yield self
        for scheduler in self._schedulers:
            yield from scheduler._members()

    def _twin(self, stand_in: Any = None) -> Any:
        twin = super()._twin(stand_in)
        twin._schedulers = [scheduler._twin(twin.optimizer) for scheduler in self._schedulers]
        return twin

    def state_dict(self) -> dict[str, Any]:
        """As `LRScheduler.state_dict`, with the states of its schedulers in a list."""
        inner = [scheduler.state_dict() for scheduler in self._schedulers]
        return {**super().state_dict(), "_schedulers": inner}

    def _checked(self, state: Mapping[str, Any]) -> list[Fitting]:
        check_mapping(type(self).__name__, state)
        inner = state.get("_schedulers")
        if not isinstance(inner, list) or len(inner) != len(self._schedulers):
            raise ValueError(f"{type(self).__name__} expects a list '_schedulers' with the "
                             f"states of its {len(self._schedulers)} schedulers; got "
                             f"{inner!r:.60}")
        fitting = []
        for scheduler, its in zip(self._schedulers, inner):
            fitting += scheduler._checked(its)
        rest = {name: x for name, x in state.items() if name != "_schedulers"}
        return fitting + super()._checked(rest)


class SequentialLR(_Combined):
    """One schedule after another: number i takes over at ``milestones[i - 1]``.

    Each begins there from its base rates, as if it were alone; PyTorch cannot nest them.

    Args:
        optimizer: whose rates it sets.
        schedulers: made for this optimizer; no ReduceLROnPlateau.
        milestones: epochs in increasing order, one fewer than schedulers.
        last_epoch: only -1, for the schedules have changed the rates by then; to resume,
            `load_state_dict`.

    Raises:
        TypeError: for anything but schedulers.
        ValueError: for no schedulers, those of another optimizer, and milestones that do
            not fit.
    """

    def __init__(self, optimizer: Optimizer, schedulers: Iterable[LRScheduler],
                 milestones: Iterable[int], last_epoch: int = -1) -> None:
        self._take(schedulers, optimizer)
        self.milestones = list(milestones)
        if last_epoch != -1:
            raise ValueError(f"SequentialLR expects last_epoch -1; got {last_epoch}. To "
                             "resume, make it anew and call load_state_dict")
        super().__init__(optimizer)

    def _check(self) -> None:
        increasing("milestones", self.milestones)
        if len(self.milestones) != len(self._schedulers) - 1:
            raise ValueError("SequentialLR expects one milestone fewer than schedulers, "
                             f"{len(self._schedulers) - 1}; got {len(self.milestones)}")

    def _begin(self, last_epoch: int) -> None:
        self.last_epoch = last_epoch + 1
        self._write(self.base_lrs)
        scheduler, _ = self._present()
        scheduler._begin(last_epoch)
        self._last_lr = self._rates()

    def _advance(self) -> None:
        self.last_epoch += 1
        scheduler, start = self._present()
        if self.last_epoch == start:
            scheduler._restart()
        else:
            scheduler._advance()
        self._last_lr = self._rates()

    def _present(self) -> tuple[LRScheduler, int]:
        """The schedule that has its turn, and the epoch at which it began."""
        i = bisect_right(self.milestones, self.last_epoch)
        return self._schedulers[i], self.milestones[i - 1] if i else 0


class ChainedScheduler(_Combined):
    """Several schedules at once: each acts, in turn, on the rates that the one before left.

    That makes sense for schedules that multiply the present rates, such as `StepLR`; one
    that is a formula of the base rate, such as `LambdaLR`, forgets what came before it.

    Args:
        schedulers: made for one optimizer; no ReduceLROnPlateau.
        optimizer: theirs, if left out that of the first.

    Raises:
        TypeError: for anything but schedulers.
        ValueError: for no schedulers, and those of another optimizer.
    """

    def __init__(self, schedulers: Sequence[LRScheduler],
                 optimizer: Optimizer | None = None) -> None:
        schedulers = list(schedulers)
        if optimizer is None and schedulers:
            optimizer = getattr(schedulers[0], "optimizer", None)
        self._take(schedulers, optimizer)
        self._attach(self._schedulers[0].optimizer)
        self.base_lrs = [group["initial_lr"] for group in self.optimizer.param_groups]

    def _begin(self, last_epoch: int) -> None:
        for scheduler in self._schedulers:
            scheduler._begin(last_epoch)
        self._last_lr = self._rates()

    def _advance(self) -> None:
        for scheduler in self._schedulers:
            scheduler._advance()
        self._last_lr = self._rates()

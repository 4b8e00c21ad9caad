"""LRScheduler: what all schedules share. It imports `Optimizer`.

A subclass says which rates follow; the base class writes them into the optimizer's parameter
groups, keeps the count, and saves and restores all of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...engine import _mode
from ..optimizer import Optimizer
from ..parameters import check_range

__all__ = ["LRScheduler"]


class LRScheduler:
    """Base class of the schedules: a rate for each parameter group at each epoch.

    An epoch is what lies between two calls of `step`, be it a batch or a pass over the data.
    A schedule of your own is a subclass with a `get_lr`::

        class HalfLR(LRScheduler):
            def get_lr(self):
                return [base / 2 ** self.last_epoch for base in self.base_lrs]

    Settings of its own are set before ``super().__init__(optimizer, last_epoch)``.

    Args:
        optimizer: whose rates it sets.
        last_epoch: -1 starts from the beginning, at the rates that the groups have, and
            notes these in them as "initial_lr". Another number is the last epoch that a
            resumed run had finished, with the groups as they were then, after the
            scheduler's step; `load_state_dict` is the surer way.

    Attributes:
        last_epoch: the present epoch, counted from 0.
        base_lrs: the rate of each group that the schedule starts from.
        unsaved: on the class, names of attributes that are not part of the state.

    Raises:
        TypeError: if `optimizer` is no Optimizer, or a setting no number.
        ValueError: for a setting out of range.
        KeyError: if a group has no "initial_lr" though `last_epoch` is given.
    """

    unsaved: tuple[str, ...] = ("optimizer", "_idle_at")
    _idle_at: int | None  # the optimizer's count when the schedule began; None once it steps

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self._attach(optimizer)
        whole("last_epoch", last_epoch, -1)
        if last_epoch == -1:
            self._note_initial()
        else:
            self._idle_at = None
        for i, group in enumerate(optimizer.param_groups):
            if "initial_lr" not in group:
                raise KeyError(f"param 'initial_lr' is not specified in param_groups[{i}] when "
                               "resuming a scheduler with last_epoch >= 0; load the "
                               "optimizer's state first, or leave last_epoch out")
        self.base_lrs = [plain(group["initial_lr"]) for group in optimizer.param_groups]
        self._begin(last_epoch)

    def _attach(self, optimizer: Optimizer) -> None:
        """Check everything before anything is changed."""
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        self._idle_at = optimizer.steps_taken
        self._last_lr = self._rates()
        self._check()
        vars(self).update({name: plain(x) for name, x in vars(self).items()
                           if name not in self.unsaved})

    def _note_initial(self) -> None:
        """Note in each group the rate that the schedule starts from."""
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", plain(group["lr"]))

    def _rates(self) -> list[float]:
        """The rates that the groups have now."""
        return [plain(group["lr"]) for group in self.optimizer.param_groups]

    # ---- what a subclass says ----------------------------------------------------------

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`, one for each group; only a subclass knows them."""
        raise NotImplementedError

    def _first_lr(self) -> list[float]:
        """The rates when the schedule begins, or is taken up after `last_epoch`."""
        return self.get_lr()

    def _check(self) -> None:
        """Raise for a setting of the wrong type or out of range; make others plain."""

    # ---- the steps ---------------------------------------------------------------------

    def step(self) -> None:
        """Go on to the next epoch: call it after the optimizer's steps of this one.

        Raises:
            RuntimeError: at the first step, if the optimizer took none: it would skip the
                first rate. `preview` shows the rates without training.
        """
        self._refuse_to_skip()
        self._all_or_nothing(self._advance)
        if _mode.tracer is not None:
            _mode.tracer.schedules(self)

    def _refuse_to_skip(self) -> None:
        if not self._started():
            raise RuntimeError(
                f"{type(self).__name__}.step() was called before optimizer.step(), which would "
                f"skip the first rate, {self._rates()}. Call optimizer.step() first; to see "
                "the rates without training, use preview(steps)")
        self._idle_at = None

    def _started(self) -> bool:
        """Whether the optimizer stepped since the schedule began."""
        return self._idle_at is None or self.optimizer.steps_taken != self._idle_at

    def _all_or_nothing(self, move: Callable, *arguments: Any) -> None:
        """Call ``move``; if it raises, leave the schedule and the rates as they were."""
        members = [vars(scheduler) for scheduler in self._members()]
        members += self.optimizer.param_groups
        before = [dict(member) for member in members]
        try:
            move(*arguments)
        except BaseException:
            for member, entries in zip(members, before):
                member.update(entries)
            raise

    def _members(self) -> Iterator[LRScheduler]:
        """The schedule, and those that it is made of."""
        yield self

    def _begin(self, last_epoch: int) -> None:
        """Start, if `last_epoch` is -1, or take up the schedule after that epoch."""
        self.last_epoch = last_epoch + 1
        self._write(self._first_lr())

    def _restart(self) -> None:
        """Start from the base rates, whatever the rates are now."""
        self._write(self.base_lrs)
        self._begin(-1)

    def _advance(self) -> None:
        self.last_epoch += 1
        self._write(self.get_lr())

    def _write(self, rates: Sequence[float]) -> None:
        groups = self.optimizer.param_groups
        for rate in rates:
            check_range("learning rate", rate)  # a negative one would climb
        if len(rates) != len(groups):
            raise ValueError(f"{type(self).__name__} has rates for {len(rates)} parameter "
                             f"groups, the optimizer has {len(groups)}; add groups before "
                             "the scheduler is made")
        for group, rate in zip(groups, rates):
            group["lr"] = rate
        self._last_lr = list(rates)

    # ---- what it shows -----------------------------------------------------------------

    def get_last_lr(self) -> list[float]:
        """The rates that it wrote last, one for each group."""
        return list(self._last_lr)

    def preview(self, steps: int) -> list[list[float]]:
        """The rates of the next epochs, if training went on; the optimizer is not touched.

        Args:
            steps: how many epochs, the present one included.

        Returns:
            A row for each epoch, with a rate for each group.
        """
        whole("steps", steps, 0)
        twin = self._twin()
        rows = []
        for i in range(steps):
            if i:
                twin._advance()
            rows.append(twin._rates())
        return rows

    def _twin(self, stand_in: Any = None) -> Any:
        """A copy that writes its rates into copies of the groups."""
        twin: Any = copy.copy(self)
        groups = [dict(group) for group in self.optimizer.param_groups]
        twin.optimizer = stand_in or SimpleNamespace(param_groups=groups)
        return twin

    # ---- state -------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Settings and progress: numbers, strings and lists of them, nothing else.

        "lr" holds the rates of the groups at this moment, so that loading restores them.
        """
        state = {name: plain(x) for name, x in vars(self).items() if name not in self.unsaved}
        check_plain(state)
        return {**state, "started": self._started(), "lr": self._rates()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a state, and give the groups the rates that they had when it was saved.

        It makes no difference whether the optimizer's state is loaded before or after.

        Raises:
            TypeError, ValueError: if it is the state of another kind of schedule, for
                another number of groups, or out of range; nothing is changed then.
        """
        for scheduler, attributes, rates in self._checked(state_dict):
            scheduler._adopt(attributes, rates)

    def _checked(self, state: Mapping[str, Any]) -> list[Fitting]:
        """What a state gives to each schedule, if all of it fits."""
        check_mapping(type(self).__name__, state)
        expected = {*vars(self), "started", "lr"} - {*self.unsaved}
        missing = sorted(expected - state.keys())
        unexpected = sorted(map(str, state.keys() - expected))
        if missing or unexpected:
            raise ValueError(f"this is no state of {type(self).__name__}: missing entries "
                             f"{missing}, unexpected entries {unexpected}")
        if not isinstance(state["started"], bool):
            raise TypeError(f"'started' must be True or False; got {state['started']!r}")
        new = {name: copy.copy(state[name]) for name in expected - {"started", "lr"}}
        new["_idle_at"] = None if state["started"] else self.optimizer.steps_taken
        twin = copy.copy(self)
        vars(twin).update(new)
        twin._check_progress()
        twin._check()
        new = {name: getattr(twin, name) for name in new}
        return [(self, new, per_group("lr", state["lr"], self.optimizer))]

    def _check_progress(self) -> None:
        """Raise for a count or rates, as a state has them, that cannot be."""
        if hasattr(self, "last_epoch"):
            whole("last_epoch", self.last_epoch, 0)
        for name in ("base_lrs", "_last_lr"):
            per_group(name, getattr(self, name, 0.0), self.optimizer)

    def _adopt(self, new: dict[str, Any], rates: list[float]) -> None:
        vars(self).update(new)
        for group, rate in zip(self.optimizer.param_groups, rates):
            group["lr"] = rate


# A schedule, its new attributes, and the rates of the groups.
Fitting = tuple[LRScheduler, dict[str, Any], list[float]]


# ---- checks ----------------------------------------------------------------------------


def check_mapping(kind: str, state: Any) -> None:
    """Raise TypeError for a state that is no dict."""
    if not isinstance(state, Mapping):
        raise TypeError(f"{kind}.load_state_dict expects a dict, as state_dict() returns; got "
                        f"{type(state).__name__}")


def whole(name: str, n: Any, low: int = 1) -> None:
    """Raise unless n is an integer, low or more: TypeError, ValueError."""
    if isinstance(n, bool) or not isinstance(n, (int, float, np.number)):
        raise TypeError(f"Invalid {name}: expected an integer; got {n!r}")
    if not isinstance(n, (int, np.integer)) or n < low:
        raise ValueError(f"Expected {name} to be an integer, {low} or more; got {n}")


def per_group(name: str, x: Any, optimizer: Optimizer,
              below: float = float("inf")) -> list[float]:
    """A number, 0 or more, for each parameter group, of one or a list; else as `whole`."""
    groups = len(optimizer.param_groups)
    numbers = list(x) if isinstance(x, (list, tuple)) else [x] * groups
    for number in numbers:
        check_range(name, number, below=below)
    if len(numbers) != groups:
        raise ValueError(f"{name} must have the same length as optimizer.param_groups, "
                         f"{groups}; got {len(numbers)} values")
    return numbers


def increasing(name: str, numbers: list[int]) -> None:
    """Raise unless they are integers, 0 or more, none smaller than the one before."""
    for n in numbers:
        whole(name, n, 0)
    if numbers != sorted(numbers):
        raise ValueError(f"Expected {name} in increasing order; got {numbers}")


def plain(x: Any) -> Any:
    """x with Python's numbers for NumPy's, whose precision would be another, in new lists."""
    if isinstance(x, (list, tuple)):
        return [plain(item) for item in x]
    return x.item() if isinstance(x, np.generic) else x


def check_plain(state: dict[str, Any]) -> None:
    """Raise TypeError for entries that are no numbers, strings or lists of them."""
    for name, x in state.items():
        for item in x if isinstance(x, list) else [x]:
            if not isinstance(item, (bool, int, float, str, type(None))):
                raise TypeError("a scheduler's state holds numbers, strings and lists; got "
                                f"{type(item).__name__} in '{name}', which the class may name "
                                "in `unsaved`")

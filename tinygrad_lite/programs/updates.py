"""Updates of a program: the steps of its optimizers, and the numbers of Values.

It imports the kernels, the recorder, the tapes and NumPy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import kernels
from .recorder import Register, Update
from .tape import Tape

__all__ = ["Call", "Exchange", "number_calls", "numbers_of"]


class Call:
    """A step of an optimizer on one batch of parameters, as a program does it.

    Attributes:
        native: the instruction in C; None where another body computes.
        columns: the arrays of the kernel; of Values, places among the program's numbers.
        ahead: how many steps of the same batch come before it in a call.
    """

    def __init__(self, entry: Update, numbers: np.ndarray) -> None:
        self.optimizer = entry.optimizer
        self.group = entry.group
        self.batch = entry.batch
        self.columns = _with_registers(entry, numbers)
        self.cache: dict[str, Any] = {}
        self.name = entry.optimizer.kernel
        group = entry.optimizer.param_groups[entry.group]
        self.params = group["params"]
        self.settings = tuple(group.values())
        self.ahead = 0
        self.native = None
        body = kernels.body(entry.optimizer.backend)
        if hasattr(body, "Update") and kernels.get_backend() == "c":
            self.native = body.Update(self.name, self.columns)

    def scalars(self) -> tuple:
        """The kernel's scalars at the step to come."""
        group = self.optimizer.param_groups[self.group]
        return self.optimizer._scalars(group, self.batch.step + 1 + self.ahead,
                                       self.batch.fresh)

    def prepare(self) -> None:
        """Give the instruction in C its scalars."""
        if self.native is not None:
            self.native.set(self.scalars())

    def run(self) -> None:
        """Take the step by the optimizer's own body."""
        body = kernels.body(self.optimizer.backend)
        body.update(self.name, self.columns, self.scalars(), self.cache)

    def fits(self) -> bool:
        """Whether the group's settings are those known, or lead to the same call."""
        group = self.optimizer.param_groups[self.group]
        if group["params"] is not self.params:
            return False
        settings = tuple(group.values())
        if settings == self.settings:
            return True
        if not self.is_known():
            return False
        self.settings = settings
        return True

    def is_known(self) -> bool:
        """Whether the optimizer would make the same call."""
        optimizer = self.optimizer
        if self.group >= len(optimizer._plans):
            return False
        group = optimizer.param_groups[self.group]
        return optimizer._plans[self.group].holds(self.batch, group["params"],
                                                  optimizer._letters(group))


def _with_registers(entry: Update, numbers: np.ndarray) -> tuple[tuple, ...]:
    """The columns of an update with places among the numbers in place of Values."""
    places = {id(p): (numbers[w.at:w.at + 1], numbers[g.at:g.at + 1])
              for p, w, g in entry.values}
    w, g = (tuple(places[id(p)][i] if id(p) in places else column[k]
                  for k, p in enumerate(entry.batch.params))
            for i, column in enumerate(entry.columns[:2]))
    return w, g, *entry.columns[2:]


class Exchange:
    """Values and the places of their numbers, or of their gradients'."""

    def __init__(self, pairs: Iterable[tuple[Any, Register]]) -> None:
        pairs = list(pairs)
        self.values = [value for value, _ in pairs]
        self.places = np.array([register.at for _, register in pairs], int)

    def numbers(self, numbers: np.ndarray) -> Iterable[tuple[Any, float]]:
        """Each Value with the number at its place."""
        return zip(self.values, numbers[self.places].tolist()) if self.values else ()


def numbers_of(recorded: list[float], entries: list[Any]) -> np.ndarray:
    """The recorded numbers, then those of the tapes."""
    tapes = [entry for entry in entries if isinstance(entry, Tape)]
    numbers = np.zeros(max([len(recorded), *(tape.end for tape in tapes)]))
    numbers[:len(recorded)] = recorded
    for tape in tapes:
        numbers[tape.first:tape.first + len(tape.constants)] = tape.constants
    return numbers


def number_calls(updates: list[Call]) -> None:
    """Let each know how many steps of its batch come before it."""
    taken: Counter = Counter()
    for update in updates:
        update.ahead = taken[id(update.batch)]
        taken[id(update.batch)] += 1

"""Program: a recorded call as a list of instructions on arrays that stay where they are.

Most instructions run in C, as many as follow one another in one call; one without a C form
runs its op's own NumPy form. It imports the recorder, the kernels and NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import engine, kernels
from ..engine import Node
from .recorder import (
    Entry,
    Pass,
    Recorder,
    Register,
    Step,
    Update,
    Write,
    same_traits,
)

__all__ = ["Program"]


class Program:
    """What a jitted function does for inputs of given shapes, ready to be replayed.

    ``print`` lists it: each op with the shapes it reads and makes, and what runs in NumPy.
    """

    def __init__(self, recorder: Recorder, inputs: list[Any], outputs: list[Node]) -> None:
        self.entries = recorder.entries
        self.inputs = [recorder.seen(x) for x in inputs]
        self.outputs = [recorder.seen(x) for x in outputs]
        self.numbers = np.array(recorder.numbers)
        self.leaves = recorder.leaves
        self.gradients = list(recorder.gradients.items())
        self.given = recorder.given
        self.sums = list(recorder.sums.items())
        self.fresh = list(recorder.fresh)
        self.states = list(recorder.states.values())
        self.traits = list(recorder.traits.values())
        self.cells = list(recorder.cells.values())
        self.after = recorder.after
        self._checked_at = 0
        self.updates = [entry for entry in self.entries if isinstance(entry, Update)]
        self.steps = list(map(self._runner, self.entries))

    # ---- whether it still holds --------------------------------------------------------

    def fits(self) -> bool:
        """Whether the state that it was recorded with is the state of now.

        That is the arrays, hooks and wish for a gradient of parameters and buffers, the
        attributes of Modules, the settings of optimizers that choose what their kernels take,
        and which gradients there are. The first three are looked at only if any changed.
        """
        now = engine._latest_turn[0]
        if self._checked_at != now:
            if not (all(node._data is array for node, array in self.states)
                    and all(same_traits(x, before) for x, before in self.traits)):
                return False
            self._checked_at = now
        return (all(node._grad is None for node in self.fresh)
                and all(node._grad is not None for node, _ in self.sums)
                and all(map(_update_fits, self.updates))
                and all(map(_step_fits, self.entries)))

    # ---- a replay ----------------------------------------------------------------------

    def run(self, inputs: Iterable[Any]) -> list[Any]:
        """Copy the inputs in, do all that was recorded, and copy the outputs out."""
        for place, given in zip(self.inputs, inputs):
            self._store(place, given)
        for node, place in self.sums:
            if node._grad is not place:
                self._store(place if isinstance(place, Register) else place._data,
                            getattr(node._grad, "_data", node._grad))
        for value, register in self.leaves:
            self.numbers[register.at] = value._data
        for step in self.steps:
            step()
        for node, grad in self.gradients:
            node._grad = self._load(grad)
        if self.cells:
            engine.mark_changed(*self.cells)
        for function in self.after:
            function()
        return self.results()

    def given_now(self) -> dict[int, Any]:
        """The gradients of the inputs that have one, by their number."""
        return {i: self._load(grad) for i, grad in self.given.items()}

    def results(self) -> list[Any]:
        """A copy of each output: an array, or a float."""
        return [np.array(x) if isinstance(x, np.ndarray) else self._load(x)
                for x in self.outputs]

    def _load(self, x: Any) -> Any:
        return float(self.numbers[x.at]) if isinstance(x, Register) else x

    def _store(self, place: Any, number: Any) -> None:
        if isinstance(place, Register):
            self.numbers[place.at] = number
        else:
            np.copyto(place, number, casting="same_kind")

    def _runner(self, entry: Any) -> Callable[[], None]:
        """A function that does what an entry says, in NumPy."""
        run: Any = {Entry: self._apply, Write: self._write, Update: self._update,
               Pass: self._pass, Step: self._count}[type(entry)]
        return lambda: run(entry)

    def _apply(self, entry: Entry) -> None:
        inputs = list(map(self._load, entry.inputs))
        try:
            y = entry.op.forward(*inputs, **entry.static)
        except ZeroDivisionError:
            y = entry.op.forward(*map(_ieee, inputs), **entry.static)
        self._store(entry.output, y)

    def _write(self, entry: Write) -> None:
        entry.target[entry.index] = self._load(entry.source)

    def _pass(self, entry: Pass) -> None:
        scalars = {name: x() if callable(x) else self._load(x)
                   for name, x in entry.scalars.items()}
        kernels.body().update(entry.kernel, entry.columns, scalars, {})

    def _update(self, entry: Update) -> None:
        """A step of the optimizer, on the recorded arrays."""
        optimizer, batch = entry.optimizer, entry.batch
        for p, _, gradient in entry.values:
            p._grad = self._load(gradient)
        pack = optimizer._plans[entry.group].pack
        pack.load()
        scalars = optimizer._scalars(optimizer.param_groups[entry.group], batch.step + 1,
                                     batch.fresh)
        body = kernels.body(optimizer.backend)
        body.update(optimizer.kernel, entry.columns, scalars, batch.cache)
        batch.finish()
        pack.store()
        for p, register, _ in entry.values:
            self._store(register, p._data)

    def _count(self, entry: Step) -> None:
        entry.optimizer.steps_taken += 1


def _ieee(x: Any) -> Any:
    return np.float64(x) if isinstance(x, (float, int)) else x


def _step_fits(entry: Any) -> bool:
    """Whether the optimizer has as many groups as then."""
    return not isinstance(entry, Step) or len(entry.optimizer.param_groups) == entry.groups


def _update_fits(update: Update) -> bool:
    """Whether the optimizer would make the same call."""
    optimizer = update.optimizer
    if update.group >= len(optimizer._plans):
        return False
    plan = optimizer._plans[update.group]
    group = optimizer.param_groups[update.group]
    return plan.holds(update.batch, group["params"], optimizer._letters(group))

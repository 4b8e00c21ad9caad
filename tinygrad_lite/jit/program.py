"""Program: a recorded call as a list of instructions on arrays that stay where they are.

Most instructions run in C, as many as follow one another in one call; one without a C form
runs its op's own NumPy form. It imports the recorder, the kernels and NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from .. import kernels
from ..engine import Node
from ..value import Value
from .recorder import Entry, Recorder, Register, Step, Update, Write
from .tape import Tape, with_tapes

__all__ = ["Program"]


class Program:
    """What a jitted function does for inputs of given shapes, ready to be replayed.

    ``print`` lists it: each op with the shapes it reads and makes, and what runs in NumPy.
    """

    def __init__(self, recorder: Recorder, inputs: list[Any], outputs: list[Node]) -> None:
        self.inputs = [recorder.seen(x) for x in inputs]
        self.outputs = [recorder.seen(x) for x in outputs]
        given = {id(x) for x in inputs}
        self.leaves = _Exchange(p for p in recorder.leaves if id(p[0]) not in given)
        self.gradients = [(node, _final_gradient(recorder, node))
                          for node in recorder.gradients]
        wanted = [*self.outputs, *(grad for _, grad in self.gradients)]
        self.entries = with_tapes(recorder.entries, wanted, len(recorder.numbers))
        self.numbers = _numbers(recorder.numbers, self.entries)
        self.sums = list(recorder.sums.items())
        self.fresh = list(recorder.fresh)
        self.states = [pair for key, pair in recorder.states.items() if key not in given]
        self.modules = list(recorder.modules.values())
        self.updates = [entry for entry in self.entries if isinstance(entry, Update)]
        self.updated = _Exchange(v[:2] for entry in self.updates for v in entry.values)
        self.value_gradients = _Exchange(g for g in self.gradients if type(g[1]) is Register)
        self.other_gradients = [g for g in self.gradients if type(g[1]) is not Register]
        self.steps = list(map(self._runner, self.entries))

    # ---- whether it still holds --------------------------------------------------------

    def fits(self) -> bool:
        """Whether the state that it was recorded with is the state of now.

        That is the arrays of parameters and buffers, the modes of Modules, the settings of
        optimizers that choose what their kernels take, and which gradients there are.
        """
        return (all(node._data is array for node, array in self.states)
                and all(module.training is mode for module, mode in self.modules)
                and all(node._grad is None for node in self.fresh)
                and all(node._grad is not None for node, _ in self.sums)
                and all(map(_update_fits, self.updates)))

    # ---- a replay ----------------------------------------------------------------------

    def run(self, inputs: Iterable[Any]) -> list[Any]:
        """Copy the inputs in, do all that was recorded, and copy the outputs out."""
        for place, given in zip(self.inputs, inputs):
            self._store(place, given)
        for node, place in self.sums:
            if node._grad is not place:
                self._store(place if isinstance(place, Register) else place._data,
                            getattr(node._grad, "_data", node._grad))
        self.numbers[self.leaves.places] = [value._data for value in self.leaves.values]
        for step in self.steps:
            step()
        for value, number in self.updated.numbers(self.numbers):
            value._data = number
        for value, number in self.value_gradients.numbers(self.numbers):
            value._grad = number
        for node, grad in self.other_gradients:
            node._grad = grad
        return self.results()

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
        """A function that does what an entry says."""
        if isinstance(entry, Update):
            return self._updater(entry)
        run: dict[type, Callable[[Any], None]] = {
            Entry: self._apply, Write: self._write, Step: self._count, Tape: self._play}
        return partial(run[type(entry)], entry)

    def _play(self, tape: Tape) -> None:
        kernels.body().tape(self.numbers, tape.code)

    def _apply(self, entry: Entry) -> None:
        inputs = list(map(self._load, entry.inputs))
        try:
            y = entry.op.forward(*inputs, **entry.static)
        except ZeroDivisionError:
            y = entry.op.forward(*map(_ieee, inputs), **entry.static)
        self._store(entry.output, y)

    def _write(self, entry: Write) -> None:
        entry.target[entry.index] = self._load(entry.source)

    def _updater(self, entry: Update) -> Callable[[], None]:
        """A step of the optimizer, on the recorded arrays and on the registers of Values."""
        optimizer, batch = entry.optimizer, entry.batch
        views = {p: (self.numbers[w.at:][:1], self.numbers[g.at:][:1])
                 for p, w, g in entry.values}
        w, g = (tuple(views[p][i] if p in views else column[k]
                      for k, p in enumerate(batch.params))
                for i, column in enumerate(entry.columns[:2]))
        columns = (w, g, *entry.columns[2:])
        cache: dict[str, Any] = {}

        def update() -> None:
            scalars = optimizer._scalars(optimizer.param_groups[entry.group], batch.step + 1,
                                         batch.fresh)
            body = kernels.body(optimizer.backend)
            body.update(optimizer.kernel, columns, scalars, cache)
            batch.finish()

        return update

    def _count(self, entry: Step) -> None:
        entry.optimizer.steps_taken += 1


class _Exchange:
    """Values and the places of their numbers, or of their gradients'."""

    def __init__(self, pairs: Iterable[tuple[Any, Register]]) -> None:
        pairs = list(pairs)
        self.values = [value for value, _ in pairs]
        self.places = np.array([register.at for _, register in pairs], int)

    def numbers(self, numbers: np.ndarray) -> Iterable[tuple[Any, float]]:
        """Each Value with the number at its place."""
        return zip(self.values, numbers[self.places].tolist())


def _numbers(recorded: list[float], entries: list[Any]) -> np.ndarray:
    """The recorded numbers, then those of the tapes."""
    tapes = [entry for entry in entries if isinstance(entry, Tape)]
    numbers = np.zeros(max([len(recorded), *(tape.end for tape in tapes)]))
    numbers[:len(recorded)] = recorded
    for tape in tapes:
        numbers[tape.first:tape.first + len(tape.constants)] = tape.constants
    return numbers


def _final_gradient(recorder: Recorder, node: Node) -> Any:
    """What a node's gradient is in the end: a Tensor, a register, a number or None."""
    return recorder.seen(node._grad) if isinstance(node, Value) else node._grad


def _ieee(x: Any) -> Any:
    return np.float64(x) if isinstance(x, (float, int)) else x


def _update_fits(update: Update) -> bool:
    """Whether the optimizer would make the same call."""
    optimizer = update.optimizer
    if update.group >= len(optimizer._plans):
        return False
    plan = optimizer._plans[update.group]
    group = optimizer.param_groups[update.group]
    return plan.holds(update.batch, group["params"], optimizer._letters(group))

"""Program: a recorded call as a list of instructions on arrays that stay where they are.

Most instructions run in C, as many as follow one another in one call; one without a form in C
runs its op's own NumPy form. It imports the recorder, the forms, the memory and the kernels.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import kernels
from ..engine import Node, _latest_turn, mark_changed
from ..kernels.groups import root
from .forms import instructions_of
from .instructions import (
    Instruction,
    arrays_in,
    fused_relus,
    in_numpy,
    joined,
    listed,
    moved_to,
)
from .memory import Life, moved_arrays
from .recorder import (
    Entry,
    Pass,
    Recorder,
    Register,
    Step,
    Update,
    Write,
    holdings,
    holds_still,
    same_traits,
)
from .tape import Tape, with_tapes
from .updates import Call, Exchange, number_calls, numbers_of

__all__ = ["Program", "copied"]


class Program:
    """What a jitted function does for inputs of given shapes, ready to be replayed.

    ``print`` lists it: each op with the shapes it reads and makes, and what runs in NumPy.

    Attributes:
        instructions: in the order in which they run.
        alike: whether the inputs are arrays of the dtypes that are given.
        read: lets C read input arrays; None where nothing does.
        nbytes: bytes of the memory in which all intermediate results have their places.
        parts: the calls, of C and of NumPy forms, that a replay makes.
    """

    def __init__(self, recorder: Recorder, inputs: list[Any], outputs: list[Node]) -> None:
        self.inputs = [recorder.seen(x) for x in inputs]
        outcome = [recorder.seen(x) for x in outputs]
        gradients = list(recorder.gradients.items())
        self.given = recorder.given
        self.leaves = Exchange(recorder.leaves)
        wanted = [*outcome, *(grad for _, grad in gradients), *self.given.values()]
        entries = with_tapes(recorder.entries, wanted, len(recorder.numbers))
        self.numbers = numbers_of(recorder.numbers, entries)
        self.gradients = [(node, g, getattr(g, "_data", None)) for node, g in gradients
                          if type(g) is not Register]
        self.value_gradients = Exchange(g for g in gradients if type(g[1]) is Register)
        self.sums = [(node, g if type(g) is Register else g._data)
                     for node, g in recorder.sums.items()]
        self.fresh = list(recorder.fresh)
        self.states = list(recorder.states.values())
        self.traits = list(recorder.traits.values())
        self.holdings = [pair for x, _ in self.traits if not isinstance(x, Node)
                         for pair in holdings(x)]
        self.cells = [*recorder.cells.values(),
                      *(g._changed for _, g, array in self.gradients if array is not None)]
        self.after = recorder.after
        self.backend = kernels.get_backend()
        self.checked_at = 0
        self.updates = [Call(entry, self.numbers) for entry in entries
                        if isinstance(entry, Update)]
        self.updated = Exchange(v[:2] for entry in entries if isinstance(entry, Update)
                                 for v in entry.values)
        self.steps = [entry for entry in entries if isinstance(entry, Step)]
        locks = {id(step.optimizer): step.optimizer._lock for step in self.steps}
        self.locks = [locks[key] for key in sorted(locks)]  # in one order for all: no deadlock
        number_calls(self.updates)
        kept = {id(root(x)) for x in outcome if isinstance(x, np.ndarray)}
        staying = {id(root(x)) for x in self._staying(recorder, entries)}
        instructions = fused_relus(list(self._lowered(entries)), kept | staying)
        instructions[:0] = self._copies_of_inputs()
        moved, self.nbytes = self._new_memory(staying, instructions, kept)
        self.instructions = [moved_to(one, moved) for one in instructions]
        self.has_values = bool(self.leaves.values or self.value_gradients.values)
        self.outputs = [moved(x) if isinstance(x, np.ndarray) else x for x in outcome]
        self.parts: list[Callable[[], None]] = []
        self.read: Any = None
        self.alike = False
        self._make_parts()

    # ---- how it is made ----------------------------------------------------------------

    def _lowered(self, entries: Iterable[Any]) -> Iterator[Instruction]:
        """The instructions of what was recorded."""
        updates = iter(self.updates)
        in_c = kernels.get_backend() == "c"
        for entry in entries:
            if isinstance(entry, Entry):
                if in_c and isinstance(entry.output, np.ndarray):
                    yield from instructions_of(entry)
                else:
                    yield in_numpy(entry, entry.op.name, (entry.output, *entry.inputs))
            elif isinstance(entry, Tape):
                yield Instruction("tape", "TAPE" if in_c else None, (),
                                  (self.numbers, entry.code), n=(entry.code.size,), entry=entry)
            elif isinstance(entry, Write):
                yield in_numpy(entry, "write", (entry.target, entry.source))
            elif isinstance(entry, Pass):
                yield Instruction(entry.kernel, None, tuple(entry.columns[0]),
                                  tuple(arrays_in(entry.columns[1:])), entry=entry)
            elif isinstance(entry, Update):
                update = next(updates)
                if update.native is None:
                    yield Instruction(update.name, None, (), (), entry=update)
                else:
                    yield Instruction(update.name, "UPDATE", (), (update.native,))

    def _new_memory(self, staying: set[int], instructions: list[Instruction],
                    kept: set[int]) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
        """A place for each intermediate result: a function that moves arrays, and its size."""
        roots: dict[int, np.ndarray] = {}
        spans: dict[int, tuple[int, int]] = {}
        for i, one in enumerate(instructions):
            for array in arrays_in(one.writes):
                roots.setdefault(id(root(array)), root(array))
            for array in arrays_in((*one.writes, *one.reads)):
                first, _ = spans.get(id(root(array)), (i, i))
                spans[id(root(array))] = first, i
        roots = {key: base for key, base in roots.items()
                 if key not in staying and base.base is None}
        end = len(instructions)
        lives = [Life(base.nbytes, spans[key][0], end if key in kept else spans[key][1])
                 for key, base in roots.items()]
        moved, size = moved_arrays(list(roots.values()), lives)
        # with the array that was moved, so that no id is used twice
        known: dict[int, tuple[np.ndarray, np.ndarray]] = {}

        def moved_once(array: np.ndarray) -> np.ndarray:
            if id(array) not in known:
                known[id(array)] = array, moved(array, root(array))
            return known[id(array)][1]

        return moved_once, size

    def _staying(self, recorder: Recorder, entries: list[Any]) -> Iterator[np.ndarray]:
        """The arrays that others know too, or that hold numbers from call to call."""
        yield from arrays_in(self.inputs)
        yield from (array for _, array in recorder.states.values())
        yield from arrays_in(array for *_, array in (*self.gradients, *self.sums))
        yield from (g._data for g in self.given.values() if isinstance(g, Node))
        for entry in entries:
            if isinstance(entry, Entry):
                yield from arrays_in(entry.static.values())
            elif isinstance(entry, (Pass, Update)):
                yield from arrays_in(entry.columns)

    def _copies_of_inputs(self) -> list[Instruction]:
        """Instructions that copy the input arrays."""
        if kernels.get_backend() != "c":
            return []
        return [Instruction("input", "INPUT", (x,), (), n=(x.nbytes,))
                for x in self.inputs if isinstance(x, np.ndarray)]

    def _make_parts(self) -> None:
        """Functions that run the instructions: one for all in C that follow one another."""
        for in_c, group in itertools.groupby(self.instructions, lambda one: bool(one.kind)):
            if not in_c:
                self.parts += map(self._runner, group)
                continue
            run = list(group)
            code = kernels.body("c").Code(run, joined(run))
            if run[0].kind == "INPUT":
                self.read = code.read
            self.parts.append(code.run)

    # ---- whether it still holds --------------------------------------------------------

    def fits(self) -> bool:
        """Whether the state that it was recorded with is the state of now.

        That is the settings of optimizers that choose what their kernels take, which
        gradients there are, what lists and dicts of Modules hold, the backend; and, looked at
        only if any changed, arrays, hooks and wish for a gradient of parameters and buffers,
        and attributes of Modules.
        """
        for update in self.updates:
            if not update.fits():
                return False
        for node in self.fresh:
            if node._grad is not None:
                return False
        for node, _ in self.sums:
            if node._grad is None:
                return False
        for step in self.steps:
            if len(step.optimizer.param_groups) != step.groups:
                return False
        for held, before in self.holdings:
            if not holds_still(held, before):
                return False
        if self.backend != kernels.current:
            return False
        return self.checked_at == _latest_turn[0] or self._still_fits()

    def _still_fits(self) -> bool:
        """The part of `fits` that changes seldom, and not without a word to the engine."""
        now = _latest_turn[0]
        if not (all(node._data is array for node, array in self.states)
                and all(same_traits(x, before) for x, before in self.traits)
                and all(update.is_known() for update in self.updates)):
            return False
        self.checked_at = now
        return True

    # ---- a replay ----------------------------------------------------------------------

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """Copy the inputs in, do all that was recorded, and copy the outputs out."""
        kept = inputs if self._reads(inputs) else self._take(inputs)
        for lock in self.locks:
            lock.acquire()
        try:
            self._replay()
        finally:
            for lock in self.locks:
                lock.release()
        del kept
        for function in self.after:
            function()
        return [self._load(x) if type(x) is Register else x.copy() for x in self.outputs]

    def _replay(self) -> None:
        """Do all that was recorded, on inputs that are in place."""
        if self.has_values:
            self.numbers[self.leaves.places] = [value._data for value in self.leaves.values]
        if self.sums:
            self._take_gradients()
        for update in self.updates:
            update.prepare()
        try:
            for part in self.parts:
                part()
        except BaseException:
            self._stop_short()
            raise
        for update in self.updates:
            update.batch.count()
        if self.cells:
            mark_changed(*self.cells)
        for step in self.steps:
            step.optimizer.steps_taken += 1
        for node, grad, array in self.gradients:
            if array is not None:
                grad._data = array  # where the user may have put another one
            node._grad = grad
        if self.has_values:
            for value, number in self.updated.numbers(self.numbers):
                value._data = number
            for value, number in self.value_gradients.numbers(self.numbers):
                value._grad = number

    def _stop_short(self) -> None:
        """Leave no gradients in arrays of which some may be written: an error has come up."""
        added_to = {node for node, _ in self.sums}
        for node, *_ in self.gradients:
            if node not in added_to:
                node._grad = None
        mark_changed(*self.cells)

    def given_now(self) -> dict[int, Any]:
        """The gradients of the inputs that have one, by their number."""
        return {i: self._load(grad) for i, grad in self.given.items()}

    def _reads(self, inputs: Sequence[Any]) -> bool:
        """Whether C can read the inputs where they are, and now will."""
        if not self.alike:
            return False
        try:
            self.read(inputs)
        except ValueError:  # one is not contiguous
            return False
        return True

    def _take(self, inputs: Iterable[Any]) -> list[np.ndarray]:
        """Copy the inputs in, or let C do that; the arrays that must live until then."""
        arrays = []
        for place, given in zip(self.inputs, inputs):
            if type(place) is Register:
                self.numbers[place.at] = given
            elif self.read is None:
                place[...] = given
            elif given.dtype == place.dtype:
                arrays.append(given)
            else:
                arrays.append(given.astype(place.dtype))
        if self.read is not None:
            arrays = list(map(np.ascontiguousarray, arrays))
            self.read(arrays)
        return arrays

    def _take_gradients(self) -> None:
        """Copy in the gradients to be added to: some may have changed places."""
        given = [(place, getattr(node._grad, "_data", node._grad)) for node, place in self.sums]
        for place, g in [(place, copied(g)) for place, g in given if g is not place]:
            self._store(place, g)

    def _load(self, x: Any) -> Any:
        return float(self.numbers[x.at]) if isinstance(x, Register) else x

    def _store(self, place: Any, number: Any) -> None:
        if isinstance(place, Register):
            self.numbers[place.at] = number
        else:
            np.copyto(place, number, casting="same_kind")

    def _runner(self, one: Instruction) -> Callable[[], None]:
        """A function that does what an instruction says, in NumPy."""
        entry = one.entry
        if isinstance(entry, Entry):
            return lambda: self._apply(entry)
        if isinstance(entry, Write):
            return lambda: self._write(entry)
        if isinstance(entry, Pass):
            return lambda: self._pass(entry)
        if isinstance(entry, Tape):
            return lambda: kernels.body().tape(self.numbers, entry.code)
        return entry.run

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
        scalars = tuple([x() if callable(x) else self._load(x) for x in entry.scalars])
        kernels.body().update(entry.kernel, entry.columns, scalars, {})

    # ---- its listing -------------------------------------------------------------------

    def __str__(self) -> str:
        calls = len(self.parts)
        in_c = sum(one.kind is not None for one in self.instructions)
        head = (f"{len(self.instructions)} instructions, {in_c} of them in C; "
                f"{calls} call{'s' * (calls != 1)}; {self.nbytes:,} bytes of memory")
        rows = [f"{i:4}  {listed(one)}" for i, one in enumerate(self.instructions)]
        return "\n".join([head, *rows])


def copied(x: Any) -> Any:
    """A result that the next call does not change: a new array, or a number."""
    return np.array(x) if isinstance(x, np.ndarray) else x


def _ieee(x: Any) -> Any:
    return np.float64(x) if isinstance(x, (float, int)) else x

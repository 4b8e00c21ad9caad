"""Program: a recorded call as a list of instructions on arrays that stay where they are.

Most instructions run in C, as many as follow one another in one call; one without a form in C
runs its op's own NumPy form. It imports the recorder, the forms, the memory and the kernels.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import kernels
from ..engine import Node, _latest_turn, mark_changed
from ..kernels.groups import root
from ..kernels.instructions import MAPS, RELU
from .forms import Instruction, instructions_of
from .memory import Life, moved_arrays
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
from .tape import Tape, with_tapes

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
        self.leaves = _Exchange(recorder.leaves)
        wanted = [*outcome, *(grad for _, grad in gradients), *self.given.values()]
        entries = with_tapes(recorder.entries, wanted, len(recorder.numbers))
        self.numbers = _numbers(recorder.numbers, entries)
        self.gradients = [pair for pair in gradients if type(pair[1]) is not Register]
        self.value_gradients = _Exchange(g for g in gradients if type(g[1]) is Register)
        self.sums = list(recorder.sums.items())
        self.fresh = list(recorder.fresh)
        self.states = list(recorder.states.values())
        self.traits = list(recorder.traits.values())
        self.cells = list(recorder.cells.values())
        self.after = recorder.after
        self.checked_at = 0
        self.updates = [_Update(entry, self.numbers) for entry in entries
                        if isinstance(entry, Update)]
        self.updated = _Exchange(v[:2] for entry in entries if isinstance(entry, Update)
                                 for v in entry.values)
        self.steps = [entry for entry in entries if isinstance(entry, Step)]
        _number_updates(self.updates)
        kept = {id(root(x)) for x in outcome if isinstance(x, np.ndarray)}
        instructions = fused_relus(list(self._lowered(entries)), kept)
        instructions[:0] = self._copies_of_inputs()
        moved, self.nbytes = self._new_memory(self._staying(recorder, entries),
                                             instructions, kept)
        self.instructions = [_moved(one, moved) for one in instructions]
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
                    yield _in_numpy(entry, entry.op.name, (entry.output, *entry.inputs))
            elif isinstance(entry, Tape):
                yield Instruction("tape", "TAPE" if in_c else None, (),
                                  (self.numbers, entry.code), n=(entry.code.size,), entry=entry)
            elif isinstance(entry, Write):
                yield _in_numpy(entry, "write", (entry.target, entry.source))
            elif isinstance(entry, Pass):
                yield Instruction(entry.kernel, None, tuple(entry.columns[0]),
                                  tuple(_arrays(entry.columns[1:])), entry=entry)
            elif isinstance(entry, Update):
                update = next(updates)
                if update.native is None:
                    yield Instruction(update.name, None, (), (), entry=update)
                else:
                    yield Instruction(update.name, "UPDATE", (), (update.native,))

    def _new_memory(self, others: Iterable[np.ndarray], instructions: list[Instruction],
                    kept: set[int]) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
        """A place for each intermediate result: a function that moves arrays, and its size."""
        staying = {id(root(a)) for a in others}
        roots: dict[int, np.ndarray] = {}
        spans: dict[int, tuple[int, int]] = {}
        for i, one in enumerate(instructions):
            for array in _arrays(one.writes):
                roots.setdefault(id(root(array)), root(array))
            for array in _arrays((*one.writes, *one.reads)):
                first, _ = spans.get(id(root(array)), (i, i))
                spans[id(root(array))] = first, i
        roots = {key: base for key, base in roots.items()
                 if key not in staying and base.base is None}
        end = len(instructions)
        lives = [Life(base.nbytes, spans[key][0], end if key in kept else spans[key][1])
                 for key, base in roots.items()]
        moved, size = moved_arrays(list(roots.values()), lives)
        known: dict[int, np.ndarray] = {}

        def moved_once(array: np.ndarray) -> np.ndarray:
            if id(array) not in known:
                known[id(array)] = moved(array, root(array))
                self_kept.append(array)
            return known[id(array)]

        self_kept: list[np.ndarray] = []  # so that no id is used twice
        return moved_once, size

    def _staying(self, recorder: Recorder, entries: list[Any]) -> Iterator[np.ndarray]:
        """The arrays that others know too, or that hold numbers from call to call."""
        yield from _arrays(self.inputs)
        yield from (array for _, array in recorder.states.values())
        for place in (*(g for _, g in (*self.gradients, *self.sums)), *self.given.values()):
            if isinstance(place, Node):
                yield place._data
        for entry in entries:
            if isinstance(entry, Entry):
                yield from _arrays(entry.static.values())
            elif isinstance(entry, (Pass, Update)):
                yield from _arrays(entry.columns)

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

        That is the arrays, hooks and wish for a gradient of parameters and buffers, the
        attributes of Modules, the settings of optimizers that choose what their kernels take,
        and which gradients there are. The first three are looked at only if any changed.
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
        if self.has_values:
            self.numbers[self.leaves.places] = [value._data for value in self.leaves.values]
        for node, place in self.sums:
            if node._grad is not place:
                self._store(place if isinstance(place, Register) else place._data,
                            getattr(node._grad, "_data", node._grad))
        for update in self.updates:
            update.prepare()
        for part in self.parts:
            part()
        del kept
        for update in self.updates:
            update.batch.count()
        if self.cells:
            mark_changed(*self.cells)
        for step in self.steps:
            step.optimizer.steps_taken += 1
        for node, grad in self.gradients:
            node._grad = grad
        if self.has_values:
            for value, number in self.updated.numbers(self.numbers):
                value._data = number
            for value, number in self.value_gradients.numbers(self.numbers):
                value._grad = number
        for function in self.after:
            function()
        return [self._load(x) if type(x) is Register else x.copy() for x in self.outputs]

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
        rows = [f"{i:4}  {_listed(one)}" for i, one in enumerate(self.instructions)]
        return "\n".join([head, *rows])


class _Update:
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
        self.settings = self._settings()
        self.ahead = 0
        self.native = None
        body = kernels.body(entry.optimizer.backend)
        if hasattr(body, "Update") and kernels.get_backend() == "c":
            self.native = body.Update(self.name, self.columns)

    def _settings(self) -> tuple:
        """What the group's settings are."""
        return tuple(self.optimizer.param_groups[self.group].values())

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
        settings = self._settings()
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


class _Exchange:
    """Values and the places of their numbers, or of their gradients'."""

    def __init__(self, pairs: Iterable[tuple[Any, Register]]) -> None:
        pairs = list(pairs)
        self.values = [value for value, _ in pairs]
        self.places = np.array([register.at for _, register in pairs], int)

    def numbers(self, numbers: np.ndarray) -> Iterable[tuple[Any, float]]:
        """Each Value with the number at its place."""
        return zip(self.values, numbers[self.places].tolist()) if self.values else ()


def _numbers(recorded: list[float], entries: list[Any]) -> np.ndarray:
    """The recorded numbers, then those of the tapes."""
    tapes = [entry for entry in entries if isinstance(entry, Tape)]
    numbers = np.zeros(max([len(recorded), *(tape.end for tape in tapes)]))
    numbers[:len(recorded)] = recorded
    for tape in tapes:
        numbers[tape.first:tape.first + len(tape.constants)] = tape.constants
    return numbers


def _number_updates(updates: list[_Update]) -> None:
    """Let each know how many steps of its batch come before it."""
    taken: Counter = Counter()
    for update in updates:
        update.ahead = taken[id(update.batch)]
        taken[id(update.batch)] += 1


# ---- instructions ----------------------------------------------------------------------


def _in_numpy(entry: Any, name: str, arrays: tuple) -> Instruction:
    """What was recorded, in NumPy; the first of the arrays is written."""
    return Instruction(name, None, tuple(_arrays(arrays[:1])), tuple(_arrays(arrays[1:])),
                       entry=entry)


def _arrays(items: Iterable[Any]) -> Iterator[np.ndarray]:
    """The arrays among some items, also those inside of tuples."""
    for x in items:
        if isinstance(x, np.ndarray):
            yield x
        elif isinstance(x, (tuple, list)):
            yield from _arrays(x)


def fused_relus(instructions: list[Instruction], kept: set[int]) -> list[Instruction]:
    """Products and convolutions whose result is read by a relu only make that as well."""
    readers: Counter = Counter()
    for one in instructions:
        readers.update({id(root(x)) for x in _arrays(one.reads)})
    result: list[Instruction] = []
    for one in instructions:
        before = result[-1] if result else None
        if before is not None and one.kind == "RELU_OF" \
                and before.kind in ("MATMUL", "CONV") and one.reads[0] is before.writes[0] \
                and readers[id(root(one.reads[0]))] == 1 \
                and id(root(one.reads[0])) not in kept:
            result[-1] = _with_relu(before, one.writes[0])
        else:
            result.append(one)
    return result


def _with_relu(one: Instruction, y: np.ndarray) -> Instruction:
    n = (*one.n[:-1], one.n[-1] | (RELU if one.kind == "MATMUL" else 1))
    return one._replace(name=f"{one.name}+relu", writes=(y, *one.writes[1:]), n=n)


def _moved(one: Instruction, moved: Callable[[np.ndarray], np.ndarray]) -> Instruction:
    """An instruction with its arrays where they shall be."""
    def move(x: Any) -> Any:
        return moved(x) if isinstance(x, np.ndarray) else x

    entry = one.entry
    if isinstance(entry, Entry):
        entry = entry._replace(inputs=tuple(map(move, entry.inputs)), output=move(entry.output))
    elif isinstance(entry, Write):
        entry = entry._replace(target=move(entry.target), source=move(entry.source))
    return one._replace(writes=tuple(map(move, one.writes)), reads=tuple(map(move, one.reads)),
                        entry=entry)


def joined(instructions: list[Instruction]) -> list[bool]:
    """For each instruction whether it may go through its elements together with those before.

    A block at a time, that is: of maps of the same number of elements that follow one another,
    none of which reads what a former one has not yet written there, or writes what a former one
    has not yet read.
    """
    answers = []
    chain: list[Instruction] = []
    for one in instructions:
        together = bool(chain) and one.kind in MAPS and chain[0].n[0] == one.n[0] \
            and chain[0].writes[0].dtype == one.writes[0].dtype \
            and all(_in_step(one, other) for other in chain)
        answers.append(together)
        chain = [*chain, one] if together else [one] if one.kind in MAPS else []
    return answers


def _in_step(one: Instruction, other: Instruction) -> bool:
    """Whether two maps meet at the same elements, or not at all."""
    pairs = [(one.writes[0], x) for x in (*other.reads, *other.writes)]
    pairs += [(x, other.writes[0]) for x in one.reads]
    return all(_place(a) == _place(b) or not np.may_share_memory(a, b) for a, b in pairs)


def _place(x: np.ndarray) -> tuple[int, int]:
    return x.__array_interface__["data"][0], x.nbytes


def _listed(one: Instruction) -> str:
    """An instruction as a line: what it reads, what it makes, where it runs."""
    if isinstance(one.entry, Tape):
        return str(one.entry)
    reads = ", ".join(_shape(x) for x in _arrays(one.reads))
    writes = ", ".join(_shape(x) for x in _arrays(one.writes))
    where = "" if one.kind is not None else "    in NumPy"
    return f"{one.name:24} {reads} -> {writes}{where}"


def _shape(x: np.ndarray) -> str:
    return f"{x.dtype.kind}{8 * x.dtype.itemsize}{list(x.shape)}"


def copied(x: Any) -> Any:
    """A result that the next call does not change: a new array, or a number."""
    return np.array(x) if isinstance(x, np.ndarray) else x


def _ieee(x: Any) -> Any:
    return np.float64(x) if isinstance(x, (float, int)) else x

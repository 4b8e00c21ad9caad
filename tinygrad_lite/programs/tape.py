"""Tape: the scalar ops of a recording as code for one call of C.

Ops on Values are many and small, so what counts is how quickly the next one is found. Those
whose result nobody reads are dropped. The others are sorted by their level, that is the
length of the longest way from an input to them: ops of one level do not depend on one
another, so all additions of a level, say, are one run, a plain loop. Only the order between
independent ops changes: each is rounded by itself as ever. Places of numbers that nobody
reads any more are used again, so that all of them stay in the cache.

It imports the ops, the kernels and NumPy.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import groupby
from struct import pack
from typing import Any

import numpy as np

from .. import ops
from ..engine import Op
from ..fused import activations
from ..kernels.tape import CODE, HEADER, INPUTS, OPERATIONS
from .recorder import Entry, Register

__all__ = ["Tape", "is_scalar", "with_tapes"]

ADD, MULTIPLY, MULTIPLY_ADD, MOVE = map(OPERATIONS.index,
                                        ("add", "multiply", "multiply_add", "move"))
ARITY = np.array(list(INPUTS.values()))
MOST = int(ARITY.max())
LARGEST = int(1.7e308)  # of the integers that are sure to be floats too

Put = Callable[..., Register]  # (operation, registers and numbers) -> where its result is


# ---- ops as operations -----------------------------------------------------------------
# An op that is not the operation of its name does here what it does in NumPy, step by step,
# so that it is rounded in the same way.


def _power(put: Put, a: Any, b: Any) -> Register:
    """For the first and second power NumPy has the same numbers."""
    if isinstance(b, (int, float)) and b in (1, 2):
        return put("multiply", a, a if b == 2 else 1.0)
    return put("power", a, b)


def _relu(put: Put, a: Any) -> Register:
    return put("maximum", a, 0.0)


def _relu_slope(put: Put, a: Any, b: Any) -> Register:
    return put("multiply", a, put("greater", b, 0.0))


def _clip(put: Put, a: Any, min: Any, max: Any) -> Register:
    if min is not None and max is not None:
        return put("clip", a, min, max)
    if min is not None:
        return put("maximum", a, min)
    return put("multiply", a, 1.0) if max is None else put("minimum", a, max)


def _step(put: Put, a: Any, below: float, above: float) -> Register:
    return put("where", put("greater", a, 0.0), above, below)


def _leaky_relu(put: Put, a: Any, negative_slope: float) -> Register:
    return put("multiply", a, _step(put, a, negative_slope, 1.0))


def _hardtanh(put: Put, a: Any, min_val: float, max_val: float) -> Register:
    return put("clip", a, min_val, max_val)


def _elu(put: Put, a: Any, alpha: float, scale: float) -> Register:
    low = put("multiply", put("expm1", put("minimum", a, 0.0)), scale * alpha)
    return put("add", put("multiply", put("maximum", a, 0.0), scale), low)


def _softplus(put: Put, a: Any, beta: float, threshold: float) -> Register:
    z = put("multiply", a, beta)
    y = put("log1p", put("exp", put("negative", put("abs", z))))
    y = put("divide", put("add", y, put("maximum", z, 0.0)), beta)
    return put("where", put("greater", z, threshold), a, y)


def _silu(put: Put, a: Any) -> Register:
    return put("multiply", put("maximum", a, -activations._FAR), put("sigmoid", a))


def _gelu(put: Put, a: Any) -> Register:
    half = put("multiply", put("erf", put("multiply", a, math.sqrt(0.5))), 0.5)
    held = put("maximum", a, -activations._FAR_FOR_GELU)
    return put("multiply", held, put("add", half, 0.5))


_SAME = (ops.add, ops.subtract, ops.multiply, ops.divide, ops.negative, ops.abs, ops.sign,
         ops.exp, ops.log, ops.log1p, ops.sqrt, ops.sin, ops.cos, ops.tanh, ops.sigmoid,
         ops.equal, ops.not_equal, ops.less, ops.less_equal, ops.greater, ops.greater_equal,
         ops.maximum, ops.minimum, ops.where, activations.erf)
_STEPS = {ops.power: _power, ops.relu: _relu, ops._relu_slope: _relu_slope,
          ops._clip: _clip, activations.step: _step,
          activations.leaky_relu: _leaky_relu, activations.hardtanh: _hardtanh,
          activations.elu: _elu, activations.softplus: _softplus, activations.silu: _silu,
          activations.gelu: _gelu}

# For each op the number of its operation, or the function that puts its operations.
LOWERED: dict[Op, Any] = {
    **{function.op: OPERATIONS.index(function.op.name) for function in _SAME},  # type: ignore
    **{function.op: steps for function, steps in _STEPS.items()},  # type: ignore
}


def is_scalar(entry: Any) -> bool:
    """Whether a recorded entry can be a part of a tape."""
    return (type(entry) is Entry and type(entry.output) is Register
            and entry.op in LOWERED and all(map(_is_number, entry.inputs)))


def _is_number(x: Any) -> bool:
    return (type(x) is Register or isinstance(x, float) or x is None  # a bound left out
            or isinstance(x, int) and -LARGEST < x < LARGEST)


# ---- the tape --------------------------------------------------------------------------


class Tape:
    """Scalar entries that follow one another, as code.

    Args:
        entries: those of a recording, each with `is_scalar`.
        kept: the places of registers that are read after the tape.
        first: a place among the program's numbers from which on they are the tape's own.

    Attributes:
        code: what ``kernels.body().tape(numbers, code)`` runs.
        first: the first place of its own.
        constants: numbers for the places from `first` on.
        end: the place behind those that the tape needs.
        counts: how often each operation is in it.

    A register is at the place ``at`` of the numbers. The tape reads those that no entry
    makes, and writes those that are kept; all others have places of the tape's own.
    """

    def __init__(self, entries: Iterable[Entry], kept: Collection[int], first: int) -> None:
        self.first = first
        draft = _Draft(first)
        for entry in entries:
            draft.add(entry)
        draft.drop_unread(kept)
        draft.fuse()
        self.constants = np.array(draft.constants)
        runs = _Runs(*draft.sorted(kept))
        runs.place(first + len(draft.constants))
        self.code = runs.code()
        self.end = runs.end
        self.counts = Counter(OPERATIONS[i] for i in runs.operation.tolist())

    def __str__(self) -> str:
        total = self.counts.total()
        most = ", ".join(f"{count} {name}" for name, count in self.counts.most_common())
        return f"tape of {total} scalar operations: {most}"


def with_tapes(entries: Iterable[Any], wanted: Iterable[Any], first: int) -> list[Any]:
    """The entries of a recording with a Tape in place of all scalar ones in a row.

    Args:
        entries: those of a recording, in order.
        wanted: registers that are read at the end; what else is in it does not matter.
        first: a place among the program's numbers from which on all is free.
    """
    parts = [(scalar, list(part)) for scalar, part in groupby(entries, is_scalar)]
    kept = _read_elsewhere(parts, wanted)
    program: list[Any] = []
    for i, (scalar, part) in enumerate(parts):
        if scalar:
            tape = Tape(part, kept[i], first)
            first = tape.end
            program.append(tape)
        else:
            program.extend(part)
    return program


def _read_elsewhere(parts: list[tuple[bool, list[Any]]],
                    wanted: Iterable[Any]) -> list[set[int]]:
    """For each part the registers, by place, that it makes and that others read."""
    maker: dict[int, int] = {}
    kept: list[set[int]] = [set() for _ in parts]
    for i, (scalar, part) in enumerate(parts):
        for entry in part:
            reads = entry.inputs if scalar else _reads(entry)
            for x in reads:
                if type(x) is Register and maker.get(x.at, i) != i:
                    kept[maker[x.at]].add(x.at)
            if type(entry) is Entry and type(entry.output) is Register:
                maker[entry.output.at] = i
    for x in _reads(list(wanted)):
        if x.at in maker:
            kept[maker[x.at]].add(x.at)
    return kept


def _reads(x: Any) -> Iterator[Register]:
    """The registers in what an entry reads; in all of it, if it is no Entry."""
    if type(x) is Register:
        yield x
    elif type(x) is Entry:
        yield from _reads((x.inputs, x.static))
    elif isinstance(x, (tuple, list)):
        for item in x:
            yield from _reads(item)
    elif isinstance(x, dict):
        yield from _reads(list(x.values()))


class _Draft:
    """The operations in the order of the recording.

    Attributes:
        operations: the number of each.
        operands: of each the inputs: the number of the operation that makes one, or ~place.
        made: for each register, by place, the operand that stands for it.
        constants: the numbers that are operands.
        places: where each of them is, by its bits.
        uses: how many operands each operation is; 0 for one that is not needed.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self.operations: list[int] = []
        self.operands: list[tuple[int, ...]] = []
        self.made: dict[int, int] = {}
        self.constants: list[float] = []
        self.places: dict[bytes, int] = {}
        self.uses: list[int] = []

    def add(self, entry: Entry) -> None:
        """Append what an entry does."""
        lowered = LOWERED[entry.op]
        if type(lowered) is int:
            result = self._append(lowered, entry.inputs)
        else:
            result = self._operand(lowered(self._put, *entry.inputs, **entry.static))
        self.made[entry.output.at] = result

    def _put(self, name: str, *inputs: Any) -> Register:
        """Append an operation; its result is a register that the recording did not have."""
        register = Register(-1 - len(self.made))
        self.made[register.at] = self._append(OPERATIONS.index(name), inputs)
        return register

    def _append(self, operation: int, inputs: tuple) -> int:
        """The operand for the result of an operation; a product with 1 is its other factor."""
        if operation == MULTIPLY and 1.0 in inputs:
            return self._operand(inputs[inputs[0] == 1.0])
        self.operations.append(operation)
        self.operands.append(tuple([self._operand(x) for x in inputs]))
        return len(self.operations) - 1

    def _operand(self, x: Any) -> int:
        if type(x) is Register:
            return self.made.get(x.at, ~x.at)
        x = float(x)
        key = pack("d", x)  # for -0.0 equals 0.0, and nan not itself
        if key not in self.places:
            self.places[key] = self.first + len(self.constants)
            self.constants.append(x)
        return ~self.places[key]

    def drop_unread(self, kept: Collection[int]) -> None:
        """Count the uses; operations whose result nobody needs have none."""
        self.uses = uses = [0] * len(self.operations)
        for at in kept:
            operand = self.made.get(at, -1)
            if operand >= 0:
                uses[operand] += 2  # one of them is elsewhere
        for i in range(len(uses) - 1, -1, -1):
            if uses[i]:
                for x in self.operands[i]:
                    if x >= 0:
                        uses[x] += 1

    def fuse(self) -> None:
        """Make one operation of a sum and a product in it that is not used elsewhere."""
        operations, operands, uses = self.operations, self.operands, self.uses
        for i, operation in enumerate(operations):
            if operation != ADD or not uses[i]:
                continue
            a, b = operands[i]
            for term, product in ((a, b), (b, a)):
                if product >= 0 and operations[product] == MULTIPLY and uses[product] == 1:
                    operations[i] = MULTIPLY_ADD
                    operands[i] = (term, *operands[product])
                    uses[product] = 0
                    break

    def levels(self) -> list[int]:
        """For each operation the length of the longest way to it; 0 for an unused one."""
        levels = [0] * len(self.operations)
        for i, operands in enumerate(self.operands):
            if self.uses[i]:
                levels[i] = 1 + max([levels[x] for x in operands if x >= 0], default=0)
        return levels

    def sorted(self, kept: Collection[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The used operations by level, and moves to the kept registers at the end.

        Returns:
            The number of each operation, the level, and the operands, in columns of `MOST`,
            which name operations by their place in the new order.
        """
        levels = self.levels()
        moves = [(~at, self.made[at]) for at in sorted(kept) if at in self.made]
        used = [i for i, level in enumerate(levels) if level]
        level = np.array([levels[i] for i in used] + [len(levels) + 1] * len(moves))
        operation = np.array([self.operations[i] for i in used] + [MOVE] * len(moves), int)
        padded = [(*x, -1, -1)[:MOST] for x in [*map(self.operands.__getitem__, used), *moves]]
        operands = np.array(padded, int).reshape(-1, MOST)
        order = np.lexsort((operation, level))
        renumbered = np.zeros(len(levels) + 1, int)
        renumbered[np.array(used, int)[order[:len(used)]]] = np.arange(len(used))
        operands = np.where(operands < 0, operands, renumbered[operands.clip(0)])
        return operation[order], level[order], operands[order]


class _Runs:
    """Sorted operations, those of one level and name in one run.

    Args:
        operation, level, operands: see `_Draft.sorted`.

    Attributes:
        start: the first operation of each run.
        size: how many there are.
        run: of each operation the run.
        y: for each run the place of its results.
        end: the place behind all results.
    """

    def __init__(self, operation: np.ndarray, level: np.ndarray, operands: np.ndarray) -> None:
        self.operation = operation
        self.operands = operands
        begins = np.ones(len(operation), bool)
        begins[1:] = (level[1:] != level[:-1]) | (operation[1:] != operation[:-1])
        self.start = np.flatnonzero(begins)
        self.run = np.cumsum(begins) - 1
        self.size = np.bincount(self.run)
        self.y = np.zeros(len(self.start), int)
        self.end = 0

    def place(self, first: int) -> None:
        """Choose where the results of each run go, from `first` on."""
        space = _Space(first)
        unread_after: list[list[int]] = [[] for _ in self.start]
        for run, last in enumerate(self._last_readers().tolist()):
            unread_after[last].append(run)
        for run, size in enumerate(self.size.tolist()):
            if self.operation[self.start[run]] != MOVE:
                self.y[run] = space.take(size)
            for other in unread_after[run]:
                space.give_back(int(self.y[other]), int(self.size[other]))
        self.end = space.end

    def _last_readers(self) -> np.ndarray:
        """For each run the last one that reads a result of it."""
        last = np.arange(len(self.start))
        for column in self.operands.T:
            made = column >= 0
            np.maximum.at(last, self.run[column[made]], self.run[made])
        return last

    def code(self) -> np.ndarray:
        """The code; see kernels/tape.py."""
        inputs = ARITY[self.operation[self.start]]
        head = np.cumsum(HEADER + inputs * self.size)
        head = np.concatenate([[0], head])
        code = np.empty(head[-1], CODE)
        code[head[:-1]] = self.operation[self.start]
        code[head[:-1] + 1] = self.size
        code[head[:-1] + 2] = self.y
        within = np.arange(len(self.run)) - self.start[self.run]
        places = self.y[self.run] + within
        for k, column in enumerate(self.operands.T):
            there = inputs[self.run] > k
            at = head[self.run] + HEADER + k * self.size[self.run] + within
            code[at[there]] = np.where(column < 0, ~column, places[column.clip(0)])[there]
        return code


class _Space:
    """Places from `end` on, and those before it that are free again: (first, size), sorted."""

    def __init__(self, first: int) -> None:
        self.end = first
        self.free: list[tuple[int, int]] = []

    def take(self, size: int) -> int:
        """The first of `size` places in a row."""
        for i, (first, room) in enumerate(self.free):
            if room >= size:
                self.free[i:i + 1] = [(first + size, room - size)] if room > size else []
                return first
        self.end += size
        return self.end - size

    def give_back(self, first: int, size: int) -> None:
        """Let these places be taken again."""
        insort(self.free, (first, size))
        i = self.free.index((first, size))
        for left in (i, i - 1):
            if 0 <= left < len(self.free) - 1:
                first, size = self.free[left]
                behind, more = self.free[left + 1]
                if first + size == behind:
                    self.free[left:left + 2] = [(first, size + more)]

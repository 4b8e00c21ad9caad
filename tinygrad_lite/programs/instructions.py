"""Instructions: what a program does, one after the other, in C or in NumPy.

It imports the recorder, the tapes, the kernels' constants and NumPy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..kernels.groups import root
from ..kernels.instructions import MAPS, RELU
from ..kernels.windows import Windows
from .recorder import Entry, Write
from .tape import Tape

__all__ = ["Instruction", "arrays_in", "fused_relus", "in_numpy", "joined", "listed",
           "moved_to"]


class Instruction(NamedTuple):
    """One instruction of a program, in C or in NumPy.

    Attributes:
        name: the op, as listings show it.
        kind: which instruction of csrc/kernels.h it is; None for the op's NumPy form.
        writes: arrays that are written; those of NumPy's form, its output.
        reads: arrays that are read.
        n, s, at: the numbers, fractions and windows that csrc/kernels.h lists.
        entry: what was recorded, for the NumPy form.
    """

    name: str
    kind: str | None
    writes: tuple
    reads: tuple
    n: tuple[int, ...] = ()
    s: tuple[float, ...] = ()
    at: Windows | None = None
    entry: Any = None


def in_numpy(entry: Any, name: str, arrays: tuple) -> Instruction:
    """What was recorded, in NumPy; the first of the arrays is written."""
    return Instruction(name, None, tuple(arrays_in(arrays[:1])), tuple(arrays_in(arrays[1:])),
                       entry=entry)


def arrays_in(items: Iterable[Any]) -> Iterator[np.ndarray]:
    """The arrays among some items, also those inside of tuples."""
    for x in items:
        if isinstance(x, np.ndarray):
            yield x
        elif isinstance(x, (tuple, list)):
            yield from arrays_in(x)


def moved_to(one: Instruction, moved: Callable[[np.ndarray], np.ndarray]) -> Instruction:
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


# ---- what may be done together --------------------------------------------------------


def fused_relus(instructions: list[Instruction], kept: set[int]) -> list[Instruction]:
    """Products and convolutions whose result is read by a relu only make that as well."""
    readers: Counter = Counter()
    for one in instructions:
        readers.update({id(root(x)) for x in arrays_in(one.reads)})
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


def _place(x: np.ndarray) -> tuple[int, int, bool]:
    """Where an array lies; one number that stands for many lies elsewhere than many."""
    return x.__array_interface__["data"][0], x.nbytes, x.flags.c_contiguous


# ---- the listing ----------------------------------------------------------------------


def listed(one: Instruction) -> str:
    """An instruction as a line: what it reads, what it makes, where it runs."""
    if isinstance(one.entry, Tape):
        return str(one.entry)
    reads = ", ".join(_shape(x) for x in arrays_in(one.reads))
    writes = ", ".join(_shape(x) for x in arrays_in(one.writes))
    where = "" if one.kind is not None else "    in NumPy"
    return f"{one.name:24} {reads} -> {writes}{where}"


def _shape(x: np.ndarray) -> str:
    return f"{x.dtype.kind}{8 * x.dtype.itemsize}{list(x.shape)}"

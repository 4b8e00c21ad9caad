"""Groups: the arrays of one kernel call, checked before its first byte is written.

C would read a float64 array as floats, write through a copy, or let two tensors overwrite
each other, all in silence; so every body, not only C, takes what `checked` lets through.
A training step comes with the same weights and state as the step before, and with new
gradients. So `checked` recognizes arrays by identity, and checks only those that are new.
"""

from collections.abc import Sequence
from operator import attrgetter, is_
from typing import Any

import numpy as np

from .checks import (
    FLOATS,
    check_aligned,
    check_is_array,
    check_kind,
    check_written,
    is_kind,
    refuse_overlap,
)
from .table import KERNELS, ROWS

__all__ = ["Columns", "Group", "checked", "plain_scalars"]

# For each array letter of a kernel the arrays of all tensors; none for one left out.
Columns = Sequence[Sequence[np.ndarray]]

# What two lists of arrays are compared by, in one quick sweep. The last of these is NoneType
# for an array that owns its memory.
LAYOUT = attrgetter("__class__", "dtype", "shape", "strides", "base.__class__")

# Stands for an array that was copied, and that has to be copied again if it comes again.
COPIED = object()


def checked(kernel: str, columns: Columns, cache: dict) -> "Group":
    """The arrays of one call as a checked `Group`, kept in ``cache`` for the next call.

    An array is checked when it is first seen. One whose layout or flags are changed in place
    afterwards (``w.shape = ...``, ``w.flags.writeable = False``) is not noticed. A column that
    is a tuple, and comes again, is known at once, for its arrays cannot have been exchanged;
    so are all columns at once if they come in the same tuple as before.
    """
    group = cache.get(kernel)
    if group is None or columns is not group.given and not group.fits(columns):
        group = cache[kernel] = Group(kernel, columns)
    return group


def plain_scalars(kernel: str, scalars: Sequence[Any]) -> list[float]:
    """The kernel's scalars as Python floats and bools.

    A NumPy scalar would not do: times a float32 array, np.float64 gives a float64 array.
    """
    names = KERNELS[kernel].scalars
    if len(scalars) != len(names):
        raise ValueError(f"{kernel} takes {len(names)} scalars ({', '.join(names)}), "
                         f"got {len(scalars)}")
    return [value if isinstance(value, bool) else float(value) for value in scalars]


class Group:
    """The arrays of one kernel call, checked.

    Attributes:
        kernel: the kernel's name.
        columns: the arrays for each letter of the kernel, none for one left out. A column
            that is only read, such as that of the gradients, is replaced whenever an array of
            it was exchanged; the others stay.
        dtype: the one dtype of all arrays.
        read, written: positions of the columns that are only read, and of the others.
        seen: the columns as they were given, with `COPIED` for an array that was copied.
        given: the tuple that these came in, all of them tuples, the last time and before.
        tables: what a body keeps with the group; native keeps its pointer tables here.
        pointed: whether the tables are those of the columns that the group has now.

    An array that is only read is replaced by a copy, made anew at each call, if it is not
    C-contiguous. The others are written, so they are refused instead: a copy would lose the
    update.
    """

    __slots__ = ("columns", "dtype", "given", "kernel", "layouts", "owners", "pointed", "read",
                 "seen", "tables", "written")

    def __init__(self, kernel: str, columns: Columns):
        check_counts(kernel, columns)
        row = ROWS[kernel]
        self.kernel = kernel
        self.read = [i for i, letter in enumerate(row.arrays) if letter in row.reads]
        self.written = [i for i in range(len(columns)) if i not in self.read and columns[i]]
        self.columns: list[Sequence[np.ndarray]] = [tuple(column) for column in columns]
        self.dtype = common_dtype(self.name(0, 0), self.columns[0])
        self.check_written_columns()
        self.seen: list[Sequence[Any]] = list(self.columns)
        self.given: Any = None
        self.tables: Any = None
        self.pointed = False
        for i in self.read:
            self.exchange(i, columns[i])

    def name(self, column: int, k: int) -> str:
        """What messages call an array: ``adam: m[2]``."""
        return f"{self.kernel}: {ROWS[self.kernel].arrays[column]}[{k}]"

    def fits(self, columns: Columns) -> bool:
        """Check the columns of another call; False if other arrays are to be written."""
        if len(columns) != len(self.seen):
            return False
        exchanged = []
        for i, column in enumerate(columns):
            seen = self.seen[i]
            if column is seen or len(column) == len(seen) and all(map(is_, column, seen)):
                continue
            if i not in self.read:
                return False
            exchanged.append(i)
        for i in exchanged:
            self.exchange(i, columns[i])
        again = not exchanged and isinstance(columns, tuple)
        self.given = columns if again and all(map(is_, columns, self.seen)) else None
        return True

    def check_written_columns(self) -> None:
        """Refuse whatever cannot be updated in place."""
        first = self.columns[0]
        for i in self.written:
            for k, (array, like) in enumerate(zip(self.columns[i], first, strict=True)):
                if not (is_kind(array, self.dtype, like.shape) and array.flags.carray):
                    check_kind(self.name(i, k), array, self.dtype, like.shape)
                    check_written(self.name(i, k), array)
        arrays = [array for i in self.written for array in self.columns[i]]
        roots = list(map(root, arrays))
        self.owners = set(map(id, roots))
        if len(self.owners) < len(arrays) or any(array.base is not None for array in roots):
            refuse_overlap(self.named_written(), [])
        # An array to be read with one of these layouts, and no owner, needs no other check;
        # where memory is from elsewhere, only its bounds tell who shares it.
        self.layouts = []
        if arrays and all(array.base is None for array in roots):
            self.layouts = [(np.ndarray, self.dtype, a.shape, a.strides, type(None))
                            for a in first]

    def exchange(self, i: int, column: Sequence[np.ndarray]) -> None:
        """Check the arrays of a column that is only read, and take them for the last ones."""
        used: Sequence[np.ndarray]
        seen: Sequence[Any]
        if self.are_plain(column):
            used = seen = tuple(column)
        else:
            used = self.checked_reads(i, column)
            seen = [a if a is b else COPIED for a, b in zip(column, used)]
        self.pointed = False
        self.columns[i], self.seen[i] = used, seen  # at once, whatever interrupts this

    def are_plain(self, arrays: Sequence[Any]) -> bool:
        """Whether each array is laid out as its tensor is, in memory all of its own."""
        try:
            alike = list(map(LAYOUT, arrays)) == self.layouts
        except AttributeError:  # not an array: the full check will say so
            return False
        return alike and self.owners.isdisjoint(map(id, arrays))

    def checked_reads(self, i: int, arrays: Sequence[Any]) -> list[np.ndarray]:
        """The same arrays, C-contiguous, after the full check."""
        first = self.columns[0]
        letter = ROWS[self.kernel].arrays[i]
        check_length(self.kernel, letter, len(arrays), len(first))
        for k, (array, like) in enumerate(zip(arrays, first, strict=True)):
            if not (is_kind(array, self.dtype, like.shape) and array.flags.aligned):
                check_kind(self.name(i, k), array, self.dtype, like.shape)
                check_aligned(self.name(i, k), array)
        used = [a if a.flags.c_contiguous else a.copy() for a in arrays]
        doubtful = [(self.name(i, k), a) for k, a in enumerate(used)
                    if self.written and not self.is_apart(a)]
        if doubtful:
            refuse_overlap(self.named_written(), doubtful)
        return used

    def is_apart(self, array: np.ndarray) -> bool:
        """Whether it is plain that ``array`` shares no memory with one that is written."""
        owner = root(array)
        return bool(self.layouts) and owner.base is None and id(owner) not in self.owners

    def named_written(self) -> list[tuple[str, np.ndarray]]:
        """Each array that is written, with the name that messages give it."""
        return [(self.name(i, k), array)
                for i in self.written
                for k, array in enumerate(self.columns[i])]


def root(array: np.ndarray) -> np.ndarray:
    """The array at the end of the chain of bases: its ``base`` is None if it owns memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def check_counts(kernel: str, columns: Columns) -> None:
    """Refuse an unknown kernel, and columns that do not fit it or one another."""
    if kernel not in ROWS:
        raise ValueError(f"unknown kernel {kernel!r}; choose from {', '.join(KERNELS)}")
    row = ROWS[kernel]
    if len(columns) != len(row.arrays):
        raise ValueError(
            f"{kernel} takes {len(row.arrays)} columns of arrays ({', '.join(row.arrays)}), "
            f"got {len(columns)}"
        )
    for letter, column in zip(row.arrays, columns, strict=True):
        if column or letter not in row.optional:
            check_length(kernel, letter, len(column), len(columns[0]))


def check_length(kernel: str, letter: str, got: int, expected: int) -> None:
    """Refuse a column that is not as long as the first one."""
    if got != expected:
        first = ROWS[kernel].arrays[0]
        raise ValueError(
            f"{kernel}: {letter} has {got} arrays where {first} has {expected}; "
            f"pass one {letter} for each tensor, in the order of {first}"
        )


def common_dtype(name: str, arrays: Sequence[np.ndarray]) -> np.dtype:
    """The dtype that every array of the group must have: that of the very first."""
    if not arrays:
        return FLOATS[0]
    check_is_array(name, arrays[0])
    if arrays[0].dtype not in FLOATS:
        raise TypeError(
            f"{name} must be float32 or float64 in native byte order, got {arrays[0].dtype}; "
            "convert it with .astype(numpy.float32)"
        )
    return arrays[0].dtype

"""The update of a group of tensors by one call of C, which runs without the GIL.

A group keeps its tables of pointers. A pointer is taken again only where an array was
exchanged, as gradients are at each step; a view keeps the array that it points into alive.
"""

from collections.abc import Sequence
from itertools import repeat
from struct import Struct
from struct import error as StructError
from typing import Any

import numpy as np

from ..groups import Columns, Group, checked, plain_scalars
from ..table import KERNELS, ROWS
from .library import POINTERS, ffi, lib

__all__ = ["square_sum", "update"]

IDS = {kernel: getattr(lib, f"TGL_{kernel.upper()}") for kernel in KERNELS}
DOUBLE = np.dtype(np.float64)
TABLE = ffi.typeof("void *[]")


def update(kernel: str, columns: Columns, scalars: Sequence[Any], cache: dict) -> None:
    """Update a group of tensors; see `tinygrad_lite.kernels.numpy_arrays.update`."""
    group = checked(kernel, columns, cache)
    tables = group.tables if group.pointed else tables_of(group)
    try:
        tables.pack(tables.scalars, 0, *scalars)
    except StructError:  # too few, or too many, or of other types
        tables.pack(tables.scalars, 0, *plain_scalars(kernel, scalars))
    lib.tgl_update(*tables.arguments)


def square_sum(arrays: list[np.ndarray], cache: dict) -> float:
    """The sum of squares; see `tinygrad_lite.kernels.numpy_arrays.square_sum`."""
    tables = tables_of(checked("square_sum", [arrays], cache))
    blocks = sum(-(-array.size // lib.TGL_BLOCK) for array in arrays)
    return lib.tgl_square_sum(tables.is_double, tables.group, ffi.new("double[]", blocks))


def tables_of(group: Group) -> "Tables":
    """The group's tables, which point to the arrays that it holds now."""
    tables = group.tables
    if tables is None:
        tables = group.tables = Tables(group)
    for i in group.read:
        if tables.arrays[i] is not group.columns[i]:
            tables.take(i, group.columns[i])
    group.pointed = True
    return tables


class Tables:
    """What C needs of a checked group.

    Attributes:
        is_double: whether the arrays are float64.
        group: the struct that points to the tables and sizes.
        scalars: memory for the kernel's scalars, all of them doubles; `pack` writes them
            before each call.
        arguments: of `tgl_update`.
        arrays: for each letter the arrays that its table points into.
    """

    __slots__ = ("arguments", "arrays", "group", "is_double", "letters", "pack", "pointer",
                 "scalars", "sizes", "tables", "views")

    def __init__(self, group: Group):
        columns = group.columns
        tensors = len(columns[0])
        self.is_double = group.dtype == DOUBLE
        self.pointer = POINTERS[group.dtype]
        self.arrays: list[Any] = [None] * len(columns)
        self.views: list[Any] = [None] * len(columns)
        self.tables = [ffi.new(TABLE, tensors) if column else ffi.NULL for column in columns]
        for i, column in enumerate(columns):
            if column:
                self.take(i, column)
        self.letters = ffi.new("void **[]", self.tables)
        self.sizes = ffi.new("size_t[]", [array.size for array in columns[0]])
        elements = sum(array.size for array in columns[0])
        self.group = ffi.new("tgl_group *",
                             (self.letters, self.sizes, tensors, elements))
        count = len(ROWS[group.kernel].scalars)
        numbers = ffi.new("double[]", count)
        self.scalars = ffi.buffer(numbers)
        self.pack = Struct(f"{count}d").pack_into
        self.arguments = (IDS.get(group.kernel), self.is_double, self.group, numbers)

    def take(self, i: int, arrays: Sequence[np.ndarray]) -> None:
        """Point the table of letter i into these arrays."""
        self.arrays[i] = None  # until all is done, whatever interrupts this
        # A view is a pointer to the first element, and keeps the array alive.
        self.views[i] = list(map(ffi.from_buffer, repeat(self.pointer), arrays))
        self.tables[i][0:len(arrays)] = self.views[i]
        self.arrays[i] = arrays

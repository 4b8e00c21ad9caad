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
    tables = group.tables
    if tables is None or tables.columns is not group.columns:
        tables = tables_of(group)
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
    if group.tables is None:
        group.tables = Tables(group)
    group.tables.follow(group.columns)
    return group.tables


class Tables:
    """What C needs of a checked group.

    Attributes:
        is_double: whether the arrays are float64.
        group: the struct that points to the tables and sizes.
        scalars: memory for the kernel's scalars, which are doubles, written before each call.
        pack: writes them there.
        arguments: of an update.
        columns: the arrays that the tables point into.
    """

    __slots__ = ("arguments", "columns", "group", "is_double", "letters", "pack", "pointer",
                 "scalars", "sizes", "tables", "views")

    def __init__(self, group: Group):
        first = group.columns[0]
        self.is_double = group.dtype == DOUBLE
        self.pointer = POINTERS[group.dtype]
        self.columns: tuple[Any, ...] = ((),) * len(group.columns)
        self.views: list[Any] = [None] * len(group.columns)
        self.tables = [ffi.new(TABLE, len(column)) if column else ffi.NULL
                       for column in group.columns]
        self.letters = ffi.new("void **[]", self.tables)
        self.sizes = ffi.new("size_t[]", [array.size for array in first])
        elements = sum(array.size for array in first)
        self.group = ffi.new("tgl_group *", (self.letters, self.sizes, len(first), elements))
        count = len(ROWS[group.kernel].scalars)
        numbers = ffi.new("double[]", count)
        self.scalars = ffi.buffer(numbers)
        self.pack = Struct(f"{count}d").pack_into
        self.arguments = (IDS.get(group.kernel), self.is_double, self.group, numbers)

    def follow(self, columns: tuple[Sequence[np.ndarray], ...]) -> None:
        """Point the tables into these arrays, where they do not yet."""
        known, self.columns = self.columns, ((),) * len(columns)  # should this be interrupted
        for i, arrays in enumerate(columns):
            if arrays and arrays is not known[i]:
                # A view is a pointer to the first element, and keeps the array alive.
                self.views[i] = list(map(ffi.from_buffer, repeat(self.pointer), arrays))
                self.tables[i][0:len(arrays)] = self.views[i]
        self.columns = columns

"""The update of a group of tensors by one call of C, which runs without the GIL.

A group keeps its tables of pointers. A pointer is taken again only where an array was
exchanged, as gradients are at each step; a view keeps the array that it points into alive.
"""

from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

import numpy as np

from ..groups import Columns, Group, checked
from ..table import KERNELS
from .library import POINTERS, ffi, lib

__all__ = ["square_sum", "update"]

IDS = {kernel: getattr(lib, f"TGL_{kernel.upper()}") for kernel in KERNELS}
STRUCTS = {kernel: ffi.typeof(f"tgl_{kernel} *") for kernel in KERNELS}
SCALARS = {kernel: itemgetter(*row.scalars) if len(row.scalars) > 1
           else lambda scalars, name=row.scalars[0]: (scalars[name],)
           for kernel, row in KERNELS.items()}
DOUBLE = np.dtype(np.float64)
TABLE = ffi.typeof("void *[]")


def update(kernel: str, columns: Columns, scalars: dict[str, Any], cache: dict) -> None:
    """Update a group of tensors; see `tinygrad_lite.kernels.numpy_arrays.update`."""
    tables = tables_of(checked(kernel, columns, cache))
    tables.scalars[0] = SCALARS[kernel](scalars)
    lib.tgl_update(IDS[kernel], tables.is_double, tables.group, tables.scalars)


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
    return tables


class Tables:
    """What C needs of a checked group.

    Attributes:
        is_double: whether the arrays are float64.
        group: the struct that points to the tables and sizes.
        scalars: the struct of the kernel's scalars, written before each call; NULL if none.
        arrays: for each letter the arrays that its table points into.
    """

    __slots__ = ("arrays", "group", "is_double", "letters", "pointer", "scalars", "sizes",
                 "tables", "views")

    def __init__(self, group: Group):
        columns = group.columns
        tensors = len(columns[0])
        self.is_double = group.dtype == DOUBLE
        self.pointer = POINTERS[group.dtype]
        self.scalars = ffi.new(STRUCTS[group.kernel]) if group.kernel in STRUCTS else ffi.NULL
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

    def take(self, i: int, arrays: Sequence[np.ndarray]) -> None:
        """Point the table of letter i into these arrays."""
        # A view is a pointer to the first element, and keeps the array alive.
        self.views[i] = list(map(ffi.from_buffer, repeat(self.pointer), arrays))
        self.tables[i][0:len(arrays)] = self.views[i]
        self.arrays[i] = arrays

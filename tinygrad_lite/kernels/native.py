"""Kernel bodies in C, called through cffi: the one place where pointers are taken.

``update`` has the arguments, checks and errors of `tinygrad_lite.kernels.numpy_arrays.update`
and calls C once for the whole group. It keeps the group's pointer tables and takes a pointer
again only where an array was exchanged, as gradients are at each step.
Importing this module fails where the compiled module is missing or does not fit.
"""

from itertools import repeat
from operator import itemgetter

import numpy as np

from .buffers import Group, checked
from .compiled import ABI, ffi, lib
from .native_losses import cross_entropy, cross_entropy_slope
from .table import KERNELS

__all__ = ["ABI", "cross_entropy", "cross_entropy_slope", "update"]

# For each dtype, C's types of a pointer to an array and of a table of such pointers.
POINTERS: dict[np.dtype, tuple] = {
    np.dtype(np.float32): (ffi.typeof("float *"), ffi.typeof("float *[]")),
    np.dtype(np.float64): (ffi.typeof("double *"), ffi.typeof("double *[]")),
}
FUNCTIONS = {
    (kernel, dtype): getattr(lib, f"tgl_{kernel}_f{8 * dtype.itemsize}")
    for kernel in KERNELS
    for dtype in POINTERS
}
SCALARS = {kernel: itemgetter(*row.scalars) for kernel, row in KERNELS.items()}


def update(
    kernel: str,
    columns: list[list[np.ndarray]],
    scalars: dict[str, float],
    cache: dict,
) -> None:
    """Update a group of tensors in place by one call of C, which runs without the GIL."""
    group = checked(kernel, columns, cache)
    tables = group.tables
    if tables is None:
        tables = group.tables = Tables(group)
    elif tables.grads is not group.columns[1]:
        tables.take_grads(group.columns[1])
    tables.function(*tables.arguments, *SCALARS[kernel](scalars))


class Tables:
    """What C needs of a checked group, ready to be passed.

    Attributes:
        function: the C function for this kernel and dtype.
        arguments: its arguments up to the scalars: the tables, the sizes, their number.
        grads: the list of gradients that the table of gradients points into.
    """

    __slots__ = ("arguments", "function", "grads", "grads_table", "pointer", "views")

    def __init__(self, group: Group):
        w, grads, *state = group.columns
        self.function = FUNCTIONS[group.kernel, group.dtype]
        self.pointer, table = POINTERS[group.dtype]
        # A view pins its array's memory for as long as a table may point there.
        self.views = [self.take(column) for column in [w, *state, grads]]
        tables = [ffi.new(table, views) for views in self.views]
        sizes = ffi.new("size_t[]", [array.size for array in w])
        self.arguments = (*tables, sizes, len(w))
        self.grads = grads
        self.grads_table = tables[-1]

    def take_grads(self, grads: list[np.ndarray]) -> None:
        """Point the table of gradients into these arrays instead."""
        self.views[-1] = self.grads_table[0:len(grads)] = self.take(grads)
        self.grads = grads

    def take(self, arrays: list[np.ndarray]) -> list:
        """A view of each array, which C sees as a pointer to its first element."""
        return list(map(ffi.from_buffer, repeat(self.pointer), arrays))

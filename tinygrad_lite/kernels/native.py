"""Kernel bodies in C, called through cffi: the one place where pointers are taken.

``update`` has the arguments, checks and errors of `tinygrad_lite.kernels.numpy_arrays.update`
and calls C once for the whole group. It keeps the group's pointer tables and takes a pointer
again only where an array was exchanged, as gradients are at each step.
Importing this module fails where the compiled module is missing or does not fit.
"""

from itertools import repeat
from operator import itemgetter

import numpy as np

from ._kernels import ffi, lib
from .buffers import Group, checked, checked_logits, refuse_targets
from .table import KERNELS

__all__ = [
    "ABI", "average", "batch_norm", "batch_norm_slopes", "col2im", "cross_entropy",
    "gather", "im2col", "max_pool", "normalize", "scatter", "spread", "update",
]

# The number of the C interface that this file calls; `tgl_abi` in csrc/optimizers.c.
ABI = 3

if lib.tgl_abi() != ABI:
    raise ImportError(
        f"the compiled module has interface {lib.tgl_abi()}, but this Python code needs {ABI}"
    )

# They look up functions that an outdated module lacks, so the check comes first.
from .batchnorm.native import batch_norm, batch_norm_slopes, normalize  # noqa: E402
from .convolution.native import col2im, im2col  # noqa: E402
from .pooling.native import average, gather, max_pool, scatter, spread  # noqa: E402

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
CROSS_ENTROPY = {
    dtype: getattr(lib, f"tgl_cross_entropy_f{8 * dtype.itemsize}") for dtype in POINTERS
}
IDS = ffi.typeof("int64_t *")
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


def cross_entropy(a: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Losses and gradient; see `tinygrad_lite.kernels.numpy_arrays.cross_entropy`."""
    a, target = checked_logits(a, target)
    n, c = a.shape
    losses = np.empty(n, a.dtype)
    d = np.empty((n, c), a.dtype)
    real = POINTERS[a.dtype][0]
    good = CROSS_ENTROPY[a.dtype](
        ffi.from_buffer(real, losses), ffi.from_buffer(real, d),
        ffi.from_buffer(real, a), ffi.from_buffer(IDS, target), n, c,
    )
    if good < n:
        refuse_targets(target, c)
    return losses, d

"""Rows of a table by number, and the way back, in C; see gather.py for what they do."""

from math import prod

import numpy as np

from ._kernels import ffi, lib
from .gather import checked_rows, checked_sums, refuse_index

__all__ = ["gather", "scatter_add"]

BYTES = ffi.typeof("char *")
IDS = ffi.typeof("int64_t *")
SCATTER_ADD = {
    np.dtype(np.float32): (lib.tgl_scatter_add_f32, ffi.typeof("float *")),
    np.dtype(np.float64): (lib.tgl_scatter_add_f64, ffi.typeof("double *")),
}


def gather(a: np.ndarray, index: np.ndarray) -> np.ndarray:
    """y[i] = a[index[i]]; see `tinygrad_lite.kernels.gather.gather`."""
    a, index = checked_rows(a, index)
    y = np.empty((*index.shape, *a.shape[1:]), a.dtype)
    good = lib.tgl_gather(
        ffi.from_buffer(BYTES, y), ffi.from_buffer(BYTES, a), ffi.from_buffer(IDS, index),
        index.size, len(a), a.itemsize * prod(a.shape[1:]),
    )
    if good < index.size:
        refuse_index(index, len(a))
    return y


def scatter_add(a: np.ndarray, index: np.ndarray, rows: int) -> np.ndarray:
    """y[index[i]] = y[index[i]] + a[i]; see `tinygrad_lite.kernels.gather.scatter_add`."""
    a, index, shape = checked_sums(a, index)
    y = np.zeros((rows, *shape), a.dtype)
    function, real = SCATTER_ADD[a.dtype]
    good = function(
        ffi.from_buffer(real, y), ffi.from_buffer(real, a), ffi.from_buffer(IDS, index),
        index.size, rows, prod(shape),
    )
    if good < index.size:
        refuse_index(index, rows)
    return y

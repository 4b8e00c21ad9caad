"""Rows of a table by number, and the way back, in C; csrc/kernels.h has the formulas."""

from math import prod

import numpy as np

from ..rows import checked_rows, checked_sums, refuse_rows
from .library import POINTERS, ffi, lib

__all__ = ["add_rows", "take_rows"]

BYTES = ffi.typeof("char *")
IDS = ffi.typeof("int64_t *")
ADD_ROWS = {dtype: getattr(lib, f"tgl_add_rows_f{8 * dtype.itemsize}") for dtype in POINTERS}


def take_rows(a: np.ndarray, index: np.ndarray) -> np.ndarray:
    """y[i] = a[index[i]]; see `tinygrad_lite.kernels.numpy_arrays.take_rows`."""
    a, index = checked_rows(a, index)
    y = np.empty((*index.shape, *a.shape[1:]), a.dtype)
    good = lib.tgl_take_rows(
        ffi.from_buffer(BYTES, y), ffi.from_buffer(BYTES, a), ffi.from_buffer(IDS, index),
        index.size, len(a), a.itemsize * prod(a.shape[1:]),
    )
    if good < index.size:
        refuse_rows(index, len(a))
    return y


def add_rows(a: np.ndarray, index: np.ndarray, rows: int) -> np.ndarray:
    """y[index[i]] = y[index[i]] + a[i]; see `tinygrad_lite.kernels.numpy_arrays.add_rows`."""
    a, index, shape = checked_sums(a, index)
    y = np.zeros((rows, *shape), a.dtype)
    real = POINTERS[a.dtype]
    good = ADD_ROWS[a.dtype](
        ffi.from_buffer(real, y), ffi.from_buffer(real, a), ffi.from_buffer(IDS, index),
        index.size, rows, prod(shape),
    )
    if good < index.size:
        refuse_rows(index, rows)
    return y

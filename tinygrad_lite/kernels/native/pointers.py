"""How arrays and functions of C are named for the kernels that fill fresh arrays."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ..windows import Windows
from .library import ffi, lib

__all__ = ["NULL", "both", "struct", "view"]

NULL = ffi.NULL

POINTERS = {
    np.dtype(np.float32): ffi.typeof("float *"),
    np.dtype(np.float64): ffi.typeof("double *"),
    np.dtype(np.int32): ffi.typeof("int32_t *"),
    np.dtype(np.int64): ffi.typeof("int64_t *"),
}


def both(kernel: str) -> dict[np.dtype, Callable]:
    """The C function of a kernel for each floating dtype."""
    return {np.dtype(dtype): getattr(lib, f"tgl_{kernel}_f{8 * np.dtype(dtype).itemsize}")
            for dtype in (np.float32, np.float64)}


def view(array: np.ndarray) -> Any:
    """A C-contiguous array, as C sees it: a pointer to its first element."""
    return ffi.from_buffer(POINTERS[array.dtype], array)


@lru_cache(maxsize=256)
def struct(at: Windows) -> Any:
    """Windows as the struct that C reads."""
    return ffi.new("tgl_windows *", tuple(at))

"""Softmax cross-entropy in C; arguments and errors are those of the NumPy body."""

import numpy as np

from ..logits import checked_logits, refuse_targets
from .library import POINTERS, ffi, lib

__all__ = ["cross_entropy", "cross_entropy_slope"]

IDS = ffi.typeof("int64_t *")

# For each dtype, C's type of a pointer to an array, and its two functions.
BODIES = {
    dtype: (pointer, getattr(lib, f"tgl_cross_entropy_f{8 * dtype.itemsize}"),
            getattr(lib, f"tgl_cross_entropy_slope_f{8 * dtype.itemsize}"))
    for dtype, pointer in POINTERS.items()
}


def cross_entropy(a: np.ndarray, target: np.ndarray, ignore_index: int) -> np.ndarray:
    """Losses, peaks and totals; see `tinygrad_lite.kernels.numpy_arrays.cross_entropy`."""
    a, target = checked_logits(a, target)
    n, c = a.shape
    y = np.empty((3, n + 1), a.dtype)
    real, losses, _ = BODIES[a.dtype]
    take = ffi.from_buffer
    good = losses(take(real, y), take(real, a), take(IDS, target), ignore_index, n, c)
    if good < n:
        refuse_targets(target, c, ignore_index)
    return y


def cross_entropy_slope(
    a: np.ndarray, target: np.ndarray, y: np.ndarray, g: np.ndarray
) -> np.ndarray:
    """The gradient; see `tinygrad_lite.kernels.numpy_arrays.cross_entropy_slope`."""
    a, target = checked_logits(a, target)
    step = g.ndim  # NumPy makes one dimension of none
    g = np.ascontiguousarray(g, a.dtype)
    n, c = a.shape
    d = np.empty((n, c), a.dtype)
    real, _, slope = BODIES[a.dtype]
    take = ffi.from_buffer
    slope(
        take(real, d), take(real, a), take(IDS, target), take(real, y),
        take(real, g), step, n, c,
    )
    return d

"""Softmax cross-entropy in C, with the arguments, checks and errors of numpy_losses.py.

The functions of `lib` are looked up when they are called: native.py, which imports this file,
has yet to check that the compiled module is the one that this code needs.
"""

import numpy as np

from ._kernels import ffi, lib
from .buffers import checked_logits, refuse_targets

__all__ = ["cross_entropy", "cross_entropy_slope"]

IDS = ffi.typeof("int64_t *")
REALS = {
    np.dtype(np.float32): ffi.typeof("float *"),
    np.dtype(np.float64): ffi.typeof("double *"),
}


def cross_entropy(a: np.ndarray, target: np.ndarray, ignore_index: int) -> np.ndarray:
    """Losses, peaks and totals; see `tinygrad_lite.kernels.numpy_losses.cross_entropy`."""
    a, target = checked_logits(a, target)
    n, c = a.shape
    y = np.empty((3, n + 1), a.dtype)
    real = REALS[a.dtype]
    function = lib.tgl_cross_entropy_f32 if a.itemsize == 4 else lib.tgl_cross_entropy_f64
    take = ffi.from_buffer
    good = function(take(real, y), take(real, a), take(IDS, target), ignore_index, n, c)
    if good < n:
        refuse_targets(target, c, ignore_index)
    return y


def cross_entropy_slope(
    a: np.ndarray, target: np.ndarray, y: np.ndarray, g: np.ndarray
) -> np.ndarray:
    """The gradient; see `tinygrad_lite.kernels.numpy_losses.cross_entropy_slope`."""
    a, target = checked_logits(a, target)
    step = g.ndim  # NumPy makes one dimension of none
    g = np.ascontiguousarray(g, a.dtype)
    n, c = a.shape
    d = np.empty((n, c), a.dtype)
    real = REALS[a.dtype]
    single = a.itemsize == 4
    function = lib.tgl_cross_entropy_slope_f32 if single else lib.tgl_cross_entropy_slope_f64
    take = ffi.from_buffer
    function(
        take(real, d), take(real, a), take(IDS, target), take(real, y),
        take(real, g), step, n, c,
    )
    return d

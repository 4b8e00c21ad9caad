"""The losses in C; csrc/kernels.h has the formulas."""

import numpy as np

from ..logits import checked_logits, refuse_targets
from .library import POINTERS, ffi, lib

__all__ = ["cross_entropy"]

CROSS_ENTROPY = {
    dtype: getattr(lib, f"tgl_cross_entropy_f{8 * dtype.itemsize}") for dtype in POINTERS
}
IDS = ffi.typeof("int64_t *")


def cross_entropy(a: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Losses and gradient; see `tinygrad_lite.kernels.numpy_arrays.cross_entropy`."""
    a, target = checked_logits(a, target)
    n, c = a.shape
    losses = np.empty(n, a.dtype)
    d = np.empty((n, c), a.dtype)
    real = POINTERS[a.dtype]
    good = CROSS_ENTROPY[a.dtype](
        ffi.from_buffer(real, losses), ffi.from_buffer(real, d),
        ffi.from_buffer(real, a), ffi.from_buffer(IDS, target), n, c,
    )
    if good < n:
        refuse_targets(target, c)
    return losses, d

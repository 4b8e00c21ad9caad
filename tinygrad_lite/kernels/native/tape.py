"""The tape in C; csrc/kernels.h has the formulas."""

import numpy as np

from ..tape import check_tape
from .library import lib
from .pointers import view

__all__ = ["tape"]


def tape(numbers: np.ndarray, code: np.ndarray) -> None:
    """Run a tape; see `tinygrad_lite.kernels.numpy_arrays.tape`."""
    check_tape(numbers, code)
    lib.tgl_tape(view(numbers), view(code), code.size)

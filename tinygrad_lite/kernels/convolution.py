"""The columns of a convolution in three bodies, and the check that all of them share.

| function   | what it does                                                       |
| ---------- | ------------------------------------------------------------------ |
| ``im2col`` | what each place of each window reads: (places, windows) per image  |
| ``col2im`` | its adjoint: the sum of the columns back into the images           |

The formulas are in csrc/kernels.h. The three bodies agree to the last bit.
"""

from typing import Any

import numpy as np

from .fresh import check, floats
from .windows import Windows, check_windows

__all__ = ["checked_columns", "checked_images", "checked_out"]


def checked_images(kernel: str, x: Any, at: Windows) -> np.ndarray:
    """Images of shape (images, height, width) as C reads them.

    Raises:
        TypeError: they are not float32 or float64.
        ValueError: they have another shape, or the windows make no sense.
    """
    check_windows(at)
    x = floats(kernel, "x", x)
    check(kernel, "x", x, (len(x), *at.image), x.dtype)
    return x


def checked_columns(kernel: str, cols: Any, at: Windows) -> np.ndarray:
    """Columns of shape (images, places, windows) as C reads them; errors as above."""
    check_windows(at)
    cols = floats(kernel, "cols", cols)
    check(kernel, "cols", cols, (len(cols), at.places, at.windows), cols.dtype)
    return cols


def checked_out(kernel: str, out: np.ndarray | None, shape: tuple[int, ...],
                like: np.ndarray) -> np.ndarray:
    """Where the result goes: a new array, or one that the caller uses again.

    Raises:
        TypeError: it is not of the input's dtype.
        ValueError: it has another shape, is not C-contiguous or overlaps the input.
    """
    if out is None:
        return np.empty(shape, like.dtype)
    check(kernel, "out", out, shape, like.dtype)
    if not out.flags.carray or np.may_share_memory(out, like):
        raise ValueError(f"{kernel}: out must be C-contiguous, writable and apart from the "
                         "input; pass an array of its own")
    return out

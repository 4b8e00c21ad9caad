"""The columns of a convolution in C; arguments and errors are those of the NumPy body."""

import numpy as np

from ..convolution import checked_columns, checked_images, checked_out
from ..windows import Windows
from .pointers import both, struct, view

__all__ = ["col2im", "im2col"]

IM2COL = both("im2col")
COL2IM = both("col2im")


def im2col(x: np.ndarray, at: Windows, out: np.ndarray | None = None) -> np.ndarray:
    """What each place of each window reads."""
    x = checked_images("im2col", x, at)
    cols = checked_out("im2col", out, (len(x), at.places, at.windows), x)
    IM2COL[x.dtype](view(cols), view(x), struct(at), len(x))
    return cols


def col2im(cols: np.ndarray, at: Windows, out: np.ndarray | None = None) -> np.ndarray:
    """The adjoint of `im2col`."""
    cols = checked_columns("col2im", cols, at)
    x = checked_out("col2im", out, (len(cols), *at.image), cols)
    COL2IM[x.dtype](view(x), view(cols), struct(at), len(x))
    return x

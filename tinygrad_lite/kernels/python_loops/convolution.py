"""The columns of a convolution in plain Python: one pixel at a time."""

import numpy as np

from ..convolution import checked_columns, checked_images, checked_out
from ..windows import Windows

__all__ = ["col2im", "im2col", "pixels_of"]


def im2col(x: np.ndarray, at: Windows, out: np.ndarray | None = None) -> np.ndarray:
    """What each place of each window reads; see numpy_arrays.py."""
    x = checked_images("im2col", x, at)
    cols = checked_out("im2col", out, (len(x), at.places, at.windows), x)
    cols[...] = 0
    for image, columns in zip(x, cols):
        for place, window, iy, ix in pixels_of(at):
            columns[place, window] = image[iy, ix]
    return cols


def col2im(cols: np.ndarray, at: Windows, out: np.ndarray | None = None) -> np.ndarray:
    """The adjoint of `im2col`; see numpy_arrays.py."""
    cols = checked_columns("col2im", cols, at)
    x = checked_out("col2im", out, (len(cols), *at.image), cols)
    x[...] = 0
    for image, columns in zip(x, cols):
        for place, window, iy, ix in pixels_of(at):
            image[iy, ix] += columns[place, window]
    return x


def pixels_of(at):
    """(place, window, iy, ix) for each place of each window that is not in the padding."""
    for ky in range(at.kernel_h):
        for kx in range(at.kernel_w):
            for oy in range(at.out_h):
                for ox in range(at.out_w):
                    iy = oy * at.stride_h - at.top + ky * at.dilation_h
                    ix = ox * at.stride_w - at.left + kx * at.dilation_w
                    if 0 <= iy < at.height and 0 <= ix < at.width:
                        yield ky * at.kernel_w + kx, oy * at.out_w + ox, iy, ix

"""The columns of a convolution in NumPy: one place of all windows at a time."""

import numpy as np

from ..convolution import checked_columns, checked_images, checked_out
from ..windows import Windows

__all__ = ["canvas", "col2im", "im2col", "seen_by"]


def im2col(x: np.ndarray, at: Windows, out: np.ndarray | None = None) -> np.ndarray:
    """What each place of each window reads, 0 in the padding.

    Every body module has this function, with the same arguments and the same checks.

    Args:
        x: images, float32 or float64, of shape (images, height, width).
        at: how the windows lie.
        out: an array for the result, if the caller has one to use again.

    Returns:
        cols, of shape (images, places, windows).

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes; an `out` that cannot be written, or overlaps x.
    """
    x = checked_images("im2col", x, at)
    cols = checked_out("im2col", out, (len(x), at.places, at.windows), x)
    padded = canvas(x, at, 0)
    place = 0
    for ky in range(at.kernel_h):
        for kx in range(at.kernel_w):
            cols[:, place] = seen_by(padded, at, ky, kx).reshape(len(x), at.windows)
            place += 1
    return cols


def col2im(cols: np.ndarray, at: Windows, out: np.ndarray | None = None) -> np.ndarray:
    """The adjoint of `im2col`: each pixel is the sum of all columns that read it.

    Args:
        cols: float32 or float64, of shape (images, places, windows).
        at: how the windows lie.
        out: an array for the result, if the caller has one.

    Returns:
        x, of shape (images, height, width).

    Raises:
        What `im2col` raises.
    """
    cols = checked_columns("col2im", cols, at)
    x = checked_out("col2im", out, (len(cols), *at.image), cols)
    x[...] = 0
    padded = canvas(x, at, 0)
    place = 0
    for ky in range(at.kernel_h):
        for kx in range(at.kernel_w):
            seen = seen_by(padded, at, ky, kx)
            seen += cols[:, place].reshape(seen.shape)
            place += 1
    x[...] = padded[:, at.top:at.top + at.height, at.left:at.left + at.width]
    return x


def canvas(x: np.ndarray, at: Windows, border: float) -> np.ndarray:
    """The images with so much of a border that every window lies inside."""
    height = (at.out_h - 1) * at.stride_h + (at.kernel_h - 1) * at.dilation_h + 1
    width = (at.out_w - 1) * at.stride_w + (at.kernel_w - 1) * at.dilation_w + 1
    shape = len(x), max(height, at.top + at.height), max(width, at.left + at.width)
    padded = np.full(shape, border, x.dtype)
    padded[:, at.top:at.top + at.height, at.left:at.left + at.width] = x
    return padded


def seen_by(padded: np.ndarray, at: Windows, ky: int, kx: int) -> np.ndarray:
    """The view of a canvas that place (ky, kx) of all windows has: (images, out_h, out_w)."""
    top, left = ky * at.dilation_h, kx * at.dilation_w
    bottom = top + (at.out_h - 1) * at.stride_h + 1
    right = left + (at.out_w - 1) * at.stride_w + 1
    return padded[:, top:bottom:at.stride_h, left:right:at.stride_w]

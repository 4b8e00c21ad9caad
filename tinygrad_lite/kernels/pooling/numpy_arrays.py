"""Pooling in NumPy: one place of all windows at a time."""

import numpy as np

from ..convolution.numpy_arrays import canvas, seen_by
from ..windows import Windows
from . import Boxes, checked_boxes, checked_image, checked_index, refuse_index

__all__ = ["average", "gather", "max_pool", "scatter", "spread"]


def max_pool(x: np.ndarray, at: Windows, index: np.ndarray) -> np.ndarray:
    """The largest pixel of each window.

    Every body module has this function, with the same arguments and the same checks; the
    same goes for the others.

    Args:
        x: images, float32 or float64, of shape (images, height, width).
        at: how the windows lie; each must see a pixel at least.
        index: int32, of shape (images, out_h, out_w); filled with the place of each largest
            pixel, iy * width + ix. Of equal ones the first wins, of NaNs the last.

    Returns:
        y, of shape (images, out_h, out_w).

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes, or too large images.
    """
    x = checked_image("max_pool", x, at, index)
    y = np.zeros(index.shape, x.dtype)
    index[...] = -1
    pixels = np.arange(at.height * at.width, dtype=np.int32).reshape(1, *at.image)
    numbers, places = canvas(x, at, 0), canvas(pixels, at, -1)
    for ky in range(at.kernel_h):
        for kx in range(at.kernel_w):
            v = seen_by(numbers, at, ky, kx)
            p = seen_by(places, at, ky, kx)
            wins = (p >= 0) & ((v > y) | (v != v) | (index < 0))
            np.copyto(y, v, where=wins)
            np.copyto(index, p, where=wins)
    return y


def gather(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """y[i][o] = x[i][index[i][o]]

    Args:
        x: float32 or float64, of shape (images, pixels).
        index: int32, of shape (images, outputs).

    Returns:
        y, of shape (images, outputs).

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes.
        IndexError: the index points out of an image.
    """
    x, index = checked_index("gather", x, index, x.shape[-1], outputs=False)
    refuse_index("gather", index, x.shape[1])
    return np.take_along_axis(x, index, axis=1)


def scatter(y: np.ndarray, index: np.ndarray, pixels: int) -> np.ndarray:
    """x[i][p] = the sum of y[i][o] over all o with index[i][o] = p: the adjoint of `gather`.

    Returns:
        x, of shape (images, pixels).

    Raises:
        What `gather` raises.
    """
    y, index = checked_index("scatter", y, index, pixels, outputs=True)
    refuse_index("scatter", index, pixels)
    x = np.zeros((len(y), pixels), y.dtype)
    np.add.at(x, (np.arange(len(y))[:, None], index), y)
    return x


def average(x: np.ndarray, boxes: Boxes) -> np.ndarray:
    """The sum of each window, divided by its divisor.

    Args:
        x: images, float32 or float64, of shape (images, height, width).
        boxes: the windows.

    Returns:
        y, of shape (images, out_h, out_w).

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: the shapes do not fit, or a window reaches out of the image.
    """
    x = checked_boxes("average", x, boxes, outputs=False)
    (top, bottom), (left, right) = boxes.rows, boxes.columns
    y = np.zeros((len(x), *boxes.divisor.shape), x.dtype)
    for dy in range(max(bottom - top, default=0)):
        line = x[:, np.minimum(top + dy, boxes.height - 1)]
        total = np.zeros_like(y)
        for dx in range(max(right - left, default=0)):
            seen = line[:, :, np.minimum(left + dx, boxes.width - 1)]
            total += np.where(left + dx < right, seen, 0)
        y += np.where((top + dy < bottom)[:, None], total, 0)
    y /= boxes.divisor
    return y


def spread(y: np.ndarray, boxes: Boxes) -> np.ndarray:
    """An even share of y for each pixel of each window: the adjoint of `average`.

    Returns:
        x, of shape (images, height, width).

    Raises:
        What `average` raises.
    """
    y = checked_boxes("spread", y, boxes, outputs=True)
    x = np.zeros((len(y), boxes.height, boxes.width), y.dtype)
    share = y / boxes.divisor
    for oy, (top, bottom) in enumerate(boxes.rows.T):
        for ox, (left, right) in enumerate(boxes.columns.T):
            x[:, top:bottom, left:right] += share[:, oy, ox, None, None]
    return x

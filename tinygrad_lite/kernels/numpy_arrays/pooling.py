"""Pooling in NumPy: one place of all windows at a time."""

import math

import numpy as np

from ..fresh import check
from ..pooling import Boxes, checked_boxes, checked_image, checked_index, refuse_index
from ..windows import Windows
from .convolution import canvas, seen_by

__all__ = ["average", "gather", "max_pool", "scatter", "spread"]


def max_pool(x: np.ndarray, at: Windows, index: np.ndarray) -> np.ndarray:
    """The largest pixel of each window.

    Every body module has this function, with the same arguments and the same checks; the
    same goes for the others.

    Args:
        x: images, float32 or float64, of shape (..., height, width).
        at: how the windows lie; each must see a pixel at least.
        index: int32, of shape (..., out_h, out_w); filled with the place of each largest
            pixel, iy * width + ix. Of equal ones the first wins, of NaNs the last.

    Returns:
        y, of shape (..., out_h, out_w).

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes, or too large images.
    """
    x = checked_image("max_pool", x, at, index)
    y = np.zeros(index.shape, x.dtype)
    index[...] = -1
    x = x.reshape(math.prod(x.shape[:-2]), *at.image)
    flat_y, flat_index = y.reshape(len(x), *at.out), index.reshape(len(x), *at.out)
    pixels = np.arange(at.height * at.width, dtype=np.int32).reshape(1, *at.image)
    numbers, places = canvas(x, at, 0), canvas(pixels, at, -1)
    for ky in range(at.kernel_h):
        for kx in range(at.kernel_w):
            v = seen_by(numbers, at, ky, kx)
            p = seen_by(places, at, ky, kx)
            wins = (p >= 0) & ((v > flat_y) | (v != v) | (flat_index < 0))
            np.copyto(flat_y, v, where=wins)
            np.copyto(flat_index, p, where=wins)
    return y


def gather(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """y = the pixels of each image that the index names, counted row by row.

    Args:
        x: float32 or float64, of shape (..., height, width).
        index: int32, of shape (..., out_h, out_w).

    Returns:
        y, of the shape of the index.

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes.
        IndexError: the index points out of an image.
    """
    x, index = checked_index("gather", x, index, x.shape)
    refuse_index("gather", index, x.shape)
    return x.ravel()[_flat(index, x.shape)]


def scatter(y: np.ndarray, index: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """x = the sum of what the index sends to each pixel: the adjoint of `gather`.

    Args:
        y: float32 or float64, of the shape of the index.
        index: int32, of shape (..., out_h, out_w).
        shape: (..., height, width).

    Returns:
        x, of that shape.

    Raises:
        What `gather` raises.
    """
    y, index = checked_index("scatter", y, index, shape)
    check("scatter", "y", y, index.shape, y.dtype)
    refuse_index("scatter", index, shape)
    x = np.zeros(shape, y.dtype)
    np.add.at(x.reshape(x.size), _flat(index, shape), y)
    return x


def _flat(index: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The index into all images of a shape at once."""
    images = np.arange(math.prod(shape[:-2])) * (shape[-2] * shape[-1])
    return index + images.reshape(*shape[:-2], 1, 1)


def average(x: np.ndarray, boxes: Boxes) -> np.ndarray:
    """The sum of each window, divided by its divisor.

    Args:
        x: images, float32 or float64, of shape (..., height, width).
        boxes: the windows.

    Returns:
        y, of shape (..., out_h, out_w).

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: the shapes do not fit, or a window reaches out of the image.
    """
    x = checked_boxes("average", x, boxes, outputs=False)
    (top, bottom), (left, right) = boxes.rows, boxes.columns
    y = np.zeros(x.shape[:-2] + boxes.divisor.shape, x.dtype)
    for dy in range(max(bottom - top, default=0)):
        line = x[..., np.minimum(top + dy, boxes.height - 1), :]
        total = np.zeros_like(y)
        for dx in range(max(right - left, default=0)):
            seen = line[..., np.minimum(left + dx, boxes.width - 1)]
            total += np.where(left + dx < right, seen, 0)
        y += np.where((top + dy < bottom)[:, None], total, 0)
    y /= boxes.divisor
    return y


def spread(y: np.ndarray, boxes: Boxes) -> np.ndarray:
    """An even share of y for each pixel of each window: the adjoint of `average`.

    Returns:
        x, of shape (..., height, width).

    Raises:
        What `average` raises.
    """
    y = checked_boxes("spread", y, boxes, outputs=True)
    x = np.zeros(y.shape[:-2] + boxes[:2], y.dtype)
    share = y / boxes.divisor
    for oy, (top, bottom) in enumerate(boxes.rows.T):
        for ox, (left, right) in enumerate(boxes.columns.T):
            x[..., top:bottom, left:right] += share[..., oy, ox, None, None]
    return x

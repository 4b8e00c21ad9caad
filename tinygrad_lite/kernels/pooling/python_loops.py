"""Pooling in plain Python: one pixel at a time."""

from itertools import product

import numpy as np

from ..convolution.python_loops import pixels_of
from ..windows import Windows
from . import Boxes, checked_boxes, checked_image, checked_index, refuse_index

__all__ = ["average", "gather", "max_pool", "scatter", "spread"]


def max_pool(x: np.ndarray, at: Windows, index: np.ndarray) -> np.ndarray:
    """The largest pixel of each window; see numpy_arrays.py."""
    x = checked_image("max_pool", x, at, index)
    y = np.zeros(index.shape, x.dtype)
    index[...] = -1
    for image, peaks, where in zip(x, y, index):
        for _, window, iy, ix in pixels_of(at):
            o = divmod(window, at.out_w)
            v = image[iy, ix]
            if v > peaks[o] or v != v or where[o] < 0:
                peaks[o] = v
                where[o] = iy * at.width + ix
    return y


def gather(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The pixels at an index; see numpy_arrays.py."""
    x, index = checked_index("gather", x, index, x.shape[-1], outputs=False)
    refuse_index("gather", index, x.shape[1])
    y = np.empty(index.shape, x.dtype)
    for i, o in np.ndindex(index.shape):
        y[i, o] = x[i, index[i, o]]
    return y


def scatter(y: np.ndarray, index: np.ndarray, pixels: int) -> np.ndarray:
    """The adjoint of `gather`; see numpy_arrays.py."""
    y, index = checked_index("scatter", y, index, pixels, outputs=True)
    refuse_index("scatter", index, pixels)
    x = np.zeros((len(y), pixels), y.dtype)
    for i, o in np.ndindex(index.shape):
        x[i, index[i, o]] += y[i, o]
    return x


def average(x: np.ndarray, boxes: Boxes) -> np.ndarray:
    """The sum of each window, divided by its divisor; see numpy_arrays.py."""
    x = checked_boxes("average", x, boxes, outputs=False)
    y = np.zeros((len(x), *boxes.divisor.shape), x.dtype)
    for i, oy, ox in np.ndindex(y.shape):
        for iy in range(*boxes.rows[:, oy]):
            total = x.dtype.type(0)
            for ix in range(*boxes.columns[:, ox]):
                total += x[i, iy, ix]
            y[i, oy, ox] += total
        y[i, oy, ox] /= boxes.divisor[oy, ox]
    return y


def spread(y: np.ndarray, boxes: Boxes) -> np.ndarray:
    """The adjoint of `average`; see numpy_arrays.py."""
    y = checked_boxes("spread", y, boxes, outputs=True)
    x = np.zeros((len(y), boxes.height, boxes.width), y.dtype)
    for i, oy, ox in np.ndindex(y.shape):
        share = y[i, oy, ox] / boxes.divisor[oy, ox]
        for pixel in product(range(*boxes.rows[:, oy]), range(*boxes.columns[:, ox])):
            x[i][pixel] += share
    return x

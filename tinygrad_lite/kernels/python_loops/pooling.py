"""Pooling in plain Python: one pixel at a time."""

from itertools import product

import numpy as np

from ..fresh import check
from ..pooling import Boxes, checked_boxes, checked_image, checked_index, refuse_index
from ..windows import Windows
from .convolution import pixels_of

__all__ = ["average", "gather", "max_pool", "scatter", "spread"]


def max_pool(x: np.ndarray, at: Windows, index: np.ndarray) -> np.ndarray:
    """The largest pixel of each window; see numpy_arrays.py."""
    x = checked_image("max_pool", x, at, index)
    y = np.zeros(index.shape, x.dtype)
    index[...] = -1
    for i in np.ndindex(x.shape[:-2]):
        for _, window, iy, ix in pixels_of(at):
            o = divmod(window, at.out_w)
            v = x[i][iy, ix]
            if v > y[i][o] or v != v or index[i][o] < 0:
                y[i][o] = v
                index[i][o] = iy * at.width + ix
    return y


def gather(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The pixels at an index; see numpy_arrays.py."""
    x, index = checked_index("gather", x, index, x.shape)
    refuse_index("gather", index, x.shape)
    y = np.empty(index.shape, x.dtype)
    for o in np.ndindex(index.shape):
        y[o] = x[o[:-2]][divmod(index[o], x.shape[-1])]
    return y


def scatter(y: np.ndarray, index: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The adjoint of `gather`; see numpy_arrays.py."""
    y, index = checked_index("scatter", y, index, shape)
    check("scatter", "y", y, index.shape, y.dtype)
    refuse_index("scatter", index, shape)
    x = np.zeros(shape, y.dtype)
    for o in np.ndindex(index.shape):
        x[o[:-2]][divmod(index[o], shape[-1])] += y[o]
    return x


def average(x: np.ndarray, boxes: Boxes) -> np.ndarray:
    """The sum of each window, divided by its divisor; see numpy_arrays.py."""
    x = checked_boxes("average", x, boxes, outputs=False)
    y = np.zeros(x.shape[:-2] + boxes.divisor.shape, x.dtype)
    for o in np.ndindex(y.shape):
        image, oy, ox = x[o[:-2]], o[-2], o[-1]
        for iy in range(*boxes.rows[:, oy]):
            total = x.dtype.type(0)
            for ix in range(*boxes.columns[:, ox]):
                total += image[iy, ix]
            y[o] += total
        y[o] /= boxes.divisor[oy, ox]
    return y


def spread(y: np.ndarray, boxes: Boxes) -> np.ndarray:
    """The adjoint of `average`; see numpy_arrays.py."""
    y = checked_boxes("spread", y, boxes, outputs=True)
    x = np.zeros(y.shape[:-2] + boxes[:2], y.dtype)
    for o in np.ndindex(y.shape):
        image, oy, ox = x[o[:-2]], o[-2], o[-1]
        share = y[o] / boxes.divisor[oy, ox]
        for pixel in product(range(*boxes.rows[:, oy]), range(*boxes.columns[:, ox])):
            image[pixel] += share
    return x

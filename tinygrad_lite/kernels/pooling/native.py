"""Pooling in C; arguments, checks and errors are numpy_arrays.py's."""

import numpy as np

from ..pointers import both, struct, view
from ..windows import Windows
from . import Boxes, checked_boxes, checked_image, checked_index, refuse_index

__all__ = ["average", "gather", "max_pool", "scatter", "spread"]

MAX_POOL = both("max_pool")
GATHER = both("gather")
SCATTER = both("scatter")
AVERAGE = both("average")
SPREAD = both("spread")


def max_pool(x: np.ndarray, at: Windows, index: np.ndarray) -> np.ndarray:
    """The largest pixel of each window."""
    x = checked_image("max_pool", x, at, index)
    y = np.empty(index.shape, x.dtype)
    MAX_POOL[x.dtype](view(y), view(index), view(x), struct(at), 0, len(x))
    return y


def gather(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The pixels at an index."""
    x, index = checked_index("gather", x, index, x.shape[-1], outputs=False)
    y = np.empty(index.shape, x.dtype)
    pixels, outputs = x.shape[1], index.shape[1]
    if not GATHER[x.dtype](view(y), view(x), view(index), pixels, outputs, 0, len(x)):
        refuse_index("gather", index, pixels)
    return y


def scatter(y: np.ndarray, index: np.ndarray, pixels: int) -> np.ndarray:
    """The adjoint of `gather`."""
    y, index = checked_index("scatter", y, index, pixels, outputs=True)
    x = np.empty((len(y), pixels), y.dtype)
    if not SCATTER[y.dtype](view(x), view(y), view(index), pixels, index.shape[1], 0, len(y)):
        refuse_index("scatter", index, pixels)
    return x


def average(x: np.ndarray, boxes: Boxes) -> np.ndarray:
    """The sum of each window, divided by its divisor."""
    x = checked_boxes("average", x, boxes, outputs=False)
    y = np.empty((len(x), *boxes.divisor.shape), x.dtype)
    AVERAGE[x.dtype](view(y), view(x), *_tables(boxes), 0, len(x))
    return y


def spread(y: np.ndarray, boxes: Boxes) -> np.ndarray:
    """The adjoint of `average`."""
    y = checked_boxes("spread", y, boxes, outputs=True)
    x = np.empty((len(y), boxes.height, boxes.width), y.dtype)
    SPREAD[y.dtype](view(x), view(y), *_tables(boxes), 0, len(y))
    return x


def _tables(boxes: Boxes) -> tuple:
    """The boxes as the arguments of C."""
    return (view(boxes.rows), view(boxes.columns), view(boxes.divisor),
            boxes.height, boxes.width, *boxes.divisor.shape)

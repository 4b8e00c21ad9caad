"""Pooling in C; arguments, checks and errors are those of the NumPy body."""

import math

import numpy as np

from ..fresh import check
from ..pooling import Boxes, checked_boxes, checked_image, checked_index, refuse_index
from ..windows import Windows
from .pointers import both, struct, view

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
    MAX_POOL[x.dtype](view(y), view(index), view(x), struct(at), math.prod(x.shape[:-2]))
    return y


def gather(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The pixels at an index."""
    x, index = checked_index("gather", x, index, x.shape)
    y = np.empty(index.shape, x.dtype)
    if not GATHER[x.dtype](view(y), view(x), view(index), *_counts(x.shape, index.shape)):
        refuse_index("gather", index, x.shape)
    return y


def scatter(y: np.ndarray, index: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The adjoint of `gather`."""
    y, index = checked_index("scatter", y, index, shape)
    check("scatter", "y", y, index.shape, y.dtype)
    x = np.empty(shape, y.dtype)
    if not SCATTER[y.dtype](view(x), view(y), view(index), *_counts(shape, index.shape)):
        refuse_index("scatter", index, shape)
    return x


def _counts(shape: tuple[int, ...], out: tuple[int, ...]) -> tuple[int, int, int]:
    """Pixels and outputs of an image, and how many images there are."""
    return shape[-2] * shape[-1], out[-2] * out[-1], math.prod(shape[:-2])


def average(x: np.ndarray, boxes: Boxes) -> np.ndarray:
    """The sum of each window, divided by its divisor."""
    x = checked_boxes("average", x, boxes, outputs=False)
    y = np.empty(x.shape[:-2] + boxes.divisor.shape, x.dtype)
    AVERAGE[x.dtype](view(y), view(x), *_tables(boxes), math.prod(x.shape[:-2]))
    return y


def spread(y: np.ndarray, boxes: Boxes) -> np.ndarray:
    """The adjoint of `average`."""
    y = checked_boxes("spread", y, boxes, outputs=True)
    x = np.empty(y.shape[:-2] + boxes[:2], y.dtype)
    SPREAD[y.dtype](view(x), view(y), *_tables(boxes), math.prod(y.shape[:-2]))
    return x


def _tables(boxes: Boxes) -> tuple:
    """The boxes as the arguments of C."""
    return (view(boxes.rows), view(boxes.columns), view(boxes.divisor),
            boxes.height, boxes.width, *boxes.divisor.shape)

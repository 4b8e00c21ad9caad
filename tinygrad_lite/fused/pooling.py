"""Pooling as one op each; it imports the engine, the kernels and NumPy."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..engine import op
from ..kernels.pooling import Boxes

__all__ = ["Boxes", "avg_pool2d", "max_pool2d", "places_of_largest"]


@op(lambda g, _y, _x, at, index: _scatter(g, index=index, shape=_x.shape))
def max_pool2d(x, at, index):
    """y = the largest number in each window of x (n, c, height, width).

    `at` says how the windows lie; `index`, an int32 array of the shape of y, is filled with
    the place of each largest one, iy * width + ix, the first of equal ones. The whole
    gradient goes there.
    """
    return kernels.body().max_pool(_real(x), at, index)


@op(None)
def places_of_largest(_y, index):
    """y = the places that `max_pool2d` has put into the index, as int64 in the shape of _y."""
    return index.reshape(np.shape(_y)).astype(np.int64)


@op(lambda g, _y, _a, index, shape: _gather(g, index=index))
def _scatter(a, index, shape):
    """y = zeros of a shape with each a added to the place that the index gives it."""
    return kernels.body().scatter(_real(a), index, shape)


@op(lambda g, _y, _a, index: _scatter(g, index=index, shape=_a.shape))
def _gather(a, index):
    """y = the elements of a, image by image, at the places of the index."""
    return kernels.body().gather(_real(a), index)


@op(lambda g, _y, _x, boxes: _spread(g, boxes=boxes))
def avg_pool2d(x, boxes):
    """y = the sum of each box of x (n, c, height, width), divided by the box's divisor."""
    x = _real(x)
    return kernels.body().average(x, _as(x, boxes))


@op(lambda g, _y, _a, boxes: avg_pool2d(g, boxes=boxes))
def _spread(a, boxes):
    """y = an even share of each a for the numbers of its box: the adjoint of `avg_pool2d`."""
    a = _real(a)
    return kernels.body().spread(a, _as(a, boxes))


def _real(a):
    """a in a dtype that the kernels take."""
    return a if a.dtype in (np.float32, np.float64) else a.astype(np.float32)


def _as(a, boxes):
    """The boxes with divisors in the dtype of a."""
    if boxes.divisor.dtype == a.dtype:
        return boxes
    return boxes._replace(divisor=boxes.divisor.astype(a.dtype))

"""Pooling as one op each; it imports the engine, the kernels and NumPy."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..engine import op
from ..kernels.pooling import Boxes

__all__ = ["Boxes", "avg_pool2d", "max_pool2d"]


@op(lambda g, _y, _x, at, index: _scatter(g, index=index, shape=_x.shape))
def max_pool2d(x, at, index):
    """y = the largest number in each window of x (n, c, height, width).

    `at` says how the windows lie; `index`, an int32 array of the shape of y, is filled with
    the place of each largest one, iy * width + ix, the first of equal ones. The whole
    gradient goes there.
    """
    x = _real(x)
    n, c = x.shape[:2]
    y = kernels.body().max_pool(x.reshape(n * c, *at.image), at, index.reshape(n * c, *at.out))
    return y.reshape(n, c, *at.out)


@op(lambda g, _y, _a, index, shape: _gather(g, index=index))
def _scatter(a, index, shape):
    """y = zeros of a shape with each a added to the place that the index gives it."""
    y = kernels.body().scatter(*_flat(_real(a), index), shape[2] * shape[3])
    return y.reshape(shape)


@op(lambda g, _y, _a, index: _scatter(g, index=index, shape=_a.shape))
def _gather(a, index):
    """y = the elements of a, image by image, at the places of the index."""
    y = kernels.body().gather(*_flat(_real(a), index))
    return y.reshape(index.shape)


@op(lambda g, _y, _x, boxes: _spread(g, boxes=boxes))
def avg_pool2d(x, boxes):
    """y = the sum of each box of x (n, c, height, width), divided by the box's divisor."""
    x = _real(x)
    n, c, height, width = x.shape
    y = kernels.body().average(x.reshape(n * c, height, width), _as(x, boxes))
    return y.reshape(n, c, *boxes.divisor.shape)


@op(lambda g, _y, _a, boxes: avg_pool2d(g, boxes=boxes))
def _spread(a, boxes):
    """y = an even share of each a for the numbers of its box: the adjoint of `avg_pool2d`."""
    a = _real(a)
    n, c, *out = a.shape
    y = kernels.body().spread(a.reshape(n * c, *out), _as(a, boxes))
    return y.reshape(n, c, boxes.height, boxes.width)


def _real(a):
    """a in a dtype that the kernels take."""
    return a if a.dtype in (np.float32, np.float64) else a.astype(np.float32)


def _as(a, boxes):
    """The boxes with divisors in the dtype of a."""
    if boxes.divisor.dtype == a.dtype:
        return boxes
    return boxes._replace(divisor=boxes.divisor.astype(a.dtype))


def _flat(a, index):
    """a and the index with one axis for the images and one for what an image has."""
    n, c, height, width = a.shape
    return (a.reshape(n * c, height * width),
            index.reshape(n * c, index.shape[2] * index.shape[3]))

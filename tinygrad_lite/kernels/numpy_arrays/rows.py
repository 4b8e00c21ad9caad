"""Rows of a table by number, and the way back, in NumPy."""

from math import prod

import numpy as np

from ..rows import checked_rows, checked_sums, refuse_rows

__all__ = ["add_rows", "take_rows"]


def take_rows(a, index):
    """y[i] = a[index[i]]: rows by number.

    Args:
        a: a table of shape (rows, ...), of any real dtype.
        index: numbers from 0 to rows - 1, integers, of any shape.

    Returns:
        y, of shape (*index.shape, ...) and the dtype of ``a``.

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: ``a`` has no axis.
        IndexError: a number is out of range.
    """
    a, index = checked_rows(a, index)
    refuse_rows(index, len(a))
    return np.asarray(a.take(index, axis=0))


def add_rows(a, index, rows):
    """y[index[i]] = y[index[i]] + a[i], from y = 0: the gradient of `take_rows`.

    Rows for the same place are added one by one, in the order of i.

    Args:
        a: of shape (*index.shape, ...), float32 or float64.
        index: numbers from 0 to rows - 1, integers, of any shape.
        rows: the length of y.

    Returns:
        y, of shape (rows, ...) and the dtype of ``a``.

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: the shapes do not fit.
        IndexError: a number is out of range.
    """
    a, index, shape = checked_sums(a, index)
    refuse_rows(index, rows)
    y = np.zeros((rows, *shape), a.dtype)
    width = prod(shape)
    # element by element: NumPy is several times slower at adding up whole rows
    places = index.reshape(-1, 1) * width + np.arange(width)
    with np.errstate(all="ignore"):  # inf and NaN flow on silently, as they do in C
        np.add.at(y.reshape(-1), places.reshape(-1), a.reshape(-1))
    return y

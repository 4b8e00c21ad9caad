"""Rows of a table by number, and the way back, one row and one element at a time."""

from math import prod

import numpy as np

from ..rows import checked_rows, checked_sums, refuse_rows

__all__ = ["add_rows", "take_rows"]


def take_rows(a, index):
    """y[i] = a[index[i]]; see `tinygrad_lite.kernels.numpy_arrays.take_rows`."""
    a, index = checked_rows(a, index)
    refuse_rows(index, len(a))
    y = np.empty((index.size, *a.shape[1:]), a.dtype)
    for i, k in enumerate(index.reshape(-1).tolist()):
        y[i] = a[k]
    return y.reshape((*index.shape, *a.shape[1:]))


def add_rows(a, index, rows):
    """y[index[i]] = y[index[i]] + a[i]; see `tinygrad_lite.kernels.numpy_arrays.add_rows`."""
    a, index, shape = checked_sums(a, index)
    refuse_rows(index, rows)
    width = prod(shape)
    y = [0.0] * (rows * width)
    numbers = a.reshape(-1).tolist()
    for i, k in enumerate(index.reshape(-1).tolist()):
        for j in range(width):
            y[k * width + j] += numbers[i * width + j]
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf
        return np.array(y).astype(a.dtype).reshape((rows, *shape))

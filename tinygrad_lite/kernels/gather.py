"""Rows of a table by number, and the way back: the check, and the bodies without C.

The C bodies are in gather_native.py; every body module (native, numpy_arrays, python_loops)
has `gather` and `scatter_add`. It imports NumPy and the check of arrays.
"""

from math import prod

import numpy as np

from .buffers import FLOATS, IDS, check_is_array

__all__ = [
    "checked_rows", "checked_sums", "gather", "gather_by_loops", "refuse_index", "scatter_add",
    "scatter_add_by_loops",
]


def checked_rows(a, index):
    """A table of real numbers and row numbers as C reads them: contiguous, int64.

    Raises:
        TypeError: one is no array, or of another dtype.
        ValueError: the table has no axis.
    """
    check_is_array("gather: a", a)
    if a.dtype.kind not in "biuf":
        raise TypeError(f"gather: a must be of real numbers, got {a.dtype}")
    if not a.ndim:
        raise ValueError("gather: a must have rows, got an array of no axes")
    return np.ascontiguousarray(a), checked_index("gather", index)


def checked_sums(a, index):
    """Rows to be added up and their row numbers, likewise; and the shape of one row.

    Raises:
        TypeError: one is no array, or of another dtype.
        ValueError: the shape of a does not begin with that of the index.
    """
    check_is_array("scatter_add: a", a)
    if a.dtype not in FLOATS:
        raise TypeError(f"scatter_add: a must be float32 or float64, got {a.dtype}")
    ids = checked_index("scatter_add", index)
    if a.shape[:ids.ndim] != ids.shape:
        raise ValueError("scatter_add: a must have one row for each index, a shape that begins "
                         f"with {ids.shape}, got {a.shape}")
    return np.ascontiguousarray(a), ids, a.shape[ids.ndim:]


def checked_index(kernel, index):
    check_is_array(f"{kernel}: index", index)
    if index.dtype.kind not in "iu":
        raise TypeError(f"{kernel}: index must be integers, got {index.dtype}")
    return np.asarray(index, IDS, order="C")


def refuse_index(index, rows):
    """Raise IndexError at the first number that is not in 0 .. rows - 1."""
    wrong = index[(index < 0) | (index >= rows)]
    if wrong.size:
        raise IndexError(f"index {wrong[0]} is out of range: row numbers go from 0 to "
                         f"{rows - 1}, for there are {rows} rows")


def gather(a, index):
    """y[i] = a[index[i]]: rows by number.

    Args:
        a: a table of shape (rows, ...), of any real dtype.
        index: numbers from 0 to rows - 1, integers, of any shape.

    Returns:
        y, of shape (*index.shape, ...) and the dtype of a.

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: a has no axis.
        IndexError: a number is out of range.
    """
    a, index = checked_rows(a, index)
    refuse_index(index, len(a))
    return a.take(index, axis=0)


def scatter_add(a, index, rows):
    """y[index[i]] = y[index[i]] + a[i], from y = 0: the gradient of `gather`.

    Rows for the same place are added one by one, in the order of i.

    Args:
        a: of shape (*index.shape, ...), float32 or float64.
        index: numbers from 0 to rows - 1, integers, of any shape.
        rows: the length of y.

    Returns:
        y, of shape (rows, ...) and the dtype of a.

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: the shapes do not fit.
        IndexError: a number is out of range.
    """
    a, index, shape = checked_sums(a, index)
    refuse_index(index, rows)
    y = np.zeros((rows, *shape), a.dtype)
    width = prod(shape)
    # element by element: NumPy is several times slower at adding up whole rows
    places = index.reshape(-1, 1) * width + np.arange(width)
    np.add.at(y.reshape(-1), places.reshape(-1), a.reshape(-1))
    return y


def gather_by_loops(a, index):
    """y[i] = a[index[i]]; see `gather`."""
    a, index = checked_rows(a, index)
    refuse_index(index, len(a))
    y = np.empty((index.size, *a.shape[1:]), a.dtype)
    for i, k in enumerate(index.reshape(-1).tolist()):
        y[i] = a[k]
    return y.reshape((*index.shape, *a.shape[1:]))


def scatter_add_by_loops(a, index, rows):
    """y[index[i]] = y[index[i]] + a[i]; see `scatter_add`."""
    a, index, shape = checked_sums(a, index)
    refuse_index(index, rows)
    width = prod(shape)
    y = [0.0] * (rows * width)
    numbers = a.reshape(-1).tolist()
    for i, k in enumerate(index.reshape(-1).tolist()):
        for j in range(width):
            y[k * width + j] += numbers[i * width + j]
    return np.array(y, a.dtype).reshape(rows, *shape)

"""Activations in C; what C does not read as it lies, NumPy computes."""

import numpy as np

from .. import numpy_arrays
from .pointers import both, view

__all__ = ["relu", "relu_slope"]

RELU = both("relu")
RELU_SLOPE = both("relu_slope")


def relu(a: np.ndarray) -> np.ndarray:
    """y = 0 where a <= 0, else a; see `tinygrad_lite.kernels.numpy_arrays.relu`."""
    if not fits(a):
        return numpy_arrays.relu(a)
    y = np.empty(a.shape, a.dtype)
    RELU[a.dtype](view(y), view(a), a.size)
    return y


def relu_slope(g: np.ndarray, y: np.ndarray) -> np.ndarray:
    """d = g * (y > 0); see `tinygrad_lite.kernels.numpy_arrays.relu_slope`."""
    if not (fits(g) and fits(y) and g.dtype == y.dtype and g.shape == y.shape):
        return numpy_arrays.relu_slope(g, y)
    d = np.empty(g.shape, g.dtype)
    RELU_SLOPE[g.dtype](view(d), view(g), view(y), g.size)
    return d


def fits(a: np.ndarray) -> bool:
    """Whether C reads this array as it lies."""
    return (type(a) is np.ndarray and a.dtype in RELU and a.flags.c_contiguous
            and a.flags.aligned)

"""Batch normalization in C; arguments, checks and errors are numpy_arrays.py's."""

import numpy as np

from ..fresh import check, floats
from ..pointers import both, view
from . import checked_channels

__all__ = ["batch_norm", "batch_norm_slopes", "moments"]

MOMENTS = both("moments")
BATCH_NORM = both("batch_norm")
SLOPES = both("batch_norm_slopes")


def moments(x: np.ndarray) -> np.ndarray:
    """Mean and variance of each channel."""
    (x,) = checked_channels("moments", x)
    y = np.empty((2, x.shape[1]), x.dtype)
    MOMENTS[x.dtype](view(y[0]), view(y[1]), view(x), *x.shape, 0, x.shape[1])
    return y


def batch_norm(x: np.ndarray, w: np.ndarray, b: np.ndarray, mean: np.ndarray,
               var: np.ndarray, eps: float) -> np.ndarray:
    """The normalized, scaled and shifted numbers."""
    x, w, b, mean, var = checked_channels("batch_norm", x, w, b, mean, var)
    y = np.empty_like(x)
    BATCH_NORM[x.dtype](view(y), view(x), view(w), view(b), view(mean), view(var),
                        *x.shape, eps, 0, x.shape[1])
    return y


def batch_norm_slopes(g: np.ndarray, x: np.ndarray, w: np.ndarray, mean: np.ndarray,
                      var: np.ndarray, eps: float, training: bool) -> np.ndarray:
    """The gradients for x, w and b, in one array."""
    x, w, mean, var = checked_channels("batch_norm_slopes", x, w, mean, var)
    g = floats("batch_norm_slopes: g", g)
    check("batch_norm_slopes: g", g, x.shape, x.dtype)
    c = x.shape[1]
    slopes = np.empty(x.size + 2 * c, x.dtype)
    dx, dw, db = slopes[:x.size], slopes[x.size:x.size + c], slopes[x.size + c:]
    SLOPES[x.dtype](view(dx), view(dw), view(db), view(g), view(x), view(w), view(mean),
                    view(var), *x.shape, eps, training, 0, c)
    return slopes

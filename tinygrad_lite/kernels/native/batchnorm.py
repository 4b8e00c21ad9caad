"""Batch normalization in C; arguments, checks and errors are those of the NumPy body."""

import numpy as np

from ..batchnorm import check_written, checked_channels, sizes
from ..fresh import check, floats
from .pointers import NULL, both, view

__all__ = ["batch_norm", "batch_norm_slopes", "normalize"]

BATCH_NORM = both("batch_norm")
NORMALIZE = both("normalize")
SLOPES = both("batch_norm_slopes")


def batch_norm(x: np.ndarray, w: np.ndarray, b: np.ndarray, running: tuple[np.ndarray, ...],
               found: tuple[np.ndarray, ...], eps: float, share: float) -> np.ndarray:
    """The normalized, scaled and shifted numbers, their moments, and the running ones."""
    x, w, b = checked_channels("batch_norm", x, (w, b))
    check_written("batch_norm", x, (*found, *running))
    y = np.empty_like(x)
    followers = map(view, running) if running else (NULL, NULL)
    BATCH_NORM[x.dtype](view(y), *map(view, found), *followers, view(x), view(w),
                        view(b), *sizes(x), eps, share)
    return y


def normalize(x: np.ndarray, w: np.ndarray, b: np.ndarray, mean: np.ndarray,
              var: np.ndarray, eps: float) -> np.ndarray:
    """The normalized, scaled and shifted numbers."""
    x, w, b, mean, var = checked_channels("normalize", x, (w, b, mean, var))
    y = np.empty_like(x)
    NORMALIZE[x.dtype](view(y), view(x), view(w), view(b), view(mean), view(var), *sizes(x),
                       eps)
    return y


def batch_norm_slopes(g: np.ndarray, x: np.ndarray, w: np.ndarray, mean: np.ndarray,
                      var: np.ndarray, dw: np.ndarray, db: np.ndarray, eps: float,
                      training: bool) -> np.ndarray:
    """The gradients for x, w and b."""
    x, w, mean, var = checked_channels("batch_norm_slopes", x, (w, mean, var))
    g = floats("batch_norm_slopes", "g", g)
    check("batch_norm_slopes", "g", g, x.shape, x.dtype)
    check_written("batch_norm_slopes", x, (dw, db))
    dx = np.empty_like(x)
    SLOPES[x.dtype](view(dx), view(dw), view(db), view(g), view(x), view(w),
                    view(mean), view(var), *sizes(x), eps, training)
    return dx

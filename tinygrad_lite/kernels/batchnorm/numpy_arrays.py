"""Batch normalization in NumPy: all channels at a time."""

import numpy as np

from ..fresh import check, floats
from . import checked_channels

__all__ = ["batch_norm", "batch_norm_slopes", "moments"]


def moments(x: np.ndarray) -> np.ndarray:
    """Mean and variance of each channel.

    Every body module has this function, with the same arguments and the same checks; the
    same goes for the others.

    Args:
        x: float32 or float64, of shape (n, c, s).

    Returns:
        An array (2, c): the means, and the variances: sums divided by n * s, or by 1 if
        that is 0.

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: another shape.
    """
    (x,) = checked_channels("moments", x)
    with np.errstate(all="ignore"):
        m = max(x.shape[0] * x.shape[2], 1)
        mean = x.sum(axis=(0, 2), dtype=np.float64) / m
        d = x - mean[:, None]
        return np.stack([mean, (d * d).sum(axis=(0, 2)) / m]).astype(x.dtype)


def batch_norm(x: np.ndarray, w: np.ndarray, b: np.ndarray, mean: np.ndarray,
               var: np.ndarray, eps: float) -> np.ndarray:
    """y = (x - mean) * w / sqrt(var + eps) + b, channel by channel.

    Args:
        x: float32 or float64, of shape (n, c, s).
        w, b, mean, var: of the same dtype, of shape (c,).

    Returns:
        y, of shape (n, c, s).

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes.
    """
    x, w, b, mean, var = checked_channels("batch_norm", x, w, b, mean, var)
    with np.errstate(all="ignore"):  # inf and NaN flow on silently, as they do in C
        scale = (w / np.sqrt(var.astype(np.float64) + eps)).astype(x.dtype)
        return (x - mean[:, None]) * scale[:, None] + b[:, None]


def batch_norm_slopes(g: np.ndarray, x: np.ndarray, w: np.ndarray, mean: np.ndarray,
                      var: np.ndarray, eps: float, training: bool) -> np.ndarray:
    """The gradients for x, w and b, given the gradient g of y.

    Args:
        g, x: float32 or float64, of shape (n, c, s).
        w, mean, var: of the same dtype, of shape (c,).
        training: whether mean and var are those of x, and change with it.

    Returns:
        All in one array of n * c * s + 2 * c elements: dx, then dw, then db.

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes.
    """
    x, w, mean, var = checked_channels("batch_norm_slopes", x, w, mean, var)
    g = floats("batch_norm_slopes: g", g)
    check("batch_norm_slopes: g", g, x.shape, x.dtype)
    with np.errstate(all="ignore"):
        m = max(x.shape[0] * x.shape[2], 1)
        r = 1 / np.sqrt(var.astype(np.float64) + eps)
        d = x - mean[:, None]
        db = g.sum(axis=(0, 2), dtype=np.float64)
        dw = (g * d).sum(axis=(0, 2), dtype=np.float64) * r
        scale, shift, slope = (t.astype(x.dtype)[:, None]
                               for t in (w * r, db / m, dw * r / m))
        dx = (g - shift - d * slope) * scale if training else g * scale
        return np.concatenate([dx.ravel(), dw, db], dtype=x.dtype)

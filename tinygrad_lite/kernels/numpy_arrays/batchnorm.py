"""Batch normalization in NumPy: all channels at a time."""

import numpy as np

from ..batchnorm import check_written, checked_channels, sizes
from ..fresh import check, floats

__all__ = ["batch_norm", "batch_norm_slopes", "normalize"]


def batch_norm(x: np.ndarray, w: np.ndarray, b: np.ndarray, running: tuple[np.ndarray, ...],
               found: tuple[np.ndarray, ...], eps: float, share: float) -> np.ndarray:
    """y = (x - mean) * w / sqrt(var + eps) + b, with mean and var of x, channel by channel.

    Every body module has this function, with the same arguments and the same checks; the
    same goes for the others.

    Args:
        x: float32 or float64, of shape (n, c, ...).
        w, b: of the same dtype, of shape (c,).
        running: running mean and variance, of shape (c,), changed in place; or nothing.
        found: two arrays (c,), filled with mean and var; of no numbers, they are 0.
        share: how much of mean and of the unbiased var goes into the running ones.

    Returns:
        y, of shape (n, c, ...).

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes, or arrays that cannot be written.
    """
    x, w, b = checked_channels("batch_norm", x, (w, b))
    check_written("batch_norm", x, (*found, *running))
    n, c, s = sizes(x)
    x3 = x.reshape(n, c, s)
    m = max(n * s, 1)
    with np.errstate(all="ignore"):  # inf and NaN flow on silently, as they do in C
        mean = x3.sum(axis=(0, 2), dtype=np.float64) / m
        d = x3 - mean[:, None]
        squares = (d * d).sum(axis=(0, 2))
        for array, new in zip(found, (mean, squares / m)):
            array[...] = new
        if x.size:
            for old, new in zip(running, (mean, squares / np.float64(m - 1))):
                old[...] = (1 - share) * old + share * new
    return normalize(x, w, b, found[0], found[1], eps)


def normalize(x: np.ndarray, w: np.ndarray, b: np.ndarray, mean: np.ndarray,
              var: np.ndarray, eps: float) -> np.ndarray:
    """y = (x - mean) * w / sqrt(var + eps) + b, channel by channel.

    Args:
        x: float32 or float64, of shape (n, c, ...).
        w, b, mean, var: of the same dtype, of shape (c,).

    Returns:
        y, of shape (n, c, ...).

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes.
    """
    x, w, b, mean, var = checked_channels("normalize", x, (w, b, mean, var))
    with np.errstate(all="ignore"):
        scale = (w / np.sqrt(var.astype(np.float64) + eps)).astype(x.dtype)
        y = (x.reshape(sizes(x)) - mean[:, None]) * scale[:, None] + b[:, None]
        return y.reshape(x.shape)


def batch_norm_slopes(g: np.ndarray, x: np.ndarray, w: np.ndarray, mean: np.ndarray,
                      var: np.ndarray, dw: np.ndarray, db: np.ndarray, eps: float,
                      training: bool) -> np.ndarray:
    """The gradients for x, w and b, given the gradient g of y.

    Args:
        g, x: float32 or float64, of shape (n, c, ...).
        w, mean, var: of the same dtype, of shape (c,).
        dw, db: arrays (c,), filled with the gradients for w and b.
        training: whether mean and var are those of x, and change with it.

    Returns:
        dx, of shape (n, c, ...).

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes, or arrays that cannot be written.
    """
    x, w, mean, var = checked_channels("batch_norm_slopes", x, (w, mean, var))
    g = floats("batch_norm_slopes", "g", g)
    check("batch_norm_slopes", "g", g, x.shape, x.dtype)
    check_written("batch_norm_slopes", x, (dw, db))
    shape = x.shape
    n, c, s = sizes(x)
    x, g = x.reshape(n, c, s), g.reshape(n, c, s)
    m = max(n * s, 1)
    with np.errstate(all="ignore"):
        r = 1 / np.sqrt(var.astype(np.float64) + eps)
        d = x - mean[:, None]
        sum_g = g.sum(axis=(0, 2), dtype=np.float64)
        sum_gh = (g * d).sum(axis=(0, 2), dtype=np.float64) * r
        dw[...] = sum_gh
        db[...] = sum_g
        scale, shift, slope = (t.astype(x.dtype)[:, None]
                               for t in (w * r, sum_g / m, sum_gh * r / m))
        dx = (g - shift - d * slope) * scale if training else g * scale
        return dx.reshape(shape)

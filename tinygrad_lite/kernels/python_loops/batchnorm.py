"""Batch normalization in plain Python: one channel, one number at a time."""

from math import sqrt

import numpy as np

from ..batchnorm import check_written, checked_channels, sizes
from ..fresh import check, floats

__all__ = ["batch_norm", "batch_norm_slopes", "normalize"]


def batch_norm(x: np.ndarray, w: np.ndarray, b: np.ndarray, running: tuple[np.ndarray, ...],
               found: tuple[np.ndarray, ...], eps: float, share: float) -> np.ndarray:
    """The normalized, scaled and shifted numbers; see numpy_arrays.py."""
    x, w, b = checked_channels("batch_norm", x, (w, b))
    check_written("batch_norm", x, (*found, *running))
    for k in range(x.shape[1]):
        numbers = x[:, k].ravel().tolist()
        m = max(len(numbers), 1)
        mean = sum(numbers) / m
        squares = sum((a - mean) ** 2 for a in numbers)
        found[0][k] = mean
        found[1][k] = squares / m
        if running and numbers:
            unbiased = squares / (m - 1) if m > 1 else np.nan
            for old, new in zip(running, (mean, unbiased)):
                old[k] = (1 - share) * old[k] + share * new
    return normalize(x, w, b, found[0], found[1], eps)


def normalize(x: np.ndarray, w: np.ndarray, b: np.ndarray, mean: np.ndarray,
              var: np.ndarray, eps: float) -> np.ndarray:
    """The normalized, scaled and shifted numbers; see numpy_arrays.py."""
    x, w, b, mean, var = checked_channels("normalize", x, (w, b, mean, var))
    y = np.empty_like(x)
    for index in np.ndindex(x.shape):
        k = index[1]
        y[index] = (x[index] - mean[k]) * w[k] / sqrt(var[k] + eps) + b[k]
    return y


def batch_norm_slopes(g: np.ndarray, x: np.ndarray, w: np.ndarray, mean: np.ndarray,
                      var: np.ndarray, dw: np.ndarray, db: np.ndarray, eps: float,
                      training: bool) -> np.ndarray:
    """The gradients for x, w and b; see numpy_arrays.py."""
    x, w, mean, var = checked_channels("batch_norm_slopes", x, (w, mean, var))
    g = floats("batch_norm_slopes", "g", g)
    check("batch_norm_slopes", "g", g, x.shape, x.dtype)
    check_written("batch_norm_slopes", x, (dw, db))
    n, c, s = sizes(x)
    shape = x.shape
    g, x = g.reshape(n, c, s), x.reshape(n, c, s)
    dx = np.empty_like(x)
    for k in range(c):
        r = 1 / sqrt(var[k] + eps)
        sum_g = 0.0
        sum_gh = 0.0
        for i, j in np.ndindex(n, s):
            sum_g += g[i, k, j]
            sum_gh += g[i, k, j] * (x[i, k, j] - mean[k]) * r
        dw[k] = sum_gh
        db[k] = sum_g
        for i, j in np.ndindex(n, s):
            d = g[i, k, j]
            if training:
                d = d - (sum_g + (x[i, k, j] - mean[k]) * r * sum_gh) / (n * s)
            dx[i, k, j] = w[k] * r * d
    return dx.reshape(shape)

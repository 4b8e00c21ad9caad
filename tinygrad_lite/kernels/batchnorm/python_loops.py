"""Batch normalization in plain Python: one channel, one number at a time."""

from math import sqrt

import numpy as np

from ..fresh import check, floats
from . import checked_channels

__all__ = ["batch_norm", "batch_norm_slopes", "moments"]


def moments(x: np.ndarray) -> np.ndarray:
    """Mean and variance of each channel; see numpy_arrays.py."""
    (x,) = checked_channels("moments", x)
    y = np.empty((2, x.shape[1]), x.dtype)
    for k in range(x.shape[1]):
        numbers = x[:, k].ravel().tolist()
        m = max(len(numbers), 1)
        mean = sum(numbers) / m
        y[0, k] = mean
        y[1, k] = sum((a - mean) ** 2 for a in numbers) / m
    return y


def batch_norm(x: np.ndarray, w: np.ndarray, b: np.ndarray, mean: np.ndarray,
               var: np.ndarray, eps: float) -> np.ndarray:
    """The normalized, scaled and shifted numbers; see numpy_arrays.py."""
    x, w, b, mean, var = checked_channels("batch_norm", x, w, b, mean, var)
    y = np.empty_like(x)
    for i, k, j in np.ndindex(x.shape):
        y[i, k, j] = (x[i, k, j] - mean[k]) * w[k] / sqrt(var[k] + eps) + b[k]
    return y


def batch_norm_slopes(g: np.ndarray, x: np.ndarray, w: np.ndarray, mean: np.ndarray,
                      var: np.ndarray, eps: float, training: bool) -> np.ndarray:
    """The gradients for x, w and b, in one array; see numpy_arrays.py."""
    x, w, mean, var = checked_channels("batch_norm_slopes", x, w, mean, var)
    g = floats("batch_norm_slopes: g", g)
    check("batch_norm_slopes: g", g, x.shape, x.dtype)
    n, c, s = x.shape
    dx = np.empty_like(x)
    dw = np.zeros(c)
    db = np.zeros(c)
    for k in range(c):
        r = 1 / sqrt(var[k] + eps)
        for i, j in np.ndindex(n, s):
            db[k] += g[i, k, j]
            dw[k] += g[i, k, j] * (x[i, k, j] - mean[k]) * r
        for i, j in np.ndindex(n, s):
            d = g[i, k, j]
            if training:
                d = d - (db[k] + (x[i, k, j] - mean[k]) * r * dw[k]) / (n * s)
            dx[i, k, j] = w[k] * r * d
    return np.concatenate([dx.ravel(), dw, db], dtype=x.dtype)

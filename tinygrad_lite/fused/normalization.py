"""Rows brought to mean 0 and variance 1; it imports the engine, the ops and NumPy."""

from __future__ import annotations

import numpy as np

from ..engine import op
from ..ops import _floating, mean, sqrt

__all__ = ["standardize"]


def _means(a):
    """The mean of each row of an array: (rows, 1); summed by halves, so exact for long rows."""
    return np.add.reduce(a, axis=1, keepdims=True) / max(a.shape[1], 1)


def _centred(a):
    """a less the mean of each row, and the variance of each row: (rows, n) and (rows, 1)."""
    d = a - _means(a)
    return d, _means(d * d)


@op(lambda g, _y, a, eps: _standardize_slope(g, a, eps=eps))
def standardize(a, eps):
    """y = (a - m) r, with m the mean of each row of a (rows, n), and r = 1 / sqrt(v + eps).

    v is the mean of (a - m) ** 2 over the row.
    """
    d, v = _centred(_floating(a))
    d /= np.sqrt(v + eps)
    return d


def _inverse_deviation(a, eps):
    """r of each row, made of ops."""
    d = a - mean(a, axis=1, keepdims=True)
    return 1 / sqrt(mean(d * d, axis=1, keepdims=True) + eps)


def _slope_rule(h, _y, g, a, eps):
    """How the sum of h * slope(g, a) changes with a.

    Per row that sum is n r (cov(h, g) - A B), with A = mean(h y) and B = mean(g y), where y is
    `standardize`: its derivative is slope, and that of r is -r ** 2 y / n.
    """
    y = standardize(a, eps=eps)
    r = _inverse_deviation(a, eps)
    A = mean(h * y, axis=1, keepdims=True)
    B = mean(g * y, axis=1, keepdims=True)
    centred = g - mean(g, axis=1, keepdims=True)
    covariance = mean(h * centred, axis=1, keepdims=True)
    bent = _standardize_slope(h * B + g * A, a, eps=eps)
    return -r * (r * y * (covariance - A * B) + bent)


# of each row a symmetric matrix times g, hence its own gradient for g
@op(lambda h, _y, _g, a, eps: _standardize_slope(h, a, eps=eps),
    _slope_rule)
def _standardize_slope(g, a, eps):
    """y = r (g - mean(g) - x mean(g x)), row by row, where x = (a - m) r: see `standardize`."""
    d, v = _centred(_floating(a))
    square = v + eps
    y = g - _means(g)
    d *= _means(g * d) / square
    y -= d
    y /= np.sqrt(square)
    return y

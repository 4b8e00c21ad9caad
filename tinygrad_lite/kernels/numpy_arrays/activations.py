"""Activations in NumPy, a whole array at a time."""

import numpy as np

__all__ = ["relu", "relu_slope"]


def relu(a):
    """y = 0 where a <= 0, else a, so NaN where a is.

    Args:
        a: an array of real numbers.
    """
    return np.maximum(a, 0)


def relu_slope(g, y):
    """d = g * (y > 0): the gradient of y = relu(a), given g.

    Args:
        g, y: arrays of one shape.
    """
    return g * (y > 0)

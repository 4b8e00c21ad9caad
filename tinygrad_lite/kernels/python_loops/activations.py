"""Activations in plain Python, one number at a time."""

import numpy as np

__all__ = ["relu", "relu_slope"]


def relu(a):
    """y = 0 where a <= 0, else a; see `tinygrad_lite.kernels.numpy_arrays.relu`."""
    y = [0 if x <= 0 else x for x in a.ravel().tolist()]
    return np.array(y, np.result_type(a, 0)).reshape(a.shape)


def relu_slope(g, y):
    """d = g * (y > 0); see `tinygrad_lite.kernels.numpy_arrays.relu_slope`."""
    d = [slope * (x > 0) for slope, x in zip(g.ravel().tolist(), y.ravel().tolist())]
    return np.array(d, g.dtype).reshape(g.shape)

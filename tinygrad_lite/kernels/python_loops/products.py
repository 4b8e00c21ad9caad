"""The matrix product, one element at a time."""

import numpy as np

from ..numpy_arrays import product  # a net of any size would take minutes in loops
from ..products import checked_product

__all__ = ["matmul", "product"]


def matmul(a, b, bias=None, relu=False, out=None, accumulate=False):
    """y = a b + bias; see `tinygrad_lite.kernels.numpy_arrays.matmul`."""
    y = checked_product(a, b, bias, out, accumulate)
    rows, columns = a.tolist(), b.T.tolist()
    start = [0.0] * len(columns) if bias is None else bias.tolist()
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            total = start[j]
            for x, z in zip(row, column, strict=True):
                total += x * z
            if accumulate:
                total += float(y[i, j])
            if relu and total < 0:
                total = 0.0
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf
                y[i, j] = total
    return y

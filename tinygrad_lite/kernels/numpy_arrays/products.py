"""The matrix product in NumPy."""

import numpy as np

from ..products import checked_product

__all__ = ["matmul", "product"]


def matmul(a, b, bias=None, relu=False, out=None, accumulate=False):
    """y = a b + bias, or out + a b + bias; then, if asked for, the larger of it and 0.

    Args:
        a, b: of shape (m, k) and (k, n), both float32 or both float64. C reads a view in
            place if its rows or its columns are contiguous, as those of a transpose are.
        bias: of shape (n,), added to each row; None for none.
        relu: replace what is below 0 by 0; NaN stays.
        out: an array of shape (m, n) that y is written to, its rows contiguous.
        accumulate: add to what `out` holds.

    Returns:
        y, of shape (m, n): `out`, or a new array.

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: the shapes do not fit, or `out` is not fit to be written to.
    """
    y = checked_product(a, b, bias, out, accumulate)
    with np.errstate(all="ignore"):  # inf and NaN flow on silently, as they do in C
        total = product(a, b, bias)
        if accumulate:
            total += y
    if relu:
        np.maximum(total, 0, out=total)
    y[...] = total
    return y


def product(a, b, bias=None):
    """y = a b + bias: the products of the engine, by whatever is the fastest for them.

    Args:
        a, b: all that NumPy's matmul takes.
        bias: of shape (n,), added to each row; None for none.

    Returns:
        y, a new array.

    Raises:
        ValueError: the shapes do not fit.
    """
    y = np.matmul(a, b)
    if bias is not None:
        y += bias
    return y

"""Checks of the arrays of a matrix product."""

import numpy as np

from .checks import FLOATS, check_is_array

__all__ = ["checked_product"]


def checked_product(
    a: np.ndarray, b: np.ndarray, bias: np.ndarray | None, out: np.ndarray | None,
    accumulate: bool,
) -> np.ndarray:
    """The array to write, after a check of all: `out`, or a new one.

    Raises:
        TypeError: one is no array, or their dtypes differ, or are not float32 or float64.
        ValueError: the shapes do not fit; or `out` cannot be written, or shares memory with
            what is read, or is missing where it should be added to.
    """
    given = [array for array in (a, b, bias, out) if array is not None]
    for array in given:
        if type(array) is not np.ndarray:
            check_is_array("matmul: each argument", array)
        if array.dtype != a.dtype:
            raise TypeError(f"matmul takes arrays of one dtype; got {a.dtype} and "
                            f"{array.dtype}")
    if a.dtype not in FLOATS:
        raise TypeError(f"matmul takes float32 or float64 in native byte order, got {a.dtype}")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ValueError(f"matmul takes a (m, k) and b (k, n), got {a.shape} and {b.shape}")
    shape = a.shape[0], b.shape[1]
    if bias is not None and bias.shape != shape[1:]:
        raise ValueError(f"matmul: bias must have shape ({shape[1]},), a number for each "
                         f"column of b; got {bias.shape}")
    if out is not None:
        check_out(out, shape, given[:-1])
        return out
    if accumulate:
        raise ValueError("matmul with accumulate adds to `out`; pass out=")
    return np.empty(shape, a.dtype)


def check_out(out: np.ndarray, shape: tuple[int, int], read: list[np.ndarray]) -> None:
    """Refuse an `out` that cannot be written row by row, by itself."""
    if out.shape != shape:
        raise ValueError(f"matmul: out must have shape {shape}, got {out.shape}")
    flags = out.flags
    row, step = out.strides
    rows_apart = step == out.itemsize and row % step == 0 and row >= shape[1] * step
    if not (flags.writeable and flags.aligned and (flags.c_contiguous or rows_apart)):
        raise ValueError("matmul: out must be writable and aligned, its rows contiguous and "
                         f"apart, got strides {out.strides} for shape {shape}; pass a .copy()")
    if any(np.shares_memory(out, array) for array in read):
        raise ValueError("matmul: out must not share memory with a, b or bias; pass a .copy()")

"""Checks of single arrays, shared by all kernels: what C could not bear is refused here.

Every message says what was expected, what was got and what to do.
"""

from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

__all__ = [
    "FLOATS", "check_aligned", "check_is_array", "check_kind", "check_written",
    "is_kind", "refuse_overlap",
]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def check_is_array(name: str, array: Any) -> None:
    """Refuse what is no plain array. A subclass may give operators another meaning."""
    if type(array) is not np.ndarray:
        raise TypeError(
            f"{name} must be a numpy.ndarray, got {type(array).__name__}; "
            "pass numpy.asarray of it"
        )


def is_kind(array: Any, dtype: np.dtype, shape: tuple[int, ...]) -> bool:
    """Whether `check_kind` would let an array pass: quick, and without a name for it."""
    return type(array) is np.ndarray and array.dtype == dtype and array.shape == shape


def check_kind(name: str, array: Any, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Refuse another type, dtype, byte order or shape than expected."""
    check_is_array(name, array)
    if array.dtype != dtype:
        raise TypeError(
            f"{name} must be {dtype} in native byte order, as the first array is, got "
            f"{array.dtype}; convert it with .astype(numpy.{dtype})"
        )
    if array.shape != shape:
        raise ValueError(
            f"{name} must have shape {shape}, that of its tensor, got {array.shape}; "
            "pass the arrays of one tensor at the same position of each column"
        )


def check_aligned(name: str, array: np.ndarray) -> None:
    """Refuse an array whose elements do not start at multiples of their size."""
    if not array.flags.aligned:
        raise ValueError(
            f"{name} must be aligned to its dtype, got a misaligned array; pass a .copy() of it"
        )


def check_written(name: str, array: np.ndarray) -> None:
    """Refuse an array that C cannot write as one aligned block."""
    check_aligned(name, array)
    if not array.flags.c_contiguous:
        raise ValueError(
            f"{name} is updated in place and must be C-contiguous, "
            f"got strides {array.strides} for shape {array.shape}; "
            "let the optimizer own numpy.ascontiguousarray of it"
        )
    if not array.flags.writeable:
        raise ValueError(
            f"{name} is updated in place and must be writable, got a read-only array; "
            "let the optimizer own a .copy() of it"
        )


def refuse_overlap(
    written: list[tuple[str, np.ndarray]],
    read: list[tuple[str, np.ndarray]],
) -> None:
    """Refuse an array that is written if it shares memory with any other array.

    Sweeps over the arrays, which are C-contiguous, by address: each one must begin where
    those before it have ended. Two arrays that are only read may overlap.
    """
    spans = [(*byte_bounds(a), True, name) for name, a in written if a.size]
    spans += [(*byte_bounds(a), False, name) for name, a in read if a.size]
    end_of_all, last = 0, ""
    end_of_written, last_written = 0, ""
    for start, end, is_written, name in sorted(spans):
        if start < end_of_written:
            raise overlap(name, last_written)
        if is_written and start < end_of_all:
            raise overlap(name, last)
        if end > end_of_all:
            end_of_all, last = end, name
        if is_written:
            end_of_written, last_written = end, name


def overlap(one: str, other: str) -> ValueError:
    """The error for two arrays that share memory."""
    return ValueError(
        f"{one} and {other} share memory, but an array that is updated must not overlap "
        "another one; pass a .copy() of one of them, or give a shared tensor only once"
    )

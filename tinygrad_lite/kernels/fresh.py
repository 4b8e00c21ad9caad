"""The border for kernels that fill fresh arrays: what they read is checked here.

C would read a float64 array as floats, or beyond an array's end, in silence; so every body
takes only what passes. An input of another layout is copied. What is written is allocated by
the bodies themselves, so it overlaps nothing.
"""

from typing import Any

import numpy as np

__all__ = ["check", "contiguous", "floats"]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
LARGEST = 2**31 - 1  # of an image: an index into one is an int32


def floats(kernel: str, name: str, array: Any) -> np.ndarray:
    """The array, C-contiguous and aligned; messages name it, and the kernel that it is for.

    Raises:
        TypeError: it is no array of float32 or float64 in native byte order.
    """
    if type(array) is not np.ndarray:
        raise TypeError(f"{kernel}: {name} must be a numpy.ndarray, got {type(array).__name__}")
    if array.dtype not in FLOATS:
        raise TypeError(f"{kernel}: {name} must be float32 or float64 in native byte order, "
                        f"got {array.dtype}")
    return contiguous(array)


def contiguous(array: np.ndarray) -> np.ndarray:
    """The array itself, or a copy in C's layout."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else array.copy(order="C")


def check(kernel: str, name: str, array: Any, shape: tuple[int, ...], dtype: np.dtype
          ) -> None:
    """Refuse an array of another shape or dtype.

    Raises:
        TypeError: it is no array, or has another dtype.
        ValueError: it has another shape.
    """
    if type(array) is not np.ndarray:
        raise TypeError(f"{kernel}: {name} must be a numpy.ndarray, got {type(array).__name__}")
    if array.dtype != dtype:
        raise TypeError(f"{kernel}: {name} must be {dtype}, got {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"{kernel}: {name} must have shape {shape}, got {array.shape}")

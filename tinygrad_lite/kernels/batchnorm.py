"""Batch normalization in three bodies, and the checks that all of them share.

| function            | what it does                                              |
| ------------------- | --------------------------------------------------------- |
| `batch_norm`        | finds the moments of x, normalizes, scales and shifts x   |
| `normalize`         | the same with moments that are given                      |
| `batch_norm_slopes` | the gradients for x, w and b                              |

The formulas are in csrc/kernels.h. Sums run in float64, each body in an order of its own, so
that the bodies agree to a few units in the last place.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .fresh import check, contiguous, floats

__all__ = ["check_written", "checked_channels", "sizes"]


def checked_channels(kernel: str, x: Any, channels: Sequence[Any]) -> tuple[np.ndarray, ...]:
    """Numbers of shape (n, c, ...), and arrays of one number per channel, as C reads them.

    Raises:
        TypeError: they are not all float32 or all float64.
        ValueError: other shapes.
    """
    x = floats(kernel, "x", x)
    if x.ndim < 2:
        raise ValueError(f"{kernel}: x must have shape (n, c, ...), got {x.shape}")
    for a in channels:
        check(kernel, "an array of channels", a, x.shape[1:2], x.dtype)
    return x, *map(contiguous, channels)


def sizes(x: np.ndarray) -> tuple[int, int, int]:
    """n, c and s: the last is the product of all axes behind the channels."""
    n, c, *rest = x.shape
    return n, c, math.prod(rest)


def check_written(kernel: str, x: np.ndarray, written: Sequence[Any]) -> None:
    """Refuse arrays of one number per channel that C cannot write.

    Raises:
        TypeError: they are not of x's dtype.
        ValueError: other shapes; not contiguous, or read-only.
    """
    for array in written:
        check(kernel, "an array that is written", array, x.shape[1:2], x.dtype)
        if not array.flags.carray:
            raise ValueError(f"{kernel}: arrays that are written must be C-contiguous, aligned "
                             "and writable")

"""Batch normalization in three bodies, and the check that all of them share.

| function            | what it does                                              |
| ------------------- | --------------------------------------------------------- |
| `moments`           | mean and variance of each channel                         |
| `batch_norm`        | the normalized, scaled and shifted numbers                |
| `batch_norm_slopes` | the gradients for x, w and b                              |

The formulas are in csrc/kernels.h. Sums run in float64, each body in an order of its own, so
that the bodies agree to a few units in the last place.
"""

from typing import Any

import numpy as np

from ..fresh import check, floats

__all__ = ["checked_channels"]


def checked_channels(kernel: str, x: Any, *channels: Any) -> tuple[np.ndarray, ...]:
    """Numbers of shape (n, c, s), and arrays of one number per channel, as C reads them.

    Raises:
        TypeError: they are not all float32 or all float64.
        ValueError: other shapes.
    """
    x = floats(f"{kernel}: x", x)
    if x.ndim != 3:
        raise ValueError(f"{kernel}: x must have shape (n, c, s), got {x.shape}")
    rest = [floats(f"{kernel}: argument {i}", a) for i, a in enumerate(channels, 1)]
    for i, a in enumerate(rest, 1):
        check(f"{kernel}: argument {i}", a, x.shape[1:2], x.dtype)
    return x, *rest

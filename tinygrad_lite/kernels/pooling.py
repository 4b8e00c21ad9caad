"""Pooling in three bodies, and the checks that all of them share.

| function   | what it does                                                       |
| ---------- | ------------------------------------------------------------------ |
| `max_pool` | the largest pixel of each window, and its index                    |
| `gather`   | the pixels at an index                                             |
| `scatter`  | its adjoint: the sum of what an index sends to each pixel          |
| `average`  | the mean of each window; windows may be of different sizes         |
| `spread`   | its adjoint: an even share for each pixel of each window           |

The formulas are in csrc/kernels.h. The three bodies agree to the last bit.
"""

from typing import Any, NamedTuple

import numpy as np

from .fresh import LARGEST, check, contiguous, floats
from .windows import Windows, check_windows

__all__ = ["Boxes", "checked_boxes", "checked_image", "checked_index", "refuse_index"]


INT32 = np.dtype(np.int32)
INT64 = np.dtype(np.int64)


class Boxes(NamedTuple):
    """Windows of different sizes, on images of height x width.

    Attributes:
        rows: (2, out_h) int64: the first row of each window, and the row behind its last.
        columns: (2, out_w) int64: likewise.
        divisor: (out_h, out_w): what each window's sum is divided by.
    """

    height: int
    width: int
    rows: np.ndarray
    columns: np.ndarray
    divisor: np.ndarray


def checked_image(kernel: str, x: Any, at: Windows, index: np.ndarray) -> np.ndarray:
    """Images (..., height, width) that an int32 index can point into, as C reads them.

    Raises:
        TypeError: they are not float32 or float64, or the index is not int32.
        ValueError: other shapes; too large an image; an index that cannot be written.
    """
    check_windows(at)
    x = floats(kernel, "x", x)
    check(kernel, "x", x, x.shape[:-2] + at[:2], x.dtype)
    check(kernel, "index", index, x.shape[:-2] + at[2:4], INT32)
    if not index.flags.carray:
        raise ValueError(f"{kernel}: index must be C-contiguous and writable")
    if at.height * at.width > LARGEST:
        raise ValueError(f"{kernel}: an image has at most {LARGEST} pixels, got "
                         f"{at.height} x {at.width}")
    return x


def checked_index(kernel: str, a: Any, index: Any, shape: tuple[int, ...]
                  ) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, and an index into images of that shape, (..., height, width), as C reads them.

    Raises:
        TypeError: the numbers are not float32 or float64, or the index is not int32.
        ValueError: there are not as many images as the index is for.
    """
    a = floats(kernel, "a", a)
    check(kernel, "index", index, shape[:-2] + index.shape[-2:], INT32)
    return a, contiguous(index)


def refuse_index(kernel: str, index: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise IndexError if the index points out of an image."""
    pixels = shape[-2] * shape[-1]
    if index.size and not (index.min() >= 0 and index.max() < pixels):
        raise IndexError(f"{kernel}: the index must be in 0 .. {pixels - 1}, got "
                         f"{index.min()} .. {index.max()}")


def checked_boxes(kernel: str, a: Any, boxes: Boxes, outputs: bool) -> np.ndarray:
    """Images, or the `outputs` of their windows, as C reads them.

    Raises:
        TypeError: they are not float32 or float64, or the boxes are of another dtype.
        ValueError: the shapes do not fit, or a box reaches out of the image.
    """
    a = floats(kernel, "a", a)
    out = boxes.divisor.shape
    shape = out if outputs else (boxes.height, boxes.width)
    check(kernel, "a", a, a.shape[:-2] + shape, a.dtype)
    check(kernel, "divisor", boxes.divisor, out, a.dtype)
    for name, ends, count, size in (("rows", boxes.rows, out[0], boxes.height),
                                    ("columns", boxes.columns, out[1], boxes.width)):
        check(kernel, f"{name}", ends, (2, count), INT64)
        if count and not (ends.min() >= 0 and ends.max() <= size):
            raise ValueError(f"{kernel}: {name} must be in 0 .. {size}, got "
                             f"{ends.min()} .. {ends.max()}")
    return a

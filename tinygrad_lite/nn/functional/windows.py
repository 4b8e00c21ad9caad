"""What convolution and pooling have in common: options for two axes, and window counts."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from ... import ops
from ...engine import Node

__all__ = ["batched", "count", "pair"]


def pair(function: str, name: str, option: Any, least: int) -> tuple[int, int]:
    """An option as two whole numbers, for the height and the width.

    Args:
        option: one whole number for both, or a sequence of one or two.
        least: the smallest that makes sense.

    Raises:
        TypeError: if it is made of anything but whole numbers.
        RuntimeError: if there are not one or two, or one of them is too small.
    """
    numbers = list(option) if isinstance(option, Sequence | np.ndarray) else [option]
    try:
        numbers = [index(number) for number in numbers]
    except TypeError:
        raise TypeError(f"{function} expects whole numbers as {name}; got {option!r}") from None
    if len(numbers) not in (1, 2):
        raise RuntimeError(f"{function} expects {name} to be one whole number or two, for "
                           f"height and width; got {option!r}")
    if min(numbers) < least:
        raise RuntimeError(f"{function} expects {name} to be {least} or more; got {option!r}")
    return numbers[0], numbers[-1]


def count(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """How many windows fit side by side on an axis; `padding` is that of both ends."""
    return (size + padding - dilation * (kernel - 1) - 1) // stride + 1


def batched(function: str, input: Any) -> tuple[Any, bool]:
    """The input with a batch axis, and whether it had one; integers as float32.

    Raises:
        RuntimeError: if it has neither three nor four axes.
    """
    if not isinstance(input, Node):
        input = np.asarray(input)
        input = input if input.dtype.kind == "f" else input.astype(np.float32)
    if len(input.shape) == 4:
        return input, True
    if len(input.shape) == 3:
        return ops.expand_dims(input, axis=0), False
    raise RuntimeError(f"Expected 3D (unbatched) or 4D (batched) input to {function}, but got "
                       f"input of shape {tuple(input.shape)}")

"""Convolution as a function; it imports the engine, the ops and the fused ops."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ... import fused, ops
from ...engine import Node
from ...fused.convolution import Windows
from .windows import batched, count, pair

__all__ = ["conv2d", "conv2d_padding"]

Pair = tuple[int, int]


def conv2d(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
           dilation: Any = 1, groups: int = 1) -> Any:
    """y = for each output channel, the sum of W times a window of x, plus b.

    Args:
        input: x, of shape (n, c, height, width), or (c, height, width) for one image;
            numbers that are no Tensor take the dtype of W.
        weight: W, of shape (out, c / groups, kernel height, kernel width).
        bias: b, of shape (out,), or None.
        stride: how far it is from one window to the next. This and the next two are one
            whole number, or two for height and width.
        padding: how many zeros there are around the image; or "valid" for none, or "same"
            for as many as it takes to get an output of the input's size, at stride 1.
        dilation: how far it is from one pixel of a window to the next.
        groups: into how many groups channels are divided, input and output alike; an output
            channel sees the input channels of its group only.

    Returns:
        y, of shape (n, out, out height, out width) or without the n, with
        out height = (height + 2 * padding - dilation * (kernel height - 1) - 1) // stride + 1.

    Raises:
        RuntimeError: if the shapes do not fit together, a kernel is larger than the padded
            image, or an option is out of range.
        TypeError: if an option is no whole number.
    """
    if not isinstance(input, Node):
        input = np.asarray(input, weight.dtype)
    input, was_batched = batched("conv2d", input)
    _check(input.shape, weight.shape, groups)
    if bias is not None and tuple(bias.shape) != weight.shape[:1]:
        raise RuntimeError(f"Given weight of shape {weight.shape}, expected bias of shape "
                           f"{weight.shape[:1]}, but got {tuple(bias.shape)}")
    at = _windows(input.shape[2:], weight.shape[2:],
                  *map(_hashable, (stride, padding, dilation)))
    y = fused.conv2d(input, weight, bias, at=at, groups=groups)
    return y if was_batched else ops.squeeze(y, axis=0)


def _check(x: tuple[int, ...], w: tuple[int, ...], groups: int) -> None:
    """Raise RuntimeError unless images x, weights w and groups fit together."""
    if len(w) != 4:
        raise RuntimeError("conv2d expects a weight of shape (out, in / groups, kernel height, "
                           f"kernel width); got {w}")
    if groups < 1:
        raise RuntimeError(f"conv2d expects groups to be 1 or more; got {groups}")
    if w[0] < groups or w[0] % groups or 0 in w[2:]:
        raise RuntimeError(f"Given groups={groups}, expected a weight whose first length is a "
                           "multiple of it and whose kernel is not empty, but got weight of "
                           f"shape {w}")
    if x[1] != w[1] * groups:
        raise RuntimeError(f"Given groups={groups}, weight of shape {w}, expected input of "
                           f"shape {x} to have {w[1] * groups} channels, but got {x[1]} "
                           "channels instead")


def _hashable(option: Any) -> Any:
    return tuple(option) if isinstance(option, (list, np.ndarray)) else option


@lru_cache(maxsize=256)
def _windows(image: Pair, kernel: Pair, stride: Any, padding: Any, dilation: Any) -> Windows:
    """How the windows lie; for the errors, see `conv2d`."""
    strides = pair("conv2d", "stride", stride, 1)
    dilations = pair("conv2d", "dilation", dilation, 1)
    (top, bottom), (left, right) = conv2d_padding(padding, kernel, strides, dilations)
    around = top + bottom, left + right
    padded = image[0] + around[0], image[1] + around[1]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilations)]
    if padded[0] < reach[0] or padded[1] < reach[1] or 0 in image:
        raise RuntimeError(f"Calculated padded input size per channel: {padded[0]} x "
                           f"{padded[1]}. Kernel size: {reach[0]} x {reach[1]}. Kernel size "
                           "can't be greater than actual input size, and the input itself "
                           f"can't be empty; it is {image[0]} x {image[1]}")
    out = [count(*axis) for axis in zip(image, kernel, strides, around, dilations)]
    return Windows.of(image, (out[0], out[1]), kernel, strides, dilations, (top, left))


def conv2d_padding(padding: Any, kernel: Pair, strides: Pair, dilations: Pair
                   ) -> list[tuple[int, int]]:
    """Pairs (zeros before, zeros behind) for height and width.

    Raises:
        RuntimeError: for another word than "valid" and "same", or "same" with a stride; or
            as `conv2d`.
    """
    if padding == "same":
        if strides != (1, 1):
            raise RuntimeError("padding='same' is not supported for strided convolutions; got "
                               f"stride {strides}")
        around = [d * (k - 1) for k, d in zip(kernel, dilations)]
        return [(n // 2, n - n // 2) for n in around]  # the odd one goes behind
    if isinstance(padding, str) and padding != "valid":
        raise RuntimeError(f"Invalid padding string {padding!r}; use 'valid' or 'same'")
    down, across = (0, 0) if padding == "valid" else pair("conv2d", "padding", padding, 0)
    return [(down, down), (across, across)]

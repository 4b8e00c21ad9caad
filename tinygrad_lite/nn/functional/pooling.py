"""Pooling as functions; it imports the engine, the ops and the fused ops."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ... import fused, ops
from ...fused.convolution import Windows
from ...fused.pooling import Boxes
from .windows import batched, count, pair

__all__ = ["adaptive_avg_pool2d", "avg_pool2d", "max_pool2d"]


def max_pool2d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """y = the largest number in each window of x.

    The whole gradient goes to that number; where several are equal, to the first of them. A
    window with a nan in it has the result nan.

    Args:
        input: x, of shape (n, c, height, width), or (c, height, width) for one image.
        kernel_size: the size of a window. This and the next three are one whole number, or
            two for height and width.
        stride: how far it is from one window to the next; a kernel size if left out.
        padding: how far windows reach over the edge, where nothing is ever the largest; at
            most half a kernel.
        dilation: how far it is from one number of a window to the next.
        ceil_mode: whether windows that reach beyond the padding count too.
        return_indices: whether to return the place of each largest number too, counted row
            by row through its channel, as int64.

    Returns:
        y, of shape (n, c, out height, out width) or without the n, with
        out height = (height + 2 * padding - dilation * (kernel height - 1) - 1) // stride + 1,
        or the ceiling of that division; or y and the places.

    Raises:
        RuntimeError: if the input has another number of axes or none of its windows fits,
            or if an option is out of range.
        TypeError: if an option is no whole number.
    """
    input, was_batched = batched("max_pool2d", input)
    at = _windows("max_pool2d", _image("max_pool2d", input), _hashable(kernel_size),
                  _hashable(stride), _hashable(padding), _hashable(dilation), ceil_mode)
    places = np.empty((*input.shape[:2], *at.out), np.int32)
    y = fused.max_pool2d(input, at=at, index=places)
    y = y if was_batched else ops.squeeze(y, axis=0)
    if not return_indices:
        return y
    return y, fused.places_of_largest(y, index=places)


def avg_pool2d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True,
               divisor_override: int | None = None) -> Any:
    """y = the mean of each window of x.

    Args:
        input: x, of shape (n, c, height, width), or (c, height, width) for one image.
        kernel_size: the size of a window. This and the next two are one whole number, or two
            for height and width.
        stride: how far it is from one window to the next; a kernel size if left out.
        padding: how many zeros there are around the image; at most half a kernel.
        ceil_mode: whether windows that reach beyond the padding count too.
        count_include_pad: whether the zeros of the padding count as numbers of a window.
        divisor_override: divide each window's sum by this, whatever its size.

    Returns:
        y, of shape (n, c, out height, out width) or without the n; see `max_pool2d`.

    Raises:
        RuntimeError: if the input has another number of axes or none of its windows fits,
            or if an option is out of range.
        TypeError: if an option is no whole number.
    """
    input, was_batched = batched("avg_pool2d", input)
    if divisor_override == 0:
        raise RuntimeError("avg_pool2d expects a divisor_override other than 0")
    at = _windows("avg_pool2d", _image("avg_pool2d", input), _hashable(kernel_size),
                  _hashable(stride), _hashable(padding), 1, ceil_mode)
    boxes = _mean_boxes(at, bool(count_include_pad), divisor_override)
    y = fused.avg_pool2d(input, boxes=boxes)
    return y if was_batched else ops.squeeze(y, axis=0)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    """y = the mean of each window of x, with windows chosen to give an output of some size.

    Window i of n on an axis of a numbers has those from floor(i a / n) up to
    ceil((i + 1) a / n).

    Args:
        input: x, of shape (n, c, height, width), or (c, height, width) for one image.
        output_size: one whole number, or two for height and width, of which None keeps the
            input's.

    Returns:
        y, of shape (n, c, *output_size) or without the n.

    Raises:
        RuntimeError: if the input has another number of axes or is empty but for n, or if a
            size is negative.
        TypeError: if a size is no whole number.
    """
    input, was_batched = batched("adaptive_avg_pool2d", input)
    image = _image("adaptive_avg_pool2d", input)
    sizes = output_size if isinstance(output_size, (tuple, list)) else [output_size]
    sizes = [size if asked is None else asked for size, asked in zip(image, sizes * 2)] \
        if len(sizes) < 3 else sizes
    out = pair("adaptive_avg_pool2d", "output_size", sizes, 0)
    if out == (1, 1):
        y = ops.mean(input, axis=(2, 3), keepdims=True)  # NumPy sums long rows faster
    else:
        y = fused.avg_pool2d(input, boxes=_adaptive_boxes(image, out))
    return y if was_batched else ops.squeeze(y, axis=0)


def _hashable(option: Any) -> Any:
    return tuple(option) if isinstance(option, (list, np.ndarray)) else option


def _image(function: str, input: Any) -> tuple[int, int]:
    """Height and width; RuntimeError if there are no channels, or nothing in them."""
    if 0 in input.shape[1:]:
        raise RuntimeError(f"{function} expects an input that is empty in its batch at most; "
                           f"got shape {tuple(input.shape)}")
    return input.shape[2:]


@lru_cache(maxsize=256)
def _windows(function: str, image: tuple[int, int], kernel: Any, stride: Any, padding: Any,
             dilation: Any, ceil_mode: bool) -> Windows:
    """How the windows lie; for the errors, see `max_pool2d`."""
    kernels = pair(function, "kernel_size", kernel, 1)
    strides = kernels if stride is None else pair(function, "stride", stride, 1)
    paddings = pair(function, "padding", padding, 0)
    dilations = pair(function, "dilation", dilation, 1)
    out = [_count(function, *axis, ceil_mode)
           for axis in zip(image, kernels, strides, paddings, dilations)]
    return Windows.of(image, (out[0], out[1]), kernels, strides, dilations, paddings)


def _count(function: str, size: int, kernel: int, stride: int, padding: int, dilation: int,
           ceil_mode: bool) -> int:
    """How many windows an axis has."""
    reach = dilation * (kernel - 1) + 1
    if 2 * padding > reach:
        raise RuntimeError(f"{function}: pad should be at most half of effective kernel size, "
                           f"but got pad={padding}, kernel_size={kernel} and "
                           f"dilation={dilation}")
    beyond = stride - 1 if ceil_mode else 0
    out = count(size, kernel, stride, 2 * padding + beyond, dilation)
    if ceil_mode and (out - 1) * stride >= size + padding:
        out -= 1  # a window must begin in the image or in the padding before it
    if out < 1:
        raise RuntimeError(f"{function}: an axis of length {size} with padding {padding} at "
                           f"both ends is too small for a window of {reach}; the output would "
                           "be empty")
    seen = np.arange(out)[:, None] * stride - padding + np.arange(kernel) * dilation
    if not ((seen >= 0) & (seen < size)).any(axis=1).all():
        raise RuntimeError(f"{function}: some windows of kernel_size={kernel} and dilation="
                           f"{dilation} lie outside of an axis of length {size}; use less "
                           "padding or dilation")
    return out


@lru_cache(maxsize=256)
def _mean_boxes(at: Windows, with_padding: bool, divisor: int | None) -> Boxes:
    """The windows of `avg_pool2d` as boxes: where they begin and end, and their sizes."""
    ends = []
    sizes = []
    for size, out, kernel, stride, padding in zip(at.image, at.out, at[4:6], at[6:8], at[10:]):
        first = np.arange(out) * stride - padding
        last = np.minimum(first + kernel, size + padding)
        inside = np.stack([np.maximum(first, 0), np.minimum(last, size)])
        ends.append(inside)
        sizes.append(last - first if with_padding else inside[1] - inside[0])
    divisors = np.multiply.outer(*sizes) if divisor is None else np.full(at.out, divisor)
    return Boxes(*at.image, ends[0], ends[1], divisors.astype(np.float32))


@lru_cache(maxsize=256)
def _adaptive_boxes(image: tuple[int, int], out: tuple[int, int]) -> Boxes:
    """The windows of `adaptive_avg_pool2d`."""
    ends = [np.stack([np.arange(n) * size // n, -(-np.arange(1, n + 1) * size // n)])
            for size, n in zip(image, out)]
    divisors = np.multiply.outer(*[last - first for first, last in ends])
    return Boxes(*image, ends[0], ends[1], divisors.astype(np.float32))

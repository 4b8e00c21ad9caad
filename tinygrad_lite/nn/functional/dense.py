"""Layers as functions: the dense layer, and shapes; it imports the engine and the ops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import fused, ops
from ...engine import Node

__all__ = ["flatten", "linear"]


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """y = x W' + b.

    Args:
        input: x, of shape (..., in); numbers that are no Tensor take the dtype of W.
        weight: W, of shape (out, in).
        bias: b, of shape (out,), or None.

    Returns:
        y, of shape (..., out).

    Raises:
        RuntimeError: if the shapes do not fit together.
    """
    if not isinstance(input, Node):
        input = np.asarray(input, weight.dtype)
    try:
        if bias is None:
            return ops.matmul(input, weight.T)
        return fused.linear(input, weight, bias)
    except ValueError:
        raise RuntimeError(_why_not_linear(input, weight, bias)) from None


def _why_not_linear(input: Any, weight: Any, bias: Any) -> str:
    x, w = input.shape, weight.shape
    if x and len(w) == 2 and x[-1] == w[1]:
        return f"linear expects a bias of shape ({w[0]},); got {bias.shape}"
    return (f"linear expects an input of shape (..., {w[-1]}) for a weight of shape {w}; got "
            f"{x}. Reshape the input, or give the layer in_features={x[-1] if x else 1}")


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """y = the same elements, several neighbouring axes made one.

    Args:
        start_dim: the first axis to merge; a negative number counts from the end.
        end_dim: the last one.

    Returns:
        An array of ndim - (end - start) axes; one of no axes becomes one element.

    Raises:
        IndexError: if the input has no such axis.
        RuntimeError: if `start_dim` comes behind `end_dim`.
    """
    if not isinstance(input, Node):
        input = np.asarray(input)
    shape = input.shape
    start = _axis(start_dim, len(shape))
    end = _axis(end_dim, len(shape))
    if start > end:
        raise RuntimeError(f"flatten expects start_dim not behind end_dim; got {start_dim} "
                           f"and {end_dim} for an input of shape {shape}")
    merged = math.prod(shape[start:end + 1])
    return ops.reshape(input, shape=(*shape[:start], merged, *shape[end + 1:]))


def _axis(dim: int, ndim: int) -> int:
    """The axis counted from the front; no axes count as one."""
    ndim = max(ndim, 1)
    if not -ndim <= dim < ndim:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-ndim}, "
                         f"{ndim - 1}], but got {dim})")
    return dim % ndim

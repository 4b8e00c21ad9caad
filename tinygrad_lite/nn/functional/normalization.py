"""Layer norm and group norm as functions; it imports the engine, the ops and the fused ops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import fused, ops
from ...engine import Node

__all__ = ["as_shape", "group_norm", "layer_norm"]


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None,
               eps: float = 1e-5) -> Any:
    """y = (x - m) / sqrt(v + eps) * w + b, sample by sample.

    m and v are mean and variance (the mean square deviation) over the last axes. Source: Ba,
    Kiros and Hinton 2016.

    Args:
        input: x, of shape (..., *normalized_shape); numbers that are no Tensor take the
            dtype of w.
        normalized_shape: lengths of the axes that m and v are taken over, as a tuple; an
            integer for the last one.
        weight: w, of shape normalized_shape, or None for 1.
        bias: b, of the same shape, or None for 0.
        eps: keeps the root away from 0.

    Raises:
        RuntimeError: if the shapes do not fit together, or there is no axis to normalize.
    """
    shape = as_shape(normalized_shape)
    x = _with_dtype_of(weight, input)
    _check_layer(x.shape, shape, weight, bias)
    n = math.prod(shape)
    rows = math.prod(x.shape[:len(x.shape) - len(shape)])
    y = fused.standardize(ops.reshape(x, shape=(rows, n)), eps=eps)
    return _affine(ops.reshape(y, shape=x.shape), weight, bias)


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None,
               eps: float = 1e-5) -> Any:
    """y = (x - m) / sqrt(v + eps) * w + b, sample by sample and group by group of channels.

    m and v are mean and variance (the mean square deviation) over the channels of a group and
    all axes behind them. Source: Wu and He 2018.

    Args:
        input: x, of shape (N, C, ...); numbers that are no Tensor take the dtype of w.
        num_groups: into how many groups the C channels are divided, neighbours together.
        weight: w, of shape (C,), or None for 1.
        bias: b, of shape (C,), or None for 0.
        eps: keeps the root away from 0.

    Raises:
        RuntimeError: if the shapes do not fit together, or the groups are not equal.
        ValueError: if there is only one number in all to normalize.
    """
    x = _with_dtype_of(weight, input)
    _check_groups(x.shape, num_groups, weight, bias)
    batch, channels, *rest = x.shape
    rows = batch * num_groups
    n = channels // num_groups * math.prod(rest)
    y = fused.standardize(ops.reshape(x, shape=(rows, n)), eps=eps)
    across = (channels,) + (1,) * len(rest)
    weight, bias = [p if p is None else ops.reshape(p, shape=across) for p in (weight, bias)]
    return _affine(ops.reshape(y, shape=x.shape), weight, bias)


def as_shape(normalized_shape: Any) -> tuple[int, ...]:
    """The lengths as a tuple; one integer stands for a single axis."""
    if isinstance(normalized_shape, (int, np.integer)):
        return (int(normalized_shape),)
    return tuple(normalized_shape)


def _with_dtype_of(weight: Any, input: Any) -> Any:
    if isinstance(input, Node):
        return input
    return np.asarray(input, getattr(weight, "dtype", None))


def _affine(y: Any, weight: Any, bias: Any) -> Any:
    """y * w + b, without those that are None."""
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _check_layer(x: tuple, shape: tuple, weight: Any, bias: Any) -> None:
    """Raise unless an input of shape x can be normalized over its last axes, of that shape."""
    if not shape:
        raise RuntimeError("Expected normalized_shape to be at least 1-dimensional; got ()")
    if x[len(x) - len(shape):] != shape or len(x) < len(shape):
        raise RuntimeError(f"Given normalized_shape={shape}, expected an input of shape "
                           f"(*, {', '.join(map(str, shape))}); got {x}")
    for name, p in (("weight", weight), ("bias", bias)):
        if p is not None and p.shape != shape:
            raise RuntimeError(f"Expected {name} to be of same shape as normalized_shape, "
                               f"{shape}; got {p.shape}")


def _check_groups(x: tuple, num_groups: int, weight: Any, bias: Any) -> None:
    """Raise unless an input of shape x can be normalized in so many groups."""
    if len(x) < 2:
        raise RuntimeError("Expected an input of shape (N, C, ...), of at least 2 dimensions; "
                           f"got {x}")
    if num_groups < 1:
        raise RuntimeError(f"Expected num groups to be greater than 0; got {num_groups}")
    if x[1] % num_groups:
        raise RuntimeError("Expected number of channels in input to be divisible by "
                           f"num_groups; got an input of shape {x} and {num_groups} groups")
    if math.prod(x) == num_groups:
        raise ValueError("Expected more than 1 value per channel when training; got an input "
                         f"of shape {x}")
    for name, p in (("weight", weight), ("bias", bias)):
        if p is not None and p.shape != x[1:2]:
            raise RuntimeError(f"Expected {name} to be a vector of size equal to the number of "
                               f"channels in input, {x[1]}; got shape {p.shape}")

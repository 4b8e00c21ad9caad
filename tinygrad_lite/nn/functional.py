"""Layers and losses as functions, with PyTorch's names and arguments.

It imports the engine, the ops and the fused ops. Where a Tensor goes in, a NumPy array does
as well; given arrays only, a function returns arrays and records nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import fused, ops
from ..engine import Node
from ..value import Value

__all__ = [
    "binary_cross_entropy_with_logits", "cross_entropy", "flatten", "linear", "log_softmax",
    "mse_loss", "relu", "sigmoid", "softmax", "tanh",
]

# ---- layers ----------------------------------------------------------------------------


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


def relu(input: Any) -> Any:
    """y = x where x > 0, else 0; the gradient at 0 is 0."""
    return ops.relu(input)


def sigmoid(input: Any) -> Any:
    """y = 1 / (1 + e ** -x), without overflow at any x."""
    return ops.sigmoid(input)


def tanh(input: Any) -> Any:
    """y = tanh x."""
    return ops.tanh(input)


def softmax(input: Any, dim: int = -1) -> Any:
    """y = e ** x / (the sum of e ** x along an axis), without overflow.

    Args:
        dim: the axis along which the y add up to 1; the last if left out.
    """
    return ops.softmax(input, axis=dim)


def log_softmax(input: Any, dim: int = -1) -> Any:
    """y = ln(softmax(x)), without overflow.

    Args:
        dim: the axis along which the e ** y add up to 1; the last if left out.
    """
    return ops.log_softmax(input, axis=dim)


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


# ---- losses ----------------------------------------------------------------------------


def mse_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """y = (x - t) ** 2, the squared error of each element.

    Args:
        input: x, of any shape.
        target: t, of the same shape; it gets a gradient too if it requires one. Numbers
            that are no Tensor take the dtype of x.
        reduction: "mean" of all elements, their "sum", or "none" for each by itself.

    Raises:
        ValueError: if the shapes differ, where PyTorch broadcasts, which is hardly ever
            meant; or for another `reduction`.
    """
    check_reduction(reduction)
    input, target = _same_shape(input, target)
    return _reduce(fused.squared_difference(input, target), reduction)


def binary_cross_entropy_with_logits(input: Any, target: Any, *,
                                     reduction: str = "mean") -> Any:
    """y = -(t ln p + (1 - t) ln(1 - p)) with p = sigmoid(x), for questions of yes or no.

    It is computed as max(x, 0) - x t + ln(1 + e ** -|x|), which is exact for large |x| too.

    Args:
        input: x, of any shape: the logit ln(p / (1 - p)) of the predicted probability.
        target: t, of the same shape, between 0 and 1; it gets a gradient too if it requires
            one. Numbers that are no Tensor take the dtype of x.
        reduction: "mean" of all elements, their "sum", or "none" for each by itself.

    Raises:
        ValueError: if the shapes differ, or for another `reduction`.
    """
    check_reduction(reduction)
    input, target = _same_shape(input, target)
    return _reduce(fused.logits_cross_entropy(input, target), reduction)


def cross_entropy(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """y = -ln softmax(x)[t]: minus the log of the probability that the true class gets.

    Args:
        input: x, of shape (N, C): for each of N samples the logits of C classes; or (C,) for
            one sample.
        target: t, of shape (N,): the id of each sample's class, 0 to C - 1, in any integer
            dtype; an array, a Tensor or a list.
        reduction: "mean" of the N losses, their "sum", or "none" for each by itself.

    Raises:
        IndexError: if an id is not in 0 to C - 1.
        ValueError: if input and target have different N, `input` has more than two axes, or
            for another `reduction`.
        RuntimeError: if the ids are not integers, or of more than one axis.
    """
    check_reduction(reduction)
    if not isinstance(input, Node):
        input = np.asarray(input)
    ids = np.array(target)  # a copy: the gradient rule reads it again
    shape = input.shape
    if len(shape) == 1 and ids.size == 1:
        loss = cross_entropy(ops.expand_dims(input, axis=0), ids.reshape(1),
                             reduction=reduction)
        return ops.reshape(loss, shape=())
    _check_ids(shape, ids)
    return fused.cross_entropy(input, target=ids, reduction=reduction)


def _check_ids(shape: tuple[int, ...], ids: np.ndarray) -> None:
    """Raise unless there is one integer for each row of an input of that shape."""
    if ids.dtype.kind not in "iu":
        raise RuntimeError("cross_entropy expects class ids of an integer dtype as target; "
                           f"got {ids.dtype}. Convert them with astype('int64')")
    if ids.ndim != 1:
        raise RuntimeError("0D or 1D target tensor expected, one class id per sample; got "
                           f"shape {ids.shape}")
    if len(shape) != 2:
        raise ValueError(f"cross_entropy expects an input of shape (N, C); got {shape}")
    if shape[0] != len(ids):
        raise ValueError(f"Expected input batch_size ({shape[0]}) to match target batch_size "
                         f"({len(ids)}).")


def _same_shape(input: Any, target: Any) -> tuple[Any, Any]:
    """Both as Tensors or arrays; ValueError if their shapes differ."""
    input, target = [ops.reshape(x, shape=()) if isinstance(x, Value) else x
                     for x in (input, target)]
    if not isinstance(input, Node):
        input = np.asarray(input)
    if not isinstance(target, Node):
        target = np.asarray(target, input.dtype if input.dtype.kind == "f" else None)
    if input.shape != target.shape:
        raise ValueError(f"Target size {target.shape} must be the same as input size "
                         f"{input.shape}. Reshape one of them, such as "
                         f"target.reshape({input.shape})")
    return input, target


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless `reduction` is one that the losses know."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction; use 'mean', 'sum' "
                         "or 'none'")


def _reduce(losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    return ops.mean(losses) if reduction == "mean" else ops.sum(losses)

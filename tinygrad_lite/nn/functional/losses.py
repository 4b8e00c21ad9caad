"""Losses as functions; it imports the engine, the ops and the fused ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import fused, ops
from ...engine import Node
from ...value import Value

__all__ = ["binary_cross_entropy_with_logits", "check_reduction", "cross_entropy", "mse_loss"]


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

"""Batch normalization as a function; it imports the engine, the ops and the fused ops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import fused, ops
from ...engine import Node, mark_changed
from ...tensor import Tensor

__all__ = ["batch_norm", "normalize_batch"]


def batch_norm(input: Any, running_mean: Any, running_var: Any, weight: Any = None,
               bias: Any = None, training: bool = False, momentum: float = 0.1,
               eps: float = 1e-5) -> Any:
    """y = (x - mean) / sqrt(var + eps) * w + b, channel by channel.

    Source: Ioffe and Szegedy 2015, "Batch normalization: accelerating deep network training
    by reducing internal covariate shift", algorithms 1 and 2.

    Args:
        input: x, of shape (n, c, ...): channels are axis 1.
        running_mean, running_var: means and variances of shape (c,), or both None. In
            training they are changed in place: each becomes (1 - momentum) times itself plus
            momentum times the batch's, of which the variance is the unbiased one.
        weight, bias: w and b, of shape (c,); None for 1 and for 0.
        training: whether mean and variance are the batch's, rather than the running ones.
        momentum: see `running_mean`.
        eps: keeps the root away from 0.

    Raises:
        ValueError: in training, if a channel has one value only, whose variance says
            nothing, or eps is not positive; or if there is one of the running ones alone.
        RuntimeError: if an array does not have one number per channel, or there are no
            running ones outside of training.
        IndexError: if x has no axis 1.
        TypeError: if `momentum` is None, which only the layers know.
    """
    if momentum is None:
        raise TypeError("batch_norm expects a number as momentum; for the average over all "
                        "batches, use a layer such as nn.BatchNorm2d(c, momentum=None)")
    return normalize_batch(input, (running_mean, running_var, None), weight, bias, training,
                           momentum, eps)


def normalize_batch(input: Any, running: tuple, weight: Any, bias: Any, training: bool,
                    momentum: float | None, eps: float) -> Any:
    """`batch_norm` with running mean, variance and number of batches, each perhaps None.

    If `momentum` is None, the running ones are averages over all batches.
    """
    if not isinstance(input, Node):
        input = np.asarray(input, None if weight is None else weight.dtype)
    if input.dtype not in (np.float32, np.float64):
        input = ops.astype(input, dtype=np.float32)
    mean, var, batches = running
    _check(input.shape, training, eps)
    channels = {"running_mean": mean, "running_var": var, "weight": weight, "bias": bias}
    _check_channels(channels, input.shape[1], training)
    if weight is None:
        weight = np.ones(input.shape[1], input.dtype)
    if bias is None:
        bias = np.zeros(input.shape[1], input.dtype)
    if not training:
        return fused.normalize(input, weight, bias, mean, var, eps=eps)
    found = np.empty(input.shape[1], input.dtype), np.empty(input.shape[1], input.dtype)
    y = fused.batch_norm(input, weight, bias, mean, var, batches, found=found, eps=eps,
                         momentum=momentum)
    mark_changed(*[t._changed for t in running if isinstance(t, Tensor)])
    return y


def _check(shape: tuple[int, ...], training: bool, eps: float) -> None:
    """Raise unless a batch of that shape has moments."""
    if len(shape) < 2:
        raise IndexError("batch_norm expects an input of shape (n, c, ...), with channels as "
                         f"axis 1; got shape {shape}")
    if not training:
        return
    if math.prod(shape) == shape[1]:
        raise ValueError("Expected more than 1 value per channel when training, got input of "
                         f"shape {shape}. Give larger batches, leave out a last batch of one "
                         "sample, or call eval() on the net")
    if not eps > 0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")


def _check_channels(channels: dict[str, Any], c: int, training: bool) -> None:
    """Raise unless each array that is there has c numbers, and the running ones are there."""
    absent = [channels[name] is None for name in ("running_mean", "running_var")]
    if any(absent) and not training:
        raise RuntimeError("running_mean and running_var must be defined in evaluation mode")
    if absent[0] != absent[1]:
        raise ValueError("running_mean and running_var must either both be None or neither be "
                         "None")
    for name, array in channels.items():
        if array is not None and array.shape != (c,):
            raise RuntimeError(f"{name} should contain {c} elements, one per channel; got "
                               f"shape {array.shape}")

"""Losses as one op each; it imports the engine, the ops, the kernels and NumPy."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..engine import op
from ..ops import expand_dims, sigmoid, softmax, sum

__all__ = ["cross_entropy", "logits_cross_entropy", "squared_difference"]


@op(lambda g, _y, a, target, reduction:
        _cross_entropy_slope(a, target=target) * _per_row(g, a, reduction))
def cross_entropy(a, target, reduction="mean"):
    """y = -ln softmax(a)[target] for each row of a (N, C); their mean, sum, or all (N,)."""
    losses, _ = kernels.body().cross_entropy(_real(a), target)
    if reduction == "none":
        return losses
    y = np.add.reduce(losses)
    return y / len(losses) if reduction == "mean" else y


def _real(a):
    """a in a dtype that the kernels take."""
    return a if a.dtype in (np.float32, np.float64) else a.astype(np.float32)


def _per_row(g, a, reduction):
    """The gradient of the reduced loss with respect to each row's own loss."""
    if reduction == "none":
        return expand_dims(g, axis=1)
    return g / a.shape[0] if reduction == "mean" else g


def _slope_rule(g, _y, a, **_):
    p = softmax(a)
    return p * (g - sum(g * p, axis=-1, keepdims=True))


@op(_slope_rule)
def _cross_entropy_slope(a, target):
    """y = softmax(a) - onehot(target): the gradient of each row's cross-entropy."""
    _, d = kernels.body().cross_entropy(_real(a), target)
    return d


@op(lambda g, _y, a, target: g * (sigmoid(a) - target),
    lambda g, _y, a, _target: -g * a)
def logits_cross_entropy(a, target):
    """y = -(t ln p + (1 - t) ln(1 - p)) with p = sigmoid(a), stable at any a."""
    if a.dtype.kind != "f":
        a = a.astype(np.float32)
    return np.maximum(a, 0) - a * target + np.log1p(np.exp(-np.abs(a)))


@op(lambda g, _y, a, b: g * (2 * (a - b)),
    lambda g, _y, a, b: g * (2 * (b - a)))
def squared_difference(a, b):
    """y = (a - b) ** 2, element by element."""
    d = a - b
    return d * d

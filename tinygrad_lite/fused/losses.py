"""Losses as one op each; it imports the engine, the ops, the kernels and NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import kernels
from ..engine import op
from ..ops import _floating, clip, exp, expand_dims, log, sigmoid, softmax, sum, where

__all__ = [
    "binary_cross_entropy", "class_ids", "cross_entropy", "factors_of_classes", "hinge",
    "hinge_embedding", "huber", "kl_divergence", "log_kl_divergence", "logits_cross_entropy",
    "pick", "squared_difference",
]

# ---- softmax cross-entropy -----------------------------------------------------------


def cross_entropy(a: Any, target: Any, reduction: str = "mean",
                  ignore_index: int = -100) -> Any:
    """y = -ln softmax(a)[target] for each row of a (N, C); their mean, sum, or all (N,).

    A row whose target is `ignore_index` has the loss 0 and does not count in the mean; the
    mean of no rows is nan. The rows that the first op finds go into the second one, whose
    gradient rule reads them again: so backward need not look for the softmax.

    Raises:
        IndexError: if a target is neither ignored nor in 0 to C - 1.
    """
    rows = _cross_entropy_rows(a, target, ignore_index=ignore_index)
    return _cross_entropy(a, target, rows, reduction=reduction)


@op(None)
def class_ids(target):
    """y (M,) = the ids as int64, in memory of their own, since rules read them again."""
    return np.array(target, np.int64).reshape(-1)


@op(None, None)
def factors_of_classes(weights, ids, ignore_index):
    """y (M,) = the weight (C,) of each sample's class, 0 for those to ignore."""
    counts = ids != ignore_index
    y = np.zeros(len(ids), weights.dtype)
    y[counts] = weights[ids[counts]]
    return y


@op(None, None)
def _cross_entropy_rows(a, target, ignore_index):
    """y (3, N + 1): the losses, and of each row its peak and the total of e ** (a - peak).

    In the last column stand the sum of the losses, 0, and how many rows are not ignored.
    """
    return kernels.body().cross_entropy(_real(a), target, ignore_index)


@op(lambda g, _y, a, target, rows, reduction:
        _cross_entropy_slope(
            g / rows[2, -1] if reduction == "mean" else g, a, target, rows),
    None, None)
def _cross_entropy(_a, _target, rows, reduction):
    """y = the losses of the rows, reduced."""
    if reduction == "none":
        return rows[0, :-1].copy()
    return rows[0, -1] / rows[2, -1] if reduction == "mean" else rows[0, -1]


@op(lambda h, _y, _g, a, target, rows:
        sum(h * _cross_entropy_slope(1.0, a, target, rows), axis=1),
    lambda h, _y, g, a, _target, rows: _cross_entropy_curve(h, g, softmax(a), rows),
    None, None)
def _cross_entropy_slope(g, a, target, rows):
    """y = (softmax(a) - onehot(target)) * g, 0 in rows to ignore; g is (N,) or ()."""
    return kernels.body().cross_entropy_slope(_real(a), target, rows, np.asarray(g))


def _cross_entropy_curve(h, g, p, rows):
    """The gradient h of the slope pulled back to the logits, through the softmax p."""
    if len(np.shape(g)) == 1:
        g = expand_dims(g, axis=1)
    counts = expand_dims(rows[2, :-1] != math.inf, axis=1)
    return where(counts, g * p * (h - sum(h * p, axis=1, keepdims=True)), 0.0)


def _real(a):
    """a in a dtype that the kernels take."""
    return a if a.dtype in (np.float32, np.float64) else a.astype(np.float32)


@op(lambda g, _y, _a, target, ignore_index:
        _put_back(g, target, classes=_a.shape[1], ignore_index=ignore_index),
    None)
def pick(a, target, ignore_index):
    """y (N,) = a[i, target[i]] of each row of a (N, C); 0 in rows to ignore.

    Raises:
        IndexError: if a target is neither ignored nor in 0 to C - 1.
    """
    kernels.refuse_targets(target, a.shape[1], ignore_index)
    rows = np.flatnonzero(target != ignore_index)
    y = np.zeros(len(a), a.dtype)
    y[rows] = a[rows, target[rows]]
    return y


@op(lambda g, _y, _a, target, classes, ignore_index:
        pick(g, target, ignore_index=ignore_index),
    None)
def _put_back(a, target, classes, ignore_index):
    """y (N, C) = zeros with a at the targets: the gradient of `pick`."""
    rows = np.flatnonzero(target != ignore_index)
    y = np.zeros((len(target), classes), a.dtype)
    y[rows, target[rows]] = a[rows]
    return y


# ---- losses of numbers and targets, element by element -------------------------------


@op(lambda g, _y, a, b: g * (2 * (a - b)),
    lambda g, _y, a, b: g * (2 * (b - a)))
def squared_difference(a, b):
    """y = (a - b) ** 2, element by element."""
    d = a - b
    return d * d


@op(lambda g, _y, a, b, delta: g * clip(a - b, -delta, delta),
    lambda g, _y, a, b, delta: g * clip(b - a, -delta, delta))
def huber(a, b, delta):
    """y = d ** 2 / 2 with d = a - b; its tangent where |d| > delta (Huber 1964)."""
    d = np.abs(a - b)
    return np.where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta))


@op(lambda g, _y, a, target: g * (sigmoid(a) - target),
    lambda g, _y, a, _target: -g * a)
def logits_cross_entropy(a, target):
    """y = -(t ln p + (1 - t) ln(1 - p)) with p = sigmoid(a), stable at any a."""
    a = _floating(a)
    return np.maximum(a, 0) - a * target + np.log1p(np.exp(-np.abs(a)))


@op(lambda g, _y, p, target: g * (p - target) / clip(p * (1 - p), 1e-12),
    lambda g, _y, p, _target: g * (_bounded_log(1 - p) - _bounded_log(p)))
def binary_cross_entropy(p, target):
    """y = -(t ln p + (1 - t) ln(1 - p)), each logarithm at least -100.

    Raises:
        RuntimeError: if an element of p or of the target is not in 0 to 1.
    """
    _refuse_outside("input", p)
    _refuse_outside("target", target)
    p = _floating(p)
    with np.errstate(divide="ignore"):
        y = target * np.maximum(np.log(p), -100)
        y += (1 - target) * np.maximum(np.log1p(-p), -100)
    return -y


def _refuse_outside(name, numbers):
    """Raise RuntimeError at the first number that is not in 0 to 1; nan is not."""
    wrong = numbers[~((numbers >= 0) & (numbers <= 1))]
    if wrong.size:
        raise RuntimeError(f"all elements of {name} should be between 0 and 1; got {wrong[0]}. "
                           "For logits use binary_cross_entropy_with_logits")


@op(lambda g, y, a: where(y > -100, g, 0.0) / where(y > -100, a, 1.0))
def _bounded_log(a):
    """y = ln a, at least -100."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(_floating(a)), -100)


@op(lambda g, y, _a, target, margin: g * -target * (y > 0), None)
def hinge(a, target, margin):
    """y = max(0, margin - t a); the gradient at the kink is 0.

    Raises:
        ValueError: if a target is neither 1 nor -1.
    """
    _refuse_no_signs(target)
    return np.maximum(margin - target * a, 0)


@op(lambda g, _y, a, target, margin: g * where(target > 0, 1.0, -1.0 * (a <= margin)), None)
def hinge_embedding(a, target, margin):
    """y = a where the target is 1, max(0, margin - a) where it is -1; at the kink, -1.

    Raises:
        ValueError: if a target is neither 1 nor -1.
    """
    _refuse_no_signs(target)
    return np.where(target > 0, a, np.maximum(margin - a, 0))


def _refuse_no_signs(target):
    """Raise ValueError at the first target that is neither 1 nor -1."""
    wrong = target[np.abs(target) != 1]
    if wrong.size:
        raise ValueError(f"expected targets 1 and -1; got {wrong[0]}. From 0 and 1 they are "
                         "made by 2 * target - 1")


@op(lambda g, _y, _a, target: -g * target,
    lambda g, _y, a, target: g * (log(target) + 1 - a))
def kl_divergence(a, target):
    """y = t (ln t - a), element by element; 0 where t = 0, even if a = -inf."""
    with np.errstate(all="ignore"):
        return np.where(target == 0, 0, target * (np.log(_floating(target)) - a))


@op(lambda g, _y, _a, target: -g * exp(target),
    lambda g, y, _a, target: g * (y + exp(target)))
def log_kl_divergence(a, target):
    """y = e ** t (t - a), element by element; 0 where t = -inf, even if a = -inf."""
    with np.errstate(all="ignore"):
        return np.where(target == -np.inf, 0, np.exp(_floating(target)) * (target - a))

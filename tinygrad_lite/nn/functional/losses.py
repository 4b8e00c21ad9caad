"""Losses as functions; it imports the engine, the ops and the fused ops.

Each compares an input with a target of the same shape, or logits with class ids, and returns
the "mean" of the losses, their "sum", or, for "none", each by itself. Formulas, derivatives
and advice are in docs/losses.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import fused, ops
from ...engine import Node
from ...value import Value

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "check_reduction",
    "cross_entropy", "hinge_embedding_loss", "hinge_loss", "huber_loss", "kl_div", "l1_loss",
    "mse_loss", "nll_loss", "smooth_l1_loss",
]

# ---- distances -------------------------------------------------------------------------


def mse_loss(input: Any, target: Any, *, reduction: str = "mean", weight: Any = None) -> Any:
    """y = (x - t) ** 2, the squared error of each element.

    Args:
        input: x, of any shape.
        target: t, of the same shape; it gets a gradient too if it requires one. Numbers
            that are no Tensor take the dtype of x.
        reduction: "mean" of all elements, their "sum", or "none" for each by itself.
        weight: a factor for each loss, of the same shape; "mean" divides by their sum.

    Raises:
        ValueError: if the shapes differ, where PyTorch broadcasts, which is hardly ever
            meant; or for another `reduction`.
    """
    check_reduction(reduction)
    input, target = _same_shape(input, target)
    return _weighted_mean(fused.squared_difference(input, target), weight, reduction)


def l1_loss(input: Any, target: Any, *, reduction: str = "mean", weight: Any = None) -> Any:
    """y = |x - t|, the absolute error of each element; the gradient at 0 is 0.

    Arguments and errors are those of `mse_loss`.
    """
    check_reduction(reduction)
    input, target = _same_shape(input, target)
    return _weighted_mean(ops.abs(ops.subtract(input, target)), weight, reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0,
               weight: Any = None) -> Any:
    """y = (x - t) ** 2 / 2, but delta (|x - t| - delta / 2) where |x - t| > delta.

    Squared error near the target, and no more than a slope of delta far away, so that
    outliers pull no harder (Huber 1964, Robust estimation of a location parameter).

    Args:
        input, target, reduction: as in `mse_loss`.
        delta: where the parabola ends, above 0.
        weight: a factor for each loss, of the same shape; "mean" divides by their number,
            as PyTorch does here.

    Raises:
        ValueError: as `mse_loss`.
        RuntimeError: if `delta` is not above 0.
    """
    check_reduction(reduction)
    if not delta > 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta; got "
                           f"{delta}")
    input, target = _same_shape(input, target)
    losses = fused.huber(input, target, delta=delta)
    if weight is not None:
        losses = losses * _weights_like(losses, weight)
    return _reduce(losses, reduction)


def smooth_l1_loss(input: Any, target: Any, *, reduction: str = "mean",
                   beta: float = 1.0) -> Any:
    """y = (x - t) ** 2 / (2 beta), but |x - t| - beta / 2 where |x - t| > beta.

    It is `huber_loss` with delta = beta, over beta: far away the slope is 1. With beta = 0
    it is `l1_loss`.

    Raises:
        ValueError: as `mse_loss`.
        RuntimeError: if `beta` is negative.
    """
    if not beta >= 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta; got "
                           f"{beta}")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    return huber_loss(input, target, reduction, beta) / beta


# ---- yes or no -------------------------------------------------------------------------


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, *,
                         reduction: str = "mean") -> Any:
    """y = -(t ln p + (1 - t) ln(1 - p)), each logarithm at least -100.

    With a sigmoid before it, `binary_cross_entropy_with_logits` of the sigmoid's input says
    the same, and is exact where p is near 0 or 1.

    Args:
        input: p, of any shape, between 0 and 1: the predicted probability.
        target: t, of the same shape, between 0 and 1; it gets a gradient too if it requires
            one. Numbers that are no Tensor take the dtype of p.
        weight: a factor for each loss, of a shape that broadcasts to that of p.
        reduction: "mean" of all elements, their "sum", or "none" for each by itself.

    Raises:
        RuntimeError: if an element of p or t is not in 0 to 1, or `weight` does not broadcast.
        ValueError: if the shapes differ, or for another `reduction`.
    """
    check_reduction(reduction)
    input, target = _same_shape(input, target)
    losses = fused.binary_cross_entropy(input, target)
    return _reduce(_times(losses, weight, "weight"), reduction)


def binary_cross_entropy_with_logits(input: Any, target: Any, weight: Any = None, *,
                                     reduction: str = "mean", pos_weight: Any = None) -> Any:
    """y = -(w t ln p + (1 - t) ln(1 - p)) with p = sigmoid(x), for questions of yes or no.

    Without w it is computed as max(x, 0) - x t + ln(1 + e ** -|x|), which is exact for large
    |x| too.

    Args:
        input: x, of any shape: the logit ln(p / (1 - p)) of the predicted probability.
        target: t, of the same shape, between 0 and 1; it gets a gradient too if it requires
            one. Numbers that are no Tensor take the dtype of x.
        weight: a factor for each loss, of a shape that broadcasts to that of x.
        reduction: "mean" of all elements, their "sum", or "none" for each by itself.
        pos_weight: w, of a shape that broadcasts to that of x, such as one number for each
            class; above 1 where a missed yes is worse than a false one.

    Raises:
        ValueError: if the shapes differ, or for another `reduction`.
        RuntimeError: if `weight` or `pos_weight` does not broadcast.
    """
    check_reduction(reduction)
    input, target = _same_shape(input, target)
    if pos_weight is None:
        losses = fused.logits_cross_entropy(input, target)
    else:
        yes = _times(fused.logits_cross_entropy(input, 1.0), pos_weight, "pos_weight")
        no = fused.logits_cross_entropy(input, 0.0)
        losses = target * yes + (1 - target) * no
    return _reduce(_times(losses, weight, "weight"), reduction)


def hinge_loss(input: Any, target: Any, *, margin: float = 1.0, reduction: str = "mean") -> Any:
    """y = max(0, margin - t x): 0 once x is on the right side by the margin.

    The loss of support vector machines (Cortes and Vapnik 1995); PyTorch has none of this
    name. The gradient at the kink is 0.

    Args:
        input: x, of any shape: a score, positive for yes.
        target: t, of the same shape: 1 for yes, -1 for no.
        margin: how far on the right side is enough.
        reduction: "mean" of all elements, their "sum", or "none" for each by itself.

    Raises:
        ValueError: if a target is neither 1 nor -1, the shapes differ, or for another
            `reduction`.
    """
    check_reduction(reduction)
    input, target = _same_shape(input, target)
    return _reduce(fused.hinge(input, target, margin=margin), reduction)


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, *,
                         reduction: str = "mean") -> Any:
    """y = x where t = 1, max(0, margin - x) where t = -1, for distances x of pairs.

    Pairs of a kind (t = 1) are pulled together, others pushed apart up to the margin.

    Args:
        input: x, of any shape.
        target: t, of the same shape: 1 or -1.
        margin: how far apart is enough.
        reduction: "mean" of all elements, their "sum", or "none" for each by itself.

    Raises:
        ValueError: if a target is neither 1 nor -1, where PyTorch adds both cases up; if the
            shapes differ, or for another `reduction`.
    """
    check_reduction(reduction)
    input, target = _same_shape(input, target)
    return _reduce(fused.hinge_embedding(input, target, margin=margin), reduction)


# ---- distributions ---------------------------------------------------------------------


def kl_div(input: Any, target: Any, *, reduction: str = "mean",
           log_target: bool = False) -> Any:
    """y = t (ln t - x), the terms of the Kullback-Leibler divergence of e ** x from t.

    Args:
        input: x, of any shape: logarithms of the predicted probabilities.
        target: t, of the same shape: the true ones; where t = 0 the loss is 0, even if
            x = -inf. It gets a gradient too if it requires one. Numbers that are no Tensor
            take the dtype of x.
        reduction: "batchmean" for the divergence itself, the sum divided by the length of
            the first axis; "mean" of all elements, their "sum", or "none".
        log_target: whether the target holds ln t instead.

    Raises:
        ValueError: if the shapes differ, or for another `reduction`.
    """
    check_reduction(reduction, "batchmean")
    input, target = _same_shape(input, target)
    losses = (fused.log_kl_divergence if log_target else fused.kl_divergence)(input, target)
    if reduction == "batchmean":
        samples = losses.shape[0] if losses.shape else 1
        return ops.sum(losses) / (samples or math.nan)
    return _reduce(losses, reduction)


# ---- classes ---------------------------------------------------------------------------


def cross_entropy(input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100,
                  reduction: str = "mean", label_smoothing: float = 0.0) -> Any:
    """y = -ln softmax(x)[t]: minus the log of the probability that the true class gets.

    For probabilities as targets, y = -sum over the classes of t ln softmax(x).

    Args:
        input: x, of shape (N, C): for each of N samples the logits of C classes; or (C,) for
            one sample, or (N, C, d1, ...) for one answer at each of several places.
        target: t, the id of each sample's class, 0 to C - 1, in any integer dtype, of the
            shape of x without its axis of classes; an array, a Tensor or a list. Or
            probabilities, floats of the shape of x, which get a gradient if they require one.
        weight: a factor for each class, of shape (C,). With class ids, "mean" then divides by
            the sum of the weights of the samples' classes.
        ignore_index: the id of samples that count for nothing, not even in the mean.
        reduction: "mean" of the losses, their "sum", or "none" for each by itself.
        label_smoothing: how much of each target, 0 to 1, is spread evenly over all classes
            (Szegedy et al. 2016, section 7).

    Raises:
        IndexError: if an id is not in 0 to C - 1.
        ValueError: if input and target have different N, `input` has no axis, or for another
            `reduction`.
        RuntimeError: if the target is neither integers nor of the shape of x, has another
            shape than it should, or for `weight` or `label_smoothing` that do not fit.
    """
    check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: "
                           f"{label_smoothing}")
    if not isinstance(input, Node):
        input = np.asarray(input)
    if not isinstance(target, Node):
        target = np.asarray(target)
    if target.dtype.kind == "f" and target.shape == input.shape and target.ndim:
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        soft = target if isinstance(target, Node) else target.astype(input.dtype)
        return _soft_cross_entropy(input, soft, weight, reduction, label_smoothing)
    rows, ids = _rows_and_ids(input, target)
    shape = target.shape if len(input.shape) > 1 else ()
    if weight is None and not label_smoothing:
        losses = fused.cross_entropy(rows, ids, reduction, ignore_index)
        return ops.reshape(losses, shape) if reduction == "none" else losses
    losses = fused.cross_entropy(rows, ids, "none", ignore_index)
    weights = _class_weights(weight, rows.shape[1], rows.dtype)
    factors = fused.factors_of_classes(weights, ids, ignore_index=ignore_index)
    losses = losses * factors
    if label_smoothing:
        even = -ops.sum(ops.log_softmax(rows, axis=1) * weights, axis=1) / rows.shape[1]
        even = ops.where(ids != ignore_index, even, 0.0)
        losses = (1 - label_smoothing) * losses + label_smoothing * even
    return _reduce_classes(losses, factors, reduction, shape)


def nll_loss(input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100,
             reduction: str = "mean") -> Any:
    """y = -x[t]: the negative log-likelihood of the true class.

    After `log_softmax` it is `cross_entropy`, which does both at once.

    Args:
        input: x, the logarithms of the probabilities, shaped as `cross_entropy` has it.
        target, weight, ignore_index, reduction: as in `cross_entropy`, class ids only.

    Raises:
        IndexError, RuntimeError, ValueError: as `cross_entropy`.
    """
    check_reduction(reduction)
    if not isinstance(input, Node):
        input = np.asarray(input)
    if not isinstance(target, Node):
        target = np.asarray(target)
    rows, ids = _rows_and_ids(input, target)
    shape = target.shape if len(input.shape) > 1 else ()
    picked = fused.pick(rows, ids, ignore_index=ignore_index)
    weights = _class_weights(weight, rows.shape[1], rows.dtype)
    factors = fused.factors_of_classes(weights, ids, ignore_index=ignore_index)
    return _reduce_classes(picked * -factors, factors, reduction, shape)


def _soft_cross_entropy(input: Any, target: Any, weight: Any, reduction: str,
                        label_smoothing: float) -> Any:
    """The cross-entropy with probabilities as targets, of the shape of the input."""
    axis = 1 if len(input.shape) > 1 else 0
    classes = input.shape[axis]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    terms = target * ops.log_softmax(input, axis=axis)
    if weight is not None:
        weights = _class_weights(weight, classes, input.dtype)
        terms = terms * weights.reshape(-1, *(1,) * (len(input.shape) - axis - 1))
    return _reduce(-ops.sum(terms, axis=axis), reduction)


def _rows_and_ids(input: Any, ids: Any) -> tuple[Any, Any]:
    """The input as rows of logits (M, C), and a class id for each, (M,)."""
    _check_ids(input.shape, ids)
    shape = input.shape
    if len(shape) > 2:
        input = ops.transpose(input, axes=(0, *range(2, len(shape)), 1))
    if len(shape) != 2:
        input = ops.reshape(input, shape=(ids.size, shape[min(len(shape), 2) - 1]))
    return input, fused.class_ids(ids)


def _check_ids(shape: tuple[int, ...], ids: Any) -> None:
    """Raise unless there is one integer for each place that an input of that shape has."""
    if not shape:
        raise ValueError("expected an input of shape (N, C), (C,) or (N, C, d1, ...); got ()")
    if ids.dtype.kind not in "iu":
        raise RuntimeError("expected class ids of an integer dtype as target, or class "
                           f"probabilities of shape {shape}; got {ids.dtype} of shape "
                           f"{ids.shape}. Convert ids with astype('int64')")
    if len(shape) < 3 and (ids.ndim > 1 or len(shape) == 1 != ids.size):
        raise RuntimeError("0D or 1D target tensor expected, one class id per sample; got "
                           f"shape {ids.shape}. Class probabilities must be floats")
    if len(shape) > 1 and ids.shape[:1] != shape[:1]:
        raise ValueError(f"Expected input batch_size ({shape[0]}) to match target batch_size "
                         f"({ids.shape[0] if ids.ndim else 0}).")
    if len(shape) > 2 and ids.shape != (shape[0], *shape[2:]):
        raise RuntimeError(f"Expected target size {(shape[0], *shape[2:])}, got {ids.shape}")


def _class_weights(weight: Any, classes: int, dtype: Any) -> Any:
    """The constant factor of each class, (C,); ones for None."""
    dtype = dtype if dtype.kind == "f" else np.float32
    if weight is None:
        return np.ones(classes, dtype)
    if isinstance(weight, Node) and weight._requires_grad:
        raise RuntimeError("the weights of classes are constants, and this one requires grad; "
                           "detach() it")
    weights = ops.astype(weight, dtype=dtype) if isinstance(weight, Node) \
        else np.asarray(weight, dtype)
    if weights.shape != (classes,):
        raise RuntimeError(f"weight tensor should be defined either for all {classes} classes "
                           f"or no classes but got weight tensor of shape: {weights.shape}")
    return weights


def _reduce_classes(losses: Any, factors: Any, reduction: str, shape: tuple) -> Any:
    """The losses (M,) in the shape of the target, or their sum, over that of the factors."""
    if reduction == "none":
        return ops.reshape(losses, shape)
    return _sum_over(losses, factors) if reduction == "mean" else ops.sum(losses)


def _sum_over(losses: Any, weights: Any) -> Any:
    """The sum of the losses over that of the weights; nan where these add up to 0."""
    total = ops.sum(weights)
    return ops.sum(losses) / ops.where(total == 0, math.nan, total)


# ---- shapes and reductions -------------------------------------------------------------


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


def check_reduction(reduction: str, *more: str) -> None:
    """Raise ValueError unless `reduction` is one that all losses know, or one of `more`."""
    if reduction not in ("mean", "sum", "none", *more):
        raise ValueError(f"{reduction} is not a valid value for reduction; use 'mean', 'sum' "
                         "or 'none'" + "".join(f", or '{name}'" for name in more))


def _reduce(losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    return ops.mean(losses) if reduction == "mean" else ops.sum(losses)


def _weighted_mean(losses: Any, weight: Any, reduction: str) -> Any:
    """The losses times their weights, reduced; the mean over the sum of the weights."""
    if weight is None:
        return _reduce(losses, reduction)
    weight = _weights_like(losses, weight)
    if reduction != "mean":
        return _reduce(losses * weight, reduction)
    return _sum_over(losses * weight, weight)


def _weights_like(losses: Any, weight: Any) -> Any:
    """The weights as a Tensor or array; ValueError unless there is one for each loss."""
    weight = _numbers_like(losses, weight)
    if weight.shape != losses.shape:
        raise ValueError("Weights and input must have the same size; got weights of shape "
                         f"{weight.shape} for an input of shape {losses.shape}")
    return weight


def _times(losses: Any, factor: Any, name: str) -> Any:
    """The losses times a factor, if there is one, that broadcasts to their shape."""
    if factor is None:
        return losses
    factor = _numbers_like(losses, factor)
    lead = len(losses.shape) - len(factor.shape)
    if lead < 0 or any(n not in (1, m) for n, m in zip(factor.shape, losses.shape[lead:])):
        raise RuntimeError(f"{name} must broadcast to the input's shape {losses.shape}; got "
                           f"shape {factor.shape}")
    return losses * factor


def _numbers_like(losses: Any, numbers: Any) -> Any:
    """Numbers that are no Tensor as an array of the dtype of the losses."""
    return numbers if isinstance(numbers, Node) else np.asarray(numbers, losses.dtype)

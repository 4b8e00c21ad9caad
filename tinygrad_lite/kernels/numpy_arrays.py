"""Kernel bodies in NumPy: a whole array at a time. The reference that tests compare with.

A body updates all but the gradient ``g`` in place. Names, arguments and the order of lines
and of arithmetic are those of python_loops.py and of csrc/optimizer_loops.h; the formulas
and their sources are in csrc/kernels.h. C and NumPy agree to the last bit: a product of a
Python float and an array rounds the float to the array's type first, as the C does.
"""

from math import sqrt

import numpy as np

from .batchnorm.numpy_arrays import batch_norm, batch_norm_slopes, normalize
from .buffers import (
    checked,
    checked_logits,
    plain_scalars,
    refuse_targets,
)
from .convolution.numpy_arrays import col2im, im2col
from .pooling.numpy_arrays import average, gather, max_pool, scatter, spread

__all__ = [
    "adagrad", "adam", "average", "batch_norm", "batch_norm_slopes", "col2im",
    "cross_entropy", "gather", "im2col", "max_pool", "momentum", "normalize", "scatter",
    "sgd", "sgd_momentum", "spread", "update",
]


def update(
    kernel: str,
    columns: list[list[np.ndarray]],
    scalars: dict[str, float],
    cache: dict,
) -> None:
    """Update a group of tensors in place by one step of ``kernel``.

    Every body module has this function, with the same arguments and the same checks.

    Args:
        kernel: a name in `tinygrad_lite.kernels.KERNELS`.
        columns: one list of arrays for each array letter of the kernel (w, g, then state).
            Tensor k is ``columns[0][k]``, ``columns[1][k]``, ...: arrays of one shape. All
            are float32 or all float64. The gradients, ``columns[1]``, are only read.
        scalars: numbers by name, at least those that the kernel's row of the table names.
        cache: a dict that belongs to the caller, one for each group of tensors, empty at
            first. It keeps what was checked, so that only new arrays are checked again. It
            also keeps the arrays of the last call alive. Not to be shared by threads.

    Raises:
        TypeError: something is no array, or has another dtype or byte order.
        ValueError: unknown kernel; shapes or counts differ; an array is misaligned; one to
            be written is read-only, not C-contiguous, or overlaps another.
        KeyError: a scalar is missing.
        Whatever is raised, no array was changed.
    """
    group = checked(kernel, columns, cache)
    numbers = plain_scalars(kernel, scalars)
    body = globals()[kernel]
    with np.errstate(all="ignore"):  # inf and NaN flow on silently, as they do in C
        for arrays in zip(*group.columns, strict=True):
            body(*arrays, *numbers)


def direction(w, g, weight_decay, maximize):
    """d: the gradient, negated to maximize, plus L2 weight decay."""
    d = -g if maximize else g
    return d + weight_decay * w if weight_decay else d


def sgd(w, g, lr, weight_decay, maximize):
    """w = w - lr * d"""
    d = direction(w, g, weight_decay, maximize)
    w[...] = w - lr * d


def sgd_momentum(w, g, b, lr, momentum, dampening, nesterov, weight_decay, maximize):
    """b = momentum * b + (1 - dampening) * d, then a step along b, or ahead of it"""
    d = direction(w, g, weight_decay, maximize)
    b[...] = momentum * b + (1 - dampening) * d
    w[...] = w - lr * (d + momentum * b if nesterov else b)


def momentum(w, g, v, lr, momentum, weight_decay, maximize):
    """v = momentum * v - lr * d, then w = w + v"""
    d = direction(w, g, weight_decay, maximize)
    v[...] = momentum * v - lr * d
    w[...] = w + v


def adagrad(w, g, s, lr, eps, weight_decay, maximize):
    """s = s + d * d, then w = w - lr * d / (sqrt(s) + eps)"""
    d = direction(w, g, weight_decay, maximize)
    s[...] = s + d * d
    w[...] = w - lr * d / (np.sqrt(s) + eps)


def adam(w, g, m, v, lr, beta1, beta2, eps, weight_decay, maximize, c1, c2):
    """Running means m of d and v of d * d, then w = w - lr/c1 * m / (sqrt(v)/sqrt(c2) + eps)"""
    rate = lr / c1
    root = sqrt(c2)
    d = direction(w, g, weight_decay, maximize)
    m[...] = beta1 * m + (1 - beta1) * d
    v[...] = beta2 * v + (1 - beta2) * d * d
    w[...] = w - rate * m / (np.sqrt(v) / root + eps)


def cross_entropy(a, target):
    """Cross-entropy of logits with class ids, and its gradient.

    Args:
        a: logits, float32 or float64, of shape (n, c).
        target: class ids from 0 to c - 1, integers, of shape (n,).

    Returns:
        losses = ln(sum of e^a over the classes) - a[target], of shape (n,), and
        d = softmax(a) - onehot(target), of shape (n, c); both in the dtype of ``a``.

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes.
        IndexError: an id is out of range.
    """
    a, target = checked_logits(a, target)
    refuse_targets(target, a.shape[1])
    rows = np.arange(len(a))
    with np.errstate(all="ignore"):  # inf and NaN flow on silently, as they do in C
        d = a - a.max(axis=1, keepdims=True)
        losses = -d[rows, target]
        d = np.exp(d)
        total = d.sum(axis=1)
        losses = losses + np.log(total)
        d = d / total[:, None]
        d[rows, target] -= 1
    return losses, d

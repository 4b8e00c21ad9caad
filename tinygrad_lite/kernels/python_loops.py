"""Kernel bodies in plain Python, as a textbook writes them: one element at a time.

A body takes flat lists of floats and updates all but the gradient ``g`` in place. Names,
arguments and the order of lines are those of numpy_arrays.py and of csrc/optimizer_loops.h;
the formulas and their sources are in csrc/kernels.h. Python computes in double throughout,
so a float32 result differs from C's in its last digits. A division by 0, which is inf or NaN
in C (``eps`` = 0 and a gradient that was always 0), raises ZeroDivisionError.
"""

from math import exp, log, sqrt

import numpy as np

from .batchnorm.python_loops import batch_norm, batch_norm_slopes, normalize
from .buffers import (
    checked,
    checked_logits,
    plain_scalars,
    refuse_targets,
)
from .convolution.python_loops import col2im, im2col
from .pooling.python_loops import average, gather, max_pool, scatter, spread

__all__ = [
    "adagrad", "adam", "average", "batch_norm", "batch_norm_slopes", "col2im",
    "cross_entropy", "gather", "im2col", "max_pool", "momentum", "normalize", "scatter",
    "sgd", "sgd_momentum", "spread", "update",
]


def update(kernel, columns, scalars, cache):
    """Update a group of tensors in place; see `tinygrad_lite.kernels.numpy_arrays.update`.

    All tensors are computed before the first one is written.
    """
    group = checked(kernel, columns, cache)
    numbers = plain_scalars(kernel, scalars)
    body = globals()[kernel]
    results = []
    for arrays in zip(*group.columns, strict=True):
        lists = [array.ravel().tolist() for array in arrays]
        body(*lists, *numbers)
        results.append((arrays, lists))
    for arrays, lists in results:
        write_back(arrays, lists)


def write_back(arrays, lists):
    """Copy the lists into the arrays, all but ``g``; what float32 cannot hold becomes inf."""
    w, _, *state = arrays
    new_w, _, *new_state = lists
    with np.errstate(over="ignore"):
        for array, values in zip([w, *state], [new_w, *new_state], strict=True):
            array.reshape(-1)[:] = values


def direction(w, g, weight_decay, maximize):
    """d for one element: the gradient, negated to maximize, plus L2 weight decay."""
    d = -g if maximize else g
    return d + weight_decay * w if weight_decay else d


def sgd(w, g, lr, weight_decay, maximize):
    """w = w - lr * d"""
    for i in range(len(w)):
        d = direction(w[i], g[i], weight_decay, maximize)
        w[i] = w[i] - lr * d


def sgd_momentum(w, g, b, lr, momentum, dampening, nesterov, weight_decay, maximize):
    """b = momentum * b + (1 - dampening) * d, then a step along b, or ahead of it"""
    for i in range(len(w)):
        d = direction(w[i], g[i], weight_decay, maximize)
        b[i] = momentum * b[i] + (1 - dampening) * d
        w[i] = w[i] - lr * (d + momentum * b[i] if nesterov else b[i])


def momentum(w, g, v, lr, momentum, weight_decay, maximize):
    """v = momentum * v - lr * d, then w = w + v"""
    for i in range(len(w)):
        d = direction(w[i], g[i], weight_decay, maximize)
        v[i] = momentum * v[i] - lr * d
        w[i] = w[i] + v[i]


def adagrad(w, g, s, lr, eps, weight_decay, maximize):
    """s = s + d * d, then w = w - lr * d / (sqrt(s) + eps)"""
    for i in range(len(w)):
        d = direction(w[i], g[i], weight_decay, maximize)
        s[i] = s[i] + d * d
        w[i] = w[i] - lr * d / (sqrt(s[i]) + eps)


def adam(w, g, m, v, lr, beta1, beta2, eps, weight_decay, maximize, c1, c2):
    """Running means m of d and v of d * d, then w = w - lr/c1 * m / (sqrt(v)/sqrt(c2) + eps)"""
    rate = lr / c1
    root = sqrt(c2)
    for i in range(len(w)):
        d = direction(w[i], g[i], weight_decay, maximize)
        m[i] = beta1 * m[i] + (1 - beta1) * d
        v[i] = beta2 * v[i] + (1 - beta2) * d * d
        w[i] = w[i] - rate * m[i] / (sqrt(v[i]) / root + eps)


def cross_entropy(a, target):
    """Losses and gradient; see `tinygrad_lite.kernels.numpy_arrays.cross_entropy`."""
    a, target = checked_logits(a, target)
    refuse_targets(target, a.shape[1])
    losses = np.empty(len(a), a.dtype)
    d = np.empty_like(a)
    for i, (row, t) in enumerate(zip(a.tolist(), target.tolist(), strict=True)):
        losses[i], d[i] = cross_entropy_of_row(row, t)
    return losses, d


def cross_entropy_of_row(row, t):
    """ln(sum of e^a) - a[t], and softmax(a) - onehot(t), for one list of logits a"""
    peak = max(row)
    d = [x - peak for x in row]
    loss = -d[t]
    d = [exp(x) for x in d]
    total = sum(d)
    loss = loss + log(total)
    d = [x / total for x in d]
    d[t] -= 1
    return loss, d

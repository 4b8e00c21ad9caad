"""Batch normalization as one op; it imports the engine, the kernels, the ops and NumPy.

Numbers are (n, c, ...): channels are axis 1, and what stands behind them is one axis for the
kernels. Arrays of one number per channel are (c,).
"""

from __future__ import annotations

import math

import numpy as np

from .. import kernels
from ..engine import op
from ..ops import getitem, reshape, sqrt, sum

__all__ = ["batch_norm", "moments", "track_moments"]


@op(None)
def moments(x):
    """y = the mean of each channel of x, and its variance: (2, c); no gradient.

    That they depend on x is the business of `batch_norm`, whose gradient for x knows it.
    """
    return kernels.body().moments(_rows(x))


def _gradients(g, _y, x, w, _b, mean, var, eps, training):
    """dx, dw and db, in one sweep over g and x; nothing for the moments."""
    slopes = _slopes(g, x, w, mean, var, eps=eps, training=training)
    return (*_parts(slopes, x), None, None).__getitem__


@op(each=_gradients)
def batch_norm(x, w, b, mean, var, eps, training):  # noqa: ARG001  # the rule reads it
    """y = (x - mean) * w / sqrt(var + eps) + b, channel by channel.

    `training` says that mean and var are the moments of x and change with it; otherwise they
    are constants.
    """
    x3 = _rows(x)
    return kernels.body().batch_norm(x3, *_like(x3, w, b, mean, var), eps).reshape(x.shape)


def _gradients_of_slopes(a, _y, g, x, w, mean, var, eps, training):
    """The gradients for g, x and w, given a, which is laid out as the slopes are.

    Plain ops, also for the moments of x, so that they can be differentiated again. With
    P(t) = t - mean(t) - h mean(t h), which leaves t as it is unless `training`:
    dx = w r P(g), dw = sum(g h), db = sum(g); and h changes with x by r P.
    """
    axes = (0, *range(2, len(x.shape)))
    m = max(x.shape[0] * math.prod(x.shape[2:]), 1)

    def total(t):
        return sum(t, axis=axes, keepdims=True)

    def projected(t):
        return t - total(t) / m - h * (total(t * h) / m) if training else t

    w, mean, var = (_beside(t, x) for t in (w, mean, var))
    if training:
        mean = total(x) / m
        var = total((x - mean) * (x - mean)) / m
    r = 1 / sqrt(var + eps)
    h = (x - mean) * r
    ax, aw, ab = _parts(a, x)
    aw, ab = _beside(aw, x), _beside(ab, x)

    def gradient(i):
        if i == 0:
            return w * r * projected(ax) + aw * h + ab
        share = r * total(ax * projected(g))
        if i == 2:
            return reshape(share, (x.shape[1],))
        slope = aw * g
        if not training:
            return r * slope
        slope = slope - w * r * (g * total(ax * h) + ax * total(g * h)) / m
        return r * projected(slope) - w * r * share * h / m

    return lambda i: gradient(i) if i < 3 else None


@op(each=_gradients_of_slopes)
def _slopes(g, x, w, mean, var, eps, training):
    """y = dx, dw and db of `batch_norm`, flat and one after another, in one array."""
    x = _rows(x)
    w, mean, var = _like(x, w, mean, var)
    g = np.asarray(_rows(g), x.dtype)
    return kernels.body().batch_norm_slopes(g, x, w, mean, var, eps, training)


def _parts(slopes, x):
    """The parts of what `_slopes` returns: dx, dw, db."""
    size, c = math.prod(x.shape), x.shape[1]
    return (reshape(getitem(slopes, index=slice(size)), x.shape),
            getitem(slopes, index=slice(size, size + c)),
            getitem(slopes, index=slice(size + c, None)))


@op(None, None, None, None)
def track_moments(mean, var, batches, found, size, momentum):
    """Let running moments follow those `found` in a batch of `size` numbers per channel.

    mean, var (c,) and batches () are changed in place; what a graph saved of them is
    outdated. With the share s = momentum, or 1 / batches if that is None:
    batches = batches + 1, mean = (1 - s) * mean + s * found[0], and var likewise, with the
    unbiased variance. A batch without numbers only counts.

    Returns:
        mean.
    """
    if batches is not None:
        batches[...] += 1
    share = 1 / batches if momentum is None else momentum
    if size:
        mean[...] = (1 - share) * mean + share * found[0]
        var[...] = (1 - share) * var + share * size / max(size - 1, 1) * found[1]
    return mean


def _rows(x):
    """x as (n, c, s), in a dtype that the kernels take."""
    if x.dtype not in (np.float32, np.float64):
        x = x.astype(np.float32)
    return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


def _like(x, *channels):
    """Arrays of one number per channel in the dtype of x."""
    return [t if t.dtype == x.dtype else t.astype(x.dtype) for t in channels]


def _beside(t, x):
    """One number per channel with axes of length 1, so that it meets x."""
    return reshape(t, (1, -1) + (1,) * (len(x.shape) - 2))

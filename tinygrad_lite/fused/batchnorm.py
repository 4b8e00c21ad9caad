"""Batch normalization as one op; it imports the engine, the kernels, the ops and NumPy.

Numbers are (n, c, ...): channels are axis 1. Arrays of one number per channel are (c,).

An op has one result. What else its kernel finds in the same sweep goes into arrays that it is
given: `found`, two arrays for mean and variance, and `dw` and `db`.
"""

from __future__ import annotations

import math

import numpy as np

from .. import kernels
from ..engine import op
from ..ops import broadcast_to, reshape, sqrt, sum

__all__ = ["batch_norm", "normalize"]


def _gradients(g, x, w, mean, var, eps, training):
    """dx, dw and db, in one sweep over g and x; nothing for what stands behind them."""
    dtype = np.float64 if x.dtype == np.float64 else np.float32
    dw, db = np.empty(x.shape[1], dtype), np.empty(x.shape[1], dtype)
    dx = _input_slope(g, x, w, mean, var, dw=dw, db=db, eps=eps, training=training)

    def gradient(i):
        if i == 0:
            return dx
        if i == 1:
            return _weight_slope(g, x, mean, var, dw=dw, eps=eps, training=training)
        return _bias_slope(g, db=db) if i == 2 else None

    return gradient


@op(each=lambda g, _y, x, w, _b, *_running, found, eps, momentum:
        _gradients(g, x, w, found[0], found[1], eps, True))
def batch_norm(x, w, b, mean, var, batches, found, eps, momentum):
    """y = (x - the mean of x) * w / sqrt(the variance of x + eps) + b, channel by channel.

    mean, var (c,) and batches () are the running ones, or None; they are changed in place.
    With the share s = momentum, or 1 / batches if that is None: batches = batches + 1,
    mean = (1 - s) * mean + s * found[0], and var likewise, with the unbiased variance. A
    batch without numbers only counts. `found` is filled with mean and variance of x.
    """
    x = _real(x)
    running = () if mean is None else _like(x, mean, var)
    share = 0.0
    if running:
        share = 1 / (float(batches) + 1) if momentum is None else momentum
    y = kernels.body().batch_norm(x, *_like(x, w, b), running, found, eps, share)
    for old, new in zip((mean, var), running):
        if old is not new:
            old[...] = new
    if batches is not None:
        batches += 1
    return y


@op(each=lambda g, _y, x, w, _b, mean, var, eps: _gradients(g, x, w, mean, var, eps, False))
def normalize(x, w, b, mean, var, eps):
    """y = (x - mean) * w / sqrt(var + eps) + b, channel by channel, with constant moments."""
    x = _real(x)
    return kernels.body().normalize(x, *_like(x, w, b, mean, var), eps)


# Both rules below are of plain ops, also for the moments of x, so that they can be
# differentiated again. With h = (x - mean) r and P(t) = t - mean(t) - h mean(t h), or P(t) = t
# where the moments are constants: dx = w r P(g), dw = sum(g h); and h changes with x by r P.


class _Channels:
    """What the rules need to know of x: r, h, P, and sums over channels that keep axes."""

    def __init__(self, x, mean, var, eps, training):
        self.training = training
        self.axes = (0, *range(2, len(x.shape)))
        self.m = max(x.shape[0] * math.prod(x.shape[2:]), 1)
        mean, var = _beside(mean, x), _beside(var, x)
        if training:
            mean = self.mean(x)
            var = self.mean((x - mean) * (x - mean))
        self.r = 1 / sqrt(var + eps)
        self.h = (x - mean) * self.r

    def mean(self, t):
        """The mean of each channel."""
        return sum(t, axis=self.axes, keepdims=True) / self.m

    def projected(self, t):
        """P(t)."""
        return t - self.mean(t) - self.h * self.mean(t * self.h) if self.training else t


def _rule_of_input_slope(a, _y, g, x, w, mean, var, dw, db, eps, training):  # noqa: ARG001
    of = _Channels(x, mean, var, eps, training)
    scale = _beside(w, x) * of.r

    def gradient(i):
        if i == 0:
            return scale * of.projected(a)
        share = of.r * of.mean(a * of.projected(g))
        if i == 2:
            return reshape(share * of.m, (x.shape[1],))
        if i > 2 or not training:
            return None
        slope = g * of.mean(a * of.h) + a * of.mean(g * of.h)
        return -scale * (of.r * of.projected(slope) + share * of.h)

    return gradient


@op(each=_rule_of_input_slope)
def _input_slope(g, x, w, mean, var, dw, db, eps, training):
    """dx of `batch_norm` or, unless `training`, of `normalize`; fills dw and db."""
    x = _real(x)
    g, w, mean, var = _like(x, g, w, mean, var)
    return kernels.body().batch_norm_slopes(g, x, w, mean, var, dw, db, eps, training)


def _rule_of_weight_slope(a, _y, g, x, mean, var, dw, eps, training):  # noqa: ARG001
    of = _Channels(x, mean, var, eps, training)
    a = _beside(a, x)
    return lambda i: (a * of.h if i == 0 else
                      of.r * of.projected(a * g) if i == 1 else None)


@op(each=_rule_of_weight_slope)
def _weight_slope(g, x, mean, var, dw, eps, training):  # noqa: ARG001  # the rule reads them
    """y = sum(g h) in each channel, which `_input_slope` has put into dw."""
    return dw


@op(lambda a, _y, _g, db: broadcast_to(_beside(a, _g), _g.shape))
def _bias_slope(g, db):  # noqa: ARG001  # the rule reads it
    """y = sum(g) in each channel, which `_input_slope` has put into db."""
    return db


def _beside(t, x):
    """An array (c,) with axes of length 1, so that it meets x."""
    return reshape(t, (1, -1) + (1,) * (len(x.shape) - 2))


def _real(x):
    """x in a dtype that the kernels take."""
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float32)


def _like(x, *arrays):
    """Other arrays in the dtype of x."""
    return tuple([t if t.dtype == x.dtype else t.astype(x.dtype) for t in arrays])

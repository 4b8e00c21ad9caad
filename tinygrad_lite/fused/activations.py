"""Activations as one op each, and erf; it imports the engine, the ops and NumPy.

NumPy's `where` and boolean indices take up to ten times as long as arithmetic does, so
a choice between two branches is made by arithmetic where that is exact.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from ..engine import op
from ..ops import _floating, clip, exp, sigmoid, where

__all__ = ["elu", "erf", "gelu", "gelu_tanh", "hardtanh", "leaky_relu", "silu", "softplus",
           "step"]

# ---- straight on either side of a kink -------------------------------------------------


@op(None)
def step(a, below, above):
    """y = above where a > 0, else below; no gradient."""
    a = np.asarray(a)
    return np.array([below, above], a.dtype).take((a > 0).view(np.uint8))


@op(lambda g, _y, a, negative_slope: g * step(a, negative_slope, 1))
def leaky_relu(a, negative_slope=0.01):
    """y = a where a > 0, else negative_slope a; the gradient at 0 is negative_slope."""
    a = _floating(a)
    return a * step(a, negative_slope, 1)


@op(lambda g, _y, a, min_val, max_val: g * ((a > min_val) * (a < max_val)))
def hardtanh(a, min_val=-1.0, max_val=1.0):
    """y = a held between min_val and max_val; the gradient on the bounds is 0."""
    return np.clip(a, min_val, max_val)


# ---- made of exponentials --------------------------------------------------------------


# below 0 the slope is alpha e^a; above, e^0 stands for the 1
@op(lambda g, _y, a, alpha, scale:
        g * (exp(clip(a, max=0)) * step(a, alpha * scale, scale)))
def elu(a, alpha=1.0, scale=1.0):
    """y = scale a where a > 0, else scale alpha (e^a - 1); the slope at 0 is that below."""
    a = _floating(a)
    low = np.expm1(np.minimum(a, 0))
    low *= scale * alpha
    return np.maximum(a, 0) * scale + low


@op(lambda g, _y, a, beta, threshold:
        where(beta * a > threshold, g, g * sigmoid(beta * a)))
def softplus(a, beta=1.0, threshold=20.0):
    """y = ln(1 + e^(beta a)) / beta, and a itself where beta a > threshold."""
    a = _floating(a)
    z = beta * a
    y = np.log1p(np.exp(-np.abs(z)))
    y += np.maximum(z, 0)
    y /= beta
    return where(z > threshold, a, y)


# The functions below are a times a weight that goes from 0 to 1, which floats reach within
# these bounds. Beyond them a is held, since the 0 times inf of the formula would be nan.
_FAR = 1000.0
_FAR_FOR_GELU = 40.0


def _silu_slope(a):
    """s + a s (1 - s), with s = sigmoid(a)."""
    a = clip(a, -_FAR, _FAR)
    s = sigmoid(a)
    return s + a * s * (1 - s)


@op(lambda g, _y, a: g * _silu_slope(a))
def silu(a):
    """y = a sigmoid(a)."""
    a = _floating(a)
    return np.maximum(a, -_FAR) * sigmoid(a)


def _gelu_slope(a):
    """Phi(a) + a Phi'(a), where Phi' is the density of the standard normal distribution."""
    a = clip(a, -_FAR_FOR_GELU, _FAR_FOR_GELU)
    return _normal(a) + a * exp(-0.5 * a * a) * (1 / math.sqrt(2 * math.pi))


def _normal(a):
    """Phi(a): the probability that a standard normal number is less than a."""
    return 0.5 + 0.5 * erf(a * math.sqrt(0.5))


@op(lambda g, _y, a: g * _gelu_slope(a))
def gelu(a):
    """y = a Phi(a), where Phi is the standard normal distribution function."""
    a = _floating(a)
    return np.maximum(a, -_FAR_FOR_GELU) * _normal(a)


# 1/2 (1 + tanh(u)) is sigmoid(2 u), which is exact in its tail too
_TWICE_ROOT = 2 * math.sqrt(2 / math.pi)
_CUBIC = 0.044715


def _gelu_tanh_slope(a):
    """s + a s (1 - s) times the derivative of what s is the sigmoid of."""
    a = clip(a, -_FAR_FOR_GELU, _FAR_FOR_GELU)
    square = a * a
    s = sigmoid(_TWICE_ROOT * a * (1 + _CUBIC * square))
    return s + a * s * (1 - s) * (_TWICE_ROOT * (1 + 3 * _CUBIC * square))


@op(lambda g, _y, a: g * _gelu_tanh_slope(a))
def gelu_tanh(a):
    """y = a/2 (1 + tanh(sqrt(2/pi) (a + 0.044715 a^3))), close to `gelu`."""
    a = _floating(a)
    held = np.clip(a, -_FAR_FOR_GELU, _FAR_FOR_GELU)
    s = sigmoid(_TWICE_ROOT * held * (1 + _CUBIC * held * held))
    return np.maximum(a, -_FAR_FOR_GELU) * s


# ---- erf -------------------------------------------------------------------------------

_NODES_PER_UNIT = 256
_LAST_NODE = 6      # behind it, erf is 1 in float64
_TERMS = {np.dtype(np.float32): 4, np.dtype(np.float64): 7}
_BLOCK = 1 << 14    # elements whose intermediate results stay in the cache


@op(lambda g, _y, a: g * (2 / math.sqrt(math.pi) * exp(-a * a)))
def erf(a):
    """y = 2/sqrt(pi) times the integral of e^(-t^2) from 0 to a.

    The Taylor series around the nearest of many nodes: within 1 unit in the last place in
    float64, within 2.2 in float32.
    """
    a = np.asarray(_floating(a))
    kind = np.dtype(np.float64 if a.dtype.itemsize > 4 else np.float32)
    flat = a.astype(kind, copy=False).reshape(-1)
    y = np.empty_like(flat)
    for start in range(0, flat.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        y[block] = _erf_near_nodes(flat[block], _series_of_erf(kind))
    return y.reshape(a.shape).astype(a.dtype, copy=False)[()]


def _erf_near_nodes(a, series):
    """The polynomial of the node next to each a, by Horner's rule; nan for nan."""
    a = np.clip(a, -_LAST_NODE, _LAST_NODE)
    node = np.rint(a * _NODES_PER_UNIT)
    h = a - node / _NODES_PER_UNIT
    with np.errstate(invalid="ignore"):
        node = (node + _LAST_NODE * _NODES_PER_UNIT).astype(np.intp)
    y = series[-1].take(node, mode="clip")
    for coefficients in series[-2::-1]:
        y *= h
        y += coefficients.take(node, mode="clip")
    return y


@cache
def _series_of_erf(kind):
    """Row n holds the coefficient of h^n in erf(c + h), for every node c.

    With d_0 = erf'(c) = 2/sqrt(pi) e^(-c^2), the higher derivatives are
    d_n+1 = -2 (c d_n + n d_n-1) (Abramowitz and Stegun 1964, 7.1.19 and 22.7.13).
    """
    edge = _LAST_NODE * _NODES_PER_UNIT
    c = np.arange(-edge, edge + 1) / _NODES_PER_UNIT
    series = [np.array([math.erf(x) for x in c])]
    before, d = np.zeros_like(c), 2 / math.sqrt(math.pi) * np.exp(-c * c)
    for n in range(1, _TERMS[kind]):
        series.append(d / math.factorial(n))
        before, d = d, -2 * (c * d + (n - 1) * before)
    return np.array(series, kind)

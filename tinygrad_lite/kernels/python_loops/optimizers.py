"""The optimizers in plain Python, as a textbook writes them: one element at a time.

A body takes flat lists of floats and updates all but the gradient ``g`` in place. Names,
arguments and the order of lines are those of numpy_arrays/optimizers.py and of
csrc/optimizer_loops.h; the formulas and their sources are in csrc/kernels.h. Python computes
in double throughout, so a float32 result differs from C's in its last digits. Python raises
ZeroDivisionError where C gives inf or NaN; update.py then calls a body again with numbers of
NumPy's, which do as C does.
"""

import math
from math import isnan

__all__ = ["adadelta", "adagrad", "adam", "momentum", "rmsprop", "sgd"]


def direction(w, g, weight_decay, maximize):
    """d for one element: the gradient, negated to maximize, plus L2 weight decay."""
    d = -g if maximize else g
    return d + weight_decay * w if weight_decay else d


def sgd(w, g, b, lr, momentum, dampening, nesterov, weight_decay, maximize):
    """b = momentum * b + (1 - dampening) * d, then a step along b, or ahead of it"""
    for i in range(len(w)):
        d = direction(w[i], g[i], weight_decay, maximize)
        step = d
        if b is not None:
            b[i] = momentum * b[i] + (1 - dampening) * d
            step = d + momentum * b[i] if nesterov else b[i]
        w[i] = w[i] - lr * step


def momentum(w, g, v, lr, momentum, nesterov, weight_decay, maximize):
    """v = momentum * v - lr * d, then w = w + v, or w + what v will be next"""
    for i in range(len(w)):
        d = direction(w[i], g[i], weight_decay, maximize)
        v[i] = momentum * v[i] - lr * d
        w[i] = w[i] + (momentum * v[i] - lr * d if nesterov else v[i])


def adagrad(w, g, s, lr, inside, outside, weight_decay, maximize):
    """s = s + d * d, then w = w - lr * d / (sqrt(s + inside) + outside)"""
    for i in range(len(w)):
        d = direction(w[i], g[i], weight_decay, maximize)
        s[i] = s[i] + d * d
        w[i] = w[i] - lr * d / (sqrt(s[i] + inside) + outside)


def adadelta(w, g, s, u, lr, rho, eps, weight_decay, maximize):
    """Running means s of d * d and u of squared steps; a step is sqrt(u) / sqrt(s) * d"""
    for i in range(len(w)):
        d = direction(w[i], g[i], weight_decay, maximize)
        s[i] = rho * s[i] + (1 - rho) * d * d
        d = sqrt((u[i] + eps) / (s[i] + eps)) * d
        u[i] = rho * u[i] + (1 - rho) * d * d
        w[i] = w[i] - lr * d


def rmsprop(w, g, s, a, b, lr, alpha, inside, outside, momentum, weight_decay, maximize):
    """Running means s of d * d and a of d, then a step along d / (sqrt(s - a * a) + eps)"""
    for i in range(len(w)):
        d = direction(w[i], g[i], weight_decay, maximize)
        s[i] = alpha * s[i] + (1 - alpha) * d * d
        spread = s[i]
        if a is not None:
            a[i] = alpha * a[i] + (1 - alpha) * d
            spread = s[i] - a[i] * a[i]
        d = d / (sqrt(spread + inside) + outside)
        if b is not None:
            b[i] = momentum * b[i] + d
            d = b[i]
        w[i] = w[i] - lr * d


def adam(w, g, m, v, x, lr, beta1, beta2, eps, weight_decay, shrink, maximize, c1, c2):
    """Running means m of d and v of d * d, then w = w - lr/c1 * m / (sqrt(v)/sqrt(c2) + eps)"""
    rate = lr / c1
    scale = 1 / sqrt(c2)
    for i in range(len(w)):
        d = direction(w[i], g[i], weight_decay, maximize)
        m[i] = beta1 * m[i] + (1 - beta1) * d
        v[i] = beta2 * v[i] + (1 - beta2) * d * d
        top = v[i]
        if x is not None:
            top = larger(x[i], v[i])
            x[i] = top
        w[i] = shrink * w[i] - rate * m[i] / (sqrt(top) * scale + eps)


def larger(a, b):
    """The larger of two; NaN if one of them is."""
    return a if a >= b or isnan(a) else b


def sqrt(x):
    """The square root; NaN of a number below 0, as in C."""
    return math.sqrt(x) if x >= 0 else math.nan

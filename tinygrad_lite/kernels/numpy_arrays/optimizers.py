"""The optimizers in NumPy, a whole array at a time. The reference that tests compare with.

A body updates all but the gradient ``g`` in place. Names, arguments and the order of lines
and of arithmetic are those of python_loops/optimizers.py and of csrc/optimizer_loops.h; the
formulas and their sources are in csrc/kernels.h. C and NumPy agree to the last bit: a product
of a Python float and an array rounds the float to the array's type first, as the C does.
"""

from math import sqrt

import numpy as np

__all__ = ["adadelta", "adagrad", "adam", "momentum", "rmsprop", "sgd"]


def direction(w, g, weight_decay, maximize):
    """d: the gradient, negated to maximize, plus L2 weight decay."""
    d = -g if maximize else g
    return d + weight_decay * w if weight_decay else d


def sgd(w, g, b, lr, momentum, dampening, nesterov, weight_decay, maximize):
    """b = momentum * b + (1 - dampening) * d, then a step along b, or ahead of it"""
    d = direction(w, g, weight_decay, maximize)
    step = d
    if b is not None:
        b[...] = momentum * b + (1 - dampening) * d
        step = d + momentum * b if nesterov else b
    w[...] = w - lr * step


def momentum(w, g, v, lr, momentum, nesterov, weight_decay, maximize):
    """v = momentum * v - lr * d, then w = w + v, or w + what v will be next"""
    d = direction(w, g, weight_decay, maximize)
    v[...] = momentum * v - lr * d
    w[...] = w + (momentum * v - lr * d if nesterov else v)


def adagrad(w, g, s, lr, inside, outside, weight_decay, maximize):
    """s = s + d * d, then w = w - lr * d / (sqrt(s + inside) + outside)"""
    d = direction(w, g, weight_decay, maximize)
    s[...] = s + d * d
    w[...] = w - lr * d / (np.sqrt(s + inside) + outside)


def adadelta(w, g, s, u, lr, rho, eps, weight_decay, maximize):
    """Running means s of d * d and u of squared steps; a step is sqrt(u) / sqrt(s) * d"""
    d = direction(w, g, weight_decay, maximize)
    s[...] = rho * s + (1 - rho) * d * d
    d = np.sqrt((u + eps) / (s + eps)) * d
    u[...] = rho * u + (1 - rho) * d * d
    w[...] = w - lr * d


def rmsprop(w, g, s, a, b, lr, alpha, inside, outside, momentum, weight_decay, maximize):
    """Running means s of d * d and a of d, then a step along d / (sqrt(s - a * a) + eps)"""
    d = direction(w, g, weight_decay, maximize)
    s[...] = alpha * s + (1 - alpha) * d * d
    spread = s
    if a is not None:
        a[...] = alpha * a + (1 - alpha) * d
        spread = s - a * a
    d = d / (np.sqrt(spread + inside) + outside)
    if b is not None:
        b[...] = momentum * b + d
        d = b
    w[...] = w - lr * d


def adam(w, g, m, v, x, lr, beta1, beta2, eps, weight_decay, shrink, maximize, c1, c2):
    """Running means m of d and v of d * d, then w = w - lr/c1 * m / (sqrt(v)/sqrt(c2) + eps)"""
    rate = lr / c1
    scale = 1 / sqrt(c2)
    d = direction(w, g, weight_decay, maximize)
    m[...] = beta1 * m + (1 - beta1) * d
    v[...] = beta2 * v + (1 - beta2) * d * d
    top = v
    if x is not None:
        top = np.maximum(x, v)
        x[...] = top
    w[...] = shrink * w - rate * m / (np.sqrt(top) * scale + eps)

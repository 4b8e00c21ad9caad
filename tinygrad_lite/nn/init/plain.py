"""Initial values that do not look at the shape: constants, and random numbers of one spread.

It imports the engine, the random generator and Tensor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import rng
from ...engine import no_grad, refuse_to_draw
from ...tensor import Tensor

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["constant_", "normal_", "ones_", "trunc_normal_", "uniform_", "zeros_"]


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one number."""
    return fill(tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return fill(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return fill(tensor, 1)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0,
             generator: Generator | None = None) -> Tensor:
    """Fill with numbers drawn evenly from [a, b).

    Args:
        generator: a NumPy Generator to draw from in place of the package's own.

    Raises:
        RuntimeError: if a > b.
        TypeError: if `tensor` is no Tensor, or not of a floating dtype.
    """
    if not a <= b:
        raise RuntimeError(f"uniform_ expects a <= b; got a={a}, b={b}")
    numbers = (generator or rng.generator()).uniform(a, b, shape_to_draw(tensor))
    return fill(tensor, numbers)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0,
            generator: Generator | None = None) -> Tensor:
    """Fill with numbers drawn from the normal distribution.

    Args:
        generator: a NumPy Generator to draw from in place of the package's own.

    Raises:
        RuntimeError: if std < 0.
        TypeError: if `tensor` is no Tensor, or not of a floating dtype.
    """
    if not std >= 0:
        raise RuntimeError(f"normal_ expects std >= 0; got {std}")
    numbers = (generator or rng.generator()).normal(mean, std, shape_to_draw(tensor))
    return fill(tensor, numbers)


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0,
                  b: float = 2.0, generator: Generator | None = None) -> Tensor:
    """Fill from the normal distribution as it is between a and b, and nowhere else.

    The distribution is exact wherever a and b lie, also far from the mean, where PyTorch
    warns that it may not be. Its standard deviation is less than `std`: 0.88 * std for
    bounds 2 * std away. Source for the method in the tails: Robert, "Simulation of truncated
    normal variables" (1995).

    Args:
        tensor: a Tensor of a floating dtype, to which the bounds are rounded too.
        mean: of the normal distribution before it is cut.
        std: likewise; 0 gives what is nearest to the mean.
        a: the least number, which may be -inf.
        b: the greatest, which may be inf.
        generator: a NumPy Generator to draw from in place of the package's own.

    Raises:
        RuntimeError: if a > b, std < 0, or a number is not finite that must be.
        TypeError: if `tensor` is no Tensor, or not of a floating dtype.
    """
    if not (a <= b and a < math.inf and b > -math.inf):
        raise RuntimeError(f"trunc_normal_ expects a <= b; got a={a}, b={b}")
    if not (0 <= std < math.inf and math.isfinite(mean)):
        raise RuntimeError("trunc_normal_ expects std >= 0 and finite numbers; got "
                           f"mean={mean}, std={std}")
    shape = shape_to_draw(tensor)
    low = (a - mean) / std if std else math.inf
    high = (b - mean) / std if std else math.inf
    if low == math.inf or high == -math.inf:
        return fill(tensor, min(max(mean, a), b))
    numbers = _truncated(low, high, math.prod(shape), generator or rng.generator())
    return fill(tensor, np.clip(mean + std * numbers, a, b).reshape(shape))


def _truncated(low: float, high: float, n: int, generator: Generator) -> np.ndarray:
    """n numbers from the standard normal distribution between low and high, by rejection."""
    if low + high < 0:
        return -_truncated(-high, -low, n, generator)
    share = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    draw = _from_all if share > 0.3 else _from_tail
    kept = np.empty(0)
    while len(kept) < n:
        kept = np.concatenate([kept, draw(low, high, n - len(kept), generator)])
    return kept


def _from_all(low: float, high: float, n: int, generator: Generator) -> np.ndarray:
    """Those of n normal numbers that lie between low and high."""
    x = generator.standard_normal(n)
    return x[(x >= low) & (x <= high)]


def _from_tail(low: float, high: float, n: int, generator: Generator) -> np.ndarray:
    """Those of n numbers of density ~ exp(-r x) between low and high that fit the normal one.

    With r = max(low, 0), exp(-x x / 2) is exp(-r x) times exp(-(x - r)^2 / 2), the chance
    with which a number is kept, times a constant.
    """
    u = generator.random(n)
    r = max(low, 0.0)
    if r == 0:
        x = low + u * (high - low)
    else:
        x = low - np.log1p(u * np.expm1(-r * (high - low))) / r
    return x[generator.random(n) < np.exp(-(x - r) ** 2 / 2)]


# ---- what the others share -------------------------------------------------------------


def shape_to_draw(tensor: Tensor) -> tuple[int, ...]:
    """The shape of what is to be filled; TypeError unless it can hold random numbers."""
    if not isinstance(tensor, Tensor) or tensor.dtype.kind != "f":
        raise TypeError("random initialisers fill Tensors of floating dtype; got "
                        f"{type(tensor).__name__} {getattr(tensor, 'dtype', '')}".rstrip())
    refuse_to_draw("a random initialiser")
    return tensor.shape


def fill(tensor: Tensor, numbers: Any) -> Tensor:
    with no_grad():
        tensor[...] = numbers
    return tensor

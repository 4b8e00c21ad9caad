"""New Tensors: filled, counted, and random ones.

It imports Tensor, the random generator and NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import rng
from .engine import refuse_to_draw
from .tensor import Tensor, unpacked

__all__ = ["arange", "eye", "full", "ones", "rand", "randn", "zeros"]


def zeros(*shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor of zeros; `shape` as numbers or as one tuple, dtype float32 if left out."""
    return full(unpacked(shape), 0, dtype or np.float32, requires_grad)


def ones(*shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor of ones; `shape` as numbers or as one tuple, dtype float32 if left out."""
    return full(unpacked(shape), 1, dtype or np.float32, requires_grad)


def full(shape: Any, fill_value: Any, dtype: Any = None,
         requires_grad: bool = False) -> Tensor:
    """A Tensor filled with one number, whose dtype it takes if none is given."""
    array = np.full(shape, fill_value, dtype)
    given = dtype is not None or array.dtype != np.float64
    return Tensor(array, None if given else np.float32, requires_grad)


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None,
        requires_grad: bool = False) -> Tensor:
    """An (N, M) Tensor, M = N if left out, with ones on diagonal k and zeros elsewhere."""
    return Tensor(np.eye(N, M, k, dtype or np.float32), None, requires_grad)


def arange(*bounds: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """start, start + step, ... before stop; arguments (stop), (start, stop[, step])."""
    array = np.arange(*bounds, dtype=dtype)
    given = dtype is not None or array.dtype != np.float64
    return Tensor(array, None if given else np.float32, requires_grad)


def rand(*shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Random numbers, even in [0, 1); governed by `manual_seed`."""
    refuse_to_draw("rand()")
    array = rng.generator().random(unpacked(shape), dtype or np.float32)
    return Tensor(array, None, requires_grad)


def randn(*shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Random numbers from the standard normal distribution; governed by `manual_seed`."""
    refuse_to_draw("randn()")
    array = rng.generator().standard_normal(unpacked(shape), dtype or np.float32)
    return Tensor(array, None, requires_grad)

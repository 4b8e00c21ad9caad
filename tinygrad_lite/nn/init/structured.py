"""Initial values with a structure: orthogonal, the identity, sparse.

It imports the plain initialisers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import rng
from ...tensor import Tensor
from .plain import fill, normal_, shape_to_draw

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["dirac_", "eye_", "orthogonal_", "sparse_"]


def orthogonal_(tensor: Tensor, gain: float = 1,
                generator: Generator | None = None) -> Tensor:
    """Fill with a random orthogonal matrix, times `gain`: no length changes on the way.

    A weight (out, in, ...) is taken as a matrix of out rows. Its rows are orthonormal if it
    has no more rows than columns, its columns if no fewer. It is Q of a QR decomposition of
    normal numbers, with the signs that make every orthogonal matrix equally likely. Sources:
    Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks" (2013); Mezzadri, "How to generate random matrices from the
    classical compact groups" (2007) for the signs.

    Args:
        tensor: a Tensor of two or more axes; of no element, it is returned as it is.
        gain: see `calculate_gain`.
        generator: a NumPy Generator to draw from in place of the package's own.

    Raises:
        ValueError: if the Tensor has fewer than two axes.
        TypeError: if `tensor` is no Tensor, or not of a floating dtype.
    """
    shape = shape_to_draw(tensor)
    if len(shape) < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported; got shape "
                         f"{shape}")
    if 0 in shape:
        return tensor
    rows, columns = shape[0], math.prod(shape[1:])
    tall = (rows, columns) if rows >= columns else (columns, rows)
    q, r = np.linalg.qr((generator or rng.generator()).standard_normal(tall))
    q *= np.where(np.diag(r) < 0, -1, 1)
    return fill(tensor, gain * (q if rows >= columns else q.T).reshape(shape))


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with ones on its diagonal, zeros elsewhere: a `Linear` copies its input.

    Raises:
        ValueError: if the Tensor has not two axes.
    """
    _need_axes(tensor, (2,), "2")
    rows, columns = tensor.shape
    return fill(tensor, np.eye(rows, columns))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight so that it copies its input, as many channels as it can.

    Output channel i of each group is input channel i of that group, taken from the middle of
    the kernel (beyond the middle, for an even length); the other outputs are 0.

    Args:
        tensor: a weight (out, in / groups, ...) with one to three axes of the kernel.
        groups: those of the convolution, a divisor of out.

    Raises:
        ValueError: if the Tensor has not 3 to 5 axes, or axis 0 is not divisible by `groups`.
    """
    _need_axes(tensor, (3, 4, 5), "3, 4, or 5")
    out, channels, *kernel = tensor.shape
    if groups < 1 or out % groups:
        raise ValueError(f"dim 0 must be divisible by groups; got {out} and {groups}")
    numbers = np.zeros(tensor.shape)
    if numbers.size:
        middle: tuple[Any, ...] = (..., *[length // 2 for length in kernel])
        numbers[middle] = np.tile(np.eye(out // groups, channels), (groups, 1))
    return fill(tensor, numbers)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01,
            generator: Generator | None = None) -> Tensor:
    """Fill a matrix with normal numbers, but a share of each column with zeros.

    Source: Martens, "Deep learning via Hessian-free optimization" (2010), section 5.

    Args:
        tensor: a Tensor of two axes.
        sparsity: which share of a column is zero, from 0 to 1; of a fraction of an element,
            the whole element.
        std: standard deviation of the others.
        generator: a NumPy Generator to draw from in place of the package's own.

    Raises:
        ValueError: if the Tensor has not two axes, or `sparsity` is out of range.
        RuntimeError: if std < 0.
        TypeError: if `tensor` is no Tensor, or not of a floating dtype.
    """
    shape = shape_to_draw(tensor)
    _need_axes(tensor, (2,), "2")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_ expects a sparsity from 0 to 1; got {sparsity}")
    generator = generator or rng.generator()
    normal_(tensor, 0.0, std, generator)
    order = generator.random(shape).argsort(axis=0)  # of each column, a random one
    zeros = order < math.ceil(sparsity * shape[0])
    return fill(tensor, np.where(zeros, 0, tensor.numpy()))


def _need_axes(tensor: Tensor, axes: tuple[int, ...], named: str) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"initialisers fill Tensors; got {type(tensor).__name__}")
    if tensor.ndim not in axes:
        raise ValueError(f"Only tensors with {named} dimensions are supported; got shape "
                         f"{tensor.shape}")

"""The matrix product in C; csrc/kernels.h has the formula.

Which products of the engine it computes, and which NumPy's BLAS does, was measured, on an AMD
EPYC of 2022 beside OpenBLAS 0.3.31, on one thread and on two (benchmarks/products.py prints
the figures of another machine):

- From 64^3 multiplications on it is C. Beyond 1e6 it takes 0.8 to 0.97 of NumPy's time where
  the batch is 100 or more, and down to 0.4 with a batch of 8. Between the two, the way through
  Python and cffi makes a product up to 3 microseconds slower than NumPy's, unless a bias is
  added; but OpenBLAS begins to use threads of its own there, which go on spinning for a while
  after each call, and would keep those of our kernels from the cores.
- Below, it is NumPy, whose call costs less by more than the arithmetic gains.
- Vectors are NumPy's, and very deep products, whose factors come from the main memory, where
  it takes larger pieces; and all products where C has no fused multiply-add.

A program (see csrc/program.c) does not pay for the way through Python: its products are C up to
64^3 multiplications, where that takes 0.15 to 0.9 of NumPy's time; beyond, the same rules hold.
"""

from typing import Any

import numpy as np

from .. import numpy_arrays
from ..products import checked_product
from .library import POINTERS, ffi, lib

__all__ = ["matmul", "pays_in_program", "product"]

MATMUL = {dtype: getattr(lib, f"tgl_matmul_f{8 * dtype.itemsize}") for dtype in POINTERS}
A_TRANSPOSED, B_TRANSPOSED = lib.TGL_A_TRANSPOSED, lib.TGL_B_TRANSPOSED
ACCUMULATE, RELU = lib.TGL_ACCUMULATE, lib.TGL_RELU
NULL = ffi.NULL
from_buffer = ffi.from_buffer

LEAST = 64 ** 3       # multiplications
DEEPEST = 1 << 14     # k: what is added up no longer comes from a cache


def matmul(
    a: np.ndarray, b: np.ndarray, bias: np.ndarray | None = None, relu: bool = False,
    out: np.ndarray | None = None, accumulate: bool = False,
) -> np.ndarray:
    """y = a b + bias; see `tinygrad_lite.kernels.numpy_arrays.matmul`."""
    y = checked_product(a, b, bias, out, accumulate)
    multiply(y, a, b, bias, (ACCUMULATE if accumulate else 0) | (RELU if relu else 0))
    return y


def product(a: Any, b: Any, bias: Any = None) -> Any:
    """y = a b + bias; see `tinygrad_lite.kernels.numpy_arrays.product`."""
    if not pays(a, b, bias):
        return numpy_arrays.product(a, b, bias)
    y = np.empty((len(a), b.shape[1]), a.dtype)
    multiply(y, a, b, bias, 0)
    return y


def pays(a: Any, b: Any, bias: Any) -> bool:
    """Whether C multiplies these faster than NumPy does: see the head of this file."""
    return (
        type(a) is type(b) is np.ndarray
        and a.ndim == b.ndim == 2
        and a.size * b.shape[1] >= LEAST
        and a.dtype == b.dtype
        and a.dtype in POINTERS
        and len(a) > 1 < b.shape[1]
        and len(b) == a.shape[1] <= DEEPEST
        and (bias is None or (bias.dtype == a.dtype and bias.shape == b.shape[1:]))
        and lib.tgl_get_simd() != lib.TGL_BASELINE
    )


def pays_in_program(m: int, n: int, k: int) -> bool:
    """Whether a program multiplies (m, k) by (k, n) in C."""
    has_fused = lib.tgl_get_simd() != lib.TGL_BASELINE
    return m * n * k <= LEAST or has_fused and k <= DEEPEST


def multiply(
    y: np.ndarray, a: np.ndarray, b: np.ndarray, bias: np.ndarray | None, options: int
) -> None:
    """Write the product to y. All is checked."""
    real = POINTERS[y.dtype]
    a_at, a_row, turned = placed(a, real)
    if turned:
        options |= A_TRANSPOSED
    b_at, b_row, turned = placed(b, real)
    if turned:
        options |= B_TRANSPOSED
    y_at, y_row, _ = placed(y, real)
    bias_at = NULL if bias is None else placed(bias[None], real)[0]
    m, k = a.shape
    MATMUL[y.dtype](y_at, y_row, a_at, a_row, b_at, b_row, bias_at, m, b.shape[1], k, options)


def placed(a: np.ndarray, real: Any) -> tuple[Any, int, bool]:
    """Where C finds a matrix: a pointer, elements from row to row, whether it is transposed.

    A view whose rows are contiguous, or whose columns are, stays where it is; anything else
    is copied. The pointer keeps the copy alive.
    """
    if not a.flags.aligned:
        a = a.copy()
    flags = a.flags
    if flags.c_contiguous:
        return from_buffer(real, a), a.shape[1], False
    if flags.f_contiguous:
        return from_buffer(real, a.T), a.shape[0], True
    row, step = a.strides
    size = a.itemsize
    if step == size and row >= 0 and row % size == 0:
        return ffi.cast(real, a.ctypes.data), row // size, False
    if row == size and step >= 0 and step % size == 0:
        return ffi.cast(real, a.ctypes.data), step // size, True
    a = a.copy()
    return from_buffer(real, a), a.shape[1], False

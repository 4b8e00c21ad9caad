"""Kernels in C, called through cffi: the one place where pointers are taken.

Importing it fails where the compiled module is missing or does not fit. A file for each
family.
"""

from .library import ABI, get_num_threads, set_num_threads, set_simd, simd, simd_choices
from .losses import cross_entropy
from .products import matmul, product
from .rows import add_rows, take_rows
from .update import square_sum, update

__all__ = [
    "ABI", "add_rows", "cross_entropy", "get_num_threads", "matmul", "product",
    "set_num_threads", "set_simd", "simd", "simd_choices", "square_sum", "take_rows", "update",
]

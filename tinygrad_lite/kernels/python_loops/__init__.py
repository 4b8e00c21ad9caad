"""Kernels in plain Python, as a textbook writes them. A file for each family."""

from .losses import cross_entropy
from .products import matmul, product
from .rows import add_rows, take_rows
from .update import square_sum, update

__all__ = [
    "add_rows", "cross_entropy", "matmul", "product", "square_sum", "take_rows", "update",
]

"""Kernels in plain Python, as a textbook writes them. A file for each family."""

from .losses import cross_entropy
from .update import square_sum, update

__all__ = ["cross_entropy", "square_sum", "update"]

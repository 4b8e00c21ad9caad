"""Kernels in plain Python, as a textbook writes them. A file for each family."""

from .activations import relu, relu_slope
from .batchnorm import batch_norm, batch_norm_slopes, normalize
from .convolution import col2im, im2col
from .losses import cross_entropy, cross_entropy_slope
from .pooling import average, gather, max_pool, scatter, spread
from .products import matmul, product
from .rows import add_rows, take_rows
from .tape import tape
from .update import square_sum, update

__all__ = [
    "add_rows", "average", "batch_norm", "batch_norm_slopes", "col2im", "cross_entropy",
    "cross_entropy_slope", "gather", "im2col", "matmul", "max_pool", "normalize", "product",
    "relu", "relu_slope", "scatter", "spread", "square_sum", "take_rows", "tape", "update",
]

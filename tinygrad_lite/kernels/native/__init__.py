"""Kernels in C, called through cffi: the one place where pointers are taken.

Importing it fails where the compiled module is missing or does not fit. A file for each
family.
"""

from .activations import relu, relu_slope
from .batchnorm import batch_norm, batch_norm_slopes, normalize
from .convolution import col2im, im2col
from .library import ABI, get_num_threads, set_num_threads, set_simd, simd, simd_choices
from .losses import cross_entropy, cross_entropy_slope
from .pooling import average, gather, max_pool, scatter, spread
from .products import matmul, pays_in_program, product
from .program import Code, Update
from .rows import add_rows, take_rows
from .tape import tape
from .update import square_sum, update

__all__ = [
    "ABI", "Code", "Update", "add_rows", "average", "batch_norm", "batch_norm_slopes", "col2im",
    "cross_entropy", "cross_entropy_slope", "gather", "get_num_threads", "im2col", "matmul",
    "max_pool", "normalize", "pays_in_program", "product", "relu", "relu_slope", "scatter",
    "set_num_threads", "set_simd", "simd", "simd_choices", "spread", "square_sum", "take_rows",
    "tape", "update",
]

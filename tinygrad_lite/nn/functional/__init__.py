"""Layers and losses as functions, with PyTorch's names and arguments.

Where a Tensor goes in, a NumPy array does as well; given arrays only, a function returns
arrays and records nothing. A file for each family.
"""

from .activations import log_softmax, relu, sigmoid, softmax, tanh
from .batchnorm import batch_norm
from .convolution import conv2d
from .dense import flatten, linear
from .losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from .pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d

__all__ = [
    "adaptive_avg_pool2d", "avg_pool2d", "batch_norm", "binary_cross_entropy_with_logits",
    "conv2d", "cross_entropy", "flatten", "linear", "log_softmax", "max_pool2d", "mse_loss",
    "relu", "sigmoid", "softmax", "tanh",
]

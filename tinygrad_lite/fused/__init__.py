"""Ops that do several steps at once, for speed: a file for each family."""

from .batchnorm import batch_norm, normalize
from .convolution import conv2d
from .dense import linear
from .losses import cross_entropy, logits_cross_entropy, squared_difference
from .pooling import avg_pool2d, max_pool2d

__all__ = [
    "avg_pool2d", "batch_norm", "conv2d", "cross_entropy", "linear", "logits_cross_entropy",
    "max_pool2d", "normalize", "squared_difference",
]

"""Ops that do several steps at once, for speed: a file for each family."""

from .batchnorm import batch_norm, moments, track_moments
from .convolution import conv2d
from .dense import linear
from .losses import cross_entropy, logits_cross_entropy, squared_difference
from .pooling import avg_pool2d, max_pool2d

__all__ = [
    "avg_pool2d", "batch_norm", "conv2d", "cross_entropy", "linear", "logits_cross_entropy",
    "max_pool2d", "moments", "squared_difference", "track_moments",
]

"""Ops that do several steps at once, for speed: a file for each family."""

from .activations import elu, erf, gelu, gelu_tanh, hardtanh, leaky_relu, silu, softplus, step
from .batchnorm import batch_norm, normalize
from .convolution import conv2d
from .dense import linear
from .dropout import dropout_mask
from .embedding import add_rows, embedding
from .losses import (
    binary_cross_entropy,
    class_ids,
    cross_entropy,
    factors_of_classes,
    hinge,
    hinge_embedding,
    huber,
    kl_divergence,
    log_kl_divergence,
    logits_cross_entropy,
    pick,
    squared_difference,
)
from .normalization import standardize
from .pooling import avg_pool2d, max_pool2d, places_of_largest

__all__ = [
    "add_rows", "avg_pool2d", "batch_norm", "binary_cross_entropy", "class_ids", "conv2d",
    "cross_entropy", "dropout_mask", "elu", "embedding", "erf", "factors_of_classes", "gelu",
    "gelu_tanh", "hardtanh", "hinge", "hinge_embedding", "huber", "kl_divergence", "leaky_relu",
    "linear", "log_kl_divergence", "logits_cross_entropy", "max_pool2d", "normalize", "pick",
    "places_of_largest", "silu", "softplus", "squared_difference", "standardize", "step",
]

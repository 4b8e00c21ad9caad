"""Ops that do several steps at once, for speed: a file for each family."""

from .activations import elu, erf, gelu, gelu_tanh, hardtanh, leaky_relu, silu, softplus, step
from .dense import linear
from .dropout import dropout_mask
from .embedding import add_rows, embedding
from .losses import (
    binary_cross_entropy,
    cross_entropy,
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

__all__ = [
    "add_rows", "binary_cross_entropy", "cross_entropy", "dropout_mask", "elu", "embedding",
    "erf", "gelu", "gelu_tanh", "hardtanh", "hinge", "hinge_embedding", "huber",
    "kl_divergence", "leaky_relu", "linear", "log_kl_divergence", "logits_cross_entropy",
    "pick", "silu", "softplus", "squared_difference", "standardize", "step",
]

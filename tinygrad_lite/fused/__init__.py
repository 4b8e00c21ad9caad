"""Ops that do several steps at once, for speed: a file for each family."""

from .activations import (
    elu,
    erf,
    gelu,
    gelu_tanh,
    hardtanh,
    leaky_relu,
    silu,
    softplus,
    step,
)
from .dense import linear
from .dropout import dropout_mask
from .embedding import add_rows, embedding
from .losses import cross_entropy, logits_cross_entropy, squared_difference
from .normalization import standardize

__all__ = [
    "add_rows", "cross_entropy", "dropout_mask", "elu", "embedding", "erf", "gelu", "gelu_tanh",
    "hardtanh", "leaky_relu", "linear", "logits_cross_entropy", "silu", "softplus",
    "squared_difference", "standardize", "step",
]

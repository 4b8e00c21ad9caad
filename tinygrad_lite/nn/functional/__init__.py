"""Layers and losses as functions, with PyTorch's names and arguments.

Where a Tensor goes in, a NumPy array does as well; given arrays only, a function returns
arrays and records nothing. A file for each family.
"""

from .activations import log_softmax, relu, sigmoid, softmax, tanh
from .dense import flatten, linear
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_embedding_loss,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "flatten",
    "hinge_embedding_loss", "hinge_loss", "huber_loss", "kl_div", "l1_loss", "linear",
    "log_softmax", "mse_loss", "nll_loss", "relu", "sigmoid", "smooth_l1_loss", "softmax",
    "tanh",
]

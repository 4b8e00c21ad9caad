"""Ops that do several steps at once, for speed: a file for each family."""

from .dense import linear
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

__all__ = [
    "binary_cross_entropy", "cross_entropy", "hinge", "hinge_embedding", "huber",
    "kl_divergence", "linear", "log_kl_divergence", "logits_cross_entropy", "pick",
    "squared_difference",
]

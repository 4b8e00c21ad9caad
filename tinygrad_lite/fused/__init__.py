"""Ops that do several steps at once, for speed: a file for each family."""

from .dense import linear
from .losses import cross_entropy, logits_cross_entropy, squared_difference

__all__ = ["cross_entropy", "linear", "logits_cross_entropy", "squared_difference"]

"""Losses as Modules: each holds its options and calls its function.

It imports the functions and `Module`.
"""

from __future__ import annotations

from typing import Any

from . import functional as F
from .functional.losses import check_reduction
from .module import Module

__all__ = ["BCEWithLogitsLoss", "CrossEntropyLoss", "MSELoss"]


class _Loss(Module):
    """A Module that remembers how to reduce the losses.

    Raises:
        ValueError: if `reduction` is not "mean", "sum" or "none".
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        check_reduction(reduction)
        self.reduction = reduction


class MSELoss(_Loss):
    """The mean of squared differences; see `functional.mse_loss`."""

    def forward(self, input: Any, target: Any) -> Any:
        return F.mse_loss(input, target, reduction=self.reduction)


class CrossEntropyLoss(_Loss):
    """-ln softmax(input)[target], for class ids; see `functional.cross_entropy`."""

    def forward(self, input: Any, target: Any) -> Any:
        return F.cross_entropy(input, target, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Yes-or-no cross-entropy; see `functional.binary_cross_entropy_with_logits`."""

    def forward(self, input: Any, target: Any) -> Any:
        return F.binary_cross_entropy_with_logits(input, target, reduction=self.reduction)

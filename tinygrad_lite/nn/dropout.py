"""Dropout as a Module; it imports the functions and `Module`."""

from __future__ import annotations

from typing import Any

from . import functional as F
from .functional.dropout import check_probability
from .module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """Drop each element with the probability p while training; see `functional.dropout`.

    In eval mode, and for p = 0, it gives the input back.

    Raises:
        ValueError: if p is not in 0 to 1.
    """

    def __init__(self, p: float = 0.5) -> None:
        check_probability(p)
        self.p = p

    def forward(self, input: Any) -> Any:
        return F.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"

"""Activations as Modules; it imports the functions and `Module`."""

from __future__ import annotations

from typing import Any

from . import functional as F
from .module import Module

__all__ = ["ReLU", "Sigmoid", "Tanh"]


class ReLU(Module):
    """y = x where x > 0, else 0; see `functional.relu`."""

    def forward(self, input: Any) -> Any:
        return F.relu(input)


class Sigmoid(Module):
    """y = 1 / (1 + e ** -x); see `functional.sigmoid`."""

    def forward(self, input: Any) -> Any:
        return F.sigmoid(input)


class Tanh(Module):
    """y = tanh x; see `functional.tanh`."""

    def forward(self, input: Any) -> Any:
        return F.tanh(input)

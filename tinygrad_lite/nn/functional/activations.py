"""Activations as functions, element by element or along an axis; it imports the ops."""

from __future__ import annotations

from typing import Any

from ... import ops

__all__ = ["log_softmax", "relu", "sigmoid", "softmax", "tanh"]


def relu(input: Any) -> Any:
    """y = x where x > 0, else 0; the gradient at 0 is 0."""
    return ops.relu(input)


def sigmoid(input: Any) -> Any:
    """y = 1 / (1 + e ** -x), without overflow at any x."""
    return ops.sigmoid(input)


def tanh(input: Any) -> Any:
    """y = tanh x."""
    return ops.tanh(input)


def softmax(input: Any, dim: int = -1) -> Any:
    """y = e ** x / (the sum of e ** x along an axis), without overflow.

    Args:
        dim: the axis along which the y add up to 1; the last if left out.
    """
    return ops.softmax(input, axis=dim)


def log_softmax(input: Any, dim: int = -1) -> Any:
    """y = ln(softmax(x)), without overflow.

    Args:
        dim: the axis along which the e ** y add up to 1; the last if left out.
    """
    return ops.log_softmax(input, axis=dim)

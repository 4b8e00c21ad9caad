"""Dropout as a function; it imports the fused ops."""

from __future__ import annotations

from typing import Any

from ... import fused

__all__ = ["check_probability", "dropout"]


def dropout(input: Any, p: float = 0.5, training: bool = True) -> Any:
    """y = 0 with the probability p, else x / (1 - p), for each element by itself.

    The mean of y is x, so that nothing has to change when the dropping stops. PyTorch's
    ``inplace`` is left out. Source: Srivastava, Hinton, Krizhevsky, Sutskever and
    Salakhutdinov 2014, in the inverted form.

    Args:
        p: the probability that an element is dropped.
        training: False to give back the input itself. Neither this nor p = 0 draws random
            numbers; otherwise they are governed by `manual_seed`.

    Raises:
        ValueError: if p is not in 0 to 1.
    """
    check_probability(p)
    if not training or p == 0:
        return input
    return input * fused.dropout_mask(input, float(p))


def check_probability(p: float) -> None:
    """Raise ValueError unless p is a probability."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")

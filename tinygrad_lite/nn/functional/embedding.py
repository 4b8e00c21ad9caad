"""Embedding as a function; it imports the engine, the fused ops and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import fused
from ...engine import Node

__all__ = ["embedding", "row_of_padding"]


def embedding(input: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """y = the rows of W that the ids name.

    PyTorch's ``max_norm``, ``norm_type``, ``scale_grad_by_freq`` and ``sparse`` are left out.

    Args:
        input: ids from 0 to n - 1, of any shape and any integer dtype; an array, a Tensor or
            a list.
        weight: W, of shape (n, d). Its gradient adds up the rows of dL/dy that belong to the
            same id, in their order.
        padding_idx: an id whose row gets no gradient; a negative one counts from the end.

    Returns:
        y, of shape (*input.shape, d).

    Raises:
        IndexError: if an id is not in 0 to n - 1; negative ones are not.
        RuntimeError: if the ids are not integers, or W has not two axes.
        ValueError: if `padding_idx` names no row.
    """
    ids = input if isinstance(input, Node) else np.array(input)  # a copy: the rule reads it
    dtype = getattr(ids, "dtype", np.dtype(float))
    if dtype.kind not in "iu":
        raise RuntimeError(f"embedding expects ids of an integer dtype; got {dtype}. Convert "
                           "them with astype('int64')")
    if len(weight.shape) != 2:
        raise RuntimeError(f"'weight' must be 2-D, of shape (n, d); got {weight.shape}")
    padding = row_of_padding(padding_idx, weight.shape[0])
    return fused.embedding(weight, ids, padding_idx=padding)


def row_of_padding(padding_idx: int | None, rows: int) -> int | None:
    """The row counted from the front, or None; ValueError if there is no such row."""
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise ValueError(f"padding_idx must be within num_embeddings, from {-rows} to "
                         f"{rows - 1}; got {padding_idx}")
    return padding_idx % rows

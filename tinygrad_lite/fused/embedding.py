"""Rows of a table by number; it imports the engine, the ops, the kernels and NumPy."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..engine import op
from ..ops import expand_dims, where

__all__ = ["add_rows", "embedding"]


def _embedding_rule(g, _y, _a, index, padding_idx):
    """Each row of g where the row came from, but for those that came from padding_idx."""
    if padding_idx is not None:
        g = where(expand_dims(index == padding_idx, axis=-1), 0.0, g)
    return add_rows(g, index, rows=_a.shape[0])


@op(_embedding_rule, None)
def embedding(a, index, padding_idx=None):  # noqa: ARG001  # the rule reads padding_idx
    """y[i] = a[index[i]]; a is (rows, width), index integers from 0 to rows - 1.

    The row padding_idx gets no gradient.
    """
    return kernels.body().take_rows(a, index)


@op(lambda g, _y, _a, index, rows: embedding(g, index), None)
def add_rows(a, index, rows):
    """y = zeros of so many rows, a[i] added to y[index[i]]: the gradient of `embedding`."""
    a = a if a.dtype in (np.float32, np.float64) else a.astype(np.float32)
    return kernels.body().add_rows(a, index, rows)

"""Embedding as a Module; it imports the functions, the initialisers and `Module`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine import no_grad
from . import functional as F
from . import init
from .functional.embedding import row_of_padding
from .module import Module, Parameter

__all__ = ["Embedding"]


class Embedding(Module):
    """A vector to learn for each of n things: ids go in, the rows of W come out.

    Args:
        num_embeddings: n, how many ids there are.
        embedding_dim: d, the length of a vector.
        padding_idx: an id that stands for nothing: its row begins as zeros and gets no
            gradient. A negative one counts from the end.
        dtype: of W, a floating one; float32 if left out.

    Attributes:
        weight: W, of shape (n, d); it begins as standard normal numbers.

    Called with ids of any shape it gives (*shape, d); see `functional.embedding`.

    Raises:
        ValueError: if `padding_idx` names no row.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
                 *, dtype: Any = None, _weight: Any = None) -> None:
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = row_of_padding(padding_idx, num_embeddings)
        if _weight is None:
            dtype = np.float32 if dtype is None else dtype
            self.weight = Parameter(np.zeros((num_embeddings, embedding_dim), dtype))
            self.reset_parameters()
        else:
            self.weight = Parameter(_weight, dtype=dtype)

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True,
                        padding_idx: int | None = None) -> Embedding:
        """An Embedding with the given rows, which training leaves alone unless not `freeze`.

        Args:
            embeddings: W, of shape (n, d), in any form that a Tensor takes; copied.
            freeze: whether W requires no gradient.
            padding_idx: as in the class, but its row stays as it is given.

        Raises:
            ValueError: if `embeddings` has not two axes, or `padding_idx` names no row.
        """
        shape = np.shape(embeddings)
        if len(shape) != 2:
            raise ValueError("embeddings are expected to be 2-dimensional, of shape (n, d); "
                             f"got shape {shape}")
        n, d = shape
        layer = cls(n, d, padding_idx, _weight=embeddings)
        layer.weight.requires_grad = not freeze
        return layer

    def reset_parameters(self) -> None:
        """Draw W anew; the row of `padding_idx` becomes 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0

    def forward(self, input: Any) -> Any:
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"

"""The dense layer, Flatten and Identity.

It imports the functions, the initialisers and `Module`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import functional as F
from . import init
from .module import Module, Parameter

__all__ = ["Flatten", "Identity", "Linear"]


class Linear(Module):
    """y = x W' + b: a weighted sum of the features for each output, plus a constant.

    Args:
        in_features: length of the input's last axis.
        out_features: length of the output's last axis.
        bias: whether there is a b.
        dtype: of W and b, a floating one; float32 if left out.

    Attributes:
        weight: W, of shape (out_features, in_features).
        bias: b, of shape (out_features,), or None.

    W and b begin even in [-1/sqrt(in_features), 1/sqrt(in_features)), PyTorch's choice:
    `init.kaiming_uniform_` with a = sqrt(5) comes to the same for W. Called with x of shape
    (..., in_features), an array or a Tensor, it gives (..., out_features); see
    `functional.linear`.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True,
                 dtype: Any = None) -> None:
        dtype = np.float32 if dtype is None else dtype
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(np.zeros((out_features, in_features), dtype))
        self.bias = Parameter(np.zeros(out_features, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W and b anew."""
        bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Any) -> Any:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in_features={self.in_features}, out_features={self.out_features}, "
                f"bias={self.bias is not None}")


class Flatten(Module):
    """Make one axis of several: by default of all but the first, the batch.

    Args:
        start_dim: the first axis to merge.
        end_dim: the last one.

    See `functional.flatten`.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Any) -> Any:
        return F.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """y = x, to stand in the place of another layer, whose arguments it takes and ignores."""

    def __init__(self, *_args: Any, **_options: Any) -> None:
        pass

    def forward(self, input: Any) -> Any:
        return input

"""Layer norm and group norm as Modules; it imports the functions and `Module`."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import functional as F
from . import init
from .functional.normalization import as_shape
from .module import Module, Parameter

__all__ = ["GroupNorm", "LayerNorm"]


class _Norm(Module):
    """What the two have in common: w and b, if there are any."""

    weight: Parameter | None
    bias: Parameter | None

    def _make_parameters(self, shape: Any, weight: bool, bias: bool, dtype: Any) -> None:
        dtype = np.float32 if dtype is None else dtype
        self.weight = Parameter(np.zeros(shape, dtype)) if weight else None
        self.bias = Parameter(np.zeros(shape, dtype)) if weight and bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Let w be 1 again, and b 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class LayerNorm(_Norm):
    """Each sample to mean 0 and variance 1, then times w, plus b; see `functional.layer_norm`.

    Args:
        normalized_shape: lengths of the last axes, over which mean and variance are taken;
            an integer for the last one.
        eps: keeps the root away from 0.
        elementwise_affine: whether there are w and b.
        bias: False for w alone.
        dtype: of w and b, a floating one; float32 if left out.

    Attributes:
        weight: w, of shape normalized_shape, or None; begins as ones.
        bias: b, of the same shape, or None; begins as zeros.

    It computes the same in training and in eval mode.
    """

    def __init__(self, normalized_shape: Any, eps: float = 1e-5,
                 elementwise_affine: bool = True, bias: bool = True, dtype: Any = None) -> None:
        self.normalized_shape = as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._make_parameters(self.normalized_shape, elementwise_affine, bias, dtype)

    def forward(self, input: Any) -> Any:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}")


class GroupNorm(_Norm):
    """Groups of channels to mean 0 and variance 1, then times w, plus b, channel by channel.

    Args:
        num_groups: into how many equal groups the channels are divided: 1 normalizes each
            sample as a whole, num_channels each channel of it by itself.
        num_channels: C, the length of the input's axis 1.
        eps: keeps the root away from 0.
        affine: whether there are w and b.
        dtype: of w and b, a floating one; float32 if left out.
        bias: False for w alone.

    Attributes:
        weight: w, of shape (C,), or None; begins as ones.
        bias: b, of shape (C,), or None; begins as zeros.

    It computes the same in training and in eval mode; see `functional.group_norm`.

    Raises:
        ValueError: if num_channels is not a multiple of num_groups.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5,
                 affine: bool = True, dtype: Any = None, *, bias: bool = True) -> None:
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups "
                             f"({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._make_parameters(num_channels, affine, bias, dtype)

    def forward(self, input: Any) -> Any:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.num_groups}, {self.num_channels}, eps={self.eps}, "
                f"affine={self.affine}, bias={self.bias is not None}")

"""Batch-norm layers; it imports the function, the initialisers and `Module`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from . import init
from .functional.batchnorm import normalize_batch
from .module import Module, Parameter

__all__ = ["BatchNorm1d", "BatchNorm2d"]


class _BatchNorm(Module):
    """y = (x - mean) / sqrt(var + eps) * w + b, channel by channel, for x of shape
    (n, c, ...).

    Args:
        num_features: how many channels axis 1 has.
        eps: keeps the root away from 0.
        momentum: the share of each batch in the running mean and variance; None for the
            average over all batches.
        affine: whether there are w and b.
        track_running_stats: whether there are running moments. Without them `eval` changes
            nothing: the batch's own are used there too.
        dtype: of all numbers, a floating one; float32 if left out.
        bias: whether there is a b, if `affine`.

    Attributes:
        weight, bias: w and b, of shape (num_features,), which begin as 1 and 0; or None.
        running_mean, running_var: buffers of that shape, 0 and 1 at first; or None.
        num_batches_tracked: a buffer: how many batches they have seen; or None.

    In training mean and variance are those of the batch, and the running ones follow; after
    `eval` they are the running ones, which stay as they are. Source: Ioffe and Szegedy 2015,
    "Batch normalization", algorithms 1 and 2; see `functional.batch_norm`.

    Raises:
        ValueError: if the input has another number of axes, or, in training, one value only
            for each channel.
        RuntimeError: if it has other than `num_features` channels.
    """

    ranks: tuple[int, ...]  # how many axes the input may have
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
                 affine: bool = True, track_running_stats: bool = True, dtype: Any = None, *,
                 bias: bool = True) -> None:
        dtype = np.float32 if dtype is None else dtype
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine and bias else None
        tracked = track_running_stats
        self.register_buffer("running_mean", np.zeros(num_features, dtype) if tracked else None)
        self.register_buffer("running_var", np.ones(num_features, dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", np.array(0) if tracked else None)

    def reset_running_stats(self) -> None:
        """Forget all batches."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Forget all batches, and let w be 1 and b 0 again."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        if len(np.shape(input)) not in self.ranks:
            expected = " or ".join(f"{rank}D" for rank in self.ranks)
            raise ValueError(f"expected {expected} input (got {len(np.shape(input))}D input)")
        of_batch = self.training or self.running_mean is None
        running: Any = self.running_mean, self.running_var, self.num_batches_tracked
        if self.training and not self.track_running_stats:
            running = None, None, None
        return normalize_batch(input, running, self.weight, self.bias, of_batch, self.momentum,
                               self.eps)

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"affine={self.affine}, bias={self.bias is not None}, "
                f"track_running_stats={self.track_running_stats}")


class BatchNorm1d(_BatchNorm):
    __doc__ = (_BatchNorm.__doc__ or "").replace("(n, c, ...)", "(n, c) or (n, c, s)")
    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    __doc__ = (_BatchNorm.__doc__ or "").replace("(n, c, ...)", "(n, c, height, width)")
    ranks = (4,)

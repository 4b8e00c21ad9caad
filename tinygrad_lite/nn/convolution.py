"""The convolutional layer; it imports the functions, the initialisers and `Module`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import functional as F
from . import init
from .functional.convolution import conv2d_padding
from .functional.windows import pair
from .module import Module, Parameter

__all__ = ["Conv2d"]


class Conv2d(Module):
    """A convolution: each output channel is a weighted sum of the pixels in a moving window.

    Args:
        in_channels: channels of the input, axis 1.
        out_channels: channels of the output.
        kernel_size: the window's size; this, stride and dilation are one whole number, or
            two for height and width.
        stride: how far it is from one window to the next.
        padding: how many zeros there are around the image, one whole number or two; or
            "valid" for none, or "same" for an output of the input's size, at stride 1.
        dilation: how far it is from one pixel of a window to the next.
        groups: into how many groups channels are divided that do not see one another.
        bias: whether there is a b.
        padding_mode: "zeros"; the others of PyTorch's are not offered.
        dtype: of W and b, a floating one; float32 if left out.

    Attributes:
        weight: W, of shape (out_channels, in_channels / groups, *kernel_size).
        bias: b, of shape (out_channels,), or None.

    W and b begin even in [-1/sqrt(k), 1/sqrt(k)), k = in_channels / groups * area of the
    kernel, PyTorch's choice: `init.kaiming_uniform_` with a = sqrt(5) comes to the same for W.
    Called with x of shape (n, in_channels, height, width), an array or a Tensor, it gives
    (n, out_channels, out height, out width); see `functional.conv2d`.

    Raises:
        ValueError: if channels cannot be divided by groups, or for another padding or
            padding mode.
        RuntimeError: if a size is too small.
        TypeError: if a size is no whole number.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
                 padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros", dtype: Any = None) -> None:
        _check_groups(in_channels, out_channels, groups)
        if padding_mode != "zeros":
            raise ValueError(f"padding_mode must be 'zeros', but got {padding_mode!r}; pad the "
                             "input before the layer for another border")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = pair("Conv2d", "kernel_size", kernel_size, 1)
        self.stride = pair("Conv2d", "stride", stride, 1)
        self.dilation = pair("Conv2d", "dilation", dilation, 1)
        self.padding = padding if isinstance(padding, str) else \
            pair("Conv2d", "padding", padding, 0)
        self.groups = groups
        self.padding_mode = padding_mode
        try:
            conv2d_padding(self.padding, self.kernel_size, self.stride, self.dilation)
        except RuntimeError as error:
            raise ValueError(str(error)) from None
        dtype = np.float32 if dtype is None else dtype
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(np.zeros(shape, dtype))
        self.bias = Parameter(np.zeros(out_channels, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W and b anew."""
        fan_in = math.prod(self.weight.shape[1:])
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Any) -> Any:
        return F.conv2d(input, self.weight, self.bias, self.stride, self.padding,
                        self.dilation, self.groups)

    def extra_repr(self) -> str:
        text = (f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
                f"stride={self.stride}")
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        return text if self.bias is not None else f"{text}, bias=False"


def _check_groups(in_channels: int, out_channels: int, groups: int) -> None:
    """Raise ValueError unless both kinds of channels fall into so many groups."""
    if groups < 1:
        raise ValueError(f"groups must be a positive integer; got {groups}")
    for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if channels % groups:
            raise ValueError(f"{name} must be divisible by groups; got {channels} and {groups}")

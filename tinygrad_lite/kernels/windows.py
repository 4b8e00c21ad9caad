"""How windows lie on an image. It imports the standard library only."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

__all__ = ["Windows", "check_windows"]

Pair = tuple[int, int]


class Windows(NamedTuple):
    """Windows on an image, as ``tgl_windows`` of csrc/kernels.h has them, field by field.

    Place (ky, kx) of window (oy, ox) is the pixel (iy, ix), if there is one:
    iy = oy * stride_h - top + ky * dilation_h, and ix likewise.
    """

    height: int
    width: int
    out_h: int
    out_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    top: int
    left: int

    @classmethod
    def of(cls, image: Pair, out: Pair, kernel: Pair, stride: Pair, dilation: Pair,
           before: Pair) -> Windows:
        """Windows from pairs for height and width; `before` is top and left."""
        return cls(*image, *out, *kernel, *stride, *dilation, *before)

    @property
    def image(self) -> tuple[int, int]:
        """The image's shape."""
        return self.height, self.width

    @property
    def out(self) -> tuple[int, int]:
        """How many windows there are, down and across."""
        return self.out_h, self.out_w

    @property
    def places(self) -> int:
        """How many places a window has."""
        return self.kernel_h * self.kernel_w

    @property
    def windows(self) -> int:
        """How many windows there are."""
        return self.out_h * self.out_w

    @property
    def copies(self) -> bool:
        """Whether window i has one place, pixel i, so that columns are images."""
        return self.image == self.out and self[4:] == (1, 1, 1, 1, *self[8:10], 0, 0)


@lru_cache(maxsize=256)
def check_windows(at: Windows) -> None:
    """Refuse windows that C could not walk over.

    Raises:
        ValueError: a length or padding is negative, a kernel, stride or dilation is not
            positive, or all of them are too large to be counted.
    """
    lengths, steps, before = at[:4], at[4:10], at[10:]
    if min(*lengths, *before) < 0 or min(steps) < 1 or max(at) >= 2**31:
        raise ValueError("windows have lengths and padding from 0, and kernel, stride and "
                         f"dilation from 1, to 2**31 - 1; got {at}")

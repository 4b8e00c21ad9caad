"""Initial values for weights: they fill a Tensor in place, outside any graph.

A layer passes on numbers whose spread is that of its input, neither larger nor smaller from
layer to layer, if its weights have the right standard deviation; which one that is depends
on how many numbers a weight meets:

- fan_in, how many inputs feed one output: the length of axis 1, times the area of the
  kernel for a convolution, whose weight is (out, in, height, width);
- fan_out, how many outputs one input feeds: the same with axis 0.

All numbers come from `rng`, hence are governed by `manual_seed`; they are drawn in float64
and rounded, so that weights of both precisions begin alike. Every function returns the
Tensor; `initialize` fills a whole model.
"""

from .by_fan import (
    calculate_gain,
    he_normal_,
    he_uniform_,
    kaiming_normal_,
    kaiming_uniform_,
    xavier_normal_,
    xavier_uniform_,
)
from .model import initialize
from .plain import constant_, normal_, ones_, trunc_normal_, uniform_, zeros_
from .structured import dirac_, eye_, orthogonal_, sparse_

__all__ = [
    "calculate_gain", "constant_", "dirac_", "eye_", "he_normal_", "he_uniform_", "initialize",
    "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "orthogonal_", "sparse_",
    "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]

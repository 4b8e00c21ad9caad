"""Initial values whose spread depends on how many numbers a weight meets.

It imports the plain initialisers.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

from ...tensor import Tensor
from .plain import normal_, shape_to_draw, uniform_

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = [
    "calculate_gain", "he_normal_", "he_uniform_", "kaiming_normal_", "kaiming_uniform_",
    "xavier_normal_", "xavier_uniform_",
]

_GAINS = {
    "linear": 1, "conv1d": 1, "conv2d": 1, "conv3d": 1, "conv_transpose1d": 1,
    "conv_transpose2d": 1, "conv_transpose3d": 1, "sigmoid": 1, "tanh": 5 / 3,
    "relu": math.sqrt(2), "selu": 3 / 4,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much weights must be larger to make up for what the nonlinearity takes away.

    Args:
        nonlinearity: "linear", "conv1d" and its relatives, "sigmoid": 1; "tanh": 5/3;
            "relu": sqrt(2); "leaky_relu": sqrt(2 / (1 + param ** 2)); "selu": 3/4.
        param: slope of leaky_relu below 0; 0.01 if left out.

    Raises:
        ValueError: for another nonlinearity, or a slope that is no number.
    """
    if nonlinearity in _GAINS:
        return _GAINS[nonlinearity]
    if nonlinearity != "leaky_relu":
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}, please use one of "
                         f"{[*_GAINS, 'leaky_relu']}")
    slope = 0.01 if param is None else param
    if isinstance(slope, bool) or not isinstance(slope, (int, float)):
        raise ValueError(f"negative_slope {slope} not a valid number")
    return math.sqrt(2 / (1 + slope ** 2))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0,
                    generator: Generator | None = None) -> Tensor:
    """Fill evenly from [-b, b), b = gain * sqrt(6 / (fan_in + fan_out)).

    The standard deviation is that of `xavier_normal_`; which see, also for the arguments.
    """
    std = _xavier_std(tensor, gain)
    bound = math.sqrt(3) * std
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0,
                   generator: Generator | None = None) -> Tensor:
    """Fill from the normal distribution, std = gain * sqrt(2 / (fan_in + fan_out)).

    Meant for layers with sigmoid or tanh: a compromise between 1 / fan_in, which keeps the
    variance on the way forward, and 1 / fan_out, which keeps it on the way back. Source:
    Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward
    neural networks", equations 12 and 16. The book "Deep Learning from Scratch" uses the
    name for std = sqrt(1 / fan_in), which is ``kaiming_normal_(w, nonlinearity="linear")``
    here.

    Args:
        tensor: a Tensor of two or more axes, (out, in, ...); of no element, it is returned
            as it is.
        gain: see `calculate_gain`.
        generator: a NumPy Generator to draw from in place of the package's own.

    Raises:
        ValueError: if the Tensor has fewer than two axes.
        RuntimeError: if gain < 0.
        TypeError: if `tensor` is no Tensor, or not of a floating dtype.
    """
    return normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in",
                     nonlinearity: str = "leaky_relu",
                     generator: Generator | None = None) -> Tensor:
    """Fill evenly from [-b, b), b = gain * sqrt(3 / fan).

    The standard deviation is that of `kaiming_normal_`; which see, also for the arguments.
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    bound = math.sqrt(3) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in",
                    nonlinearity: str = "leaky_relu",
                    generator: Generator | None = None) -> Tensor:
    """Fill from the normal distribution, std = gain / sqrt(fan).

    Meant for layers with ReLU: it halves the mean square of what it is given, so the
    weights' variance is doubled, std = sqrt(2 / fan_in) by default. Source: He et al. 2015,
    "Delving deep into rectifiers", equations 10, 14 and 15. ``he_normal_`` and
    ``he_uniform_`` are other names of these same functions.

    Args:
        tensor: a Tensor of two or more axes, (out, in, ...); of no element, it is returned
            as it is, with a warning.
        a: slope of leaky_relu below 0; 0 is a plain relu.
        mode: "fan_in" keeps the variance on the way forward, "fan_out" on the way back.
        nonlinearity: what follows the layer; see `calculate_gain`.
        generator: a NumPy Generator to draw from in place of the package's own.

    Raises:
        ValueError: if the Tensor has fewer than two axes, for another mode, or another
            nonlinearity.
        TypeError: if `tensor` is no Tensor, or not of a floating dtype.
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


he_uniform_ = kaiming_uniform_
he_normal_ = kaiming_normal_


def _fans(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight."""
    shape = shape_to_draw(tensor)
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 "
                         f"dimensions; got shape {shape}. Instead, initialise a batch-norm "
                         "weight to 1 and a bias to 0")
    area = math.prod(shape[2:])
    return shape[1] * area, shape[0] * area


def _xavier_std(tensor: Tensor, gain: float) -> float:
    fans = sum(_fans(tensor))
    return gain * math.sqrt(2 / fans) if fans else 0.0


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if 0 in shape_to_draw(tensor):
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return 0.0
    modes = ["fan_in", "fan_out"]
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {modes}")
    fan = _fans(tensor)[modes.index(mode.lower())]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)

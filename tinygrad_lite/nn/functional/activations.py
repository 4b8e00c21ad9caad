"""Activations as functions, element by element or along an axis.

PyTorch's ``inplace`` argument is left out: an op never changes its input, which the graph
may have kept. It imports the ops and the fused ops.
"""

from __future__ import annotations

import math
from typing import Any

from ... import fused, ops

__all__ = [
    "check_approximate", "check_bounds", "elu", "gelu", "hardtanh", "leaky_relu",
    "log_softmax", "logsigmoid", "relu", "relu6", "selu", "sigmoid", "silu", "softmax",
    "softplus", "tanh",
]

# ---- element by element ----------------------------------------------------------------


def relu(input: Any) -> Any:
    """y = x where x > 0, else 0; the gradient at 0 is 0."""
    return ops.relu(input)


def relu6(input: Any) -> Any:
    """y = x held between 0 and 6; the gradient on the bounds is 0."""
    return fused.hardtanh(input, 0.0, 6.0)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """y = x held between two bounds; the gradient on the bounds is 0.

    Raises:
        ValueError: if `min_val` is above `max_val`.
    """
    check_bounds(min_val, max_val)
    return fused.hardtanh(input, float(min_val), float(max_val))


def check_bounds(min_val: float, max_val: float) -> None:
    """Raise ValueError if the first bound of hardtanh is above the second."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val; got "
                         f"{min_val} and {max_val}")


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Any:
    """y = x where x > 0, else negative_slope x; the gradient at 0 is negative_slope."""
    return fused.leaky_relu(input, float(negative_slope))


def elu(input: Any, alpha: float = 1.0) -> Any:
    """y = x where x > 0, else alpha (e ** x - 1); the gradient at 0 is alpha.

    Source: Clevert, Unterthiner and Hochreiter 2016, equation 14.
    """
    return fused.elu(input, float(alpha))


# the fixed point at which activations keep the mean 0 and the variance 1
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def selu(input: Any) -> Any:
    """y = s x where x > 0, else s a (e ** x - 1), with a = 1.67326... and s = 1.05070...

    With weights from `nn.init.kaiming_normal_` of nonlinearity "linear", mean 0 and variance
    1 carry over from layer to layer. The gradient at 0 is s a. Source: Klambauer,
    Unterthiner, Mayr and Hochreiter 2017, equation 2.
    """
    return fused.elu(input, _SELU_ALPHA, _SELU_SCALE)


def gelu(input: Any, approximate: str = "none") -> Any:
    """y = x P(X < x), where X is standard normal: the input, weighted by how large it is.

    Args:
        approximate: "none", or "tanh" for x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x ** 3))),
            which is cheaper and differs by less than 5e-4.

    Source: Hendrycks and Gimpel 2016.

    Raises:
        RuntimeError: for another `approximate`.
    """
    check_approximate(approximate)
    return fused.gelu(input) if approximate == "none" else fused.gelu_tanh(input)


def check_approximate(approximate: str) -> None:
    """Raise RuntimeError unless `approximate` names a form of gelu."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh; got "
                           f"{approximate!r}")


def silu(input: Any) -> Any:
    """y = x sigmoid(x), also called swish.

    Source: Hendrycks and Gimpel 2016; Elfwing, Uchibe and Doya 2018.
    """
    return fused.silu(input)


def sigmoid(input: Any) -> Any:
    """y = 1 / (1 + e ** -x), without overflow at any x."""
    return ops.sigmoid(input)


def logsigmoid(input: Any) -> Any:
    """y = ln(sigmoid(x)), without overflow at any x."""
    return fused.softplus(input, -1.0, math.inf)


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """y = ln(1 + e ** (beta x)) / beta, a smooth `relu`.

    Args:
        beta: how sharp the bend at 0 is.
        threshold: where beta x is above it, y = x, which is as good as the same.
    """
    return fused.softplus(input, float(beta), float(threshold))


def tanh(input: Any) -> Any:
    """y = tanh x."""
    return ops.tanh(input)


# ---- along an axis ---------------------------------------------------------------------


def softmax(input: Any, dim: int = -1) -> Any:
    """y = e ** x / (the sum of e ** x along an axis), without overflow.

    Args:
        dim: the axis along which the y add up to 1; the last if left out.
    """
    return ops.softmax(input, axis=dim)


def log_softmax(input: Any, dim: int = -1) -> Any:
    """y = ln(softmax(x)), without overflow.

    Args:
        dim: the axis along which the e ** y add up to 1; the last if left out.
    """
    return ops.log_softmax(input, axis=dim)

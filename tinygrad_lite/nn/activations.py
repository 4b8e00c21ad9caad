"""Activations as Modules; it imports the functions and `Module`.

Each holds the options of its function. PyTorch's ``inplace`` is left out, as there.
"""

from __future__ import annotations

from typing import Any

from . import functional as F
from .functional.activations import check_approximate, check_bounds
from .module import Module

__all__ = [
    "ELU", "GELU", "Hardtanh", "LeakyReLU", "LogSigmoid", "LogSoftmax", "ReLU", "ReLU6", "SELU",
    "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh",
]

# ---- element by element ----------------------------------------------------------------


class ReLU(Module):
    """y = x where x > 0, else 0; see `functional.relu`."""

    def forward(self, input: Any) -> Any:
        return F.relu(input)


class ReLU6(Module):
    """y = x held between 0 and 6; see `functional.relu6`."""

    def forward(self, input: Any) -> Any:
        return F.relu6(input)


class Hardtanh(Module):
    """y = x held between min_val and max_val; see `functional.hardtanh`."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        check_bounds(min_val, max_val)
        self.min_val = min_val
        self.max_val = max_val

    def forward(self, input: Any) -> Any:
        return F.hardtanh(input, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class LeakyReLU(Module):
    """y = x where x > 0, else negative_slope x; see `functional.leaky_relu`."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, input: Any) -> Any:
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """y = x where x > 0, else alpha (e ** x - 1); see `functional.elu`."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, input: Any) -> Any:
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class SELU(Module):
    """`ELU` with constants that keep mean 0 and variance 1; see `functional.selu`."""

    def forward(self, input: Any) -> Any:
        return F.selu(input)


class GELU(Module):
    """y = x P(X < x) for a standard normal X; see `functional.gelu`.

    Args:
        approximate: "none", or "tanh" for a formula with tanh.

    Raises:
        RuntimeError: for another `approximate`.
    """

    def __init__(self, approximate: str = "none") -> None:
        check_approximate(approximate)
        self.approximate = approximate

    def forward(self, input: Any) -> Any:
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """y = x sigmoid(x); see `functional.silu`."""

    def forward(self, input: Any) -> Any:
        return F.silu(input)


class Sigmoid(Module):
    """y = 1 / (1 + e ** -x); see `functional.sigmoid`."""

    def forward(self, input: Any) -> Any:
        return F.sigmoid(input)


class LogSigmoid(Module):
    """y = ln(sigmoid(x)); see `functional.logsigmoid`."""

    def forward(self, input: Any) -> Any:
        return F.logsigmoid(input)


class Softplus(Module):
    """y = ln(1 + e ** (beta x)) / beta, a smooth ReLU; see `functional.softplus`."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Any) -> Any:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Tanh(Module):
    """y = tanh x; see `functional.tanh`."""

    def forward(self, input: Any) -> Any:
        return F.tanh(input)


# ---- along an axis ---------------------------------------------------------------------


class Softmax(Module):
    """y = e ** x / (the sum of e ** x along axis `dim`); see `functional.softmax`.

    Without `dim` it is the last axis, as in the function. PyTorch then takes another one for
    inputs of three axes, and warns that this will change: name the axis.
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, input: Any) -> Any:
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """y = ln(softmax(x)) along axis `dim`, the last by default; `functional.log_softmax`."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, input: Any) -> Any:
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"

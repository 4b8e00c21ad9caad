"""Layers: Modules that turn one input into one output.

It imports the functions, the initialisers and `Module`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from . import functional as F
from . import init
from .module import Module, Parameter

__all__ = ["Flatten", "Linear", "ReLU", "Sequential", "Sigmoid", "Tanh"]


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


class Sequential(Module):
    """Modules one after another, each fed with the output of the one before.

    Args:
        modules: Modules, which get the names "0", "1", ...; or one dict of names and
            Modules, in its order.

    A Module is an attribute under its name. ``net[0]``, ``net[-1]``, ``net[1:]`` (a
    Sequential of the same Modules and names), ``len(net)`` and ``for layer in net`` work.
    One that is assigned later, as ``net.last = ...``, comes last. No Modules at all give the
    input back.

    Raises:
        TypeError: for anything but Modules.
        KeyError: for a name that is no string, has a dot in it or is already taken.
    """

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = dict(modules[0])
        else:
            named = {str(i): module for i, module in enumerate(modules)}
        for name, module in named.items():
            self._check(name, module)
        vars(self).update(named)

    def _check(self, name: Any, module: Any) -> None:
        """Raise unless the Module can be an attribute of that name."""
        if not isinstance(module, Module):
            raise TypeError(f"Sequential expects Modules; got {type(module).__name__} at "
                            f"'{name}'. Unpack a list with *, and use the layer in place of "
                            "a function, such as nn.ReLU()")
        if not isinstance(name, str) or "." in name or hasattr(self, name):
            raise KeyError(f"Sequential expects names without dots that no attribute has; "
                           f"got {name!r}")

    def forward(self, input: Any) -> Any:
        for layer in vars(self).values():
            if isinstance(layer, Module):
                input = layer(input)
        return input

    def _layers(self) -> dict[str, Module]:
        return {name: x for name, x in vars(self).items() if isinstance(x, Module)}

    def __len__(self) -> int:
        return len(self._layers())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._layers().values())

    def __getitem__(self, index: Any) -> Any:
        layers = self._layers()
        if isinstance(index, slice):
            return Sequential({name: layers[name] for name in list(layers)[index]})
        try:
            return list(layers.values())[index]
        except IndexError:
            raise IndexError(f"index {index} is out of range for a Sequential of "
                             f"{len(self)} Modules") from None


class ReLU(Module):
    """y = x where x > 0, else 0; see `functional.relu`."""

    def forward(self, input: Any) -> Any:
        return F.relu(input)


class Sigmoid(Module):
    """y = 1 / (1 + e ** -x); see `functional.sigmoid`."""

    def forward(self, input: Any) -> Any:
        return F.sigmoid(input)


class Tanh(Module):
    """y = tanh x; see `functional.tanh`."""

    def forward(self, input: Any) -> Any:
        return F.tanh(input)


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

"""Modules made of Modules; it imports `Module`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .module import Module

__all__ = ["Sequential"]


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

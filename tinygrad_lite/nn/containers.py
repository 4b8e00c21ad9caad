"""Modules made of Modules; it imports `Module`.

A Module that is held is an attribute under its name, so parameters are named as PyTorch
names them: "0.weight" in a list, "key.weight" in a dict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from ..engine import turned
from .module import Module

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


class _Container(Module):
    """What the three kinds have in common: Modules in the order of definition."""

    def _layers(self) -> dict[str, Module]:
        return {name: x for name, x in vars(self).items() if isinstance(x, Module)}

    def __len__(self) -> int:
        return len(self._layers())

    def _add(self, named: dict[Any, Any], hint: str = "") -> None:
        """Hold these Modules under these names; none of them if one does not fit."""
        layers = self._layers()
        for name, module in named.items():
            if not isinstance(module, Module):
                raise TypeError(f"{type(self).__name__} expects Modules; got "
                                f"{type(module).__name__} at '{name}'{hint}")
            fits = isinstance(name, str) and name and "." not in name
            if not fits or hasattr(self, name) and name not in layers:
                raise KeyError(f"{type(self).__name__} expects names without dots that no "
                               f"attribute has; got {name!r}")
        vars(self).update(named)
        turned()


class Sequential(_Container):
    """Modules one after another, each fed with the output of the one before.

    Args:
        modules: Modules, which get the names "0", "1", ...; or one dict of names and
            Modules, in its order.

    ``net[0]``, ``net[-1]``, ``net[1:]`` (a Sequential of the same Modules and names),
    ``len(net)`` and ``for layer in net`` work. A Module that is assigned later, as
    ``net.last = ...``, comes last. No Modules at all give the input back.

    Raises:
        TypeError: for anything but Modules.
        KeyError: for a name that is no string, has a dot in it or is already taken.
    """

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = dict(modules[0])
        else:
            named = {str(i): module for i, module in enumerate(modules)}
        self._add(named, ". Unpack a list with *, and use the layer in place of a function, "
                  "such as nn.ReLU()")

    def forward(self, input: Any) -> Any:
        for layer in vars(self).values():
            if isinstance(layer, Module):
                input = layer(input)
        return input

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


class ModuleList(_Container):
    """Modules in a list that `Module` looks into, named "0", "1", ...; it computes nothing.

    Args:
        modules: Modules, in any iterable.

    It does what a list does: indices (negative ones too), slices (a ModuleList of the same
    Modules), assignment, ``del``, ``+``, ``+=``, ``in``, ``len``, iteration. A plain list
    of Modules in an attribute is found as well; this one can be a Module's child or entry
    by itself, and prints as one.

    Raises:
        TypeError: for anything but Modules.
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        self.extend(() if modules is None else modules)

    def append(self, module: Module) -> ModuleList:
        """Add a Module at the end, and return the list."""
        return self.extend([module])

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add several Modules at the end, and return the list."""
        if not isinstance(modules, Iterable):
            raise TypeError("ModuleList.extend should be called with an iterable of Modules; "
                            f"got {type(modules).__name__}")
        start = len(self)
        self._add({str(start + i): module for i, module in enumerate(modules)})
        return self

    def insert(self, index: int, module: Module) -> None:
        """Put a Module before the one at the index; all behind it get new names."""
        modules = list(self)
        modules.insert(index, module)
        self._replace_all(modules)

    def pop(self, index: Any = -1) -> Module:
        """Take out the Module at the index, the last if left out, and return it."""
        module = self[index]
        del self[index]
        return module

    def _replace_all(self, modules: list) -> None:
        """Hold just these Modules, under the names that their places give them."""
        self._add({str(i): module for i, module in enumerate(modules)})
        for name in list(self._layers())[len(modules):]:
            delattr(self, name)

    def _layers(self) -> dict[str, Module]:
        return {name: x for name, x in super()._layers().items() if name.isdigit()}

    def __iter__(self) -> Iterator[Module]:
        return iter(self._layers().values())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ModuleList(list(self)[index])
        return list(self)[self._place(index)]

    def __setitem__(self, index: Any, module: Any) -> None:
        modules = list(self)
        modules[self._place(index)] = module
        self._replace_all(modules)

    def __delitem__(self, index: Any) -> None:
        modules = list(self)
        del modules[self._place(index)]
        self._replace_all(modules)

    def _place(self, index: Any) -> Any:
        """The index or slice itself; IndexError if there is no such place."""
        if not isinstance(index, slice) and not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for a ModuleList of {len(self)} "
                             "Modules")
        return index

    def __add__(self, modules: Iterable[Module]) -> ModuleList:
        return ModuleList(self).extend(modules)

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)

    def __repr__(self) -> str:
        """One line for each Module, or for a run of Modules that print alike."""
        lines = []
        start = 0
        for text, run in groupby(map(repr, self)):
            last = start + len(list(run)) - 1
            several = f"({start}-{last}): {last - start + 1} x "
            lines.append((several if last > start else f"({start}): ") + text)
            start = last + 1
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)" if lines else f"{type(self).__name__}()"


class ModuleDict(_Container):
    """Modules by name in a dict that `Module` looks into; it computes nothing.

    Args:
        modules: a dict of names and Modules, or pairs of them, in their order.

    ``in``, ``del``, ``len``, iteration over the names, ``d[name]`` and ``d[name] = module``
    do what they do with a dict. A name must not be that of an attribute, such as "keys".

    Raises:
        TypeError: for anything but Modules.
        KeyError: for a name that is no string, is empty, has a dot in it or is an
            attribute's; and for one that is looked up in vain.
    """

    def __init__(self, modules: Any = None) -> None:
        self.update({} if modules is None else modules)

    def update(self, modules: Any) -> None:
        """Add Modules from a dict, a ModuleDict or pairs, in place of those of a same name."""
        self._add(dict(modules))

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._layers().keys()

    def values(self) -> Iterable[Module]:
        """The Modules."""
        return self._layers().values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Pairs (name, Module)."""
        return self._layers().items()

    def pop(self, key: str) -> Module:
        """Take out the Module of that name, and return it."""
        module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        """Take out all Modules."""
        for name in self._layers():
            delattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers())

    def __contains__(self, key: object) -> bool:
        return key in self._layers()

    def __getitem__(self, key: str) -> Module:
        return self._layers()[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self._add({key: module})

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        delattr(self, key)

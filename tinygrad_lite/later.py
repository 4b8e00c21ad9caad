"""Names of a package that are imported when they are first asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["later"]


def later(
    package: str, modules: Mapping[str, str],
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a package that imports some names later (PEP 562).

    Args:
        package: its ``__name__``.
        modules: for each such name the module in the package that has it, or that it is.
    """
    names = vars(sys.modules[package])

    def find(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f".{modules[name]}", package)
        names[name] = module if name == modules[name] else getattr(module, name)
        return names[name]

    def all_names() -> list[str]:
        return sorted({*names, *modules})

    return find, all_names

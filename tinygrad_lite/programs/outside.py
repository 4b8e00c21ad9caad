"""Outside: the variables that a function reads but does not own. It imports `Module`'s file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dis import get_instructions
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from ..nn.module import unchanged

__all__ = ["Outside"]

_FIXED = (ModuleType, FunctionType, BuiltinFunctionType, MethodType, type)


class Outside:
    """What the variables stand for that a function names, but that are not its own.

    They are those of its module, of functions around it, and attributes of what it finds
    there or in its arguments; but for modules, functions and classes. What functions read
    that it calls is not known.

    Args:
        function: a function or a method; of other callables nothing is known.
        arguments: what it is called with.
    """

    def __init__(self, function: Callable, arguments: Iterable[Any] = ()) -> None:
        code = getattr(function, "__code__", None)
        variables = getattr(function, "__globals__", {})
        names = _named(code, ("LOAD_GLOBAL",))
        self._cells = [(name, cell, cell.cell_contents) for name, cell in
                       zip(getattr(code, "co_freevars", ()),
                           getattr(function, "__closure__", None) or ())
                       if cell != CellType()]
        self._places = _places(variables, names)
        found = [x for _, _, x in (*self._places, *self._cells)]
        attributes = _named(code, ("LOAD_ATTR", "LOAD_METHOD"))
        for x in (*found, *arguments):
            if not isinstance(x, _FIXED):
                self._places += _places(getattr(x, "__dict__", {}), attributes)

    def first_change(self) -> str | None:
        """The name of one that stands for another object now, and no equal plain one."""
        for variables, name, before in self._places:
            now = variables.get(name)
            if now is not before and not unchanged(before, now):
                return name
        for name, cell, before in self._cells:
            now = cell.cell_contents
            if now is not before and not unchanged(before, now):
                return name
        return None


def _places(variables: dict[str, Any], names: Iterable[str]) -> list[tuple[dict, str, Any]]:
    """Where the variables of these names stand, and what they stand for."""
    return [(variables, name, variables[name]) for name in names
            if name in variables and not isinstance(variables[name], _FIXED)]


def _named(code: CodeType | None, reads: tuple[str, ...]) -> set[str]:
    """The names that instructions of some kinds read, also in functions inside of the code."""
    if code is None:
        return set()
    names = {one.argval for one in get_instructions(code) if one.opname in reads}
    inner = [_named(x, reads) for x in code.co_consts if isinstance(x, CodeType)]
    return names.union(*inner)

"""Outside: the variables that a function reads but does not own. It imports `Module`'s file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dis import get_instructions
from functools import partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from ..nn.module import unchanged

__all__ = ["Outside"]

_Place = tuple[dict, Any, Any]  # where a variable stands, its name, what it stands for
_FIXED = (ModuleType, FunctionType, BuiltinFunctionType, MethodType, type)


class Outside:
    """What the variables stand for that a function names, but that are not its own.

    They are those of its module, of functions around it, and of what it finds there or in its
    arguments the attributes and the items of dicts that it names, and theirs; but for
    modules, functions and classes. What functions read that it calls is not known.

    Args:
        function: a function or a method, or what a decorator or `functools.partial` made of
            one; of other callables nothing is known.
        arguments: what it is called with.
    """

    def __init__(self, function: Callable, arguments: Iterable[Any] = ()) -> None:
        self._places: list[_Place] = []
        self._cells: list[tuple[str, CellType, Any]] = []
        names: set = set()
        for one in _layers(function):
            code = getattr(one, "__code__", None)
            names |= _named(code, ("LOAD_ATTR", "LOAD_METHOD", "LOAD_CONST"))
            self._places += _places(getattr(one, "__globals__", {}),
                                    _named(code, ("LOAD_GLOBAL",)))
            self._cells += [(name, cell, cell.cell_contents) for name, cell in
                            zip(getattr(code, "co_freevars", ()),
                                getattr(one, "__closure__", None) or ())
                            if cell != CellType()]
        self._follow([*arguments, *(x for _, _, x in (*self._places, *self._cells))], names)

    def _follow(self, found: list[Any], names: set) -> None:
        """Add what objects hold under these names, and what that holds."""
        seen: set[int] = set()
        while found:
            x = found.pop()
            if id(x) in seen or isinstance(x, _FIXED):
                continue
            seen.add(id(x))
            held = _places(x if isinstance(x, dict) else getattr(x, "__dict__", {}), names)
            self._places += held
            found += [item for _, _, item in held]

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


def _layers(function: Any) -> Iterator[Any]:
    """A function, and those that decorators and partial calls have wrapped up in it."""
    while function is not None:
        yield function
        inner = function.func if isinstance(function, partial) else None
        function = getattr(function, "__wrapped__", inner)


def _places(variables: dict[Any, Any], names: Iterable[Any]) -> list[_Place]:
    """Where the variables of these names stand, and what they stand for."""
    return [(variables, name, variables[name]) for name in names
            if name in variables and not isinstance(variables[name], _FIXED)]


def _named(code: CodeType | None, reads: tuple[str, ...]) -> set:
    """What instructions of some kinds name, also in functions inside of the code."""
    if code is None:
        return set()
    names = {one.argval for one in get_instructions(code) if one.opname in reads}
    inner = [_named(x, reads) for x in code.co_consts if isinstance(x, CodeType)]
    return names.union(*inner)

"""Outside: the variables that a function reads but does not own.

It imports the recorder, and the file of `Module`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dis import get_instructions
from functools import partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from ..nn.module import unchanged
from .recorder import holds_still

__all__ = ["Outside"]

_Place = tuple[dict, Any, Any]  # where a variable stands, its name, what it stands for
_FIXED = (ModuleType, FunctionType, BuiltinFunctionType, MethodType, type)


class Outside:
    """What the variables stand for that a function names, but that are not its own.

    They are those of its module, of functions around it, and of what it finds there or in its
    arguments the attributes and the items of dicts that it names, and theirs; of lists, the
    items that they have at first; but no modules, functions and classes. What functions read
    that it calls is not known.

    Args:
        function: a function or a method, or what a decorator or `functools.partial` made of
            one; of other callables nothing is known.
        arguments: what it is called with; what lists and dicts hold is not looked at, for
            it comes in anew with each call.
    """

    def __init__(self, function: Callable, arguments: Iterable[Any] = ()) -> None:
        self._places: list[_Place] = []
        self._cells: list[tuple[str, CellType, Any]] = []
        self._lists: list[tuple[list, list]] = []
        attributes: set = set()
        keys: set = set()
        for one in _layers(function):
            code = getattr(one, "__code__", None)
            attributes |= _named(code, ("LOAD_ATTR", "LOAD_METHOD"))
            keys |= _named(code, ("LOAD_CONST",))
            self._places += _places(getattr(one, "__globals__", {}),
                                    _named(code, ("LOAD_GLOBAL",)))
            self._cells += [(name, cell, cell.cell_contents) for name, cell in
                            zip(getattr(code, "co_freevars", ()),
                                getattr(one, "__closure__", None) or ())
                            if cell != CellType()]
        owners = [x for x in arguments if not isinstance(x, (list, tuple, dict))]
        self._follow([*owners, *(x for _, _, x in (*self._places, *self._cells))],
                     attributes, keys)

    def _follow(self, found: list[Any], attributes: set, keys: set) -> None:
        """Add what these hold as attributes and under keys, and what that holds."""
        seen: set[int] = set()
        while found:
            x = found.pop()
            if id(x) in seen or isinstance(x, _FIXED):
                continue
            seen.add(id(x))
            if isinstance(x, list):
                self._lists.append((x, x.copy()))
            held = _places(x, keys) if isinstance(x, dict) else \
                _places(getattr(x, "__dict__", {}), attributes)
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
        for now, before in self._lists:
            if not holds_still(now, before):
                return "an item of a list"
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

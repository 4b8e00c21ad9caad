"""Recorder: writes down every op of one call of a function, in the order they ran.

While it is on, `engine.apply` tells it of each op, sweeps run their rules on nodes, so that
these pass through `apply` too, and whoever changes state tells it: an optimizer's step,
gradients that are cleared or added to, arrays that are written in place. What a replay could
not do again is refused, with the line that asked for it.

It imports the engine, the skins and NumPy.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import engine
from ..engine import Node, Op
from ..kernels.groups import root
from ..value import Value

__all__ = ["Entry", "Recorder", "Register", "Step", "Update", "Write"]

PACKAGE = str(Path(__file__).parents[1])


class Register(NamedTuple):
    """The place of a Value's number among all numbers of a program."""

    at: int


class Entry(NamedTuple):
    """One op: what it read, and where its result goes.

    Attributes:
        op: the operation.
        inputs: arrays, registers, and plain constants.
        static: its static arguments.
        output: an array or a register.
    """

    op: Op
    inputs: tuple
    static: dict[str, Any]
    output: Any


class Write(NamedTuple):
    """Numbers copied into a part of an array, in place."""

    target: np.ndarray
    index: Any
    source: Any


class Update(NamedTuple):
    """A step of an optimizer: one call of its kernel.

    Attributes:
        optimizer: whose step it is.
        group: the number of its parameter group.
        batch: the parameters and their state.
        columns: the arrays that the kernel takes.
        values: Values among the parameters, with the registers of number and gradient.
    """

    optimizer: Any
    group: int
    batch: Any
    columns: list
    values: list[tuple[Value, Register, Register]]


class Step(NamedTuple):
    """An optimizer counts a step."""

    optimizer: Any


class Recorder:
    """What one call of a function did.

    Attributes:
        entries: `Entry`, `Write` and `Update`, in order.
        numbers: of each register, as recorded.
        leaves: Values whose register holds what their number is at the start of a call.
        states: pairs of a Tensor that the function found and its array.
        modules: pairs of a Module that was called and whether it trained.
        gradients: nodes whose ``.grad`` was touched.
        fresh: those that had no gradient when one was added.
        sums: those whose old gradient was added to, and what held it: a Tensor or a register.
    """

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.numbers: list[float] = []
        self.leaves: list[tuple[Value, Register]] = []
        self.states: dict[int, tuple[Node, np.ndarray]] = {}
        self.modules: dict[int, tuple[Any, bool]] = {}
        self.gradients: dict[Node, None] = {}
        self.fresh: dict[Node, None] = {}
        self.sums: dict[Node, Any] = {}
        self._registers: dict[int, Register] = {}
        self._found: set[int] = set()
        self._made: dict[int, np.ndarray] = {}
        self._kept: list[Any] = []     # so that no id is used twice

    def __enter__(self) -> Recorder:
        # all is kept until the end: collectors would search it again and again for nothing
        self._collects = gc.isenabled()
        gc.disable()
        engine._mode.tracer = self
        return self

    def __exit__(self, *exception: object) -> None:
        engine._mode.tracer = None
        if self._collects:
            gc.enable()

    # ---- what others tell it -----------------------------------------------------------

    def applied(self, op: Op, inputs: tuple, static: dict[str, Any], result: Node) -> None:
        """An op ran."""
        known = tuple([self.seen(x) for x in inputs])
        if isinstance(result, Value):
            self.entries.append(Entry(op, known, static, self._new_register(result)))
            return
        self._kept.append((inputs, static))
        output = result._data
        if id(root(output)) in {id(root(x)) for x in known if isinstance(x, np.ndarray)}:
            return  # a view, which holds what its base holds
        self._made[id(root(output))] = output
        self._kept.append(output)
        self.entries.append(Entry(op, known, static, output))

    def created(self, value: Value) -> None:
        """The function itself made a Value, which is the same number at each call."""
        self._new_register(value)

    def wrote(self, target: Node, index: Any, source: Any) -> None:
        """Numbers were copied into an array."""
        self.seen(target)
        self.entries.append(Write(target._data, index, self.seen(source)))

    def updated(self, optimizer: Any, group: int, batch: Any) -> None:
        """A kernel updated the parameters of a batch."""
        values = []
        for p in batch.params:
            if isinstance(p, Value):
                values.append((p, self._register(p), self._register(p._grad)))
            else:
                self.seen(p)
                self.seen(p._grad)
        self.entries.append(Update(optimizer, group, batch, batch.columns, values))

    def stepped(self, optimizer: Any) -> None:
        """An optimizer has taken a step."""
        self.entries.append(Step(optimizer))

    def entered(self, module: Any) -> None:
        """A Module is called."""
        self.modules.setdefault(id(module), (module, module.training))

    def clears(self, node: Node) -> None:
        """The gradient of a node is replaced, or dropped."""
        self.gradients[node] = None

    def accumulates(self, node: Node) -> None:
        """A gradient is added to that of a node."""
        if node in self.gradients or self.made(node):
            return
        self.gradients[node] = None
        if node._grad is None:
            self.fresh[node] = None
        elif isinstance(node, Value):
            node._grad = Value(node._grad)
            self.sums[node] = self._new_register(node._grad)
        else:
            self.sums[node] = node._grad

    def refuse(self, what: str, why: str) -> None:
        """Raise for something that a replay could not do."""
        raise RuntimeError(f"{what} cannot be replayed by tg.jit ({where()}): {why}")

    # ---- what it makes of it -----------------------------------------------------------

    def seen(self, x: Any) -> Any:
        """An input as an entry holds it."""
        if isinstance(x, Value):
            return self._register(x)
        if isinstance(x, Node):
            array = x._data
            if id(root(array)) not in self._made:
                self.states.setdefault(id(x), (x, array))
            return array
        return x

    def made(self, node: Node) -> bool:
        """Whether a node's data was made while recording."""
        if isinstance(node, Value):
            return id(node) in self._registers and id(node) not in self._found
        return id(root(node._data)) in self._made

    def _register(self, value: Value) -> Register:
        """The register of a Value; one that the function found is a leaf."""
        if id(value) not in self._registers:
            self.leaves.append((value, self._new_register(value)))
            self._found.add(id(value))
        return self._registers[id(value)]

    def _new_register(self, value: Value) -> Register:
        register = self._registers[id(value)] = Register(len(self.numbers))
        self.numbers.append(value._data)
        self._kept.append(value)
        return register


def where() -> str:
    """The innermost line outside this package that is running, such as ``train.py:12``."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    if frame is None:
        return "?"
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


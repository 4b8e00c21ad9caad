"""Recorder: writes down every op of one call of a function, in the order they ran.

While it is on, `engine.apply` tells it of each op, sweeps run their rules on nodes, so that
these pass through `apply` too, and whoever changes state tells it: an optimizer's step,
gradients that are cleared or added to, arrays that are written in place. What a replay could
not do again is refused, with the line that asked for it.

It imports the engine, the skins and NumPy.
"""

from __future__ import annotations

import contextlib
import copy
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import is_
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import engine, ops
from ..engine import Node, Op
from ..kernels.groups import root
from ..nn.module import unchanged
from ..optim.optimizer import living
from ..tensor import Tensor
from ..value import Value

__all__ = ["Entry", "Pass", "Recorder", "Register", "Step", "Update", "Write", "holdings",
           "holds_still", "same_traits", "traits"]

# The files of this package, of NumPy, and of modules that stand between them and the user.
NOT_THE_USERS = (str(Path(__file__).parents[1]) + os.sep,
                 str(Path(np.__file__).parent) + os.sep, contextlib.__file__, copy.__file__,
                 pickle.__file__)


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


class Pass(NamedTuple):
    """A kernel, other than an optimizer's, that changes arrays in place.

    Attributes:
        kernel: its name.
        columns: the arrays that it takes.
        scalars: numbers, registers, and functions that return a number.
    """

    kernel: str
    columns: list
    scalars: tuple


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
    """An optimizer counts a step; so many groups it had."""

    optimizer: Any
    groups: int


class Recorder:
    """What one call of a function did.

    Attributes:
        entries: `Entry`, `Write`, `Pass`, `Update` and `Step`, in order.
        numbers: of each register, as recorded.
        leaves: Values whose register holds what their number is at the start of a call.
        states: pairs of a Tensor that the function found and its array.
        traits: pairs of a node or Module that it found and its `traits`.
        gradients: nodes whose ``.grad`` it changed, and what that is in the end: None, a
            Tensor, a number or a register.
        fresh: nodes that it expects to have no gradient at the start.
        sums: those that it expects to have one, and what holds it: a Tensor of the
            recording's own, or a register.
        given: the gradients of its arguments in the end, likewise, by their number.
        cells: of the Tensors that it changed in place, to be stamped.
        after: functions to be called at the end of each replay.
    """

    def __init__(self, inputs: Iterable[Node] = ()) -> None:
        self.entries: list[Any] = []
        self.numbers: list[float] = []
        self.leaves: list[tuple[Value, Register]] = []
        self.states: dict[int, tuple[Node, np.ndarray]] = {}
        self.traits: dict[int, tuple[Any, list]] = {}
        self.gradients: dict[Node, Any] = {}
        self.fresh: dict[Node, None] = {}
        self.sums: dict[Node, Any] = {}
        self.given: dict[int, Any] = {}
        self.cells: dict[int, list[int]] = {}
        self.after: list[Callable[[], Any]] = []
        self._inputs = list(inputs)
        self._wanting = {i for i, x in enumerate(self._inputs) if x._requires_grad}
        self._registers: dict[int, Register] = {}
        self._made: dict[int, np.ndarray] = {}
        self._constants: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._borrowed: dict[int, np.ndarray] = {}
        self._modes: dict[int, tuple[Any, bool]] = {}
        self._scheduled: set[int] = set()
        optimizers = [reference() for reference in living.valuerefs()]
        self._settings = [(optimizer, _unfolded(optimizer.param_groups))
                          for optimizer in optimizers if optimizer is not None]
        self._kept: list[Any] = []     # so that no id is used twice
        for x in self._inputs:
            self._makes(x)

    def __enter__(self) -> Recorder:
        engine._mode.tracer = self
        return self

    def __exit__(self, kind: Any, *exception: object) -> None:
        engine._mode.tracer = None
        try:
            if kind is None:
                self._finish()
        finally:
            for node in (*self.gradients, *self.sums):
                if isinstance(node, Value):
                    node._grad = getattr(node._grad, "_data", node._grad)

    def _finish(self) -> None:
        """Note what gradients are in the end, and what constants were overwritten."""
        self._refuse_new_settings()
        for node in (*self.gradients, *self.sums):  # those found may be changed in place
            self.gradients[node] = self._gradient(node)
        for i, x in enumerate(self._inputs):
            if i in self._wanting and x._grad is not None:
                self.given[i] = self._gradient(x)
        for array, before in self._constants.values():
            if not np.array_equal(array, before, equal_nan=array.dtype.kind == "f"):
                self.entries.insert(0, Write(array, ..., before))
        for module, mode in self._modes.values():
            self.after.append(partial(setattr, module, "training", mode))

    def _refuse_new_settings(self) -> None:
        """Raise if settings of an optimizer were assigned, other than by a scheduler."""
        for optimizer, before in self._settings:
            if id(optimizer) not in self._scheduled \
                    and not _same(before, _unfolded(optimizer.param_groups)):
                self.refuse(f"assigning a setting of {type(optimizer).__name__}", "a replay "
                            "assigns nothing; do it outside, or by a scheduler")

    def _gradient(self, node: Node) -> Any:
        return self.seen(node._grad) if isinstance(node, Value) else node._grad

    # ---- what others tell it -----------------------------------------------------------

    def applied(self, op: Op, inputs: tuple, static: dict[str, Any], result: Node) -> None:
        """An op ran."""
        registers = self._registers
        known = tuple([registers.get(id(x)) or self.seen(x) for x in inputs])
        if isinstance(result, Value):
            self.entries.append(Entry(op, known, static, self._new_register(result)))
            return
        self._kept.append((inputs, static))
        output = result._data
        if id(root(output)) in {id(root(x)) for x in known if isinstance(x, np.ndarray)}:
            return  # a view, which holds what its base holds
        self._makes(result)
        self.entries.append(Entry(op, known, static, output))

    def created(self, node: Node) -> None:
        """The function itself made a node of numbers that are the same at each call."""
        self._makes(node)
        if isinstance(node, Tensor):
            array = node._data
            self._constants[id(root(array))] = array, array.copy()

    def borrowed(self, node: Node) -> None:
        """The function made a Tensor that shares memory with an array."""
        if id(root(node._data)) not in self._made:
            self._borrowed[id(root(node._data))] = node._data

    def wrote(self, target: Node, index: Any, source: Any) -> None:
        """Numbers were copied into an array."""
        array = self.seen(target)
        if id(root(array)) in self._borrowed:
            self.refuse("writing into as_tensor(array)", "a replay cannot know whether the "
                        "array is a new one each time; make a Tensor of it")
        self._begins_anew(array)
        self.entries.append(Write(array, index, self.seen(source)))

    def _begins_anew(self, array: np.ndarray) -> None:
        """An array is written: if it is a constant's, each replay begins with its numbers."""
        constant, before = self._constants.pop(id(root(array)), (None, None))
        if constant is not None:
            self.entries.insert(0, Write(constant, ..., before))

    def becomes(self, node: Node) -> None:
        """A Tensor becomes the result of an op, by a change in place that the graph records."""
        if not self.made(node):
            self.refuse("writing a node of the graph into a Tensor from outside", "each replay "
                        "would have to leave its graph there; write under no_grad()")

    def changed(self, cells: Iterable[list[int]]) -> None:
        """Tensors with these cells were changed in place."""
        self.cells.update((id(cell), cell) for cell in cells)

    def passed(self, kernel: str, columns: list, scalars: Iterable[Any]) -> None:
        """A kernel changed arrays in place."""
        self._kept.append(columns)
        for array in columns[0]:
            self._begins_anew(array)
        known = tuple(map(self.seen, scalars))
        self.entries.append(Pass(kernel, columns, known))

    # ---- optimizers and schedules ------------------------------------------------------

    def steps(self, optimizer: Any) -> None:
        """An optimizer begins a step, for which it looks at all gradients."""
        if id(optimizer) in self._scheduled:
            self.refuse("a step of an optimizer behind one of its scheduler", "a replay "
                        "changes rates at its end; call scheduler.step() last, or outside")
        for group in optimizer.param_groups:
            for p in group["params"]:
                self.finds(p)
                self._make_ready(p)

    def _make_ready(self, p: Node) -> None:
        """Let a parameter have its gradient in the form that kernels take."""
        if isinstance(p._grad, float):
            p._grad = Value(p._grad)
        elif isinstance(p._grad, Tensor) and not p._grad._data.flags.c_contiguous:
            with engine.no_grad():
                p._grad = ops.copy(p._grad)

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
        self.entries.append(Step(optimizer, len(optimizer.param_groups)))

    def schedules(self, scheduler: Any) -> None:
        """A scheduler has set rates."""
        self._scheduled.add(id(scheduler.optimizer))
        self.repeats(scheduler.step)

    def repeats(self, function: Callable[[], Any]) -> None:
        """What the function does is done again at the end of each replay."""
        self.after.append(function)

    # ---- Modules -----------------------------------------------------------------------

    def entered(self, module: Any) -> None:
        """A Module is called."""
        if id(module) not in self.traits:
            self.traits[id(module)] = module, traits(module, id(module) in self._modes)

    def assigns(self, module: Any, name: str, value: Any) -> None:
        """An attribute of a Module is about to be replaced."""
        if name != "training":
            self.refuse(f"assigning .{name} of {type(module).__name__}", "a replay assigns "
                        "nothing; return it, or write into a buffer, as in buffer[...] = x")
        self._modes[id(module)] = module, value

    # ---- gradients ---------------------------------------------------------------------

    def finds(self, node: Node) -> None:
        """The gradient of a node is looked at."""
        known = node in self.gradients or node in self.fresh or node in self.sums
        if known or self.made(node):
            return
        if node._grad is None:
            self.fresh[node] = None
            return
        if isinstance(node, Value):
            node._grad = Value(node._grad)
            self.sums[node] = self._register(node._grad)
            return
        if node._grad._maker is not None:
            self.refuse("a gradient with a graph from outside", "detach() it first")
        place = node._grad = self.sums[node] = Tensor(node._grad._data)
        del self._constants[id(place._data)]  # each replay copies a gradient there

    def clears(self, node: Node) -> None:
        """The gradient of a node is replaced, or dropped."""
        if not self.made(node):
            self.gradients[node] = None

    def accumulates(self, node: Node) -> None:
        """A gradient is added to that of a node."""
        self.finds(node)
        self.clears(node)

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
            if id(root(array)) not in self._made and id(x) not in self.states:
                self.states[id(x)] = x, array
                self.traits[id(x)] = x, traits(x)
            return array
        return x

    def made(self, node: Node) -> bool:
        """Whether a node's data was made while recording."""
        if isinstance(node, Value):
            return id(node) in self._registers and id(node) not in self.traits
        return id(root(node._data)) in self._made

    def _makes(self, node: Node) -> None:
        """The function made a node."""
        if isinstance(node, Value):
            self._new_register(node)
        else:
            self._made[id(root(node._data))] = node._data

    def _register(self, value: Value) -> Register:
        """The register of a Value; one that the function found is a leaf."""
        if id(value) not in self._registers:
            self.leaves.append((value, self._new_register(value)))
            self.traits[id(value)] = value, traits(value)
        return self._registers[id(value)]

    def _new_register(self, value: Value) -> Register:
        register = self._registers[id(value)] = Register(len(self.numbers))
        self.numbers.append(value._data)
        self._kept.append(value)
        return register


# ---- what a recording takes for granted ------------------------------------------------


def traits(x: Any, without_mode: bool = False) -> list:
    """What a recording takes for granted of a node or a Module, in a list to be compared."""
    if isinstance(x, Node):
        return [x._requires_grad, *(x._hooks or ())]
    names = {name: held for name, held in vars(x).items() if name != "training"}
    return [None if without_mode else x.training, *_unfolded(names)]


def same_traits(x: Any, before: list) -> bool:
    """Whether a node or a Module still is what it was."""
    return _same(before, traits(x, without_mode=before[0] is None))


def holdings(module: Any) -> Iterator[tuple[Any, Any]]:
    """Each list and dict that a Module holds, and a copy: a change there tells nobody."""
    inside = [held for name, held in vars(module).items() if name != "_buffers"]
    while inside:
        x = inside.pop()
        if isinstance(x, (list, dict)):
            yield x, copy.copy(x)
        if isinstance(x, (list, tuple, dict)):
            inside += x.values() if isinstance(x, dict) else x


def holds_still(now: Any, before: Any) -> bool:
    """Whether a list or dict holds what its copy does; it may hold more, such as a log."""
    if isinstance(now, dict):
        return all(name in now and unchanged(x, now[name]) for name, x in before.items())
    return len(now) >= len(before) and (all(map(is_, before, now))
                                        or all(map(unchanged, before, now)))


def _same(before: list, now: list) -> bool:
    """Whether two lists hold the same objects, or equal plain ones."""
    return len(now) == len(before) and all(map(unchanged, before, now))


def _unfolded(x: Any) -> list:
    """All that a container holds, and containers in it; or x alone."""
    if isinstance(x, dict):
        return [dict, len(x), *(item for pair in x.items() for item in
                                (pair[0], *_unfolded(pair[1])))]
    if isinstance(x, (list, tuple)):
        return [type(x), len(x), *(part for item in x for part in _unfolded(item))]
    return [x]


def where() -> str:
    """The innermost line of the user's that is running, such as ``train.py:12``."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(NOT_THE_USERS):
        frame = frame.f_back
    if frame is None:
        return "?"
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


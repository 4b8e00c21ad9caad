"""A net layer by layer: what comes out of each, and what it costs.

It imports `Module`, the evaluation, the random generator, Tensor and the tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from . import rng
from .engine import Node
from .evaluation import evaluating
from .nn import Module
from .tables import in_columns

__all__ = ["Row", "Summary", "summary"]

# The kinds of layer whose multiply-adds are counted: each number that comes out is a sum
# over one row, or one kernel, of the weight.
_WEIGHTED = ("Linear", "Conv2d")


class Row(NamedTuple):
    """One Module of a `Summary`."""

    name: str
    kind: str
    output_shape: Any       # a tuple; None if the Module was not called
    parameters: int         # how many numbers it holds itself, each counted once
    multiply_adds: int      # in all of its calls
    calls: int


class Summary:
    """What `summary` found; it prints as a table.

    Attributes:
        rows: a `Row` for each Module that has parameters of its own or no Modules below it.
        parameters: how many numbers there are to train and to keep.
        trainable: how many of them require a gradient.
        multiply_adds: of the whole input, all samples of it.
    """

    def __init__(self, rows: list[Row], parameters: int, trainable: int) -> None:
        self.rows = rows
        self.parameters = parameters
        self.trainable = trainable
        self.multiply_adds = sum(row.multiply_adds for row in rows)

    def __repr__(self) -> str:
        body = [(row.name, row.kind + (f", {row.calls} times" if row.calls > 1 else ""),
                 "not called" if row.output_shape is None else str(row.output_shape),
                 _count(row.parameters), _count(row.multiply_adds)) for row in self.rows]
        total = ("total", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}")
        header = ("name", "kind", "output shape", "parameters", "multiply-adds")
        lines = in_columns(header, [*body, total], left=3).splitlines()
        lines.insert(-1, lines[1])
        if self.trainable < self.parameters:
            frozen = self.parameters - self.trainable
            lines.append(f"of the parameters, {frozen:,} are frozen")
        return "\n".join(lines)


def _count(n: int) -> str:
    return f"{n:,}" if n else "-"


def summary(model: Module, *inputs: Any) -> Summary:
    """Shapes, parameters and multiply-adds of each layer, for one input.

    Args:
        model: a Module. It runs once, in evaluation mode and without a graph, and is left as
            it was: modes, numbers, gradients, and the state of the random generator.
        inputs: what it is called with: arrays or Tensors; a tuple of integers is a shape,
            batch included, and stands for float32 zeros.

    Returns:
        A `Summary`; print it. The multiply-adds are those of `Linear` and `Conv2d` layers,
        for the batch that was given.

    Raises:
        TypeError: if `model` is no Module.
        Exception: whatever the model raises for such an input.
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary expects a Module; got {type(model).__name__}")
    arguments = [np.zeros(x, np.float32) if _is_shape(x) else x for x in inputs]
    with _unchanged(model), evaluating(model), _watching(model) as calls:
        model(*arguments)
    rows = []
    counted: set[int] = set()
    for name, module in model.named_modules():
        own = _own_parameters(module, counted)
        if own or not any(True for _ in module.children()):
            rows.append(_row(name or "(model)", module, own, calls.get(module, [])))
    sizes = [(_size(p), p.requires_grad) for p in model.parameters()]
    return Summary(rows, sum(size for size, _ in sizes),
                   sum(size for size, trained in sizes if trained))


def _is_shape(x: Any) -> bool:
    return isinstance(x, tuple) and all(type(n) is int for n in x)


def _own_parameters(module: Module, counted: set[int]) -> list:
    """The parameters that a Module holds itself, without those `counted` before."""
    below = {id(p) for child in module.children() for p in child.parameters()}
    own = [p for p in module.parameters() if id(p) not in below | counted]
    counted.update(map(id, own))
    return own


def _row(name: str, module: Module, own: list, shapes: list) -> Row:
    kinds = {kind.__name__ for kind in type(module).__mro__}
    cost = 0
    if kinds.intersection(_WEIGHTED):
        weight: Any = module.weight  # type: ignore[attr-defined]  # such layers have one
        cost = sum(map(math.prod, shapes)) * math.prod(weight.shape[1:])
    return Row(name, type(module).__name__, shapes[-1] if shapes else None,
               sum(map(_size, own)), cost, len(shapes))


def _size(parameter: Any) -> int:
    return int(np.size(parameter.data))


def _shape(output: Any) -> Any:
    """The shape of an output; of several, their shapes."""
    if isinstance(output, (tuple, list)):
        return [_shape(x) for x in output]
    return np.shape(output._data if isinstance(output, Node) else output)


@contextmanager
def _watching(model: Module) -> Iterator[dict[Module, list]]:
    """The shapes of each Module's outputs, call by call: its `forward` is made to note them."""
    shapes: dict[Module, list] = {}
    before = {module: vars(module).get("forward") for module in model.modules()}

    def noting(module: Module) -> Any:
        forward = module.forward

        def note(*inputs: Any, **options: Any) -> Any:
            output = forward(*inputs, **options)
            shapes.setdefault(module, []).append(_shape(output))
            return output

        return note

    try:
        for module in before:
            vars(module)["forward"] = noting(module)
        yield shapes
    finally:
        for module, own in before.items():
            vars(module).pop("forward", None)
            if own is not None:
                vars(module)["forward"] = own


@contextmanager
def _unchanged(model: Module) -> Iterator[None]:
    """Give the model its numbers back, and the random generator its state."""
    drawn = rng.generator().bit_generator.state
    saved = model.state_dict()
    try:
        yield
    finally:
        rng.generator().bit_generator.state = drawn
        now = model.state_dict()
        changed = {name: x for name, x in saved.items()
                   if not np.array_equal(x, now[name], equal_nan=True)}
        if changed:
            model.load_state_dict(changed, strict=False)

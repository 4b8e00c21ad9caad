"""The graph behind a node as boxes and edges, few enough to look at.

It imports the engine, the skins and `Module`.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import numpy as np

from ..engine import Node, _as_seen_by, _recorded
from ..nn import Module
from ..tensor import Tensor
from ..value import Value

__all__ = ["Box", "Graph", "boxes_and_edges", "counted", "printable", "read"]

_LONGEST = 36     # of a line in a box, in characters
_FOLDED = 60      # boxes, at most, in a graph that is folded
_TANGLE = 3       # links for each box, at most, likewise
_STRETCHES = 12   # of distances from the leaves, at most, in a graph that is folded by them


class Box(NamedTuple):
    """What is drawn for one node, or for several that were folded together."""

    kind: str          # "op", "parameter", "data" or "fold"
    lines: list[str]   # side by side for a Value, else one below the other
    is_value: bool


class Graph(NamedTuple):
    """The graph behind a node: what it is made of comes before it."""

    items: list[Any]           # nodes, and plain arrays that went into an op
    inputs: list[list[int]]    # of each item, the numbers of the items it was made from
    names: dict[int, str]      # of some items, by their id()
    parameters: set[int]       # the id() of those items that are parameters of the model


def read(root: Node, model: Module | None, names: Mapping[str, Any]) -> Graph:
    """Everything that the root was made from.

    Raises:
        RuntimeError: if a sweep has freed the graph.
    """
    try:
        order = _recorded([root]) or [root]
    except RuntimeError:
        raise RuntimeError("the graph has been freed by a sweep: draw it before backward(), or "
                           "call backward(retain_graph=True)") from None
    called = {id(x): name for name, x in names.items() if isinstance(x, Node)}
    parameters = dict(model.named_parameters()) if model is not None else {}
    called.update({id(p): name for name, p in parameters.items()})
    graph = Graph([], [], called, {id(p) for p in parameters.values()})
    number: dict[int, int] = {}

    def add(x: Any, inputs: list[int]) -> None:
        number[id(x)] = len(graph.items)
        graph.items.append(x)
        graph.inputs.append(inputs)

    for node in order:
        inputs = [_as_seen_by(node, x) for x in _inputs(node) if not _is_plain_number(x)]
        for x in inputs:
            if id(x) not in number:
                add(x, [])
        add(node, list(dict.fromkeys(number[id(x)] for x in inputs)))
    return graph


def _inputs(node: Node) -> tuple:
    return () if node._maker is None else node._inputs or ()


def _is_plain_number(x: Any) -> bool:
    return not isinstance(x, Node) and np.ndim(x) == 0


# ---- folding ---------------------------------------------------------------------------


def boxes_and_edges(graph: Graph, model: Module | None, max_nodes: int
                    ) -> tuple[list[Box], list[tuple[int, int]]]:
    """The graph in at most `max_nodes` boxes, and the edges (from, to) between them."""
    keys, links = _first_readable(graph, model, max_nodes)
    joined = _join_cycles(links)
    members: dict[Hashable, list[int]] = {}
    for i, key in enumerate(keys):
        members.setdefault(joined.get(key, key), []).append(i)
    place = {key: i for i, key in enumerate(members)}
    ends = dict.fromkeys((place[joined.get(a, a)], place[joined.get(b, b)]) for a, b in links)
    boxes = [_box(graph, model, key, group) for key, group in members.items()]
    return boxes, [(a, b) for a, b in ends if a != b]


def _first_readable(graph: Graph, model: Module | None, max_nodes: int
                    ) -> tuple[Sequence[Hashable], dict[tuple[Hashable, Hashable], None]]:
    """The keys of the finest partition with few boxes, and few links (from, to) for them."""
    for keys in _partitions(graph, model):
        n = len(set(keys))
        if n > max_nodes or n > _FOLDED and n < len(keys):
            continue
        links = dict.fromkeys((keys[j], keys[i]) for i, inputs in enumerate(graph.inputs)
                              for j in inputs if keys[j] != keys[i])
        if n == len(keys) or len(links) <= _TANGLE * n:
            break
    return keys, links


def _partitions(graph: Graph, model: Module | None) -> Iterator[Sequence[Hashable]]:
    """For each item the key of its box, in finer ways first.

    First a box for each item. Then one for each Module, the deepest first; what belongs to
    none is a box by itself, then one for each op and each distance from the leaves, at last
    one for a stretch of distances, ever longer. Where leaves are not by themselves, they are
    in the box of what reads them first. The root stays by itself until nothing else helps.
    """
    single = list(range(len(graph.items)))
    yield single
    level, reader = _levels(graph), _first_readers(graph)
    owners = _owners(graph, model) if model is not None else [None] * len(single)
    deepest = max((len(owner) for owner in owners if owner is not None), default=0)
    others = list(_others(graph, level, reader))
    trials = [(depth, keys) for keys in others for depth in range(deepest, 0, -1)]
    for depth, keys in [*trials, *[(0, keys) for keys in others]]:
        yield [key if owner is None or depth and not owner
               else ("module", *owner[:depth][-1:])
               for owner, key in zip(owners, keys[:-1])] + ["root"]
    yield [()] * len(single)


def _others(graph: Graph, level: list[int], reader: list[int]) -> Iterator[Sequence[Hashable]]:
    """For each item its key if it belongs to no Module, in finer ways first."""
    yield range(len(graph.items))
    yield [("alike", _op_name(graph.items[r]), level[r]) for r in reader]
    width = 1 + max(level) // _STRETCHES
    while width <= 2 * max(level):
        yield [("levels", level[r] // width) for r in reader]
        width *= 2


def _op_name(item: Any) -> str:
    return item.op_name if isinstance(item, Node) else ""


def _levels(graph: Graph) -> list[int]:
    """How many ops lie between each item and the leaves, at most."""
    level: list[int] = []
    for inputs in graph.inputs:
        level.append(1 + max((level[i] for i in inputs), default=-1))
    return level


def _first_readers(graph: Graph) -> list[int]:
    """Of each leaf the first op that reads it; of anything else itself."""
    reader = list(range(len(graph.items)))
    for i in reversed(range(len(graph.items))):
        for j in graph.inputs[i]:
            if not graph.inputs[j]:
                reader[j] = i
    return reader


def _owners(graph: Graph, model: Module) -> list[tuple[str, ...] | None]:
    """The Module that each item belongs to, as the paths of the Modules around it and its own.

    It is None where that cannot be told, and () for the model itself.

    The graph does not know Modules, but a Module's ops read its parameters. So an op that
    reads parameters (or what was made of parameters alone) belongs to the Module that holds
    them all. Any other belongs where its inputs do, if it lies before another such op, or
    joins several results of one Module: a loss behind the last layer is not that layer's.
    """
    holders = _holders(model)
    owners: list[tuple[str, ...] | None] = []
    pure: list[bool] = []       # a parameter, or made of parameters alone
    leads_on = _before_layers(graph)
    for i, (x, inputs) in enumerate(zip(graph.items, graph.inputs)):
        owner = None
        weights = [j for j in inputs if pure[j]]
        found = [owners[j] for j in weights or inputs if weights or graph.inputs[j]]
        if id(x) in graph.parameters:
            owner = holders[id(x)]
        elif found and None not in found:
            joins = len(found) > 1 and len(set(found)) == 1
            if weights or leads_on[i] or joins:
                # of tuples it works too, which its annotation does not say
                owner = tuple(os.path.commonprefix(found))  # type: ignore[arg-type]
        owners.append(owner)
        pure.append(id(x) in graph.parameters or _only_reads(x, len(weights)))
    return owners


def _only_reads(x: Any, n: int) -> bool:
    """Whether x is the result of an op with n different inputs and nothing else."""
    inputs = _inputs(x) if isinstance(x, Node) else ()
    return bool(inputs) and not any(map(_is_plain_number, inputs)) and \
        len({id(i) for i in inputs}) == n


def _before_layers(graph: Graph) -> list[bool]:
    """Whether something made of an item, and of parameters too, comes later."""
    leads_on = [False] * len(graph.items)
    for i in reversed(range(len(graph.items))):
        inputs = graph.inputs[i]
        reads = any(id(graph.items[j]) in graph.parameters for j in inputs)
        for j in inputs:
            leads_on[j] = leads_on[j] or leads_on[i] or reads
    return leads_on


def _holders(model: Module) -> dict[int, tuple[str, ...]]:
    """For the id() of each parameter the innermost Module that holds it, as `_owners` does."""
    paths = [path for path, _ in model.named_modules() if path]
    holders: dict[int, tuple[str, ...]] = {id(p): () for p in model.parameters()}
    for path, module in model.named_modules():
        around = tuple(outer for outer in paths if f"{path}.".startswith(f"{outer}."))
        for p in module.parameters():
            holders[id(p)] = max(holders[id(p)], around, key=len)
    return holders


def _join_cycles(links: Iterable[tuple[Hashable, Hashable]]) -> dict[Hashable, Hashable]:
    """New keys for boxes that lead back to each other, as a Module called twice may.

    Args:
        links: the keys (from, to) of every edge.
    """
    joined: dict[Hashable, Hashable] = {}
    for attempt in itertools.count():
        links = dict.fromkeys((joined.get(a, a), joined.get(b, b)) for a, b in links)
        sorter: TopologicalSorter = TopologicalSorter()
        for a, b in links:
            if a != b:
                sorter.add(b, a)
        try:
            sorter.prepare()
            break
        except CycleError as error:
            cycle = dict.fromkeys(error.args[1])
            key = ("joined", attempt, *dict.fromkeys(path for x in cycle for path in _paths(x)))
            joined = {old: key if new in cycle else new for old, new in joined.items()}
            joined.update(dict.fromkeys(cycle, key))
    return joined


# ---- what stands in a box --------------------------------------------------------------


def _box(graph: Graph, model: Module | None, key: Hashable, group: list[int]) -> Box:
    if len(group) == 1:
        return _single(graph, graph.items[group[0]])
    items = [graph.items[i] for i in group]
    ops = Counter(_op_name(x) for x in items if _op_name(x))
    kinds = ", ".join(f"{n:,} {op}" if n > 1 else op for op, n in ops.most_common(2))
    kinds += ", ..." if len(ops) > 2 else ""
    paths = _paths(key)
    if paths and model is not None:
        modules = dict(model.named_modules())
        head = ", ".join(f"{path} {type(modules[path]).__name__}".strip() for path in paths)
        lines = [head, kinds]
    else:
        lines = [counted(sum(ops.values()), "op"), kinds] if len(ops) > 1 else [kinds]
    leaves = [x for x in items if not _op_name(x)]
    if leaves:
        what = "parameter" if all(id(x) in graph.parameters for x in leaves) else "number"
        lines.append(counted(sum(_data(x).size for x in leaves), what))
    return Box("fold", [_short(line) for line in lines if line], False)


def _paths(key: Hashable) -> tuple[str, ...]:
    """The paths of the Modules that a key stands for; the model itself is ""."""
    if isinstance(key, tuple) and key and key[0] in ("module", "joined"):
        return key[2:] if key[0] == "joined" else key[1:] or ("",)
    return ()


def _single(graph: Graph, x: Any) -> Box:
    """The box of one node or array: its name and op, and its number or shape."""
    name = graph.names.get(id(x), "")
    head = _call(x) if _op_name(x) else ""
    head = f"{name} = {head}" if name and head else name or head
    kind = "op" if _op_name(x) else "data"
    if id(x) in graph.parameters or kind == "data" and getattr(x, "requires_grad", False):
        kind = "parameter"
    if isinstance(x, Value):
        lines = [head or "value", f"data {x.data:.4g}", f"grad {float(x.grad):.4g}"]
        return Box(kind, [_short(line) for line in lines], True)
    data = _data(x)
    what = f"{data.item():.4g}" if data.size == 1 else str(data.shape)
    head = head or ("tensor" if isinstance(x, Tensor) else "array")
    return Box(kind, [_short(head), _short(what)], False)


def _data(x: Any) -> np.ndarray:
    return np.asarray(x._data if isinstance(x, Node) else x)


def _call(node: Any) -> str:
    """The op that made a node, with plain numbers in their places, and short settings."""
    op = node._maker
    inputs = _inputs(node)
    words = []
    if any(map(_is_plain_number, inputs)):
        words += [_number(x) if _is_plain_number(x) else "_" for x in inputs]
    for setting, x in node._static.items():
        if setting != "shape" and _is_short(x) and x != op.defaults.get(setting):
            words.append(f"{setting}={x}")
    return f"{op.name}({', '.join(words)})" if words else op.name


def _is_short(setting: Any) -> bool:
    """Whether it is a number, a word, or some integers."""
    if isinstance(setting, tuple):
        return all(type(n) is int for n in setting)
    return type(setting) in (int, float, str)


def _number(x: Any) -> str:
    return f"{float(x):.4g}" if isinstance(x, (int, float, np.generic, np.ndarray)) else str(x)


def counted(n: int, noun: str, nouns: str = "") -> str:
    """The number with its noun."""
    return f"{n:,} {noun if n == 1 else nouns or noun + 's'}"


def _short(line: str) -> str:
    """One line that can be printed, not too long."""
    line = printable(line)
    return line if len(line) <= _LONGEST else line[:_LONGEST - 3] + "..."


def printable(text: str) -> str:
    """The text without line breaks and signs that no file may hold."""
    return "".join(c if c.isprintable() else "?" for c in text)

"""`draw`, and the text that it writes: SVG and Graphviz DOT.

It imports the engine, `Module`, and the files beside it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

from ..engine import Node
from ..nn import Module
from .graph import Box, boxes_and_edges, counted, printable, read
from .layout import Point, place

__all__ = ["Drawing", "draw"]

_CHARACTER = 7.3   # width of one, in pixels, of the fonts below at 12 pixels
_LINE = 16         # height of a line
_PAD = 9           # left and right of the text
_MARGIN = 16
_FONT = "DejaVu Sans Mono, Menlo, Consolas, Liberation Mono, monospace"
_INK = "#222222"
_EDGE = "#767676"
_STYLES = {        # fill, outline, radius of the corners; they differ without colour as well
    "op": ("#F4F4F4", "#444444", 8),
    "parameter": ("#DCEBF5", "#0072B2", 0),
    "data": ("#FFFFFF", "#767676", 0),
    "fold": ("#FDF0D5", "#8A5A00", 8),
}


def draw(node: Node, model: Module | None = None, names: Mapping[str, Any] | None = None,
         max_nodes: int = 200, title: str | None = None) -> Drawing:
    """The graph behind a node, from its leaves at the top down to itself.

    Rounded boxes are ops, with the number or the shape that came out; square ones are
    leaves, those that get a gradient in blue. A Value has its number and its gradient beside
    its name. Numbers that went into an op stand behind its name.

    A graph of more than `max_nodes` boxes is folded, into 60 at most; a double frame marks
    what stands for several. With `model`, the ops of each Module become one box, of inner
    Modules or, where that is still too much, of outer ones. The graph itself does not know
    of Modules: an op belongs to the one whose parameters it reads, and what lies between two
    layers to the one before. What belongs to none, a loss or all of a graph without `model`,
    is folded by op and distance from the leaves, or by distance alone.

    Args:
        node: a Value or a Tensor.
        model: a Module whose parameters get their names, and by which a graph is folded.
        names: names of nodes; what is no node is left out, so ``names=locals()`` will do.
        max_nodes: the most boxes to draw.
        title: stands above; what the graph is if left out.

    Returns:
        A `Drawing`, which a notebook shows.

    Raises:
        TypeError: if `node` is no node, or `model` no Module.
        ValueError: for `max_nodes` below 1.
        RuntimeError: if a sweep has freed the graph.
    """
    if not isinstance(node, Node):
        raise TypeError(f"draw expects a Value or a Tensor; got {type(node).__name__}")
    if model is not None and not isinstance(model, Module):
        raise TypeError(f"draw expects a Module as model; got {type(model).__name__}")
    if max_nodes < 1:
        raise ValueError(f"draw expects max_nodes of 1 or more; got {max_nodes}")
    graph = read(node, model, names or {})
    boxes, edges = boxes_and_edges(graph, model, max_nodes)
    if title is None:
        n_ops = sum(bool(inputs) for inputs in graph.inputs)
        n_leaves = len(graph.items) - n_ops
        title = f"{counted(n_ops, 'op')}, {counted(n_leaves, 'leaf', 'leaves')}"
        title += f", in {len(boxes)} boxes" if len(boxes) < len(graph.items) else ""
    return Drawing(boxes, edges, printable(title))


class Drawing:
    """A graph as text: `dot` for Graphviz, and `svg`, a picture that needs no program.

    Attributes:
        boxes: what stands in each box.
        edges: pairs (from, to) of numbers of boxes.
        title: what stands above.
    """

    def __init__(self, boxes: list[Box], edges: list[tuple[int, int]], title: str) -> None:
        self.boxes = boxes
        self.edges = edges
        self.title = title

    def __repr__(self) -> str:
        return f"Drawing({self.title}: {len(self.boxes)} boxes, {len(self.edges)} edges)"

    def save(self, path: str | os.PathLike) -> None:
        """Write the file: a picture for ".svg", text for Graphviz for ".dot" or ".gv".

        Raises:
            ValueError: for another suffix; nothing is written.
            OSError: if the file cannot be written.
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind not in (".svg", ".dot", ".gv"):
            raise ValueError(f"save expects a path ending in .svg, .dot or .gv; got {path}")
        path.write_text(self.svg if kind == ".svg" else self.dot, encoding="utf-8")

    def _repr_svg_(self) -> str:
        return self.svg

    @cached_property
    def svg(self) -> str:
        """The picture, as text of an SVG file."""
        layout = place([_size(box) for box in self.boxes], self.edges)
        top = _MARGIN + 1.5 * _LINE
        width = max(layout.width, _CHARACTER * _width(self.title)) + 2 * _MARGIN
        height = layout.height + top + _MARGIN
        left = (width - layout.width) / 2
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" '
            f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'font-family="{_FONT}" font-size="12" fill="{_INK}">',
            f"<title>{escape(self.title)}</title>",
            f'<rect width="{width:.0f}" height="{height:.0f}" rx="6" fill="#FFFFFF"/>',
            f'<text x="{_MARGIN}" y="{_MARGIN + 9}" fill="#555555">{escape(self.title)}</text>',
            f'<g transform="translate({left:.1f} {top:.1f})">',
            *[_svg_edge(route) for route in layout.routes],
            *[_svg_box(box, corner) for box, corner in zip(self.boxes, layout.corners)],
            "</g>",
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    @cached_property
    def dot(self) -> str:
        """The graph in Graphviz's language."""
        lines = [
            "digraph {",
            f'  label="{_escaped(self.title)}"; labelloc=t; labeljust=l;',
            '  node [shape=box, style=filled, fontname="monospace", fontsize=12];',
            *[f"  n{i} [{_dot_box(box)}];" for i, box in enumerate(self.boxes)],
            *[f"  n{a} -> n{b};" for a, b in self.edges],
            "}",
        ]
        return "\n".join(lines) + "\n"


# ---- SVG -------------------------------------------------------------------------------


def _width(text: str) -> int:
    """The width of a text in characters; those of East Asia are twice as wide."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _cells(box: Box) -> list[float]:
    """The widths of a Value's cells."""
    return [_CHARACTER * _width(line) + 2 * _PAD for line in box.lines]


def _size(box: Box) -> tuple[float, float]:
    if box.is_value:
        return sum(_cells(box)), _LINE + 10
    return max(_cells(box)), _LINE * len(box.lines) + 8


def _svg_box(box: Box, corner: Point) -> str:
    """A frame with text: cells side by side for a Value, else lines."""
    fill, line, radius = _STYLES[box.kind]
    x, y = corner
    w, h = _size(box)
    frame = f'fill="{fill}" stroke="{line}" rx="{radius}"'
    parts = [f'<rect class="box" x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" '
             f'{frame}/>']
    if box.kind == "fold":
        parts.append(f'<rect x="{x + 3:.1f}" y="{y + 3:.1f}" width="{w - 6:.1f}" '
                     f'height="{h - 6:.1f}" fill="none" stroke="{line}" rx="5"/>')
    if box.is_value:
        for text, cell in zip(box.lines, _cells(box)):
            if x > corner[0]:
                parts.append(f'<path d="M{x:.1f} {y:.1f}v{h:.1f}" stroke="{line}"/>')
            parts.append(_svg_text(text, x + cell / 2, y + h / 2 + 4))
            x += cell
    else:
        for k, text in enumerate(box.lines):
            parts.append(_svg_text(text, x + w / 2, y + _LINE * (k + 1), pale=k > 0))
    return "<g>" + "".join(parts) + "</g>"


def _svg_text(text: str, x: float, y: float, pale: bool = False) -> str:
    color = ' fill="#555555"' if pale else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle"{color}>{escape(text)}</text>'


def _svg_edge(route: list[Point]) -> str:
    """A line through each layer, a curve between two, and a head at the end."""
    (x, y), *rest = route
    path = f"M{x:.1f} {y:.1f}"
    for k, (to_x, to_y) in enumerate(rest):
        if k % 2:
            middle = (y + to_y) / 2
            path += f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
        else:
            path += f"L{to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y
    head = f"M{x - 3.5:.1f} {y - 7:.1f}L{x:.1f} {y:.1f}L{x + 3.5:.1f} {y - 7:.1f}z"
    return (f'<path class="edge" d="{path}" fill="none" stroke="{_EDGE}"/>'
            f'<path d="{head}" fill="{_EDGE}"/>')


# ---- DOT -------------------------------------------------------------------------------


def _dot_box(box: Box) -> str:
    fill, line, radius = _STYLES[box.kind]
    look = f'fillcolor="{fill}", color="{line}"'
    if radius and not box.is_value:
        look += ', style="filled,rounded"'
    if box.kind == "fold":
        look += ", peripheries=2"
    if box.is_value:
        cells = "|".join(_escaped(line, "{}|<>") for line in box.lines)
        return f'shape=record, label="{cells}", {look}'
    lines = "\\n".join(map(_escaped, box.lines))
    return f'label="{lines}", {look}'


def _escaped(text: str, special: str = "") -> str:
    """The text as it stands in a string of the DOT language; records have `special` signs."""
    return "".join(f"\\{c}" if c in '\\"' + special else c for c in text)

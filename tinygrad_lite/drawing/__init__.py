"""Drawing: the graph behind a node as Graphviz text and as a picture, with no program."""

from .drawing import Drawing, draw

__all__ = ["Drawing", "draw"]

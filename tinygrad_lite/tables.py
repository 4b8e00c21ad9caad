"""Text in columns, for what is printed; it imports the standard library only."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["in_columns"]


def in_columns(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 0) -> str:
    """A header, a rule and rows, in columns just wide enough.

    Args:
        header: what stands above each column.
        rows: a text for each column.
        left: how many columns, the first ones, are aligned to the left.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    lines = []
    for row in (header, ["-" * width for width in widths], *rows):
        cells = [text.ljust(width) if i < left else text.rjust(width)
                 for i, (text, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)

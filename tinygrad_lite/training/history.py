"""History: what was measured in each epoch. It imports the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..tables import in_columns

__all__ = ["History"]


class History:
    """A record for each epoch: a dict of names and numbers, such as ``train_loss``.

    Args:
        records: those to begin with.

    ``history[-1]`` is the last record, ``history["train_loss"]`` the list of that number in
    all of them, None where a record lacks it. ``len``, ``for record in history`` and
    ``append(record)`` work as for a list. It prints as a table, and `plot` draws it.
    """

    def __init__(self, records: Iterable[Mapping[str, float]] = ()) -> None:
        self.records: list[dict[str, float]] = []
        for record in records:
            self.append(record)

    def append(self, record: Mapping[str, float]) -> None:
        """Add what was measured in the next epoch."""
        self.records.append(dict(record))

    @property
    def columns(self) -> list[str]:
        """Every name that a record has, in order of appearance."""
        return list(dict.fromkeys(name for record in self.records for name in record))

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[dict[str, float]]:
        return iter(self.records)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self.records[key]
        if key not in self.columns:
            raise KeyError(f"no record has {key!r}; there are {self.columns}")
        return [record.get(key) for record in self.records]

    def plot(self) -> Any:
        """The curves as a matplotlib Figure; see `tinygrad_lite.plot.history`.

        Raises:
            ImportError: if matplotlib, the extra "plot", is not installed.
        """
        from .. import plot  # loads NumPy only, but few who train need it
        return plot.history(self)

    def __repr__(self) -> str:
        if not self.records:
            return "History of no epoch"
        rows = [[_as_text(record.get(name)) for name in self.columns]
                for record in self.records]
        return in_columns(self.columns, rows)


def _as_text(number: float | None) -> str:
    """Four digits of a number; a count as it is, nothing for None."""
    if number is None:
        return ""
    return str(number) if isinstance(number, int) else f"{number:.4g}"

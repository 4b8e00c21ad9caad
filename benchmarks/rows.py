"""A line of the table of run.py. It imports the standard library only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tinygrad_lite.commands.timing import Summary

__all__ = ["Row"]


class Row(NamedTuple):
    """One line of the table: what was timed, us, and a peer if there is one."""

    what: str
    ours: Summary
    peer: str = ""
    theirs: Summary | None = None
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        """Our median, divided by the peer's."""
        return self.ours.median / self.theirs.median if self.theirs else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None or self.ratio is None:
            return None
        return self.ratio <= self.goal

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON has it; times are in seconds."""
        theirs = self.theirs._asdict() if self.theirs else None
        return {"what": self.what, "ours": self.ours._asdict(), "peer": self.peer,
                "theirs": theirs, "ratio": self.ratio, "goal": self.goal, "met": self.met}

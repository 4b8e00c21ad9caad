"""Batches: the parameters of a group that one call of the kernel updates.

That is all of them, as long as their step counts are the same; a parameter that had no
gradient at some step is behind, and has a batch of its own from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

import numpy as np

from ..engine import Node, mark_changed, turned
from ..value import Value

__all__ = ["Batch", "Plan", "State"]


class State:
    """What an optimizer keeps of a parameter: how many steps it took, and its arrays.

    Attributes:
        count: a list of one number, the steps; parameters of one batch share it.
        arrays: by letter, each of the parameter's shape.
    """

    __slots__ = ("arrays", "count")

    def __init__(self, step: int, arrays: dict[str, np.ndarray]) -> None:
        self.count = [step]
        self.arrays = arrays

    @property
    def step(self) -> int:
        """How many steps the parameter took."""
        return self.count[0]


class Pack:
    """The Values of a group as one-element views of two arrays, for kernels take arrays."""

    def __init__(self, params: Sequence[Node]) -> None:
        self.values = [p for p in params if isinstance(p, Value)]
        self.w = np.empty(len(self.values))
        self.g = np.empty(len(self.values))
        self.views: dict[Node, tuple] = {p: (self.w[i:i + 1], self.g[i:i + 1])
                                         for i, p in enumerate(self.values)}

    def load(self) -> None:
        """Copy the Values' numbers and gradients into the arrays."""
        if self.values:
            self.w[:] = [p._data for p in self.values]
            self.g[:] = [getattr(p.grad, "_data", p.grad) for p in self.values]

    def store(self) -> None:
        """Give the Values their updated numbers."""
        if self.values:
            for p, number in zip(self.values, self.w.tolist()):
                p._data = number


class Batch:
    """Parameters that one call updates.

    Attributes:
        params: the parameters, all of one dtype.
        states: the state of each; they share one count of steps.
        fresh: whether some of their arrays have only just been made.
        columns: what the kernel takes: weights, gradients, then the arrays of the states by
            letter, none for one left out. They are the same tuple as long as no array was
            exchanged, and otherwise a new one with the other columns of before: so the
            kernels know at once what they have seen.
        cache: what the kernels keep for this batch.
    """

    def __init__(self, params: list[Node], states: list[State], fresh: bool, pack: Pack,
                 letters: Sequence[str | None]) -> None:
        self.params = params
        self.states = states
        self.fresh = fresh
        self.cache: dict[str, Any] = {}
        self._count = [states[0].step]  # not the one of a batch that these were part of
        for state in states:
            state.count = self._count
        self._pack = pack
        self._cells = [p._changed for p in params if not isinstance(p, Value)]
        unknown = (None,) * len(params)
        self._known: list[tuple] = [(p, None, None) for p in params]  # with what they held
        self._state = [tuple(s.arrays[x] for s in states) if x else () for x in letters]
        self.columns: tuple[tuple, ...] = (unknown, unknown, *self._state)

    @property
    def step(self) -> int:
        """How many steps the parameters have taken."""
        return self._count[0]

    def look(self) -> None:
        """Bring the columns up to date, where weights or gradients were exchanged.

        Raises:
            AttributeError: if a Tensor has no gradient.
        """
        for p, w, g in self._known:
            if p._data is not w or p._grad._data is not g:
                self._take()
                break

    def _take(self) -> None:
        """Make the columns of weights and gradients anew."""
        views = self._pack.views  # of Values; they hold what `Pack.load` copied
        if views:
            known = [(p, *(views.get(p) or (p._data, p._grad._data))) for p in self.params]
        else:
            known = [(p, p._data, p._grad._data) for p in self.params]
        _, w, g = zip(*known)
        before = self.columns[0]
        columns = (before if all(map(is_, w, before)) else w, g, *self._state)
        self.columns, self._known = columns, known  # at once, whatever interrupts this

    def count(self) -> None:
        """Count a step that was taken."""
        self._count[0] += 1
        self.fresh = False

    def finish(self) -> None:
        """Count a step that was taken, and say that it changed the parameters."""
        self.count()
        mark_changed(*self._cells)


class Plan:
    """The batches of a group, kept from step to step while its parameters stay the same."""

    def __init__(self, params: Sequence[Node]) -> None:
        self.params = params
        self.pack = Pack(params)
        turned()
        self._letters: Sequence[str | None] = ()
        self._ready: list[Node] = []
        self.known: list[Batch] = []
        self._all_were_ready = False

    def batches(self, letters: Sequence[str | None],
                complete: Callable[[dict, Sequence[str | None], Node], tuple[State, bool]],
                group: dict[str, Any]) -> list[Batch]:
        """The batches of the parameters that have a gradient, with their columns of now.

        Args:
            letters: of the arrays that the kernel takes for each, None for one left out.
            complete: ``complete(group, letters, p)`` is a parameter's state with these
                arrays, and whether it is fresh.
        """
        if self._all_were_ready and letters == self._letters:
            try:
                for batch in self.known:
                    batch.look()
                return self.known
            except AttributeError:
                pass  # one of them has no gradient now
        self.pack.load()
        ready = [p for p in self.params if p._grad is not None]
        if letters != self._letters or not _same(ready, self._ready):
            found = [(p, *complete(group, letters, p)) for p in ready]
            self.known = self._split(found, letters)
            turned()
            self._ready = ready
            self._letters = letters
            self._all_were_ready = len(ready) == len(self.params) and not self.pack.values
        for batch in self.known:
            batch.look()
        return self.known

    def holds(self, batch: Batch, params: Sequence[Node],
              letters: Sequence[str | None]) -> bool:
        """Whether a batch is one of those that are updated now, with these letters."""
        return (self.params is params and self._letters == letters
                and any(batch is known for known in self.known))

    def _split(self, found: list[tuple[Node, State, bool]],
               letters: Sequence[str | None]) -> list[Batch]:
        """The parameters by what those of one call must have in common."""
        alike: dict[tuple, tuple[list, list]] = {}
        for p, state, fresh in found:
            key = state.step, fresh, np.dtype(getattr(p, "dtype", np.float64))
            params, states = alike.setdefault(key, ([], []))
            params.append(p)
            states.append(state)
        return [Batch(params, states, fresh, self.pack, letters)
                for (_, fresh, _), (params, states) in alike.items()]


def _same(nodes: list[Node], others: list[Node]) -> bool:
    """Whether two lists hold the very same nodes."""
    return len(nodes) == len(others) and all(map(is_, nodes, others))

"""Memory of a program: arrays that are not needed at the same time share one place.

It imports NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Life", "moved_arrays", "places"]

LINE = 64  # bytes of a line of the cache: each buffer begins with one


class Life(NamedTuple):
    """From when to when a buffer of so many bytes is needed, both steps included."""

    size: int
    first: int
    last: int


def places(lives: Sequence[Life]) -> tuple[list[int], int]:
    """Where each buffer begins, and how many bytes there are in all.

    The largest come first; each goes to the lowest place that is free all its life (Pisarchyk
    and Lee 2020, "Efficient memory management for deep neural net inference", section 5.2).
    """
    begins = [0] * len(lives)
    placed: list[int] = []
    total = 0
    for i in sorted(range(len(lives)), key=lambda i: -lives[i].size):
        size, first, last = lives[i]
        begin = 0
        for j in placed:  # in the order of their places
            if lives[j].first > last or lives[j].last < first:
                continue
            if begin + size <= begins[j]:
                break
            begin = max(begin, _up(begins[j] + lives[j].size))
        begins[i] = begin
        total = max(total, begin + size)
        placed.append(i)
        placed.sort(key=begins.__getitem__)
    return begins, total


def _up(size: int) -> int:
    """The next whole number of lines."""
    return -(-size // LINE) * LINE


def moved_arrays(roots: Sequence[np.ndarray], lives: Sequence[Life],
                 ) -> tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], int]:
    """New memory for the buffers of some arrays.

    Args:
        roots: arrays that own their memory.
        lives: of each, when it is needed.

    Returns:
        A function of an array and its root, which gives the array in the new memory; and how
        many bytes that has.
    """
    begins, total = places(lives)
    memory = np.empty(total + LINE, np.uint8)
    start = -_address(memory) % LINE
    begin_of = {id(root): start + begin for root, begin in zip(roots, begins, strict=True)}

    def moved(array: np.ndarray, root: np.ndarray) -> np.ndarray:
        begin = begin_of.get(id(root))
        if begin is None:
            return array
        inside = _address(array) - _address(root)
        return np.ndarray(array.shape, array.dtype, memory, begin + inside, array.strides)

    return moved, total


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]

"""The border: arrays and scalars are checked here before a kernel writes its first byte.

C would read a float64 array as floats, write through a copy, or let two tensors overwrite
each other, all in silence; so every body, not only C, takes what `checked` lets through.
A training step comes with the same weights and state as the step before, and with new
gradients. So `checked` recognizes arrays by identity, and checks only those that are new.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import attrgetter, is_
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from .table import KERNELS

__all__ = ["Group", "checked", "checked_logits", "plain_scalars", "refuse_targets"]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))

# What two lists of arrays are compared by, in one quick sweep. The last of these is NoneType
# for an array that owns its memory.
LAYOUT = attrgetter("__class__", "dtype", "shape", "strides", "base.__class__")

# Ends every list that `same` compares, so that a shorter or longer one never matches.
END = object()


def checked(kernel: str, columns: list[list[np.ndarray]], cache: dict) -> "Group":
    """The arrays of one call as a checked `Group`, kept in ``cache`` for the next call.

    An array is checked when it is first seen. One whose layout or flags are changed in place
    afterwards (``w.shape = ...``, ``w.flags.writeable = False``) is not noticed.
    """
    group = cache.get(kernel)
    if group is None or not same(chain(columns[0], *columns[2:]), group.seen_owned):
        group = cache[kernel] = Group(kernel, columns)
    elif not same(columns[1], group.seen_grads):
        group.exchange_grads(columns[1])
    return group


def same(arrays: Iterable[np.ndarray], seen: list[Any]) -> bool:
    """Whether these are the very objects of ``seen``, which ends with `END`."""
    return all(map(is_, chain(arrays, (END,)), seen))


def plain_scalars(kernel: str, scalars: dict[str, float]) -> list[float]:
    """The kernel's scalars in the order of its arguments, as Python floats and bools.

    A NumPy scalar would not do: times a float32 array, np.float64 gives a float64 array.
    """
    values = [scalars[name] for name in KERNELS[kernel].scalars]
    return [value if isinstance(value, bool) else float(value) for value in values]


class Group:
    """The arrays of one kernel call, checked.

    Attributes:
        columns: lists of arrays, in the order of the kernel's arguments. The list of
            gradients, ``columns[1]``, is a new list whenever a gradient was exchanged.
        dtype: the one dtype of all arrays.
        tables: what a body keeps with the group; native keeps its pointer tables here.

    A gradient that is not C-contiguous is replaced by a copy, made anew at each call. The
    other arrays are written, so they are refused instead: a copy would lose the update.
    """

    __slots__ = ("columns", "dtype", "kernel", "layouts", "owners", "seen_grads",
                 "seen_owned", "tables")

    def __init__(self, kernel: str, columns: list[list[np.ndarray]]):
        check_counts(kernel, columns)
        self.kernel = kernel
        self.columns = [list(column) for column in columns]
        w, grads, *state = self.columns
        self.dtype = common_dtype(kernel, w)
        owned = self.named_owned()
        for (name, array), like in zip(owned, w * (1 + len(state)), strict=True):
            check_kind(name, array, self.dtype, like.shape)
            check_written(name, array)
        refuse_overlap(owned, [])

        roots = [root(array) for array in chain(w, *state)]
        self.owners = {id(array) for array in roots}
        # A gradient with one of these layouts, and no owner, needs no further check.
        self.layouts = [(np.ndarray, self.dtype, a.shape, a.strides, type(None)) for a in w]
        if any(array.base is not None for array in roots):
            self.layouts = []  # memory from elsewhere: only its bounds tell who shares it

        self.seen_owned = [*chain(w, *state), END]
        self.seen_grads: list[Any] = []
        self.tables: Any = None
        self.exchange_grads(grads)

    def exchange_grads(self, grads: Sequence[np.ndarray]) -> None:
        """Check these gradients and put them in the place of the last ones."""
        if self.are_plain(grads):
            self.columns[1] = list(grads)
            self.seen_grads = [*grads, END]
            return
        self.columns[1] = self.checked_grads(grads)
        # A gradient that was copied is not marked as seen: it is copied again next time.
        seen = [given if given is used else None
                for given, used in zip(grads, self.columns[1], strict=True)]
        self.seen_grads = [*seen, END]

    def are_plain(self, grads: Sequence[np.ndarray]) -> bool:
        """Whether each gradient is laid out as its tensor is, in memory all of its own."""
        try:
            alike = list(map(LAYOUT, grads)) == self.layouts
        except AttributeError:  # not an array: the full check will say so
            return False
        return alike and self.owners.isdisjoint(map(id, grads))

    def checked_grads(self, grads: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The same gradients, C-contiguous, after the full check."""
        w = self.columns[0]
        check_length(self.kernel, "g", len(grads), len(w))
        named = [(f"{self.kernel}: g[{k}]", g) for k, g in enumerate(grads)]
        for (name, g), like in zip(named, w, strict=True):
            check_kind(name, g, self.dtype, like.shape)
            check_aligned(name, g)
        named = [(name, g if g.flags.c_contiguous else g.copy()) for name, g in named]
        doubtful = [(name, g) for name, g in named if not self.is_apart(g)]
        if doubtful:
            refuse_overlap(self.named_owned(), doubtful)
        return [g for _, g in named]

    def is_apart(self, g: np.ndarray) -> bool:
        """Whether it is plain that ``g`` shares no memory with an array that is written."""
        owner = root(g)
        return bool(self.layouts) and owner.base is None and id(owner) not in self.owners

    def named_owned(self) -> list[tuple[str, np.ndarray]]:
        """Each array that is written, with the name that messages give it."""
        w, _, *state = self.columns
        letter_w, _, *letters = KERNELS[self.kernel].arrays
        return [(f"{self.kernel}: {letter}[{k}]", array)
                for letter, column in zip([letter_w, *letters], [w, *state], strict=True)
                for k, array in enumerate(column)]


def root(array: np.ndarray) -> np.ndarray:
    """The array at the end of the chain of bases: its ``base`` is None if it owns memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def check_counts(kernel: str, columns: list[list[np.ndarray]]) -> None:
    """Refuse an unknown kernel, and columns that do not fit it or one another."""
    if kernel not in KERNELS:
        raise ValueError(f"unknown kernel {kernel!r}; choose from {', '.join(KERNELS)}")
    letters = KERNELS[kernel].arrays
    if len(columns) != len(letters):
        raise ValueError(
            f"{kernel} takes {len(letters)} columns of arrays ({', '.join(letters)}), "
            f"got {len(columns)}"
        )
    for letter, column in zip(letters, columns, strict=True):
        check_length(kernel, letter, len(column), len(columns[0]))


def check_length(kernel: str, letter: str, got: int, expected: int) -> None:
    """Refuse a column that is not as long as the column of weights."""
    if got != expected:
        raise ValueError(
            f"{kernel}: {letter} has {got} arrays where w has {expected}; "
            f"pass one {letter} for each tensor, in the order of w"
        )


def common_dtype(kernel: str, w: list[np.ndarray]) -> np.dtype:
    """The dtype that every array of the group must have: that of the first weights."""
    if not w:
        return FLOATS[0]
    name = f"{kernel}: w[0]"
    check_is_array(name, w[0])
    if w[0].dtype not in FLOATS:
        raise TypeError(
            f"{name} must be float32 or float64 in native byte order, got {w[0].dtype}; "
            "convert it with .astype(numpy.float32)"
        )
    return w[0].dtype


def check_is_array(name: str, array: Any) -> None:
    """Refuse what is no plain array. A subclass may give operators another meaning."""
    if type(array) is not np.ndarray:
        raise TypeError(
            f"{name} must be a numpy.ndarray, got {type(array).__name__}; "
            "pass numpy.asarray of it"
        )


def check_kind(name: str, array: Any, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Refuse another type, dtype, byte order or shape than expected."""
    check_is_array(name, array)
    if array.dtype != dtype:
        raise TypeError(
            f"{name} must be {dtype} in native byte order, as w[0] is, got {array.dtype}; "
            f"convert it with .astype(numpy.{dtype})"
        )
    if array.shape != shape:
        raise ValueError(
            f"{name} must have shape {shape}, that of its w, got {array.shape}; "
            "pass the arrays of one tensor at the same position of each column"
        )


def check_aligned(name: str, array: np.ndarray) -> None:
    """Refuse an array whose elements do not start at multiples of their size."""
    if not array.flags.aligned:
        raise ValueError(
            f"{name} must be aligned to its dtype, got a misaligned array; pass a .copy() of it"
        )


def check_written(name: str, array: np.ndarray) -> None:
    """Refuse an array that C cannot write as one aligned block."""
    check_aligned(name, array)
    if not array.flags.c_contiguous:
        raise ValueError(
            f"{name} is updated in place and must be C-contiguous, "
            f"got strides {array.strides} for shape {array.shape}; "
            "let the optimizer own numpy.ascontiguousarray of it"
        )
    if not array.flags.writeable:
        raise ValueError(
            f"{name} is updated in place and must be writable, got a read-only array; "
            "let the optimizer own a .copy() of it"
        )


def refuse_overlap(
    written: list[tuple[str, np.ndarray]],
    read: list[tuple[str, np.ndarray]],
) -> None:
    """Refuse an array that is written if it shares memory with any other array.

    Sweeps over the arrays, which are C-contiguous, by address: each one must begin where
    those before it have ended. Two arrays that are only read may overlap.
    """
    spans = [(*byte_bounds(a), True, name) for name, a in written if a.size]
    spans += [(*byte_bounds(a), False, name) for name, a in read if a.size]
    end_of_all, last = 0, ""
    end_of_written, last_written = 0, ""
    for start, end, is_written, name in sorted(spans):
        if start < end_of_written:
            raise overlap(name, last_written)
        if is_written and start < end_of_all:
            raise overlap(name, last)
        if end > end_of_all:
            end_of_all, last = end, name
        if is_written:
            end_of_written, last_written = end, name


def overlap(one: str, other: str) -> ValueError:
    """The error for two arrays that share memory."""
    return ValueError(
        f"{one} and {other} share memory, but an array that is updated must not overlap "
        "another one; pass a .copy() of one of them, or give a shared tensor only once"
    )


IDS = np.dtype(np.int64)


def checked_logits(a: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits and class ids as C reads them: C-contiguous, the ids int64.

    Raises:
        TypeError: the logits are not float32 or float64, or the ids no integers.
        ValueError: the shapes are not (n, c) and (n,).
    """
    check_is_array("cross_entropy: a", a)
    check_is_array("cross_entropy: target", target)
    if a.dtype not in FLOATS:
        raise TypeError(f"cross_entropy: a must be float32 or float64, got {a.dtype}")
    if target.dtype.kind not in "iu":
        raise TypeError(f"cross_entropy: target must be integers, got {target.dtype}")
    if a.ndim != 2 or target.shape != a.shape[:1]:
        raise ValueError(
            "cross_entropy takes a of shape (n, c) and target of shape (n,), "
            f"got {a.shape} and {target.shape}"
        )
    return np.ascontiguousarray(a), np.ascontiguousarray(target, IDS)


def refuse_targets(target: np.ndarray, classes: int, ignore_index: int) -> None:
    """Raise IndexError at the first id that is no class, 0 .. classes - 1, nor ignored."""
    wrong = target[(target < 0) | (target >= classes)]
    wrong = wrong[wrong != ignore_index] if classes else target
    if wrong.size:
        raise IndexError(
            f"Target {wrong[0]} is out of bounds. Class ids go from 0 to {classes - 1}, "
            f"for the input has {classes} columns"
        )

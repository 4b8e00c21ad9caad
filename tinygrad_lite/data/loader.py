"""DataLoader: arrays in batches; it imports the random generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import rng
from ..engine import refuse_to_replay
from .arrays import as_samples

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["DataLoader"]


class DataLoader:
    """Hands out arrays in batches: ``for images, labels in DataLoader(images, labels):``.

    Args:
        arrays: arrays, Tensors or lists of numbers, of the same length along axis 0.
        batch_size: how many samples a batch has; the last may have fewer.
        shuffle: whether every pass comes in a new random order.
        drop_last: whether to leave out a last batch that is not full.
        seed: the same seed gives the same orders, pass for pass, whatever else draws random
            numbers. Left out, `manual_seed` governs them.
        transform: a function that every batch goes through: it gets the arrays of the batch,
            and returns a tuple of arrays; of a single array, that array does too.

    A pass yields tuples, even of a single array, with a NumPy array for each array given: a
    copy, which may be changed. ``len(loader)`` is the number of batches.

    A loader can be put back to where another stood: see `state_dict`.

    Raises:
        TypeError: if an array is not of real numbers, or has no axis; if `transform` is no
            function, or (in a pass) returns something else than arrays.
        ValueError: for no arrays, arrays of different lengths, a `batch_size` that is no
            positive integer, or a negative `seed`.
    """

    def __init__(self, *arrays: Any, batch_size: int = 32, shuffle: bool = False,
                 drop_last: bool = False, seed: int | Generator | None = None,
                 transform: Callable[..., Any] | None = None) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) \
                or batch_size < 1:
            raise ValueError("batch_size should be a positive integer value; got "
                             f"{batch_size!r}")
        if not (transform is None or callable(transform)):
            raise TypeError(f"transform should be a function; got {transform!r:.60}")
        # contiguous, as take() would otherwise copy them whole for each batch
        self.arrays = [np.ascontiguousarray(x) for x in as_samples("DataLoader", arrays)]
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.transform = transform
        self._own = None if seed is None else rng.source(seed)
        self._pass = _Pass(np.empty(0, np.int64))  # the latest to begin; none has so far
        self._resumes = False  # whether the next one goes on with it

    def __len__(self) -> int:
        n = len(self.arrays[0])
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        refuse_to_replay("a loop over a DataLoader", "its batches would be the same at every "
                         "call; pass them in")
        if not self._resumes:
            order = np.arange(len(self.arrays[0]))
            if self.shuffle:
                (self._own or rng.generator()).shuffle(order)
            self._pass = _Pass(order)
        self._resumes = False
        return self._batches(self._pass)

    def _batches(self, current: _Pass) -> Iterator[tuple[np.ndarray, ...]]:
        """What is left of a pass, which keeps count of it."""
        least = self.batch_size if self.drop_last else 1
        while len(current.order) - current.position >= least:
            end = current.position + self.batch_size
            chosen = current.order[current.position:end]
            batch = self._transformed([array.take(chosen, 0) for array in self.arrays])
            current.position += len(chosen)
            yield batch
        current.order = current.order[:0]
        current.position = 0

    def _transformed(self, arrays: list[np.ndarray]) -> tuple[np.ndarray, ...]:
        if self.transform is None:
            return tuple(arrays)
        result = self.transform(*arrays)
        if isinstance(result, np.ndarray) and len(arrays) == 1:
            return (result,)
        if not isinstance(result, tuple):
            raise TypeError("transform should return a tuple of arrays, as it was given "
                            f"{len(arrays)}; got {type(result).__name__}")
        return result

    # ---- to stop and go on -------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands, copied: numbers and arrays, to be kept in a file.

        Taken in the body of a loop, it counts the batch that the body has got: a new loader
        of the same arrays and options that loads it goes on with the next batch, and comes to
        the same orders afterwards. Taken after the last batch, but inside the loop, it leaves
        an empty rest of a pass; after the loop, the next pass is a new one. A pass that was
        left by ``break`` or by an error counts as under way, till another begins.

        Returns:
            ``order``: the numbers of the samples in the order of the pass under way, int64
            (N,); of shape (0,) between passes. ``position``: how many of them were handed
            out. ``generator``, given a `seed`: the state of its random generator, uint64 (6,).
            Without one, `get_rng_state` is to be kept beside it.
        """
        state = {"order": self._pass.order.copy(), "position": self._pass.position}
        if self._own is not None:
            state["generator"] = rng.get_state(self._own)
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where the loader stood that `state_dict` is of: in the next ``iter()``.

        Raises:
            TypeError: if the entries are of another kind.
            ValueError: if entries are missing or unknown, or do not fit this loader; nothing
                is changed then.
        """
        expected = {"order", "position"} | ({"generator"} if self._own is not None else set())
        if not isinstance(state_dict, Mapping) or set(state_dict) != expected:
            got = sorted(state_dict) if isinstance(state_dict, Mapping) else state_dict
            raise ValueError(f"expected the state of a loader, with entries {sorted(expected)} "
                             f"('generator' if it has a seed); got {got!r:.60}")
        order = self._checked_order(state_dict["order"])
        position = _checked_position(state_dict["position"], len(order))
        if self._own is not None:
            rng.set_state(self._own, state_dict["generator"])
        self._pass = _Pass(order, position)
        self._resumes = len(order) > 0

    def _checked_order(self, order: Any) -> np.ndarray:
        """A copy of the order; it is empty, or names every sample once."""
        order = np.asarray(order)
        n = len(self.arrays[0])
        if order.size == 0:
            return np.empty(0, np.int64)
        if order.dtype.kind not in "iu":
            raise TypeError(f"'order' should be an array of integers; got {order.dtype}")
        if order.shape != (n,) or not np.array_equal(np.sort(order), np.arange(n)):
            raise ValueError(f"'order' should hold each of the numbers 0 to {n - 1} once, one "
                             f"for each sample of this loader; got shape {order.shape}")
        return order.astype(np.int64)


class _Pass:
    """One way through the samples: their order, and how many were handed out."""

    __slots__ = ("order", "position")

    def __init__(self, order: np.ndarray, position: int = 0) -> None:
        self.order = order
        self.position = position


def _checked_position(position: Any, n: int) -> int:
    """The position as an integer from 0 to n; a file of arrays gives it as one of no axes."""
    number = np.asarray(position)
    if number.dtype.kind not in "iu" or number.ndim:
        raise TypeError(f"'position' should be an integer; got {position!r:.60}")
    if not 0 <= number <= n:
        raise ValueError(f"'position' should be from 0 to {n}, how many samples 'order' names; "
                         f"got {position!r}")
    return int(number)

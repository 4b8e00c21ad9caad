"""DataLoader: arrays in batches; it imports the random generator and Tensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import rng
from ..tensor import as_tensor

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

    A pass yields tuples, even of a single array, with a NumPy array for each array given: a
    copy, which may be changed. ``len(loader)`` is the number of batches.

    Raises:
        TypeError: if an array is not of real numbers, or has no axis.
        ValueError: for no arrays, arrays of different lengths, a `batch_size` that is no
            positive integer, or a negative `seed`.
    """

    def __init__(self, *arrays: Any, batch_size: int = 32, shuffle: bool = False,
                 drop_last: bool = False, seed: int | None = None) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) \
                or batch_size < 1:
            raise ValueError("batch_size should be a positive integer value; got "
                             f"{batch_size!r}")
        self.arrays = _checked(arrays)
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self._own = None if seed is None else np.random.default_rng(seed)

    def __len__(self) -> int:
        n = len(self.arrays[0])
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        order = np.arange(len(self.arrays[0]))
        if self.shuffle:
            (self._own or rng.generator()).shuffle(order)
        for i in range(len(self)):
            chosen = order[i * self.batch_size:(i + 1) * self.batch_size]
            yield tuple([array.take(chosen, 0) for array in self.arrays])


def _checked(given: tuple) -> list[np.ndarray]:
    """The arrays, contiguous, as take() would otherwise copy them whole for each batch."""
    if not given:
        raise ValueError("DataLoader expects at least one array; got none")
    arrays = [as_tensor(x).numpy() for x in given]
    for i, array in enumerate(arrays):
        if not array.ndim:
            raise TypeError("DataLoader expects arrays with an axis of samples; array "
                            f"{i} has none")
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(f"DataLoader expects arrays of the same length; got {lengths}")
    return [np.ascontiguousarray(array) for array in arrays]

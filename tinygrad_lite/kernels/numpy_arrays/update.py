"""The update of a group of tensors in NumPy, one tensor after the other."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from ..groups import Columns, checked, plain_scalars
from ..table import KERNELS, OPTIMIZERS
from . import optimizers, passes

__all__ = ["square_sum", "update"]

BODIES = {kernel: getattr(optimizers if kernel in OPTIMIZERS else passes, kernel)
          for kernel in KERNELS}


def update(kernel: str, columns: Columns, scalars: Sequence[Any], cache: dict) -> None:
    """Update a group of tensors in place by one step of ``kernel``.

    Every body has this function, with the same arguments and the same checks.

    Args:
        kernel: a name in `tinygrad_lite.kernels.KERNELS`.
        columns: one list of arrays for each array letter of the kernel (w, g, then state),
            none for an optional one that is left out. Tensor k is ``columns[0][k]``,
            ``columns[1][k]``, ...: arrays of one shape. All are float32 or all float64.
        scalars: the numbers that the kernel's row of the table names, in its order.
        cache: a dict that belongs to the caller, one for each group of tensors, empty at
            first. It keeps what was checked, so that only new arrays are checked again. It
            also keeps the arrays of the last call alive. Not to be shared by threads.

    Raises:
        TypeError: something is no array, or has another dtype or byte order; a scalar is no
            number.
        ValueError: unknown kernel; shapes or counts differ; an array is misaligned; one to
            be written is read-only, not C-contiguous, or overlaps another.
        Whatever is raised, no array was changed.
    """
    group = checked(kernel, columns, cache)
    numbers = plain_scalars(kernel, scalars)
    body = BODIES[kernel]
    tensors = range(len(group.columns[0]))
    with np.errstate(all="ignore"):  # inf and NaN flow on silently, as they do in C
        for k in tensors:
            body(*[column[k] if column else None for column in group.columns], *numbers)


def square_sum(arrays: list[np.ndarray], cache: dict) -> float:
    """The sum of the squares of all elements, in double: the square of the norm.

    Args:
        arrays: all float32 or all float64, in any layout; they are only read.
        cache: as in `update`.

    Raises:
        TypeError, ValueError: as `update`.
    """
    group = checked("square_sum", [arrays], cache)
    with np.errstate(all="ignore"):
        sums = [passes.square_sum_of_array(a) for a in group.columns[0] if a.size]
    return float(reduce(add, np.concatenate(sums).tolist(), 0.0)) if sums else 0.0

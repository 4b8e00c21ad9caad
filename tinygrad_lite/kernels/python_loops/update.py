"""The update of a group of tensors in plain Python, on lists of floats."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..groups import Columns, Group, checked, plain_scalars
from ..table import KERNELS, OPTIMIZERS
from . import optimizers, passes

__all__ = ["square_sum", "update"]

BODIES = {kernel: getattr(optimizers if kernel in OPTIMIZERS else passes, kernel)
          for kernel in KERNELS}


def update(kernel: str, columns: Columns, scalars: Sequence[Any], cache: dict) -> None:
    """Update a group of tensors in place; see `tinygrad_lite.kernels.numpy_arrays.update`.

    All tensors are computed before the first one is written.
    """
    group = checked(kernel, columns, cache)
    numbers = plain_scalars(kernel, scalars)
    body = BODIES[kernel]
    results = []
    for k in range(len(group.columns[0])):
        lists = [c[k].ravel().tolist() if c else None for c in group.columns]
        try:
            body(*lists, *numbers)
        except ZeroDivisionError:
            lists = [list(c[k].ravel().astype(np.float64)) if c else None
                     for c in group.columns]
            with np.errstate(all="ignore"):  # NumPy's numbers divide by 0, as C does
                body(*lists, *numbers)
        results.append(lists)
    for k, lists in enumerate(results):
        write_back(group, k, lists)


def write_back(group: Group, k: int, lists: list[Any]) -> None:
    """Copy the lists of tensor k into its arrays; what float32 cannot hold becomes inf."""
    with np.errstate(over="ignore"):
        for i in group.written:
            group.columns[i][k].reshape(-1)[:] = lists[i]


def square_sum(arrays: list[np.ndarray], cache: dict) -> float:
    """The sum of squares; see `tinygrad_lite.kernels.numpy_arrays.square_sum`."""
    group = checked("square_sum", [arrays], cache)
    total = 0.0
    for array in group.columns[0]:
        for number in array.ravel().tolist():
            total += number * number
    return total

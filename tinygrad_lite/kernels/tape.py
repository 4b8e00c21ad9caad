"""The operations of a tape: scalars computed in an order that was fixed before.

A tape is a sequence of runs in one array of int32. A run is an operation done n times, to
numbers that do not depend on one another::

    operation, n, y, n places of the first input, n of the second, ...

The results go to the places y, y + 1, ..., but for "move", whose first input says where.
It imports NumPy only.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["CODE", "HEADER", "INPUTS", "OPERATIONS", "check_tape", "runs"]

# The inputs of each operation; a number of an operation is its place in this order, which is
# that of TGL_TAPE_MOVE and its kin in csrc/kernels.h. The formulas are there.
INPUTS = {
    "move": 2,
    "add": 2, "subtract": 2, "multiply": 2, "divide": 2, "multiply_add": 3, "negative": 1,
    "power": 2, "abs": 1, "sign": 1,
    "exp": 1, "expm1": 1, "log": 1, "log1p": 1, "sqrt": 1, "sin": 1, "cos": 1, "tanh": 1,
    "erf": 1, "sigmoid": 1,
    "equal": 2, "not_equal": 2, "less": 2, "less_equal": 2, "greater": 2, "greater_equal": 2,
    "maximum": 2, "minimum": 2, "where": 3, "clip": 3,
}
OPERATIONS = tuple(INPUTS)

NUMBER = np.dtype(np.float64)
CODE = np.dtype(np.int32)
HEADER = 3  # operation, n, y


def check_tape(numbers: np.ndarray, code: np.ndarray) -> None:
    """Refuse arrays that C cannot read; that the places are inside, the maker sees to.

    Raises:
        TypeError: unless the numbers are float64 and the code is int32.
        ValueError: unless both are C-contiguous, and the numbers writable.
    """
    for name, array, dtype in (("numbers", numbers, NUMBER), ("code", code, CODE)):
        if type(array) is not np.ndarray or array.dtype != dtype:
            got = getattr(array, "dtype", type(array).__name__)
            raise TypeError(f"tape: the {name} must be an array of {dtype}, got {got}")
        if not array.flags.carray and (name == "numbers" or not array.flags.c_contiguous):
            raise ValueError(f"tape: the {name} must be C-contiguous, aligned and writable; "
                             "pass a .copy() of them")


def runs(code: np.ndarray) -> Iterator[tuple[str, int, list[np.ndarray]]]:
    """Each run's operation, the place of its results, and the places of its inputs."""
    at = 0
    while at < code.size:
        operation, n, y = code[at:at + HEADER].tolist()
        name = OPERATIONS[operation]
        stop = at + HEADER + INPUTS[name] * n
        yield name, y, list(code[at + HEADER:stop].reshape(-1, n))
        at = stop

"""Checks of a table's rows and their numbers, for `take_rows` and `add_rows`."""

import numpy as np

from .checks import FLOATS, check_is_array
from .logits import IDS

__all__ = ["checked_rows", "checked_sums", "refuse_rows"]


def checked_rows(a: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A table of real numbers and row numbers as C reads them: C-contiguous, int64.

    Raises:
        TypeError: one is no array, or of another dtype.
        ValueError: the table has no axis.
    """
    check_is_array("take_rows: a", a)
    if a.dtype.kind not in "biuf":
        raise TypeError(f"take_rows: a must be of real numbers, got {a.dtype}")
    if not a.ndim:
        raise ValueError("take_rows: a must have rows, got an array of no axes")
    return as_c_reads(a, a.dtype), checked_index("take_rows", index)


def checked_sums(a: np.ndarray, index: np.ndarray
                 ) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Rows to be added up and their row numbers, likewise; and the shape of one row.

    Raises:
        TypeError: one is no array, or of another dtype.
        ValueError: the shape of a does not begin with that of the index.
    """
    check_is_array("add_rows: a", a)
    if a.dtype not in FLOATS:
        raise TypeError(f"add_rows: a must be float32 or float64, got {a.dtype}")
    ids = checked_index("add_rows", index)
    if a.shape[:index.ndim] != index.shape:
        raise ValueError("add_rows: a must have a row for each index, so a shape that begins "
                         f"with {index.shape}, got {a.shape}")
    return as_c_reads(a, a.dtype), ids, a.shape[index.ndim:]


def checked_index(kernel: str, index: np.ndarray) -> np.ndarray:
    check_is_array(f"{kernel}: index", index)
    if index.dtype.kind not in "iu":
        raise TypeError(f"{kernel}: index must be integers, got {index.dtype}")
    return as_c_reads(index, IDS)


def as_c_reads(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The array in this dtype, C-contiguous and aligned; a copy only where it is not so."""
    array = np.asarray(array, dtype, order="C")
    return array if array.flags.aligned else array.copy()


def refuse_rows(index: np.ndarray, rows: int) -> None:
    """Raise IndexError at the first number that is not in 0 .. rows - 1."""
    wrong = index[(index < 0) | (index >= rows)]
    if wrong.size:
        raise IndexError(f"index {wrong[0]} is out of range: row numbers go from 0 to "
                         f"{rows - 1}, for there are {rows} rows")

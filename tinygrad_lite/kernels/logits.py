"""Checks of the arrays of the losses: logits, and the ids of the classes."""

import numpy as np

from .checks import FLOATS, check_is_array

__all__ = ["checked_logits", "refuse_targets"]

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

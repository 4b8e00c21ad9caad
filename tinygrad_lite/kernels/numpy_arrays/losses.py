"""Softmax cross-entropy in NumPy: the reference that tests compare with.

Names, arguments and the order of lines are those of python_loops/losses.py and of
csrc/loss_loops.h; the formulas are in csrc/kernels.h. In C, e^x is a series and a long sum
is summed up in 16 parts, so the bodies agree within 8 units in the last place of 1, or of the
larger numbers of losses, not in all bits.
"""

import numpy as np

from ..logits import checked_logits, refuse_targets

__all__ = ["cross_entropy", "cross_entropy_slope"]


def cross_entropy(a: np.ndarray, target: np.ndarray, ignore_index: int) -> np.ndarray:
    """Cross-entropy of each row of logits with a class id, and what its gradient needs.

    Args:
        a: logits, float32 or float64, of shape (n, c).
        target: class ids from 0 to c - 1, integers, of shape (n,).
        ignore_index: the id, in that range or not, of rows whose loss is 0.

    Returns:
        Three rows, in the dtype of ``a``, of shape (3, n + 1): losses = ln(total) + peak -
        a[target]; peak, the largest of each row of ``a``; total, the sum of e^(a - peak).
        A row that is ignored has the loss 0, and the total inf, which marks it. The last
        column: the sum of the losses, 0, and how many rows are not ignored; nan if none.

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes.
        IndexError: an id is out of range.
    """
    a, target = checked_logits(a, target)
    refuse_targets(target, a.shape[1], ignore_index)
    rows = np.flatnonzero(target != ignore_index)
    y = np.zeros((3, len(a) + 1), a.dtype)
    losses, peak, total = y[:, :-1]
    with np.errstate(all="ignore"):  # inf and NaN flow on silently, as they do in C
        peak[:] = a.max(axis=1) if a.size else 0
        total[:] = np.exp(a - peak[:, None]).sum(axis=1)
        losses[rows] = np.log(total[rows]) + (peak[rows] - a[rows, target[rows]])
        y[0, -1] = losses.sum()
    total[target == ignore_index] = np.inf
    y[2, -1] = len(rows) or np.nan
    return y


def cross_entropy_slope(
    a: np.ndarray, target: np.ndarray, y: np.ndarray, g: np.ndarray
) -> np.ndarray:
    """The gradient of those losses with respect to the logits, times g.

    Args:
        a, target: as `cross_entropy` took them, without an error.
        y: what it returned.
        g: a number for each row, of shape (n,), or one for all, of shape ().

    Returns:
        (softmax(a) - onehot(target)) * g, with softmax(a) = e^(a - peak) / total, of shape
        (n, c); 0 in rows that are ignored.
    """
    _, peak, total = y[:, :-1]
    rows = np.flatnonzero(total != np.inf)
    g = np.broadcast_to(g, target.shape)
    d = np.zeros_like(a, order="C")
    with np.errstate(all="ignore"):
        scale = g / total
        d[rows] = np.exp(a - peak[:, None])[rows] * scale[rows, None]
        d[rows, target[rows]] -= g[rows]
    return d

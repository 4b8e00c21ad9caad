"""Softmax cross-entropy in plain Python: a row and an element at a time.

Names, arguments and the order of lines are those of numpy_arrays/losses.py and of
csrc/loss_loops.h; the formulas are in csrc/kernels.h. Python computes in double throughout.
"""

from math import exp, inf, log, nan

import numpy as np

from ..logits import checked_logits, refuse_targets

__all__ = ["cross_entropy", "cross_entropy_slope"]


def cross_entropy(a, target, ignore_index):
    """Losses, peaks and totals; see `tinygrad_lite.kernels.numpy_arrays.cross_entropy`."""
    a, target = checked_logits(a, target)
    refuse_targets(target, a.shape[1], ignore_index)
    losses, peaks, totals = [], [], []
    for row, t in zip(a.tolist(), target.tolist(), strict=True):
        peak = max(row)
        total = sum(exp(x - peak) for x in row)
        counts = t != ignore_index
        losses.append(log(total) + (peak - row[t]) if counts else 0)
        peaks.append(peak)
        totals.append(total if counts else inf)
    counted = len(totals) - totals.count(inf)
    y = [[*losses, sum(losses)], [*peaks, 0], [*totals, counted or nan]]
    with np.errstate(over="ignore"):
        return np.array(y, a.dtype)


def cross_entropy_slope(a, target, y, g):
    """The gradient; see `tinygrad_lite.kernels.numpy_arrays.cross_entropy_slope`."""
    d = np.zeros_like(a, order="C")
    g = np.broadcast_to(g, target.shape).tolist()
    _, peaks, totals = y[:, :-1].tolist()
    for i, (row, t) in enumerate(zip(a.tolist(), target.tolist(), strict=True)):
        if totals[i] == inf:
            continue
        scale = g[i] / totals[i]
        row = [exp(x - peaks[i]) * scale for x in row]
        row[t] -= g[i]
        d[i] = row
    return d

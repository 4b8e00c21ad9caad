"""The losses in plain Python, a number at a time; csrc/loss_loops.h has the same in C."""

from math import exp, log

import numpy as np

from ..logits import checked_logits, refuse_targets

__all__ = ["cross_entropy"]


def cross_entropy(a, target):
    """Losses and gradient; see `tinygrad_lite.kernels.numpy_arrays.cross_entropy`."""
    a, target = checked_logits(a, target)
    refuse_targets(target, a.shape[1])
    losses = np.empty(len(a), a.dtype)
    d = np.empty_like(a)
    for i, (row, t) in enumerate(zip(a.tolist(), target.tolist(), strict=True)):
        losses[i], d[i] = cross_entropy_of_row(row, t)
    return losses, d


def cross_entropy_of_row(row, t):
    """ln(sum of e^a) - a[t], and softmax(a) - onehot(t), for one list of logits a"""
    peak = max(row)
    d = [x - peak for x in row]
    loss = -d[t]
    d = [exp(x) for x in d]
    total = sum(d)
    loss = loss + log(total)
    d = [x / total for x in d]
    d[t] -= 1
    return loss, d

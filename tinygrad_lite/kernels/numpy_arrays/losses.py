"""The losses in NumPy, whole arrays at a time; csrc/loss_loops.h has the same in C."""

import numpy as np

from ..logits import checked_logits, refuse_targets

__all__ = ["cross_entropy"]


def cross_entropy(a, target):
    """Cross-entropy of logits with class ids, and its gradient.

    Args:
        a: logits, float32 or float64, of shape (n, c).
        target: class ids from 0 to c - 1, integers, of shape (n,).

    Returns:
        losses = ln(sum of e^a over the classes) - a[target], of shape (n,), and
        d = softmax(a) - onehot(target), of shape (n, c); both in the dtype of ``a``.

    Raises:
        TypeError: another dtype, or no arrays.
        ValueError: other shapes.
        IndexError: an id is out of range.
    """
    a, target = checked_logits(a, target)
    refuse_targets(target, a.shape[1])
    rows = np.arange(len(a))
    with np.errstate(all="ignore"):  # inf and NaN flow on silently, as they do in C
        d = a - a.max(axis=1, keepdims=True)
        losses = -d[rows, target]
        d = np.exp(d)
        total = d.sum(axis=1)
        losses = losses + np.log(total)
        d = d / total[:, None]
        d[rows, target] -= 1
    return losses, d

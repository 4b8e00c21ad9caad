"""What data comes in as: arrays of samples; it imports Tensor."""

from __future__ import annotations

import numpy as np

from ..tensor import as_tensor

__all__ = ["as_samples"]


def as_samples(who: str, given: tuple) -> list[np.ndarray]:
    """Arrays, Tensors or lists of numbers as arrays whose first axis counts the same samples.

    Args:
        who: the name of the function that was called, for its errors.
        given: what it was called with.

    Raises:
        TypeError: if one is not of real numbers, or has no axis.
        ValueError: if there are none, or their lengths differ.
    """
    if not given:
        raise ValueError(f"{who} expects at least one array; got none")
    arrays = [as_tensor(x).numpy() for x in given]
    for i, array in enumerate(arrays):
        if not array.ndim:
            raise TypeError(f"{who} expects arrays with an axis of samples; array {i} has none")
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(f"{who} expects arrays of the same length; got {lengths}")
    return arrays

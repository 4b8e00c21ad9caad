"""What dropout multiplies by; it imports the engine, the random generator and NumPy."""

from __future__ import annotations

import numpy as np

from .. import rng
from ..engine import op
from ..ops import _floating

__all__ = ["dropout_mask"]


@op(None)
def dropout_mask(a, p):
    """y = 0 with the probability p, else 1 / (1 - p), drawn anew for each element of a.

    A draw is 32 random bits, so p holds to 2 ** -33. The mean of y is 1; for p = 1, y is 0.
    """
    a = np.asarray(_floating(a))
    if p == 1:
        return np.zeros(a.shape, a.dtype)
    words = rng.generator().bit_generator.random_raw((a.size + 1) // 2)
    kept = words.view(np.uint32)[:a.size] >= np.uint32(p * 2 ** 32)
    return (kept * a.dtype.type(1 / (1 - p))).reshape(a.shape)[()]

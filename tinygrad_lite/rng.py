"""The one source of randomness: initial values, shuffles and samples all draw from it.

It imports NumPy only.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["generator", "manual_seed"]


@cache
def generator() -> Generator:
    """The package's random generator; seeded by the operating system until `manual_seed`."""
    return np.random.default_rng()


def manual_seed(seed: int) -> Generator:
    """Seed all randomness of the package: the same seed, the same numbers.

    Args:
        seed: an integer, 0 or greater.

    Returns:
        The generator.

    Raises:
        TypeError: if `seed` is not an integer.
        ValueError: if it is negative.
    """
    fresh = np.random.PCG64(_checked_seed(seed))
    generator().bit_generator.state = fresh.state
    return generator()


def _checked_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"a seed is an integer; got {type(seed).__name__}")
    if seed < 0:
        raise ValueError(f"a seed is 0 or greater; got {seed}")
    return int(seed)

"""The one source of randomness: initial values, shuffles and samples all draw from it.

It imports NumPy only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["generator", "get_rng_state", "manual_seed", "set_rng_state"]


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


def get_rng_state() -> dict[str, int]:
    """Where the generator stands: four integers, for `set_rng_state`."""
    whole = generator().bit_generator.state
    return {**whole["state"], "has_uint32": whole["has_uint32"], "uinteger": whole["uinteger"]}


def set_rng_state(state: Mapping[str, int]) -> None:
    """Let the generator go on from where it stood when `get_rng_state` was called.

    Raises:
        ValueError: for anything but four such integers; nothing is changed then.
    """
    if not isinstance(state, Mapping) or state.keys() != _BELOW.keys():
        raise ValueError(f"a random state has the entries {list(_BELOW)}; got {state!r:.100}")
    for name, below in _BELOW.items():
        if type(state[name]) is not int or not 0 <= state[name] < below:
            raise ValueError(f"'{name}' of a random state is an integer from 0 to {below - 1}; "
                             f"got {state[name]!r:.100}")
    generator().bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": state["state"], "inc": state["inc"]},
        "has_uint32": state["has_uint32"],
        "uinteger": state["uinteger"],
    }


# what a PCG64 generator consists of; it makes 64 bits at once, and may keep half of them
_BELOW = {"state": 2 ** 128, "inc": 2 ** 128, "has_uint32": 2, "uinteger": 2 ** 32}


def _checked_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"a seed is an integer; got {type(seed).__name__}")
    if seed < 0:
        raise ValueError(f"a seed is 0 or greater; got {seed}")
    return int(seed)

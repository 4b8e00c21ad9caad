"""The one source of randomness: initial values, shuffles and samples all draw from it.

It imports the engine and NumPy.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .engine import refuse_to_draw, refuse_to_replay

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["generator", "get_rng_state", "get_state", "manual_seed", "set_rng_state",
           "set_state", "source"]

_WORD = (1 << 64) - 1


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
    refuse_to_replay("manual_seed()", "a replay seeds nothing; call it outside")
    fresh = np.random.PCG64(_checked_seed(seed))
    generator().bit_generator.state = fresh.state
    return generator()


def source(seed: int | Generator | None) -> Generator:
    """The generator that an argument `seed` stands for.

    Args:
        seed: None for the package's own, which `manual_seed` governs; an integer for a new
            one; a generator for itself.

    Raises:
        TypeError: if `seed` is something else.
        ValueError: if it is negative.
    """
    refuse_to_draw("drawing random numbers here")
    if seed is None:
        return generator()
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(_checked_seed(seed))


def _checked_seed(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"a seed is an integer; got {type(seed).__name__}")
    if seed < 0:
        raise ValueError(f"a seed is 0 or greater; got {seed}")
    return int(seed)


# ---- the state, as an array ------------------------------------------------------------


def get_rng_state() -> np.ndarray:
    """Where the package's random generator stands, to come back to with `set_rng_state`.

    Returns:
        A uint64 array of shape (6,): it fits a file of arrays as it is, and JSON as a list.
    """
    return get_state(generator())


def set_rng_state(state: Any) -> None:
    """Take the package's random generator back to where `get_rng_state` found it.

    Args:
        state: the six numbers, as an array or a list.

    Raises:
        TypeError: if `state` is not made of integers.
        ValueError: if the integers are no state; nothing is changed then.
    """
    set_state(generator(), state)


def get_state(generator: Generator) -> np.ndarray:
    """The state of a PCG64 generator as six uint64: two of 128 bits, and half a draw kept.

    Raises:
        TypeError: if the generator is of another kind.
    """
    state = _pcg64(generator).state
    big = state["state"]
    return np.array([
        big["state"] >> 64, big["state"] & _WORD, big["inc"] >> 64, big["inc"] & _WORD,
        state["has_uint32"], state["uinteger"],
    ], dtype=np.uint64)


def set_state(generator: Generator, state: Any) -> None:
    """Give a PCG64 generator the state that `get_state` returned.

    Raises:
        TypeError: if `state` is not made of integers, or the generator is of another kind.
        ValueError: if the integers are no state; nothing is changed then.
    """
    refuse_to_replay("a random state that is set", "a replay sets none; call it outside")
    words = state.tolist() if hasattr(state, "tolist") else state
    if not isinstance(words, (list, tuple)) or not all(type(word) is int for word in words):
        raise TypeError("a random state is made of integers, as get_rng_state() returns; got "
                        f"{state!r:.60}")
    if len(words) != 6 or not all(0 <= word <= _WORD for word in words):
        raise ValueError("a random state is six numbers of 64 bits, as get_rng_state() "
                         f"returns; got {state!r:.60}")
    high, low, inc_high, inc_low, has_uint32, uinteger = words
    # PCG adds an odd number at each step; what is left of a draw is 32 bits, or nothing.
    if not inc_low % 2 or has_uint32 > 1 or uinteger >= 1 << 32:
        raise ValueError(f"no random generator was ever in the state {words}; it was changed "
                         "after get_rng_state()")
    _pcg64(generator).state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }


def _pcg64(generator: Generator) -> Any:
    bits = generator.bit_generator
    if not isinstance(bits, np.random.PCG64):
        raise TypeError("only the state of a PCG64 generator, such as default_rng() makes, "
                        f"can be kept; got {type(bits).__name__}")
    return bits

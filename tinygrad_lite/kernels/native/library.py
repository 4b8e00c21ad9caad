"""The compiled module: its interface, its instruction set and its threads.

The widest instruction set that the processor has is chosen on import; the environment
variable TINYGRAD_LITE_SIMD ("baseline", "avx2" or "avx512") overrides it, so that each can be
tested and timed. Results are the same to the last bit, but for matrix products: see
csrc/kernels.h. TINYGRAD_LITE_THREADS sets how many threads share a large call; left out, as
many as there are cores for this process.
"""

import os
from typing import Any

import numpy as np

from .._kernels import ffi, lib
from ..cores import usable_cores

__all__ = [
    "ABI", "POINTERS", "SIMD", "ffi", "get_num_threads", "lib", "set_num_threads", "set_simd",
    "simd", "simd_choices",
]

# The number of the C interface that this package calls; `tgl_abi` in csrc/dispatch.c.
ABI = 9

if lib.tgl_abi() != ABI:
    raise ImportError(
        f"the compiled module has interface {lib.tgl_abi()}, but this Python code needs {ABI}"
    )

# The type of a pointer to the elements, for each dtype that the kernels take.
POINTERS: dict[np.dtype, Any] = {
    np.dtype(np.float32): ffi.typeof("float *"),
    np.dtype(np.float64): ffi.typeof("double *"),
}

SIMD = {"baseline": lib.TGL_BASELINE, "avx2": lib.TGL_AVX2, "avx512": lib.TGL_AVX512}
SIMD_VARIABLE = "TINYGRAD_LITE_SIMD"
THREADS_VARIABLE = "TINYGRAD_LITE_THREADS"


def simd_choices() -> list[str]:
    """The instruction sets that this processor can run, the narrowest first."""
    return [name for name, number in SIMD.items() if lib.tgl_simd_runs(number)]


def simd() -> str:
    """The instruction set in use."""
    return list(SIMD)[lib.tgl_get_simd()]


def set_simd(name: str) -> None:
    """Use an instruction set from now on, in the whole process.

    Raises:
        ValueError: there is none of this name.
        RuntimeError: this processor, or this build, cannot run it.
    """
    if name not in SIMD:
        raise ValueError(f"unknown instruction set {name!r}; choose from {', '.join(SIMD)}")
    if name not in simd_choices():
        raise RuntimeError(f"this processor or this build cannot run {name}; choose from "
                           f"{', '.join(simd_choices())}")
    lib.tgl_set_simd(SIMD[name])


def set_num_threads(threads: int) -> None:
    """Share large calls between so many threads, 1 or more, the caller's among them."""
    lib.tgl_set_threads(threads)


def get_num_threads() -> int:
    """How many threads share a large call."""
    return lib.tgl_get_threads()


def _first_simd() -> None:
    name = os.environ.get(SIMD_VARIABLE) or simd_choices()[-1]
    try:
        set_simd(name)
    except (RuntimeError, ValueError) as error:
        raise type(error)(f"environment variable {SIMD_VARIABLE}={name}: {error}") from None


def _first_threads() -> None:
    text = os.environ.get(THREADS_VARIABLE) or str(usable_cores())
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"environment variable {THREADS_VARIABLE}={text}: expected a whole "
                         "number, 1 or more")
    set_num_threads(int(text))


_first_simd()
_first_threads()

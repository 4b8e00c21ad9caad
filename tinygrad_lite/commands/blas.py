"""Which library NumPy multiplies matrices with, and which kernels that library picked.

OpenBLAS tells it through its C functions, in the shared library that NumPy has loaded. It
imports NumPy only.
"""

from __future__ import annotations

import ctypes
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["advice", "core_name", "name", "threads"]

# Builds of OpenBLAS decorate its names, such as scipy_openblas_get_corename64_.
PREFIXES = ("", "scipy_")
SUFFIXES = ("", "64_", "_64_", "64")


def name() -> str:
    """Name and version of the library, as NumPy was built with it."""
    config = np.show_config(mode="dicts") or {}
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown BLAS')} {blas.get('version', '')}".rstrip()


def core_name() -> str | None:
    """The processor whose kernels OpenBLAS picked, such as "Haswell"; None if unknown."""
    function = _function("openblas_get_corename")
    if function is None:
        return None
    function.restype = ctypes.c_char_p
    return function().decode()


def threads() -> int | None:
    """How many threads OpenBLAS uses for a large product; None if unknown."""
    function = _function("openblas_get_num_threads")
    return None if function is None else function()


def advice(core: str | None, has_avx512: bool) -> str | None:
    """What would make NumPy's matrix products faster on this machine; None if nothing.

    OpenBLAS takes its AVX2 kernels on AMD's Zen 4 and 5, which have AVX-512.
    """
    if core in ("Zen", "Haswell") and has_avx512:
        return (f"OpenBLAS picked AVX2 kernels ({core}) on a processor that has AVX-512: set "
                "OPENBLAS_CORETYPE=SKYLAKEX before Python starts, and compare your times")
    return None


def _function(plain: str) -> Any:
    """OpenBLAS's function of this name, however it is decorated; None if there is none."""
    for library in _libraries():
        for prefix, suffix in product(PREFIXES, SUFFIXES):
            function = getattr(library, f"{prefix}{plain}{suffix}", None)
            if function is not None:
                return function
    return None


def _libraries() -> list[ctypes.CDLL]:
    """The libraries named openblas that came with NumPy, or that this process has loaded."""
    package = Path(np.__file__).parent
    paths = [*package.parent.glob("numpy.libs/*openblas*"), *package.glob(".dylibs/*openblas*")]
    maps = Path("/proc/self/maps")
    if maps.exists():
        lines = maps.read_text().splitlines()
        paths += sorted({Path(line.split()[-1]) for line in lines if "openblas" in line})
    return [library for library in map(_load, paths) if library is not None]


def _load(path: Path) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        return None

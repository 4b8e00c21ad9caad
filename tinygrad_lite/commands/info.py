"""``info``: what this installation is, as a bug report needs it."""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from .. import kernels
from ..kernels.cores import usable_cores
from ..version import __version__
from . import blas

__all__ = ["HELP", "add_arguments", "facts", "run"]

HELP = "show versions, the backend in use, instruction sets and threads"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(options: argparse.Namespace) -> None:
    """Print what there is to know, a line each; or as JSON."""
    found = facts()
    if options.json:
        print(json.dumps(found, indent=2))
        return
    lines = {name: "unknown" if fact is None else str(fact) for name, fact in found.items()}
    if found["advice"] is None:
        del lines["advice"]
    width = max(map(len, lines))
    for name, line in lines.items():
        print(f"{name:{width}}  {line}")


def facts() -> dict[str, Any]:
    """Everything that ``info`` tells, by name; what is unknown is None."""
    core = blas.core_name()
    return {
        "tinygrad_lite": __version__,
        "backend": _backend(),
        "C kernels": _c_kernels(),
        "instruction set": _instruction_set(),
        "threads": _threads(),
        "cores": f"{usable_cores()} for this process",
        "Python": f"{platform.python_version()}, {platform.platform()}",
        "NumPy": np.__version__,
        "BLAS": f"{blas.name()}, kernels for {core or 'an unknown processor'}",
        "BLAS threads": blas.threads(),
        "cffi": _version("cffi"),
        "advice": blas.advice(core, "avx512" in _simd_choices()),
    }


def _backend() -> str:
    """The backend in use, and whether the environment chose it."""
    name = kernels.get_backend()
    return f"{name}, by {kernels.VARIABLE}" if os.environ.get(kernels.VARIABLE) else name


def _c_kernels() -> str:
    """The interface of the compiled module, or why there is none."""
    reason = kernels.why_not_c()
    return f"absent: {reason}" if reason else f"compiled, interface {kernels.body('c').ABI}"


def _simd_choices() -> list[str]:
    return [] if kernels.why_not_c() else kernels.body("c").simd_choices()


def _instruction_set() -> str | None:
    """The one in use, and those that there are."""
    if kernels.why_not_c():
        return None
    return f"{kernels.body('c').simd()}, of {', '.join(_simd_choices())}"


def _threads() -> str:
    """How many threads share a large update."""
    if kernels.why_not_c():
        return "1: only the C kernels have more"
    return f"{kernels.get_num_threads()} for large updates"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"

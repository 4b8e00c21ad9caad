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
    lines = {name: _as_text(fact) for name, fact in found.items() if fact is not None}
    width = max(map(len, lines))
    print("\n".join(f"{name:{width}}  {line}" for name, line in lines.items()))


def facts() -> dict[str, Any]:
    """Everything that ``info`` tells, by name: strings, numbers, lists; None if unknown."""
    core = blas.core_name()
    choices = _simd_choices()
    return {
        "tinygrad_lite": __version__,
        "backend": kernels.get_backend(),
        "chosen by": kernels.VARIABLE if os.environ.get(kernels.VARIABLE) else None,
        "C kernels": _c_kernels(),
        "instruction set": kernels.body("c").simd() if choices else None,
        "instruction sets": choices or None,
        "threads": kernels.get_num_threads(),
        "cores": usable_cores(),
        "Python": platform.python_version(),
        "platform": platform.platform(),
        "NumPy": np.__version__,
        "BLAS": blas.name(),
        "BLAS kernels": core,
        "BLAS threads": blas.threads(),
        "cffi": _version("cffi"),
        "advice": blas.advice(core, "avx512" in choices),
    }


def _as_text(fact: Any) -> str:
    return ", ".join(fact) if isinstance(fact, list) else str(fact)


def _c_kernels() -> str:
    """The interface of the compiled module, or why there is none."""
    reason = kernels.why_not_c()
    return f"absent: {reason}" if reason else f"compiled, interface {kernels.body('c').ABI}"


def _simd_choices() -> list[str]:
    """The instruction sets that there are; none without C."""
    return [] if kernels.why_not_c() else kernels.body("c").simd_choices()


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None

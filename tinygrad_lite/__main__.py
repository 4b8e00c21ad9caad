"""The command line, ``python -m tinygrad_lite``: ``info`` says what this installation is.

A subcommand is a function without arguments and a row of `COMMANDS`.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

import numpy as np

from . import __version__, kernels


class _Parser(argparse.ArgumentParser):
    """An error is one line and exit code 2, without the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def info() -> None:
    """Print what a bug report needs: versions, the backend and, if it is not C, why."""
    facts = {
        "tinygrad_lite": __version__,
        "backend": _backend(),
        "C kernels": _c_kernels(),
        "Python": f"{platform.python_version()}, {platform.platform()}",
        "NumPy": f"{np.__version__}, {_blas()}",
        "cffi": _version("cffi"),
        "cores": f"{_cores()} for this process",
    }
    width = max(map(len, facts))
    for name, fact in facts.items():
        print(f"{name:{width}}  {fact}")


def _backend() -> str:
    """The backend in use, and whether the environment chose it."""
    name = kernels.get_backend()
    chosen = os.environ.get(kernels.VARIABLE)
    return f"{name}, by {kernels.VARIABLE}" if chosen else name


def _c_kernels() -> str:
    """The interface of the compiled module, or why there is none."""
    reason = kernels.why_not_c()
    return f"absent: {reason}" if reason else f"compiled, interface {kernels.body('c').ABI}"


def _blas() -> str:
    """Name and version of the library in which NumPy multiplies matrices."""
    config = np.show_config(mode="dicts") or {}
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown BLAS')} {blas.get('version', '')}".rstrip()


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _cores() -> int | None:
    """How many cores this process may use, where the system tells; else how many there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


COMMANDS: dict[str, tuple[Callable[[], None], str]] = {
    "info": (info, "show versions and the backend in use"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: what stands behind the program's name; of this process if left out.

    Returns:
        The exit code: 0, or 2 if no subcommand was given.

    Raises:
        SystemExit: after ``--help``, with 0; for wrong arguments, with 2.
    """
    parser = _Parser(prog="python -m tinygrad_lite", description="A small autograd engine.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, (run, help_text) in COMMANDS.items():
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.set_defaults(run=run)
    chosen = parser.parse_args(arguments)
    if "run" not in chosen:
        parser.print_help(sys.stderr)
        return 2
    chosen.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())

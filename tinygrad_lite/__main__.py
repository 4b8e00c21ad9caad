"""The command line, ``python -m tinygrad_lite``.

A command is a module of `commands` with a line of help, its options, and what it does.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

from .commands import bench, info

COMMANDS = {"bench": bench, "info": info}


class _Parser(argparse.ArgumentParser):
    """An error is one line and exit code 2, without the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: what stands behind the program's name; of this process if left out.

    Returns:
        The exit code: 0; 2 if no command was given; 130 if the user stopped it;
        1 if nobody reads what it prints.

    Raises:
        SystemExit: after ``--help``, with 0; for wrong arguments, with 2.
    """
    parser = _Parser(prog="python -m tinygrad_lite", description="A small autograd engine.")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=command.HELP, description=command.HELP)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    if "run" not in options:
        parser.print_help(sys.stderr)
        return 2
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # nobody reads on, as in `... | head`; nor is the rest flushed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

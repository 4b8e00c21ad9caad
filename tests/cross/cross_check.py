"""Compile the C kernels with other compilers and for aarch64, under qemu, and compare
every bit of their results; ``make cross`` runs this file. The standard library and cffi are
enough.

The build for aarch64 has no wide loops, and GCC and Clang have each its own way to compile
them. All must compile without a warning.
"""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "cross"
INSTALL = "apt install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static"
STRICT = ["-Wall", "-Wextra", "-Werror"]


def flags():
    """The flags of the real build."""
    names = runpy.run_path(str(ROOT / "csrc" / "build_kernels.py"))
    return [*names["GCC_AND_CLANG_FLAGS"], *STRICT]


def compiled(compiler, name, *more):
    """Compile all kernels and bits.c to a program of that name."""
    program = BUILD / name
    sources = [*sorted((ROOT / "csrc").glob("*.c")), ROOT / "tests" / "cross" / "bits.c"]
    command = [compiler, *flags(), *more, "-I", str(ROOT / "csrc"), *map(str, sources),
               "-lm", "-lpthread", "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def main():
    cross = shutil.which("aarch64-linux-gnu-gcc")
    qemu = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if cross is None or qemu is None:
        sys.exit(f"cross_check: aarch64-linux-gnu-gcc and qemu-aarch64 are needed; {INSTALL}")
    BUILD.mkdir(parents=True, exist_ok=True)
    commands = {"cc": [compiled(shutil.which("cc") or "gcc", "bits")]}
    if shutil.which("clang"):
        commands["clang"] = [compiled("clang", "bits-clang")]
    commands["aarch64"] = [qemu, compiled(cross, "bits-aarch64", "-static")]
    lines = {name: subprocess.run(command, check=True, capture_output=True, text=True)
             .stdout.splitlines() for name, command in commands.items()}
    different = [rows for rows in zip(*lines.values(), strict=True) if len(set(rows)) > 1]
    for rows in different:
        print(*rows, sep="    ")
    if different:
        sys.exit(f"cross_check: {len(different)} kernels differ between {', '.join(lines)}")
    print(f"cross_check: {len(lines['cc'])} kernels give the same bits with {', '.join(lines)}")


if __name__ == "__main__":
    main()

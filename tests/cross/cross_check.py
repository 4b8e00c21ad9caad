"""Compile the C kernels for aarch64, run them under qemu, and compare every bit with this
machine's; ``make cross`` runs this file. The standard library and cffi are enough.

The wide loops of x86-64 are left out of that build; what is tested is that the rest compiles
without a warning, and that plain loops give the same results on another processor.
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
    theirs = compiled(cross, "bits-aarch64", "-static")
    ours = compiled(shutil.which("cc") or "gcc", "bits")
    results = [subprocess.run(command, check=True, capture_output=True, text=True).stdout
               for command in ([str(ours)], [qemu, str(theirs)])]
    lines = [text.splitlines() for text in results]
    different = [pair for pair in zip(*lines, strict=True) if pair[0] != pair[1]]
    for here, there in different:
        print(f"here {here}, on aarch64 {there}")
    if different:
        sys.exit(f"cross_check: {len(different)} of {len(lines[0])} kernels differ")
    print(f"cross_check: {len(lines[0])} kernels give the same bits on aarch64")


if __name__ == "__main__":
    main()

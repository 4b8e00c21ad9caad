"""Build script of the compiled module ``tinygrad_lite.kernels._kernels`` (cffi, API mode).

setup.py names `ffibuilder`; setuptools runs this file from the project's root and compiles
what it describes. All sources become one module; all prototypes come from kernels.h.
"""

import sys
from pathlib import Path

from cffi import FFI

CSRC = Path("csrc")

# Never -ffast-math: it changes the floating-point mode of the whole process and the results.
# Never -march=native: the module must run on other machines than the one that built it.
GCC_AND_CLANG_FLAGS = [
    "-std=c99",              # `restrict` and loop variables, and nothing newer
    "-O3",                   # vectorize the loops, and move their options out of them
    "-fno-math-errno",       # sqrt need not set errno: it becomes one vector instruction
    "-fno-trapping-math",    # nobody traps exceptions: branches may become vector selects
    "-ffp-contract=off",     # fused multiply-add where it is written only: NumPy's bits
    "-fvisibility=hidden",   # export the module's entry only: no clash with other libraries
]
MSVC_FLAGS = [
    "/std:c11",              # `restrict`
    "/O2",                   # vectorize the loops
    "/fp:precise",           # round after each operation, as NumPy does
]


def prototypes(header: Path) -> str:
    """The text of ``header`` without its preprocessor lines, which cffi cannot read."""
    lines = header.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


on_windows = sys.platform == "win32"
ffibuilder = FFI()
ffibuilder.cdef(prototypes(CSRC / "kernels.h"))
ffibuilder.set_source(
    "tinygrad_lite.kernels._kernels",
    '#include "kernels.h"',
    sources=[path.as_posix() for path in sorted(CSRC.glob("*.c"))],
    depends=[path.as_posix() for path in sorted(CSRC.glob("*.h"))],
    include_dirs=[CSRC.as_posix()],
    libraries=[] if on_windows else ["m", "pthread"],
    extra_compile_args=MSVC_FLAGS if on_windows else GCC_AND_CLANG_FLAGS,
)

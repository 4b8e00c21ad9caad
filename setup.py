"""The part of the build that pyproject.toml cannot say: the C kernels, and what to do when
they do not compile. Everything else about the package is in pyproject.toml."""

import os

from setuptools import setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError, CompileError

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")

HELP = """the C kernels of tinygrad_lite did not compile: {error}

If the compiler or Python.h was not found, install them and try again:
    Debian, Ubuntu   apt install gcc python3-dev
    Fedora           dnf install gcc python3-devel
    macOS            xcode-select --install
    Windows          the "Desktop development with C++" part of Visual Studio Build Tools
Or do without C, on NumPy alone (the same results, but slower), by setting a variable:
    TINYGRAD_LITE_NO_C=1 python -m pip install --no-cache-dir .
"""


class BuildKernels(build_ext):
    """Compile as usual, but end a failure with the way out of it."""

    def build_extension(self, ext):
        try:
            super().build_extension(ext)
        except (BaseError, CCompilerError) as error:
            raise CompileError(HELP.format(error=error)) from error


setup(
    cffi_modules=[] if WITHOUT_C else ["csrc/build_kernels.py:ffibuilder"],
    cmdclass={"build_ext": BuildKernels},
)

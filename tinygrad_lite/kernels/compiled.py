"""The compiled module, once it is known to be the one that this Python code needs.

Importing this file fails where the compiled module is missing or does not fit.
"""

from ._kernels import ffi, lib

__all__ = ["ABI", "ffi", "lib"]

# The number of the C interface that this code calls; `tgl_abi` in csrc/optimizers.c.
ABI = 2

if lib.tgl_abi() != ABI:
    raise ImportError(
        f"the compiled module has interface {lib.tgl_abi()}, but this Python code needs {ABI}"
    )

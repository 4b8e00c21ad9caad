"""The numeric kernels in three bodies, and the choice between them.

| backend  | module          | what it is                                          |
| -------- | --------------- | --------------------------------------------------- |
| "c"      | native/         | C loops, one call for a whole group of tensors      |
| "numpy"  | numpy_arrays/   | a whole array at a time: what tests compare with    |
| "python" | python_loops/   | an element at a time: to read, and to time          |

The default is "c" where it was compiled, otherwise "numpy". The environment variable
TINYGRAD_LITE_BACKEND, read on import, overrides it. Nothing falls back in silence: where "c"
is asked for and was not compiled, and where it was compiled from other sources than this
Python code needs, there is an error. Nothing here imports the rest of tinygrad_lite.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from numbers import Integral
from types import ModuleType

from . import numpy_arrays
from .logits import refuse_targets
from .table import KERNELS

__all__ = [
    "BACKENDS", "KERNELS", "backend", "body", "get_backend", "get_num_threads",
    "refuse_targets", "set_backend", "set_num_threads", "why_not_c",
]

BACKENDS = ("c", "numpy", "python")
VARIABLE = "TINYGRAD_LITE_BACKEND"
REBUILD = (
    "to build it: `python -m pip install --no-cache-dir --force-reinstall --no-deps .` "
    "in the source directory, or `make build` in a checkout"
)

bodies: dict[str, ModuleType] = {"numpy": numpy_arrays}

# A compiled module that is absent is one thing; one that is there and fails must be heard of.
if find_spec("tinygrad_lite.kernels._kernels") is not None:
    try:
        from . import native
    except ImportError as error:
        no_cffi = error.name == "_cffi_backend"
        cure = "to install it: `python -m pip install cffi`" if no_cffi else REBUILD
        raise ImportError(
            f"the C kernels of tinygrad_lite do not load: {error}; {cure}"
        ) from error
    bodies["c"] = native


def get_backend() -> str:
    """The name of the backend that is in use: "c", "numpy" or "python"."""
    return current


def set_backend(name: str) -> None:
    """Use the backend ``name`` ("c", "numpy" or "python") in the whole process from now on.

    Raises:
        ValueError: there is no backend of this name.
        RuntimeError: "c" was not compiled; the message says why, and how to build it.
    """
    global current
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}; choose from {', '.join(BACKENDS)}")
    body(name)
    current = name


def set_num_threads(threads: int) -> None:
    """Share large updates and products between so many threads, the caller's among them.

    At first it is the number of cores that this process may use, or that of the environment
    variable TINYGRAD_LITE_THREADS. Only the C kernels have these threads: the products that
    NumPy computes have others, which OPENBLAS_NUM_THREADS and its like govern. It holds for
    the whole process; results are the same to the last bit.

    Raises:
        TypeError: if `threads` is no integer.
        ValueError: if it is less than 1.
    """
    if isinstance(threads, bool) or not isinstance(threads, Integral):
        raise TypeError(f"a number of threads is an integer; got {type(threads).__name__}")
    if threads < 1:
        raise ValueError(f"a number of threads is 1 or more; got {threads}")
    if "c" in bodies:
        bodies["c"].set_num_threads(int(threads))


def get_num_threads() -> int:
    """How many threads share a large update or product; 1 where the C kernels are absent."""
    return bodies["c"].get_num_threads() if "c" in bodies else 1


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Use the backend ``name`` inside a ``with`` block, or in a function it decorates.

    The choice holds for the whole process, other threads included, until the block ends.
    Raises what `set_backend` raises.
    """
    before = get_backend()
    set_backend(name)
    try:
        yield
    finally:
        set_backend(before)


def body(name: str | None = None) -> ModuleType:
    """The module of the backend ``name``, by default of the one in use.

    Its ``update(kernel, columns, scalars, cache)`` is described in numpy_arrays/update.py.
    Raises what `set_backend` raises.
    """
    name = current if name is None else name
    if name in bodies:
        return bodies[name]
    if name == "python":  # imported when it is first asked for: few need it
        bodies[name] = import_module(".python_loops", __name__)
        return bodies[name]
    if name in BACKENDS:
        raise RuntimeError(f'backend "c" is not available: {why_not_c()}')
    raise ValueError(f"unknown backend {name!r}; choose from {', '.join(BACKENDS)}")


def why_not_c() -> str:
    """Why the backend "c" is not available, and how to build it; "" where it is available."""
    if "c" in bodies:
        return ""
    if opted_out():
        return f"tinygrad_lite was built without C on purpose (TINYGRAD_LITE_NO_C); {REBUILD}"
    return f"its C sources were never compiled here; {REBUILD}"


def opted_out() -> bool:
    """Whether this installation was built without C on purpose.

    A build that should have C and fails to compile it leaves no wheel. So a wheel of Python
    files only was made with TINYGRAD_LITE_NO_C.
    """
    from importlib.metadata import distributions  # slow to import

    wheels = [found.read_text("WHEEL") or "" for found in distributions(name="tinygrad_lite")]
    return any("Root-Is-Purelib: true" in wheel for wheel in wheels)


def first_backend() -> str:
    """The backend to begin with: that of the environment variable, or the fastest."""
    name = os.environ.get(VARIABLE)
    if not name:
        return "c" if "c" in bodies else "numpy"
    try:
        body(name)
    except (RuntimeError, ValueError) as error:
        raise type(error)(f"environment variable {VARIABLE}={name}: {error}") from None
    return name


current = first_backend()

"""tinygrad_lite: a small autograd engine with C-accelerated optimizers.

``import tinygrad_lite as tg`` brings the graph (`Value`, `Tensor`), the functions on it, and
the packages ``tg.nn``, ``tg.optim`` and ``tg.data``.
"""

from importlib import import_module
from typing import Any

from . import data, functions, nn, ops, optim
from .creation import arange, eye, full, ones, rand, randn, zeros
from .engine import enable_grad, grad, no_grad, op
from .functions import *  # noqa: F403  # the functions made of ops, likewise
from .gradcheck import GradcheckError, gradcheck
from .kernels import backend, get_backend, get_num_threads, set_backend, set_num_threads
from .ops import *  # noqa: F403  # the whole table of functions, under its __all__
from .rng import get_rng_state, manual_seed, set_rng_state
from .tensor import Tensor, as_tensor
from .value import Value
from .version import __version__ as __version__

__all__ = [
    "GradcheckError", "Tensor", "Value", "arange", "as_tensor", "backend", "data",
    "enable_grad", "eye", "full", "get_backend", "get_num_threads", "get_rng_state", "grad",
    "gradcheck", "manual_seed", "nn", "no_grad", "ones", "op", "optim", "plot", "rand",
    "randn", "set_backend", "set_num_threads", "set_rng_state", "zeros",
    *functions.__all__, *ops.__all__,
]


def __getattr__(name: str) -> Any:
    """``tg.plot`` is imported when it is first asked for: it needs matplotlib."""
    if name == "plot":
        return import_module(".plot", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

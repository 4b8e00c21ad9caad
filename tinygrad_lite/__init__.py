"""tinygrad_lite: a small autograd engine with C-accelerated optimizers.

``import tinygrad_lite as tg`` brings the graph (`Value`, `Tensor`), the functions on it, and
the packages ``tg.nn``, ``tg.optim`` and ``tg.data``.
"""

from . import data, nn, ops, optim
from .engine import enable_grad, grad, no_grad, op
from .gradcheck import GradcheckError, gradcheck
from .kernels import backend, get_backend, set_backend
from .ops import *  # noqa: F403  # the whole table of functions, under its __all__
from .rng import manual_seed
from .tensor import Tensor, arange, as_tensor, eye, full, ones, rand, randn, zeros
from .value import Value

__version__ = "0.1.0"

__all__ = [
    "GradcheckError", "Tensor", "Value", "arange", "as_tensor", "backend", "data",
    "enable_grad", "eye", "full", "get_backend", "grad", "gradcheck", "manual_seed", "nn",
    "no_grad", "ones", "op", "optim", "rand", "randn", "set_backend", "zeros", *ops.__all__,
]

"""tinygrad_lite: a small autograd engine with C-accelerated optimizers.

``import tinygrad_lite as tg`` brings the graph (`Value`, `Tensor`) and the functions on it. The
packages ``tg.nn``, ``tg.optim`` and ``tg.data``, and what is built on them, are there too;
each is imported when it is first asked for.
"""

from typing import TYPE_CHECKING

from . import functions, ops
from .creation import arange, eye, full, ones, rand, randn, zeros
from .engine import enable_grad, grad, no_grad, op
from .functions import *  # noqa: F403  # the functions made of ops, likewise
from .gradcheck import GradcheckError, gradcheck
from .kernels import backend, get_backend, get_num_threads, set_backend, set_num_threads
from .later import later
from .ops import *  # noqa: F403  # the whole table of functions, under its __all__
from .rng import get_rng_state, manual_seed, set_rng_state
from .tensor import Tensor, as_tensor
from .value import Value
from .version import __version__ as __version__

if TYPE_CHECKING:
    from . import data, nn, optim, plot
    from .checkpoint import CheckpointError, load, save
    from .drawing import draw
    from .evaluation import accuracy, confusion_matrix, evaluate, predict
    from .programs.jit import jit
    from .summaries import summary
    from .training import AveragedModel, Callback, EarlyStopping, History, fit

__all__ = [
    "AveragedModel", "Callback", "CheckpointError", "EarlyStopping", "GradcheckError",
    "History", "Tensor", "Value", "accuracy", "arange", "as_tensor", "backend",
    "confusion_matrix", "data", "draw", "enable_grad", "evaluate", "eye", "fit", "full",
    "get_backend", "get_num_threads", "get_rng_state", "grad", "gradcheck", "jit", "load",
    "manual_seed", "nn", "no_grad", "ones", "op", "optim", "plot", "predict", "rand", "randn",
    "save", "set_backend", "set_num_threads", "set_rng_state", "summary", "zeros",
    *functions.__all__, *ops.__all__,
]

__getattr__, __dir__ = later(__name__, {
    "data": "data",
    "nn": "nn",
    "optim": "optim",
    "plot": "plot",
    "draw": "drawing",
    "jit": "programs",
    "summary": "summaries",
    **dict.fromkeys(["CheckpointError", "load", "save"], "checkpoint"),
    **dict.fromkeys(["accuracy", "confusion_matrix", "evaluate", "predict"], "evaluation"),
    **dict.fromkeys(["AveragedModel", "Callback", "EarlyStopping", "History", "fit"],
                    "training"),
})

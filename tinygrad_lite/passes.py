"""Fused passes over all parameters at once: gradients zeroed, measured, clipped; averages.

Each is one kernel call for all arrays of a dtype, however many there are. It imports the
engine, the kernels, the ops and the skins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from . import kernels, ops
from .engine import Node, _mode, no_grad, op
from .kernels.checks import FLOATS
from .kernels.groups import checked
from .value import Value

__all__ = [
    "average", "clip_gradients", "gradient_norm", "norm", "scale_gradients",
    "zero_gradients",
]


def zero_gradients(parameters: Iterable[Node], backend: str | None = None) -> None:
    """Fill every gradient that there is with zeros, in place."""
    _update_gradients("fill", parameters, (0.0,), backend)


def scale_gradients(parameters: Iterable[Node], factor: Any) -> None:
    """Multiply every gradient that there is by a number, in place; or by that of a Value."""
    _update_gradients("scale", parameters, (factor,))


def clip_gradients(parameters: Iterable[Node], low: float, high: float) -> None:
    """Hold every number of every gradient between two bounds, in place; NaN stays."""
    _update_gradients("clip", parameters, (low, high))


def gradient_norm(parameters: Iterable[Node], order: float = 2.0) -> Any:
    """The norm of all gradients as if they were one vector, in double precision.

    Args:
        order: 2 for the Euclidean norm, which is one kernel call; inf for the largest
            absolute value; any other p for the p-th root of the sum of |g| ** p.

    Returns:
        A float; a Value while a function is recorded.
    """
    parameters = list(parameters)
    _find_gradients(parameters)
    return norm([p._grad for p in parameters if p._grad is not None], order)


def norm(arrays: Iterable[Any], order: float = 2.0) -> Any:
    """The norm of all arrays, nodes or numbers together; see `gradient_norm`."""
    if _mode.tracer is None:
        arrays = [a._data if isinstance(a, Node) else a for a in arrays]
    return _norm(*arrays, order=order)


@op(each=lambda *_, **__: lambda _i: None)
def _norm(*arrays, order):
    """y = the norm of all arrays together; no gradient."""
    plain = [np.asarray(a) for a in arrays]
    dtypes = dict.fromkeys(a.dtype for a in plain)
    if order == 2.0 and dtypes.keys() <= set(FLOATS):
        body = kernels.body()
        return math.sqrt(sum(body.square_sum([a for a in plain if a.dtype == dtype], {})
                             for dtype in dtypes))
    flat = [a.reshape(-1).astype(np.float64) for a in plain if a.size]
    return float(np.linalg.norm(np.concatenate(flat), order)) if flat else 0.0


def average(averages: Sequence[np.ndarray], weights: Sequence[np.ndarray],
            decay: Any) -> None:
    """a = decay * a + (1 - decay) * w for each pair: an exponential moving average.

    Args:
        averages: the a, updated in place: float32 or float64, C-contiguous.
        weights: the w, of the same dtypes and shapes.
        decay: how much of the average stays, from 0 to 1; or a function that returns it,
            which a recording calls again at each replay.

    Raises:
        TypeError, ValueError: as the kernels, if an array does not fit, or for a decay that is
            out of range; nothing is changed then.
    """
    if not 0 <= _number(decay) <= 1:
        raise ValueError(f"average expects a decay from 0 to 1; got {_number(decay)}")
    calls = []
    for same in _by_dtype(averages):
        known = {id(a) for a in same}
        partners = [w for a, w in zip(averages, weights, strict=True) if id(a) in known]
        calls.append([same, partners])
    _update_all("average", calls, (decay,), kernels.body())


def _update_all(kernel: str, calls: list[list[list[np.ndarray]]], scalars: Sequence[Any],
                body: ModuleType) -> None:
    """Run a kernel on the columns of each call, once all of them have been checked."""
    caches: list[dict] = [{} for _ in calls]
    for columns, cache in zip(calls, caches):
        checked(kernel, columns, cache)
    numbers = tuple(map(_number, scalars))
    for columns, cache in zip(calls, caches):
        body.update(kernel, columns, numbers, cache)
        if _mode.tracer is not None:
            _mode.tracer.passed(kernel, columns, scalars)


def _number(x: Any) -> Any:
    """A scalar of a kernel: a number, one that a function returns, or that of a Value."""
    return x() if callable(x) else getattr(x, "_data", x)


def _update_gradients(kernel: str, parameters: Iterable[Node], scalars: Sequence[Any],
                      backend: str | None = None) -> None:
    """Run a kernel on all gradients, those of Values among them."""
    parameters = list(parameters)
    _find_gradients(parameters)
    arrays, values = _gradients(parameters)
    body = kernels.body(backend)
    if _mode.tracer is not None:
        for p in values:
            p.grad = _ON_VALUES[kernel](p._grad, *scalars)
        values = []
    pack = np.array([float(p.grad) for p in values])
    calls = [[same] for same in _by_dtype([*arrays, pack] if values else arrays)]
    _update_all(kernel, calls, scalars, body)
    for p, number in zip(values, pack.tolist()):
        p.grad = number


# What kernels do to the gradient of a Value, as ops.
_ON_VALUES = {"fill": lambda _g, value: value, "scale": ops.multiply, "clip": ops.clip}


def _find_gradients(parameters: Iterable[Node]) -> None:
    """Tell whoever records this whose gradients are read."""
    if _mode.tracer is not None:
        for p in parameters:
            _mode.tracer.finds(p)


def _gradients(parameters: Iterable[Any]) -> tuple[list[np.ndarray], list[Any]]:
    """The arrays of the Tensors' gradients, ready to be changed; the Values that have one.

    A gradient that the user made, and that is not contiguous or not writable, is replaced by
    a copy first.
    """
    arrays = []
    values = []
    for p in parameters:
        if p._grad is None:
            continue
        if isinstance(p, Value):
            values.append(p)
            continue
        flags = p._grad._data.flags
        if not (flags.c_contiguous and flags.writeable and flags.aligned):
            with no_grad():
                p.grad = ops.copy(p._grad)
        arrays.append(p._grad._data)
    return arrays, values


def _by_dtype(arrays: Iterable[np.ndarray]) -> list[list[np.ndarray]]:
    """The arrays in lists of one dtype each; one that comes twice is there once."""
    found: dict[np.dtype, dict[int, np.ndarray]] = {}
    for array in arrays:
        found.setdefault(array.dtype, {})[id(array)] = array
    return [list(same.values()) for same in found.values()]

"""Help with gradients and parameters, under PyTorch's names.

It imports the engine, the fused passes and Tensor.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import ops, passes
from ..engine import Node, _mode, no_grad, refuse_to_read
from ..functions import concatenate, split
from ..tensor import Tensor, as_tensor
from ..value import Value

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "get_total_norm", "parameters_to_vector",
    "vector_to_parameters",
]


def clip_grad_norm_(parameters: Node | Iterable[Node], max_norm: float,
                    norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    """Scale all gradients by one factor, in place, so that their norm is at most `max_norm`.

    The norm is that of all gradients as one vector. The factor is
    max_norm / (norm + 1e-6), and 1 where that is more. Source: Pascanu, Mikolov and Bengio,
    "On the difficulty of training recurrent neural networks" (2013), algorithm 1.

    Args:
        parameters: one parameter or several; those without a gradient do not count.
        max_norm: the largest norm that stays as it is, 0 or more.
        norm_type: 2 for the Euclidean norm, inf for the largest absolute value, or any p.
        error_if_nonfinite: whether a norm that is inf or nan raises, and changes nothing.

    Returns:
        The norm before, a Tensor of no axes in float64.

    Raises:
        RuntimeError: for a norm that is not finite, if `error_if_nonfinite`.
        ValueError: for a negative or nan `max_norm`.
    """
    given = _as_list(parameters)
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_ expects max_norm of 0 or more; got {max_norm}")
    norm = passes.gradient_norm(given, float(norm_type))
    if error_if_nonfinite:
        refuse_to_read("clip_grad_norm_(error_if_nonfinite=True)")
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(f"the total norm of order {norm_type} of the gradients is {norm}: "
                           "they cannot be clipped; leave error_if_nonfinite=False to scale "
                           "them all the same")
    factor = max_norm / (norm + 1e-6)
    if _mode.tracer is not None:
        passes.scale_gradients(given, ops.minimum(factor, 1.0))
    elif not factor >= 1:  # nan as well, which then is in every gradient
        passes.scale_gradients(given, factor)
    return _as_tensor(norm)


def clip_grad_value_(parameters: Node | Iterable[Node], clip_value: float) -> None:
    """Hold every number of every gradient between -clip_value and clip_value, in place.

    Args:
        parameters: one parameter or several; those without a gradient are left out.
        clip_value: the bound, 0 or more.

    Raises:
        ValueError: for a negative or nan bound.
    """
    if not clip_value >= 0:
        raise ValueError("clip_grad_value_ expects a clip_value of 0 or more; got "
                         f"{clip_value}")
    passes.clip_gradients(_as_list(parameters), -float(clip_value), float(clip_value))


def get_total_norm(tensors: Node | Iterable[Node], norm_type: float = 2.0) -> Tensor:
    """The norm of all Tensors as one vector, such as ``[p.grad for p in parameters]``.

    Args:
        tensors: one Tensor or several, or Values.
        norm_type: as in `clip_grad_norm_`.

    Returns:
        A Tensor of no axes in float64.
    """
    return _as_tensor(passes.norm(_as_list(tensors), float(norm_type)))


def _as_tensor(norm: Any) -> Tensor:
    """A norm, which is a float, or a Value while a function is recorded, as a Tensor."""
    if isinstance(norm, Value):
        return ops.reshape(norm * np.ones(1), shape=())  # which makes it float64
    return Tensor(norm, np.float64)


def parameters_to_vector(parameters: Iterable[Any]) -> Tensor:
    """All parameters in one dimension, one after another; gradients flow."""
    return concatenate([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    """Copy the numbers of a vector into the parameters, one after another, unrecorded.

    Raises:
        ValueError: if the vector is not as long as all parameters together.
    """
    given = list(parameters)
    numbers = as_tensor(vec if isinstance(vec, Tensor) else np.asarray(vec)).detach()
    sizes = [p.size for p in given]
    if numbers.shape != (sum(sizes),):
        raise ValueError(f"vector_to_parameters expects a vector of {sum(sizes)} numbers, as "
                         f"many as the parameters have; got shape {numbers.shape}")
    with no_grad():
        for p, part in zip(given, split(numbers, np.cumsum(sizes)[:-1].tolist())):
            p[...] = part.reshape(p.shape)


def _as_list(parameters: Any) -> list:
    """Several nodes, given as such or one alone."""
    if isinstance(parameters, (Tensor, Value)):
        return [parameters]
    return list(parameters)

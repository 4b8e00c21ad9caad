"""What users give an optimizer as its parameters, read and checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..engine import Node

__all__ = [
    "as_groups", "as_list", "check_betas", "check_number", "check_parameter", "check_range",
    "check_switches", "eps_places", "split_names",
]


def as_groups(params: Any) -> list[dict[str, Any]]:
    """The parameter groups of what the user gave; a plain list of nodes is one group."""
    if isinstance(params, (Node, np.ndarray)):
        raise TypeError("params argument given to the optimizer should be an iterable of "
                        f"Tensors, Values or dicts; got a single {type(params).__name__}")
    items = as_list(params)
    if items and isinstance(items[0], dict):
        return items
    return [{"params": items}] if items else []


def as_list(params: Iterable) -> list:
    """The parameters in their order, which must be the same in every run."""
    if isinstance(params, (set, frozenset)):
        raise ValueError("optimizer parameters need an order that does not change from run "
                         "to run; got a set, use a list")
    try:
        return list(params)
    except TypeError:
        raise TypeError("an optimizer takes an iterable of Tensors, Values or dicts, such as "
                        f"net.parameters(); got {type(params).__name__}") from None


def split_names(items: list) -> tuple[list, list[str] | None]:
    """The parameters and their names, of pairs as `Module.named_parameters` gives them."""
    named = [isinstance(x, tuple) and len(x) == 2 and isinstance(x[0], str) for x in items]
    if not any(named):
        return items, None
    if not all(named):
        raise ValueError("all optimizer params should be with names, or all without; got "
                         f"{sum(named)} of {len(items)} with names")
    names = [name for name, _ in items]
    if len(set(names)) < len(names):
        raise ValueError(f"optimizer parameters need different names; got {names}")
    return [p for _, p in items], names


def check_parameter(p: Any) -> None:
    """Raise unless p is a leaf that a kernel can update."""
    if not isinstance(p, Node):
        raise TypeError("optimizer can only optimize Tensors and Values; got "
                        f"{type(p).__name__}")
    if not p.is_leaf:
        raise ValueError("can't optimize a non-leaf node; give the leaf it was made from, or "
                         "detach() it")
    dtype = np.asarray(p._data).dtype
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"optimizers update float32 and float64; got a parameter of {dtype}")


def check_number(name: str, number: Any) -> None:
    """Raise TypeError unless it is a number."""
    if isinstance(number, bool) or not isinstance(number, (int, float, np.number)):
        raise TypeError(f"Invalid {name}: expected a number; got {number!r}")


def check_switches(group: Mapping[str, Any]) -> None:
    """Raise TypeError for a setting that should be True or False, and is neither."""
    for name in SWITCHES & group.keys():
        if not isinstance(group[name], (bool, np.bool_)):
            raise TypeError(f"Invalid {name}: expected True or False; got {group[name]!r}")


SWITCHES = {"amsgrad", "centered", "eps_hat", "eps_inside", "maximize", "nesterov"}


def check_range(name: str, number: float, below: float = math.inf,
                most: float = math.inf) -> None:
    """Raise unless 0 <= number < below and number <= most, which nan never is.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is out of range.
    """
    check_number(name, number)
    if not 0 <= number < below or number > most:
        bound = f", below {below}" if below < math.inf else ""
        bound += f", at most {most}" if most < math.inf else ""
        raise ValueError(f"Invalid {name}: {number}; expected at least 0{bound}")


def check_betas(betas: Any) -> None:
    """Raise unless there are two numbers, each at least 0 and below 1."""
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise ValueError(f"Invalid betas: expected two betas; got {betas!r}")
    for i, beta in enumerate(betas):
        check_range(f"beta parameter at index {i}", beta, below=1.0)


def eps_places(group: Mapping[str, Any]) -> tuple[float, float]:
    """What is added inside the root, and outside: eps where the group wants it, else 0."""
    return (group["eps"], 0.0) if group["eps_inside"] else (0.0, group["eps"])

"""Adagrad: a rate for each weight that falls with the gradients it has seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .optimizer import Optimizer
from .parameters import check_range, eps_places

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Adagrad, at step t::

        d = -g if maximize else g
        d = d + weight_decay * w
        s = s + d * d
        w = w - lr / (1 + (t - 1) * lr_decay) * d / (sqrt(s) + eps)

    Some textbooks write sqrt(s + eps) below the line; ``eps_inside`` does.

    Source: Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and
    Stochastic Optimization" (2011). "Deep Learning from Scratch" writes h for s and takes
    eps = 1e-7; PyTorch's 1e-10 is the default here.

    Args:
        params: leaf Tensors or Values, named or not, or parameter groups.
        lr: learning rate, 0 or more.
        lr_decay: how fast the rate falls with the steps, 0 or more.
        weight_decay: factor of w added to the gradient, 0 or more.
        initial_accumulator_value: what s starts from, 0 or more.
        eps: keeps the division finite, 0 or more.
        eps_inside: whether eps stands inside the root.
        maximize: climb instead.
        backend: "c", "numpy" or "python"; the package's choice if left out.

    Raises:
        TypeError, ValueError, RuntimeError: see `Optimizer`.
    """

    kernel = "adagrad"
    letters = ("s",)

    def __init__(self, params: Iterable, lr: float = 1e-2, lr_decay: float = 0.0,
                 weight_decay: float = 0.0, initial_accumulator_value: float = 0.0,
                 eps: float = 1e-10, eps_inside: bool = False, *, maximize: bool = False,
                 backend: str | None = None) -> None:
        settings = dict(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
                        initial_accumulator_value=initial_accumulator_value, eps=eps,
                        eps_inside=eps_inside, maximize=maximize)
        super().__init__(params, settings, backend)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_range("learning rate", group["lr"])
        check_range("lr_decay value", group["lr_decay"])
        check_range("weight_decay value", group["weight_decay"])
        check_range("initial_accumulator_value value", group["initial_accumulator_value"])
        check_range("epsilon value", group["eps"])

    def _initial(self, group: Mapping[str, Any], letter: str) -> float:
        return group["initial_accumulator_value"]

    def _scalars(self, group: Mapping[str, Any], step: int, fresh: bool) -> tuple:
        lr = group["lr"] / (1 + (step - 1) * group["lr_decay"])
        return lr, *eps_places(group), group["weight_decay"], group["maximize"]

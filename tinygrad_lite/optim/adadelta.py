"""Adadelta: steps of the size of the steps before, without a rate to choose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .optimizer import Optimizer
from .parameters import check_range

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """Adadelta::

        d = -g if maximize else g
        d = d + weight_decay * w
        s = rho * s + (1 - rho) * d * d
        d = sqrt((u + eps) / (s + eps)) * d
        u = rho * u + (1 - rho) * d * d
        w = w - lr * d

    A step has the unit of w: the root of the mean square step (u), divided by that of the
    mean square gradient (s), times the gradient. PyTorch computes the two roots one by one,
    which is the same up to rounding; its names are square_avg for s and acc_delta for u.

    Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method" (2012), algorithm 1.

    Args:
        params: leaf Tensors or Values, named or not, or parameter groups.
        lr: factor of the steps, 0 or more; the paper has 1.
        rho: how much of s and u stays at each step, from 0 to 1.
        eps: keeps the division finite and makes the first step, 0 or more.
        weight_decay: factor of w added to the gradient, 0 or more.
        maximize: climb instead.
        backend: "c", "numpy" or "python"; the package's choice if left out.

    Raises:
        TypeError, ValueError, RuntimeError: see `Optimizer`.
    """

    kernel = "adadelta"
    letters = ("s", "u")

    def __init__(self, params: Iterable, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6,
                 weight_decay: float = 0.0, *, maximize: bool = False,
                 backend: str | None = None) -> None:
        settings = dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize)
        super().__init__(params, settings, backend)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_range("learning rate", group["lr"])
        check_range("rho value", group["rho"], most=1.0)
        check_range("epsilon value", group["eps"])
        check_range("weight_decay value", group["weight_decay"])

    def _scalars(self, group: Mapping[str, Any], step: int, fresh: bool) -> tuple:
        return (group["lr"], group["rho"], group["eps"], group["weight_decay"],
                group["maximize"])

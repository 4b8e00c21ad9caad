"""RMSprop: a rate for each weight that follows the size of its recent gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .optimizer import Optimizer
from .parameters import check_range, eps_places

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """RMSprop::

        d = -g if maximize else g
        d = d + weight_decay * w
        s = alpha * s + (1 - alpha) * d * d
        a = alpha * a + (1 - alpha) * d             (centered only; otherwise a = 0)
        d = d / (sqrt(s - a * a) + eps)
        b = momentum * b + d                        (with momentum only; otherwise b = d)
        w = w - lr * b

    Centered, the gradient is divided by its standard deviation instead of its root mean
    square. eps stands outside the root, as in PyTorch and in "Deep Learning from Scratch",
    whose defaults are alpha (there: decay_rate) 0.99 and eps 1e-7. Other textbooks write
    sqrt(s + eps); ``eps_inside`` does.

    Sources: Hinton, "Neural Networks for Machine Learning", lecture 6e (2012); Graves,
    "Generating Sequences With Recurrent Neural Networks" (2013), equations 38 to 41, for the
    centered form.

    Args:
        params: leaf Tensors or Values, named or not, or parameter groups.
        lr: learning rate, 0 or more.
        alpha: how much of s and a stays at each step, 0 or more.
        eps: keeps the division finite, 0 or more.
        weight_decay: factor of w added to the gradient, 0 or more.
        momentum: factor of the buffer b, 0 or more.
        centered: whether to subtract the square of the mean gradient.
        eps_inside: whether eps stands inside the root.
        maximize: climb instead.
        backend: "c", "numpy" or "python"; the package's choice if left out.

    Raises:
        TypeError, ValueError, RuntimeError: see `Optimizer`.
    """

    kernel = "rmsprop"
    letters = ("s", "a", "b")
    spare = ("a", "b")

    def __init__(self, params: Iterable, lr: float = 1e-2, alpha: float = 0.99,
                 eps: float = 1e-8, weight_decay: float = 0.0, momentum: float = 0.0,
                 centered: bool = False, *, eps_inside: bool = False, maximize: bool = False,
                 backend: str | None = None) -> None:
        settings = dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay,
                        momentum=momentum, centered=centered, eps_inside=eps_inside,
                        maximize=maximize)
        super().__init__(params, settings, backend)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_range("learning rate", group["lr"])
        check_range("alpha value", group["alpha"])
        check_range("epsilon value", group["eps"])
        check_range("weight_decay value", group["weight_decay"])
        check_range("momentum value", group["momentum"])

    def _letters(self, group: Mapping[str, Any]) -> tuple[str | None, ...]:
        return "s", "a" if group["centered"] else None, "b" if group["momentum"] else None

    def _scalars(self, group: Mapping[str, Any], step: int, fresh: bool) -> tuple:
        return (group["lr"], group["alpha"], *eps_places(group), group["momentum"],
                group["weight_decay"], group["maximize"])

"""Momentum: gradient descent with a velocity, in the form of the textbooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .optimizer import Optimizer
from .parameters import check_range

__all__ = ["Momentum"]


class Momentum(Optimizer):
    """Gradient descent with a velocity v, in which lr stands inside::

        d = -g if maximize else g
        d = d + weight_decay * w
        v = momentum * v - lr * d
        w = w + (momentum * v - lr * d if nesterov else v)

    In the letters of "Deep Learning from Scratch", chapter 6: v <- alpha v - eta dL/dW,
    W <- W + v, with alpha = momentum and eta = lr. At a constant rate it takes the steps of
    ``SGD(momentum=...)``, PyTorch's form. Once the rate changes it does not: the velocity
    still holds what it gained at the old rate. After a rate cut to a tenth (momentum 0.9,
    constant gradient) the next step is nearly as long as before here, a tenth there.

    With ``nesterov`` the weights are where the gradient is to be taken next: ahead of where
    the velocity led, as in the book's class Nesterov.

    Sources: Polyak, "Some methods of speeding up the convergence of iteration methods"
    (1964); Bengio et al., "Advances in optimizing recurrent networks" (2013), equation 7, for
    Nesterov's form.

    Args:
        params: leaf Tensors or Values, named or not, or parameter groups.
        lr: learning rate eta, 0 or more.
        momentum: alpha, 0 or more.
        weight_decay: factor of w added to the gradient, 0 or more.
        nesterov: look one step ahead; needs momentum.
        maximize: climb instead.
        backend: "c", "numpy" or "python"; the package's choice if left out.

    Raises:
        TypeError, ValueError, RuntimeError: see `Optimizer`.
    """

    kernel = "momentum"
    letters = ("v",)

    def __init__(self, params: Iterable, lr: float = 1e-2, momentum: float = 0.9,
                 weight_decay: float = 0.0, nesterov: bool = False, *, maximize: bool = False,
                 backend: str | None = None) -> None:
        settings = dict(lr=lr, momentum=momentum, weight_decay=weight_decay,
                        nesterov=nesterov, maximize=maximize)
        super().__init__(params, settings, backend)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_range("learning rate", group["lr"])
        check_range("momentum value", group["momentum"])
        check_range("weight_decay value", group["weight_decay"])
        if group["nesterov"] and group["momentum"] <= 0:
            raise ValueError("Nesterov momentum requires a momentum; got "
                             f"momentum={group['momentum']}")

    def _scalars(self, group: Mapping[str, Any], step: int, fresh: bool) -> tuple:
        return (group["lr"], group["momentum"], group["nesterov"], group["weight_decay"],
                group["maximize"])

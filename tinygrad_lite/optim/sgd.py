"""SGD: gradient descent, with momentum in the form that PyTorch uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .optimizer import Optimizer
from .parameters import check_number, check_range

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent::

        d = -g if maximize else g
        d = d + weight_decay * w
        b = momentum * b + (1 - dampening) * d      (b = d at the first step)
        w = w - lr * (d + momentum * b if nesterov else b)

    Without momentum, w = w - lr * d. Here lr stands outside the buffer b, so that a change
    of the rate acts at once; in `Momentum`, the textbook's form, steps already under way
    keep the old rate.

    Sources: Polyak, "Some methods of speeding up the convergence of iteration methods"
    (1964); Sutskever et al., "On the importance of initialization and momentum in deep
    learning" (2013) for Nesterov's form.

    Args:
        params: leaf Tensors or Values, named or not, or parameter groups.
        lr: learning rate, 0 or more.
        momentum: factor of the buffer, 0 or more.
        dampening: share of the gradient kept out of the buffer.
        weight_decay: factor of w added to the gradient, 0 or more.
        nesterov: look one step ahead; needs momentum and no dampening.
        maximize: climb instead.
        backend: "c", "numpy" or "python"; the package's choice if left out.

    Raises:
        TypeError, ValueError, RuntimeError: see `Optimizer`.
    """

    kernel = "sgd"
    letters = spare = ("b",)

    def __init__(self, params: Iterable, lr: float = 1e-3, momentum: float = 0.0,
                 dampening: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False,
                 *, maximize: bool = False, backend: str | None = None) -> None:
        settings = dict(lr=lr, momentum=momentum, dampening=dampening,
                        weight_decay=weight_decay, nesterov=nesterov, maximize=maximize)
        super().__init__(params, settings, backend)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_range("learning rate", group["lr"])
        check_range("momentum value", group["momentum"])
        check_number("dampening value", group["dampening"])
        check_range("weight_decay value", group["weight_decay"])
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening; got "
                             f"momentum={group['momentum']}, "
                             f"dampening={group['dampening']}")

    def _letters(self, group: Mapping[str, Any]) -> tuple[str | None, ...]:
        return self.letters if group["momentum"] else (None,)

    def _scalars(self, group: Mapping[str, Any], step: int, fresh: bool) -> tuple:
        dampening = 0.0 if fresh else group["dampening"]
        return (group["lr"], group["momentum"], dampening, group["nesterov"],
                group["weight_decay"], group["maximize"])

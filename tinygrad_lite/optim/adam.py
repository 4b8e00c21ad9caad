"""Adam: momentum, and a rate for each weight, both corrected for their start at zero."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from .optimizer import Optimizer
from .parameters import check_betas, check_range

__all__ = ["Adam"]


class Adam(Optimizer):
    """Adam, at step t::

        d  = -g if maximize else g
        d  = d + weight_decay * w
        m  = beta1 * m + (1 - beta1) * d
        v  = beta2 * v + (1 - beta2) * d * d
        x  = max(x, v)                              (amsgrad only; otherwise x = v)
        c1 = 1 - beta1 ** t
        c2 = 1 - beta2 ** t
        w  = w - lr / c1 * m / (sqrt(x) / sqrt(c2) + eps)

    c1 and c2, the bias corrections, are computed in double precision; t counts the steps of
    each parameter by itself. eps stands outside the corrected root, as in the paper's
    algorithm 1 and in PyTorch. "Deep Learning from Scratch" takes the paper's second form,
    which ``eps_hat`` gives: w - lr * sqrt(c2) / c1 * m / (sqrt(v) + eps), with 1e-7 for eps.
    It makes early steps on tiny gradients shorter. As in PyTorch, x is the maximum of the
    uncorrected v.

    Sources: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015); Reddi, Kale
    and Kumar, "On the Convergence of Adam and Beyond" (2018) for amsgrad.

    Args:
        params: leaf Tensors or Values, named or not, or parameter groups.
        lr: learning rate, 0 or more.
        betas: beta1 and beta2, at least 0 and below 1.
        eps: keeps the division finite, 0 or more.
        weight_decay: factor of w added to the gradient, 0 or more.
        amsgrad: whether to divide by the largest v so far.
        eps_hat: whether eps is added to the uncorrected root.
        maximize: climb instead.
        backend: "c", "numpy" or "python"; the package's choice if left out.

    Raises:
        TypeError, ValueError, RuntimeError: see `Optimizer`.
    """

    kernel = "adam"
    letters = ("m", "v", "x")
    spare = ("x",)

    def __init__(self, params: Iterable, lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, amsgrad: bool = False, *, eps_hat: bool = False,
                 maximize: bool = False, backend: str | None = None) -> None:
        betas = tuple(betas) if isinstance(betas, list) else betas  # a list could be changed
        settings = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay,
                        amsgrad=amsgrad, eps_hat=eps_hat, maximize=maximize)
        super().__init__(params, settings, backend)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_range("learning rate", group["lr"])
        check_range("epsilon value", group["eps"])
        check_range("weight_decay value", group["weight_decay"])
        check_betas(group["betas"])

    def _letters(self, group: Mapping[str, Any]) -> tuple[str | None, ...]:
        return self.letters if group["amsgrad"] else ("m", "v", None)

    def _scalars(self, group: Mapping[str, Any], step: int, fresh: bool) -> tuple:
        beta1, beta2 = group["betas"]
        c1 = 1 - beta1 ** step
        c2 = 1 - beta2 ** step
        eps = group["eps"] / math.sqrt(c2) if group["eps_hat"] else group["eps"]
        return (group["lr"], beta1, beta2, eps, group["weight_decay"], 1.0,
                group["maximize"], c1, c2)

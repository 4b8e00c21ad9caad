"""Adam: momentum, and a rate for each weight, both corrected for their start at zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .optimizer import Optimizer, check_range

__all__ = ["Adam"]


class Adam(Optimizer):
    """Adam, at step t::

        d  = -g if maximize else g
        d  = d + weight_decay * w
        m  = beta1 * m + (1 - beta1) * d
        v  = beta2 * v + (1 - beta2) * d * d
        c1 = 1 - beta1 ** t
        c2 = 1 - beta2 ** t
        w  = w - lr / c1 * m / (sqrt(v) / sqrt(c2) + eps)

    c1 and c2, the bias corrections, are computed in double precision; t counts the steps of
    each parameter by itself. eps stands outside the corrected root, as in the paper's
    algorithm 1 and in PyTorch. The code of "Deep Learning from Scratch" divides by
    (sqrt(v) + eps) with the uncorrected v, which makes early steps on tiny gradients
    shorter.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015).

    Args:
        params: leaf Tensors or Values, or parameter groups.
        lr: learning rate, 0 or more.
        betas: beta1 and beta2, at least 0 and below 1.
        eps: keeps the division finite, 0 or more.
        weight_decay: factor of w added to the gradient, 0 or more.
        maximize: climb instead.
        backend: "c", "numpy" or "python"; the package's choice if left out.

    Raises:
        TypeError, ValueError, RuntimeError: see `Optimizer`.
    """

    letters = ("m", "v")

    def __init__(self, params: Iterable, lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, *, maximize: bool = False,
                 backend: str | None = None) -> None:
        betas = tuple(betas) if isinstance(betas, list) else betas  # a list could be changed
        settings = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay,
                        maximize=maximize)
        super().__init__(params, settings, backend)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_range("learning rate", group["lr"])
        check_range("epsilon value", group["eps"])
        check_range("weight_decay value", group["weight_decay"])
        if not isinstance(group["betas"], (tuple, list)) or len(group["betas"]) != 2:
            raise ValueError(f"Invalid betas: expected two betas; got {group['betas']!r}")
        for i, beta in enumerate(group["betas"]):
            check_range(f"beta parameter at index {i}", beta, below=1.0)

    def _kernel(self, group: Mapping[str, Any]) -> str:
        return "adam"

    def _scalars(self, group: Mapping[str, Any], step: int, fresh: bool) -> dict[str, Any]:
        beta1, beta2 = group["betas"]
        return {"lr": group["lr"], "beta1": beta1, "beta2": beta2, "eps": group["eps"],
                "weight_decay": group["weight_decay"], "maximize": group["maximize"],
                "c1": 1 - beta1 ** step, "c2": 1 - beta2 ** step}

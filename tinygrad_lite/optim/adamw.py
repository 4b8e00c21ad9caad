"""AdamW: Adam with a weight decay of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .adam import Adam

__all__ = ["AdamW"]


class AdamW(Adam):
    """Adam on shrunk weights, at step t::

        d = -g if maximize else g
        w = (1 - lr * weight_decay) * w
        m, v, x, c1, c2 and then w as in `Adam`, without its weight decay

    In Adam the decay is part of the gradient, hence divided by its root mean square: weights
    with large gradients decay less. Here all decay alike.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019), algorithm
    2; like PyTorch, the decay is lr * weight_decay, where the paper leaves lr out.

    Args:
        params: leaf Tensors or Values, named or not, or parameter groups.
        lr: learning rate, 0 or more.
        betas: beta1 and beta2, at least 0 and below 1.
        eps: keeps the division finite, 0 or more.
        weight_decay: share of w, times lr, that goes at each step, 0 or more.
        amsgrad: whether to divide by the largest v so far.
        eps_hat: whether eps is added to the uncorrected root.
        maximize: climb instead.
        backend: "c", "numpy" or "python"; the package's choice if left out.

    Raises:
        TypeError, ValueError, RuntimeError: see `Optimizer`.
    """

    def __init__(self, params: Iterable, lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, amsgrad: bool = False, *, eps_hat: bool = False,
                 maximize: bool = False, backend: str | None = None) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, eps_hat=eps_hat,
                         maximize=maximize, backend=backend)

    def _scalars(self, group: Mapping[str, Any], step: int, fresh: bool) -> tuple:
        lr, beta1, beta2, eps, decay, _, *rest = super()._scalars(group, step, fresh)
        return lr, beta1, beta2, eps, 0.0, 1 - lr * decay, *rest

"""Averages of a net's weights over its training.

It imports the engine, the fused passes, the skins, `Module` and the callbacks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import passes
from ..engine import _mode, mark_changed, no_grad
from ..nn import Module
from ..value import Value
from .callbacks import Callback

__all__ = ["AveragedModel"]


class AveragedModel(Module, Callback):
    """A copy of a model, whose weights are the mean of what the model's were over time.

    Noise that each update puts into the weights is gone from the mean, which often predicts
    better. Two kinds of mean:

    - of late ones more (``decay=0.999``): w <- decay w + (1 - decay) p at each update; the
      weights of about the last 1 / (1 - decay) updates count. Source: Polyak and Juditsky
      1992, "Acceleration of stochastic approximation by averaging";
    - of all the same (``decay=None``): w <- w + (p - w) / (n + 1). Source: Izmailov et al.
      2018, "Averaging weights leads to wider optima and better generalization".

    The first update copies p. Call it as the model itself, or use its `module`; train the
    model. As a callback of `fit` it updates itself: with a decay after every batch, without
    one after every epoch. Buffers, such as running statistics, are not averaged: they are
    those of the model at the last update.

    Args:
        model: the Module that is trained; it is copied.
        decay: None, or from 0 to 1.
        start: after how many epochs of `fit` to begin: at first the weights move far.

    Attributes:
        module: the copy.
        n_averaged: how many updates it is the mean of.

    Raises:
        ValueError: for a `decay` or `start` out of range.
    """

    def __init__(self, model: Module, decay: float | None = None, start: int = 0) -> None:
        if decay is not None and not 0 <= decay <= 1:
            raise ValueError(f"AveragedModel expects decay None or from 0 to 1; got {decay}")
        if not start >= 0:
            raise ValueError(f"AveragedModel expects start of 0 or more; got {start}")
        self.module = copy.deepcopy(model)
        self.module.zero_grad()
        self.decay = decay
        self.start = start
        self.n_averaged = 0

    def forward(self, *inputs: Any, **options: Any) -> Any:
        return self.module(*inputs, **options)

    def update_parameters(self, model: Module) -> None:
        """Take the model's weights of now into the mean.

        Raises:
            ValueError: if the model has other parameters than the one that was copied.
        """
        averages = dict(self.module.named_parameters())
        weights = dict(model.named_parameters())
        have, got = _shapes(averages), _shapes(weights)
        if have != got:
            raise ValueError(f"update_parameters expects a model with parameters {have}; got "
                             f"{got}")
        if not self.n_averaged:
            self.module.load_state_dict(model.state_dict())
        else:
            _blend(list(averages.values()), list(weights.values()), self._share)
            with no_grad():
                for old, new in zip(self.module.buffers(), model.buffers()):
                    old[...] = new
        self._count()
        if _mode.tracer is not None:
            _mode.tracer.repeats(self._count)

    def _share(self) -> float:
        """How much of the mean stays at the next update."""
        n = self.n_averaged
        return n / (n + 1) if self.decay is None else self.decay

    def _count(self) -> None:
        vars(self)["n_averaged"] += 1

    # ---- as a callback -----------------------------------------------------------------

    def after_batch(self, run: Any) -> None:
        if self.decay is not None and run.epoch > self.start:
            self.update_parameters(run.model)

    def after_epoch(self, run: Any) -> None:
        if self.decay is None and run.epoch > self.start:
            self.update_parameters(run.model)


def _shapes(parameters: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: np.shape(p._data) for name, p in parameters.items()}


def _blend(averages: Sequence, weights: Sequence, share: Callable[[], float]) -> None:
    """w <- decay w + (1 - decay) p for each pair of parameters, where decay = share()."""
    tensors = []
    for w, p in zip(averages, weights):
        if isinstance(w, Value):
            w.data = share() * w.data + (1 - share()) * p.data
        else:
            tensors.append((w, p))
            if _mode.tracer is not None:
                _mode.tracer.seen(w)
                _mode.tracer.seen(p)
    passes.average([w._data for w, _ in tensors], [p._data for _, p in tensors], share)
    mark_changed(*[w._changed for w, _ in tensors])

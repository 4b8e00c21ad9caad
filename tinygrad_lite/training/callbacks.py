"""What may be hung into a training loop. It imports the standard library only."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["Callback", "EarlyStopping"]


class Callback:
    """Something that looks on while `fit` trains: override the moments that matter.

    ``run`` is the `Run`: ``run.model``, ``run.optimizer``, ``run.epoch`` (from 1),
    ``run.history``; set ``run.stop = True`` to end the training after this epoch. A plain
    function of ``run`` in place of a Callback is called after each epoch.
    """

    def at_start(self, run: Any) -> None:
        """Before the first epoch."""

    def after_batch(self, run: Any) -> None:
        """After each update."""

    def after_epoch(self, run: Any) -> None:
        """After each epoch; its record is ``run.history[-1]``."""

    def at_end(self, run: Any) -> None:
        """After the last epoch."""


class EarlyStopping(Callback):
    """End the training when a number of the record has stopped getting better.

    Args:
        monitor: which number of the record.
        patience: after how many epochs in a row without a better one the training ends.
        min_delta: by how much a number must be better to count as better.
        mode: "min" if lower is better, "max" if higher is. Left out, a name that ends with
            "loss" means "min"; any other name needs it said.
        restore_best: whether the model gets the weights of its best epoch back at the end,
            also of a training that was not stopped.

    Attributes:
        best: the best number so far; None before the first.
        best_epoch: the epoch that gave it.
        stopped_epoch: the epoch after which it ended the training; None if it did not.

    Each `fit` begins anew. A nan is not better than anything.

    Raises:
        ValueError: for a `patience` or `min_delta` below 0, another mode, or a mode left out
            that the name does not tell.
        KeyError: in training, if the record has no such number.
    """

    def __init__(self, monitor: str = "valid_loss", patience: int = 5, min_delta: float = 0.0,
                 mode: str | None = None, restore_best: bool = True) -> None:
        if mode is None and monitor.endswith("loss"):
            mode = "min"
        if mode not in ("min", "max"):
            raise ValueError(f"EarlyStopping expects mode 'min' or 'max' for {monitor!r}; got "
                             f"{mode!r}")
        if not patience >= 0 or not min_delta >= 0:
            raise ValueError("EarlyStopping expects patience and min_delta of 0 or more; got "
                             f"{patience} and {min_delta}")
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.mode = mode
        self.restore_best = restore_best
        self.at_start(None)

    def at_start(self, run: Any) -> None:  # noqa: ARG002  # a moment is told the run
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.stopped_epoch: int | None = None
        self._waited = 0
        self._weights: dict[str, Any] | None = None

    def after_epoch(self, run: Any) -> None:
        record = run.history[-1]
        if self.monitor not in record:
            raise KeyError(f"EarlyStopping watches {self.monitor!r}; the record has "
                           f"{list(record)}. A valid_ number needs fit(valid=...)")
        if self._is_better(record[self.monitor]):
            self.best, self.best_epoch = record[self.monitor], run.epoch
            self._waited = 0
            if self.restore_best:
                self._weights = run.model.state_dict()
            return
        self._waited += 1
        if self._waited >= self.patience:
            self.stopped_epoch = run.epoch
            run.stop = True

    def _is_better(self, number: float) -> bool:
        if self.best is None:
            return not math.isnan(number)
        gain = self.best - number if self.mode == "min" else number - self.best
        return gain > self.min_delta

    def at_end(self, run: Any) -> None:
        if self._weights is not None:
            run.model.load_state_dict(self._weights)
            self._weights = None

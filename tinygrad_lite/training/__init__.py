"""Training: a loop that can be retyped, what it remembers, and what may be hung into it."""

from .averaging import AveragedModel
from .callbacks import Callback, EarlyStopping
from .history import History
from .loop import Run, fit, training_step

__all__ = [
    "AveragedModel", "Callback", "EarlyStopping", "History", "Run", "fit", "training_step",
]

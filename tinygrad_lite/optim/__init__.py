"""Optimizers, each its state and one kernel; and schedules of their rates."""

from typing import TYPE_CHECKING

from ..later import later
from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam
from .adamw import AdamW
from .momentum import Momentum
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .sgd import SGD

if TYPE_CHECKING:
    from . import lr_scheduler

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Momentum", "Optimizer", "RMSprop",
    "lr_scheduler",
]

__getattr__, __dir__ = later(__name__, {"lr_scheduler": "lr_scheduler"})

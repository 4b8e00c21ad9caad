"""Optimizers, each its state and one kernel; and schedules for their rates."""

from . import lr_scheduler
from .adagrad import Adagrad
from .adam import Adam
from .momentum import Momentum
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "Momentum", "Optimizer", "lr_scheduler"]

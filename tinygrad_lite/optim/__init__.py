"""Optimizers; each is its state and one kernel."""

from .adagrad import Adagrad
from .adam import Adam
from .momentum import Momentum
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "Momentum", "Optimizer"]

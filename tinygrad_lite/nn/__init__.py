"""Neural networks: layers, losses and initialisers with PyTorch's names and layouts."""

from . import functional, init, utils
from .activations import ReLU, Sigmoid, Tanh
from .containers import Sequential
from .layers import Flatten, Linear
from .losses import BCEWithLogitsLoss, CrossEntropyLoss, MSELoss
from .module import Module, Parameter

__all__ = [
    "BCEWithLogitsLoss", "CrossEntropyLoss", "Flatten", "Linear", "MSELoss", "Module",
    "Parameter", "ReLU", "Sequential", "Sigmoid", "Tanh", "functional", "init", "utils",
]

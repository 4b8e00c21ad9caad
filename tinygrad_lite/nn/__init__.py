"""Neural networks: layers, losses and initialisers with PyTorch's names and layouts."""

from . import functional, init
from .activations import ReLU, Sigmoid, Tanh
from .containers import Sequential
from .layers import Flatten, Linear
from .losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HingeEmbeddingLoss,
    HingeLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from .module import Module, Parameter

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "Flatten", "HingeEmbeddingLoss",
    "HingeLoss", "HuberLoss", "KLDivLoss", "L1Loss", "Linear", "MSELoss", "Module", "NLLLoss",
    "Parameter", "ReLU", "Sequential", "Sigmoid", "SmoothL1Loss", "Tanh", "functional", "init",
]

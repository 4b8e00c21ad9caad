"""The table of kernels: what each one takes, in the order of its arguments.

Every body (C, NumPy, Python), the check of the arrays, the tests and the documentation read
it. The formulas are in csrc/kernels.h. Imports the standard library only.
"""

from typing import NamedTuple

__all__ = ["KERNELS", "Kernel"]


class Kernel(NamedTuple):
    """Arguments of a kernel: array letters (w, g, then its state), then scalar names."""

    arrays: tuple[str, ...]
    scalars: tuple[str, ...]


KERNELS = {
    "sgd": Kernel(
        ("w", "g"),
        ("lr", "weight_decay", "maximize"),
    ),
    "sgd_momentum": Kernel(
        ("w", "g", "b"),
        ("lr", "momentum", "dampening", "nesterov", "weight_decay", "maximize"),
    ),
    "momentum": Kernel(
        ("w", "g", "v"),
        ("lr", "momentum", "weight_decay", "maximize"),
    ),
    "adagrad": Kernel(
        ("w", "g", "s"),
        ("lr", "eps", "weight_decay", "maximize"),
    ),
    "adam": Kernel(
        ("w", "g", "m", "v"),
        ("lr", "beta1", "beta2", "eps", "weight_decay", "maximize", "c1", "c2"),
    ),
}

"""The table of kernels: what each one takes, in the order of its arguments.

Every body (C, NumPy, Python), the check of the arrays, the tests and the documentation read
it. The formulas are in csrc/kernels.h. Imports the standard library only.
"""

from typing import NamedTuple

__all__ = ["KERNELS", "OPTIMIZERS", "PASSES", "ROWS", "Kernel"]


class Kernel(NamedTuple):
    """Arguments of a kernel.

    Attributes:
        arrays: letters of the arrays; all have the shape of the first one's.
        scalars: names of the numbers behind them, as in the C struct of the kernel's name.
        optional: letters of arrays that may be left out (None).
        reads: letters of arrays that are only read; the others are updated in place.
    """

    arrays: tuple[str, ...]
    scalars: tuple[str, ...]
    optional: tuple[str, ...] = ()
    reads: tuple[str, ...] = ("g",)


# w are weights, g gradients; the rest is the optimizer's state.
OPTIMIZERS = {
    "sgd": Kernel(
        ("w", "g", "b"),
        ("lr", "momentum", "dampening", "nesterov", "weight_decay", "maximize"),
        optional=("b",),
    ),
    "momentum": Kernel(
        ("w", "g", "v"),
        ("lr", "momentum", "nesterov", "weight_decay", "maximize"),
    ),
    "adagrad": Kernel(
        ("w", "g", "s"),
        ("lr", "inside", "outside", "weight_decay", "maximize"),
    ),
    "adadelta": Kernel(
        ("w", "g", "s", "u"),
        ("lr", "rho", "eps", "weight_decay", "maximize"),
    ),
    "rmsprop": Kernel(
        ("w", "g", "s", "a", "b"),
        ("lr", "alpha", "inside", "outside", "momentum", "weight_decay", "maximize"),
        optional=("a", "b"),
    ),
    "adam": Kernel(
        ("w", "g", "m", "v", "x"),
        ("lr", "beta1", "beta2", "eps", "weight_decay", "shrink", "maximize", "c1", "c2"),
        optional=("x",),
    ),
}

PASSES = {
    "fill": Kernel(("a",), ("value",), reads=()),
    "scale": Kernel(("a",), ("value",), reads=()),
    "clip": Kernel(("a",), ("low", "high"), reads=()),
    "average": Kernel(("a", "b"), ("decay",), reads=("b",)),
    "add_scaled": Kernel(("a", "b"), ("value",), reads=("b",)),
    "triad": Kernel(("a", "b", "c"), ("value",), reads=("b", "c")),
}

KERNELS = {**OPTIMIZERS, **PASSES}

# With what writes no array, but gives a number.
ROWS = {**KERNELS, "square_sum": Kernel(("a",), (), reads=("a",))}

"""The tape in NumPy: a run at a time."""

import math

import numpy as np

from ..tape import check_tape, runs

__all__ = ["FORMULAS", "tape"]


def sigmoid(a):
    return np.exp(np.minimum(a, 0)) / (1 + np.exp(-np.abs(a)))


def power(a, b):
    return np.where(b == 0.5, np.sqrt(a), np.power(a, b))


FORMULAS = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "multiply_add": lambda a, b, c: a + b * c,
    "negative": np.negative, "power": power, "abs": np.abs, "sign": np.sign,
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "sqrt": np.sqrt,
    "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
    "erf": np.vectorize(math.erf, otypes=[float]), "sigmoid": sigmoid,
    "equal": np.equal, "not_equal": np.not_equal, "less": np.less,
    "less_equal": np.less_equal, "greater": np.greater, "greater_equal": np.greater_equal,
    "maximum": np.maximum, "minimum": np.minimum,
    "where": lambda a, b, c: np.where(a != 0, b, c), "clip": np.clip,
}


def tape(numbers, code):
    """Run a tape: scalar operations in an order fixed before.

    Args:
        numbers: all numbers, float64, one after another; results are written into them.
        code: the runs, int32, as kernels/tape.py describes them. Its places must be inside.

    Raises:
        TypeError, ValueError: the arrays are of another kind.
    """
    check_tape(numbers, code)
    with np.errstate(all="ignore"):  # inf and NaN flow on silently, as they do in C
        for name, y, inputs in runs(code):
            if name == "move":
                numbers[inputs[0]] = numbers[inputs[1]]
            else:
                numbers[y:y + len(inputs[0])] = FORMULAS[name](*(numbers[i] for i in inputs))

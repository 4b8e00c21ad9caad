"""The tape in Python: a number at a time."""

import numpy as np

from ..numpy_arrays.tape import FORMULAS
from ..tape import check_tape, runs

__all__ = ["tape"]


def tape(numbers, code):
    """Run a tape; see `tinygrad_lite.kernels.numpy_arrays.tape`."""
    check_tape(numbers, code)
    with np.errstate(all="ignore"):
        for name, y, inputs in runs(code):
            for i, places in enumerate(zip(*(column.tolist() for column in inputs))):
                if name == "move":
                    numbers[places[0]] = numbers[places[1]]
                else:
                    numbers[y + i] = FORMULAS[name](*(numbers[k] for k in places))

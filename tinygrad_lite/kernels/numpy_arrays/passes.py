"""Plain passes in NumPy; csrc/pass_loops.h has the same in C."""

from functools import reduce
from operator import add

import numpy as np

__all__ = ["add_scaled", "average", "clip", "fill", "scale", "square_sum_of_array", "triad"]

BLOCK = 4096   # elements that are summed by themselves: TGL_BLOCK in csrc/kernels.h
LANES = 16     # sums that run side by side in a block: TGL_LANES there


def fill(a, value):
    """a = value"""
    a[...] = value


def scale(a, value):
    """a = value * a"""
    a[...] = value * a


def clip(a, low, high):
    """a = low where it is below, high where it is above; NaN stays"""
    raised = np.where(a < low, low, a)
    a[...] = np.where(raised > high, high, raised)


def average(a, b, decay):
    """a = decay * a + (1 - decay) * b"""
    a[...] = decay * a + (1 - decay) * b


def add_scaled(a, b, value):
    """a = a + value * b"""
    a[...] = a + value * b


def triad(a, b, c, value):
    """a = b + value * c"""
    a[...] = b + value * c


def square_sum_of_array(a):
    """The sum of a * a in double, for each block of the flat array: lane by lane."""
    blocks = -(-a.size // BLOCK)
    squares = np.zeros(blocks * BLOCK)
    squares[:a.size] = np.square(a.reshape(-1), dtype=np.float64)
    lanes = np.add.reduce(squares.reshape(blocks, BLOCK // LANES, LANES), axis=1)
    return reduce(add, lanes.T)

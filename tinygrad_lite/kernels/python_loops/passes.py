"""Plain passes in plain Python; csrc/pass_loops.h has the same in C."""

__all__ = ["add_scaled", "average", "clip", "fill", "scale", "triad"]


def fill(a, value):
    """a = value"""
    for i in range(len(a)):
        a[i] = value


def scale(a, value):
    """a = value * a"""
    for i in range(len(a)):
        a[i] = value * a[i]


def clip(a, low, high):
    """a = low where it is below, high where it is above; NaN stays"""
    for i in range(len(a)):
        raised = low if a[i] < low else a[i]
        a[i] = high if raised > high else raised


def average(a, b, decay):
    """a = decay * a + (1 - decay) * b"""
    for i in range(len(a)):
        a[i] = decay * a[i] + (1 - decay) * b[i]


def add_scaled(a, b, value):
    """a = a + value * b"""
    for i in range(len(a)):
        a[i] = a[i] + value * b[i]


def triad(a, b, c, value):
    """a = b + value * c"""
    for i in range(len(a)):
        a[i] = b[i] + value * c[i]

"""jit: a function recorded once, and replayed from then on."""

from .jit import Jitted, jit

__all__ = ["Jitted", "jit"]

"""save and load: weights, or a whole run, in files that hold numbers and text only.

A file is `.npz` or `.safetensors`; there is no pickle in it, and nothing in it is ever run.
"""

from .checkpoint import load, save
from .tree import CheckpointError

__all__ = ["CheckpointError", "load", "save"]

"""Data to learn from, and the loader that hands it out in batches."""

from .digits import digits
from .loader import DataLoader

__all__ = ["DataLoader", "digits"]

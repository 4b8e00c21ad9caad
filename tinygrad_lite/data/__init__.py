"""Data to learn from, and the loader that hands it out in batches."""

from typing import TYPE_CHECKING

from ..later import later
from .digits import digits
from .idx import read_idx
from .loader import DataLoader
from .mnist import fashion_mnist, mnist

if TYPE_CHECKING:
    from .split import train_test_split
    from .toy import blobs, circles, moons, spiral
    from .transforms import normalise, one_hot, random_flip, random_shift

__all__ = [
    "DataLoader", "blobs", "circles", "digits", "fashion_mnist", "mnist", "moons", "normalise",
    "one_hot", "random_flip", "random_shift", "read_idx", "spiral", "train_test_split",
]

__getattr__, __dir__ = later(__name__, {
    "train_test_split": "split",
    **dict.fromkeys(["blobs", "circles", "moons", "spiral"], "toy"),
    **dict.fromkeys(["normalise", "one_hot", "random_flip", "random_shift"], "transforms"),
})

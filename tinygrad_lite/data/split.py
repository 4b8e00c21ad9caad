"""train_test_split: samples in two parts; it imports the random generator."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import rng
from .arrays import as_samples

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["train_test_split"]


def train_test_split(*arrays: Any, test_size: float = 0.25,
                     seed: int | Generator | None = None, shuffle: bool = True,
                     stratify: Any = None) -> list[np.ndarray]:
    """Two parts of each array, one to learn from and one to test with.

    ``x_train, x_test, y_train, y_test = train_test_split(x, y)``

    Args:
        arrays: arrays, Tensors or lists of numbers, of the same length along axis 0.
        test_size: the share of samples to test with, above 0 and below 1, rounded up to a
            whole number of them; or that number, an integer.
        seed: the same seed gives the same parts; left out, `manual_seed` governs them.
        shuffle: whether samples are chosen at random and come in a random order; False takes
            the last ones for the test.
        stratify: the class of each sample, a number or a name, of shape (N,): then each class
            has the same share in both parts, as far as whole numbers allow.

    Returns:
        For each array its part to learn from and its part to test with, new NumPy arrays.

    Raises:
        TypeError: if an array is not of real numbers or has no axis, or `test_size` is no
            number.
        ValueError: for no arrays, arrays of different lengths, a part that would be empty; for
            `stratify` of another shape, without `shuffle`, or with a class of one sample or
            more classes than samples in a part.
    """
    samples = as_samples("train_test_split", arrays)
    n = len(samples[0])
    n_test = _test_count(n, test_size)
    if stratify is not None:
        classes = _checked_classes(stratify, n, n_test, shuffle)
        train, test = _stratified(classes, n_test, rng.source(seed))
    elif shuffle:
        test, train = np.split(rng.source(seed).permutation(n), [n_test])
    else:
        train, test = np.split(np.arange(n), [n - n_test])
    return [part for array in samples for part in (array[train], array[test])]


def _test_count(n: int, test_size: float) -> int:
    """How many of n samples are to test with; at least one is left on either side."""
    if isinstance(test_size, bool) or not isinstance(test_size, (int, float, np.number)):
        raise TypeError(f"test_size should be a number; got {test_size!r}")
    if isinstance(test_size, (int, np.integer)):
        count = int(test_size)
    elif 0 < test_size < 1:
        count = math.ceil(test_size * n)
    else:
        raise ValueError("test_size should be a share above 0 and below 1, or a whole number "
                         f"of samples; got {test_size}")
    if not 0 < count < n:
        raise ValueError(f"test_size={test_size} of {n} samples leaves {n - count} to learn "
                         f"from and {count} to test with; each part needs one at least")
    return count


def _checked_classes(stratify: Any, n: int, n_test: int, shuffle: bool) -> np.ndarray:
    """The class of each sample as a number from 0."""
    if not shuffle:
        raise ValueError("stratify chooses samples at random; it needs shuffle=True")
    labels = np.asarray(stratify)
    if labels.shape != (n,):
        raise ValueError(f"stratify should be the class of each sample, of shape ({n},); got "
                         f"shape {labels.shape}")
    names, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < 2:
        raise ValueError(f"stratify needs two samples of each class at least; class "
                         f"{names[counts.argmin()]} has one")
    if len(names) > min(n_test, n - n_test):
        raise ValueError(f"stratify needs a sample of each of {len(names)} classes in either "
                         f"part; got {n - n_test} samples to learn from and {n_test} to test "
                         "with")
    return classes


def _stratified(classes: np.ndarray, n_test: int,
                generator: Generator) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the samples to learn from, and of those to test with."""
    n = len(classes)
    order = generator.permutation(n)
    counts = np.bincount(classes)
    wanted = counts * n_test / n
    chosen = np.floor(wanted).astype(np.int64)
    # What rounding down left over goes to the classes that lost most by it.
    over = n_test - chosen.sum()
    chosen[np.argsort(chosen - wanted, kind="stable")[:over]] += 1
    by_class = order[np.argsort(classes[order], kind="stable")]
    rank = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
    to_test = np.zeros(n, bool)
    to_test[by_class] = rank < np.repeat(chosen, counts)
    return order[~to_test[order]], order[to_test[order]]

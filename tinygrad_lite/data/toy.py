"""Toy sets: points in the plane, in classes that a small net can learn to tell apart.

It imports the random generator. Classes come mixed, in a random order. Noise is drawn first,
then the order, from one generator; without noise only the order is random.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .. import rng

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["blobs", "circles", "moons", "spiral"]


def moons(n: int = 200, noise: float = 0.1,
          seed: int | Generator | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles, each reaching into the other.

    Class 0 is (cos t, sin t), class 1 is (1 - cos t, 1/2 - sin t), for t evenly from 0 to pi,
    both ends included; the geometry of scikit-learn's make_moons.

    Args:
        n: how many points; class 0 gets n // 2, class 1 the others.
        noise: standard deviation of what is added to each coordinate.
        seed: the same seed gives the same points; left out, `manual_seed` governs them.

    Returns:
        The points, float32 of shape (n, 2), and their classes, int64 of shape (n,).

    Raises:
        TypeError: if `n` or `seed` is no integer.
        ValueError: if `n`, `noise` or `seed` is negative.
    """
    upper, lower = (np.linspace(0, math.pi, size) for size in _sizes(n, 2)[::-1])
    points = np.concatenate([
        np.stack([np.cos(upper), np.sin(upper)], axis=1),
        np.stack([1 - np.cos(lower), 0.5 - np.sin(lower)], axis=1),
    ])
    return _finished(points, [len(upper), len(lower)], noise, seed)


def circles(n: int = 200, noise: float = 0.05, factor: float = 0.5,
            seed: int | Generator | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A circle inside a circle.

    Class 0 is (cos t, sin t), class 1 is factor (cos t, sin t), for t evenly from 0 to 2 pi,
    the end left out; the geometry of scikit-learn's make_circles.

    Args:
        n: how many points; class 0 gets n // 2, class 1 the others.
        noise: standard deviation of what is added to each coordinate.
        factor: radius of the inner circle, from 0 to 1.
        seed: the same seed gives the same points; left out, `manual_seed` governs them.

    Returns:
        The points, float32 of shape (n, 2), and their classes, int64 of shape (n,).

    Raises:
        TypeError: if `n` or `seed` is no integer.
        ValueError: if `n`, `noise` or `seed` is negative, or `factor` out of range.
    """
    if not 0 <= factor <= 1:
        raise ValueError(f"expected a factor from 0 to 1; got {factor}")
    sizes = _sizes(n, 2)[::-1]
    points = np.concatenate([
        radius * _on_circle(2 * math.pi * np.arange(size) / max(size, 1))
        for radius, size in zip([1, factor], sizes)
    ])
    return _finished(points, sizes, noise, seed)


def spiral(n: int = 300, classes: int = 3, turns: float = 0.6, noise: float = 0.2,
           seed: int | Generator | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Arms that wind out of the middle, one for each class.

    Class c of C is r (cos t, sin t) with t = 2 pi (c / C + turns r) + noise, for r evenly from
    0 to 1, the end left out. After A. Karpathy, "Convolutional Neural Networks for Visual
    Recognition" (Stanford CS231n), a minimal case study, whose arms have 0.64 turns.

    Args:
        n: how many points, shared evenly among the classes; the first get what is over.
        classes: how many arms.
        turns: how often an arm winds round the middle; the other way if negative.
        noise: standard deviation of what is added to the angle t, in radians.
        seed: the same seed gives the same points; left out, `manual_seed` governs them.

    Returns:
        The points, float32 of shape (n, 2), and their classes, int64 of shape (n,).

    Raises:
        TypeError: if `n`, `classes` or `seed` is no integer.
        ValueError: if one of them or `noise` is negative, or `classes` is 0.
    """
    generator = rng.source(seed)
    sizes = _sizes(n, classes)
    r = np.concatenate([np.arange(size) / max(size, 1) for size in sizes])
    t = 2 * math.pi * (np.repeat(np.arange(classes) / classes, sizes) + turns * r)
    t += _noise(generator, noise, t.shape)
    return _finished(r[:, None] * _on_circle(t), sizes, 0, generator)


def blobs(n: int = 200, classes: int = 3, noise: float = 0.2,
          seed: int | Generator | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A cloud of points for each class.

    Class c of C is normally distributed around (cos t, sin t) with t = 2 pi c / C.

    Args:
        n: how many points, shared evenly among the classes; the first get what is over.
        classes: how many clouds.
        noise: standard deviation of each coordinate.
        seed: the same seed gives the same points; left out, `manual_seed` governs them.

    Returns:
        The points, float32 of shape (n, 2), and their classes, int64 of shape (n,).

    Raises:
        TypeError: if `n`, `classes` or `seed` is no integer.
        ValueError: if one of them or `noise` is negative, or `classes` is 0.
    """
    sizes = _sizes(n, classes)
    centres = _on_circle(2 * math.pi * np.arange(classes) / classes)
    return _finished(np.repeat(centres, sizes, axis=0), sizes, noise, seed)


def _sizes(n: int, classes: int) -> list[int]:
    """How many of n points each class gets; the first get what is over."""
    for name, number, least in [("n", n, 0), ("classes", classes, 1)]:
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
            raise TypeError(f"expected an integer for {name}; got {number!r}")
        if number < least:
            raise ValueError(f"expected {name} of at least {least}; got {number}")
    return [n // classes + (c < n % classes) for c in range(classes)]


def _on_circle(t: np.ndarray) -> np.ndarray:
    """(cos t, sin t), of shape (..., 2)."""
    return np.stack([np.cos(t), np.sin(t)], axis=-1)


def _noise(generator: Generator, scale: float, shape: tuple[int, ...]) -> np.ndarray:
    if not scale >= 0:
        raise ValueError(f"expected noise of at least 0; got {scale}")
    return generator.normal(0, scale, shape) if scale else np.zeros(shape)


def _finished(points: np.ndarray, sizes: list[int], noise: float,
              seed: int | Generator | None) -> tuple[np.ndarray, np.ndarray]:
    """Points of class after class, of these sizes, with noise and in a random order."""
    generator = rng.source(seed)
    points = points + _noise(generator, noise, points.shape)
    order = generator.permutation(len(points))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return points.astype(np.float32)[order], labels[order]

"""Small changes to a batch: normalise, one-hot, random shifts and flips.

It imports the random generator. Batch in, batch out: a new NumPy array; what comes in is not
changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .. import rng
from ..tensor import as_tensor

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["normalise", "one_hot", "random_flip", "random_shift"]


def normalise(images: Any, mean: Any = None, std: Any = None,
              axis: int | tuple[int, ...] | None = None) -> tuple[np.ndarray, Any, Any]:
    """y = (x - mean) / std, so that y has mean 0 and standard deviation 1.

    The statistics are those of the data to learn from, and go for all data:

    ``train, mean, std = normalise(train)``, then ``test, _, _ = normalise(test, mean, std)``.

    Args:
        images: x, an array, Tensor or list of numbers, of any shape; not only images.
        mean: what to subtract, of any shape that broadcasts; left out, the mean of x.
        std: what to divide by, likewise; left out, the root mean square of x - mean, and 1
            where that is 0, for numbers that are all the same.
        axis: over which axes to take them: None for all numbers alike, 0 for each feature of
            (N, features) by itself, (0, 2, 3) for each channel of (N, C, H, W).

    Returns:
        y, in the dtype of x, float32 if that is of integers; mean; std.

    Raises:
        ValueError: if there are no numbers to take a mean of, `std` is not above 0, or the
            shapes do not fit.
    """
    x = _as_floats(images)
    keep = axis is not None
    if (mean is None or std is None) and not x.size:
        raise ValueError(f"normalise expects numbers to take the mean of; got shape {x.shape}")
    if mean is None:
        mean = x.mean(axis, np.float64, keepdims=keep).astype(x.dtype)
    y = _same_shape(x - np.asarray(mean, x.dtype), x)
    if std is None:
        std = np.sqrt(np.square(y).mean(axis, np.float64, keepdims=keep)).astype(x.dtype)
        std = np.where(std == 0, np.ones_like(std), std)[()]
    if not np.all(np.asarray(std) > 0):
        raise ValueError(f"normalise expects std above 0; got {std!r:.60}")
    return _same_shape(y / np.asarray(std, x.dtype), x), mean, std


def one_hot(labels: Any, classes: int | None = None) -> np.ndarray:
    """y[..., c] = 1 where the label is c, 0 elsewhere.

    Args:
        labels: integers from 0 to classes - 1, of any shape.
        classes: how many classes there are; left out, one more than the largest label.

    Returns:
        y, float32, of shape (*labels.shape, classes).

    Raises:
        TypeError: if `labels` or `classes` is not of integers.
        ValueError: if `classes` is not positive, or left out without any label.
        IndexError: if a label is out of range.
    """
    labels = as_tensor(labels).numpy()
    if labels.size and labels.dtype.kind not in "iu":
        raise TypeError(f"one_hot expects labels of integers; got {labels.dtype}")
    if classes is None:
        if not labels.size:
            raise ValueError("one_hot expects at least one label, or classes=")
        classes = int(labels.max()) + 1
    if not _is_integer(classes):
        raise TypeError(f"one_hot expects an integer for classes; got {classes!r}")
    if classes < 1:
        raise ValueError(f"one_hot expects classes of at least 1; got {classes}")
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise IndexError(f"label {wrong[0]} is out of bounds: one_hot expects 0 to "
                         f"{classes - 1}")
    y = np.zeros((*labels.shape, classes), np.float32)
    np.put_along_axis(y, labels[..., None].astype(np.intp), 1, axis=-1)
    return y


def random_shift(images: Any, pixels: int, fill: float = 0,
                 seed: int | Generator | None = None) -> np.ndarray:
    """Each image moved up or down, and left or right, by a random number of pixels.

    Args:
        images: of shape (N, H, W) or (N, ..., H, W); the channels of an image move together.
        pixels: the most to move by; every whole number from -pixels to pixels is as likely.
        fill: the number for pixels that come in from outside.
        seed: an integer for the same shifts each time, or a NumPy generator; left out,
            `manual_seed` governs them.

    Returns:
        The moved images, of the same shape and dtype.

    Raises:
        TypeError: if `pixels` is no integer.
        ValueError: if `images` have fewer than three axes, `pixels` is negative, or integer
            images cannot hold `fill`.
    """
    images = _as_images("random_shift", images)
    if not _is_integer(pixels):
        raise TypeError(f"random_shift expects an integer for pixels; got {pixels!r}")
    if pixels < 0:
        raise ValueError(f"random_shift expects pixels of at least 0; got {pixels}")
    n = len(images)
    height, width = images.shape[-2:]
    framed = np.full((*images.shape[:-2], height + 2 * pixels, width + 2 * pixels),
                     _fitting(fill, images.dtype), images.dtype)
    framed[..., pixels:pixels + height, pixels:pixels + width] = images
    down, right = rng.source(seed).integers(0, 2 * pixels, (2, n), endpoint=True)
    windows = sliding_window_view(framed, (height, width), (-2, -1))
    return windows[np.arange(n), ..., down, right, :, :]


def random_flip(images: Any, p: float = 0.5,
                seed: int | Generator | None = None) -> np.ndarray:
    """Each image mirrored, left to right, with probability p; not for digits or letters.

    Args:
        images: of shape (N, H, W) or (N, ..., H, W).
        p: the probability, from 0 to 1.
        seed: an integer for the same flips each time, or a NumPy generator; left out,
            `manual_seed` governs them.

    Returns:
        The images, some of them mirrored, of the same shape and dtype.

    Raises:
        ValueError: if `images` have fewer than three axes, or `p` is out of range.
    """
    images = _as_images("random_flip", images)
    if not 0 <= p <= 1:
        raise ValueError(f"random_flip expects p from 0 to 1; got {p}")
    chosen = rng.source(seed).random(len(images)) < p
    flipped = images.copy()
    flipped[chosen] = images[chosen, ..., ::-1]
    return flipped


def _as_floats(numbers: Any) -> np.ndarray:
    array = as_tensor(numbers).numpy()
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def _as_images(who: str, images: Any) -> np.ndarray:
    array = as_tensor(images).numpy()
    if array.ndim < 3:
        raise ValueError(f"{who} expects images of shape (N, H, W) or (N, C, H, W); got shape "
                         f"{array.shape}. Give rows of pixels the shape of images first")
    return array


def _same_shape(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    if y.shape != x.shape:
        raise ValueError(f"normalise expects mean and std that broadcast to shape {x.shape}; "
                         f"together they make {y.shape}")
    return y


def _fitting(fill: float, dtype: np.dtype) -> np.ndarray:
    """The fill in the images' dtype; ValueError if integers cannot hold it."""
    number = np.asarray(fill, np.float64)
    with np.errstate(invalid="ignore"):
        fitting = number.astype(dtype)
    if dtype.kind != "f" and fitting != number:
        raise ValueError(f"random_shift expects a fill that {dtype} holds; got {fill}")
    return fitting


def _is_integer(number: Any) -> bool:
    return isinstance(number, (int, np.integer)) and not isinstance(number, bool)

"""The handwritten digits that come with the package; it imports NumPy only."""

from __future__ import annotations

import os

import numpy as np

__all__ = ["digits"]

_N_TRAIN = 1437  # of 1797, four fifths


def digits(split: str | None = None, flat: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """1,797 handwritten digits, 8x8 pixels each.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI
    Machine Learning Repository, 1998
    (https://archive.ics.uci.edu/ml/datasets/optical+recognition+of+handwritten+digits); the
    test part, as scikit-learn ships it. Licence: CC BY 4.0.

    Args:
        split: "train" for 1,437 of them, "test" for the other 360, None for all. Which go
            where is fixed (``numpy.random.default_rng(0).permutation``).
        flat: whether an image is a row of 64 numbers, or of shape (8, 8).

    Returns:
        The images, float32 from 0 (paper) to 1 (ink), of shape (N, 64) or (N, 8, 8); and the
        labels, int64 from 0 to 9, of shape (N,). Both belong to the caller.

    Raises:
        ValueError: for another `split`.
    """
    if split not in (None, "train", "test"):
        raise ValueError(f"digits expects split 'train', 'test' or None; got {split!r}")
    path = os.path.join(os.path.dirname(__file__), "digits.npz")  # pathlib imports slowly
    with np.load(path) as file:
        images = file["images"].astype(np.float32) / 16
        labels = file["labels"].astype(np.int64)
    if flat:
        images = images.reshape(len(images), -1)
    if split is None:
        return images, labels
    order = np.random.default_rng(0).permutation(len(images))
    chosen = order[:_N_TRAIN] if split == "train" else order[_N_TRAIN:]
    return images[chosen], labels[chosen]

"""MNIST and Fashion-MNIST: images of 28x28 pixels in IDX files, read or downloaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .idx import read_idx

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["fashion_mnist", "mnist"]

_SIZE = (28, 28)

# Names without ".gz", the images' and the labels'.
_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


class _Set(NamedTuple):
    """A set of data: its folder's name, where it is to be had, and what the files hold."""

    name: str
    mirrors: tuple[str, ...]
    contents: dict[str, tuple[int, str]]  # bytes and SHA-256 of each file packed with gzip


_MNIST = _Set("mnist", (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
), {
    "train-images-idx3-ubyte": (
        9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    "train-labels-idx1-ubyte": (
        28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    "t10k-images-idx3-ubyte": (
        1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    "t10k-labels-idx1-ubyte": (
        4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
})

_FASHION_MNIST = _Set("fashion_mnist", (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
), {
    "train-images-idx3-ubyte": (
        26421880, "08dc20ab1689590a0bcd66e874647b6ee8464e2d501b5a3f1f78831db19a3fdc"),
    "train-labels-idx1-ubyte": (
        29515, "b0197879cbda89f3dc7b894f9fd52b858e68ea4182b6947c9d8c2b67e5f18dcc"),
    "t10k-images-idx3-ubyte": (
        4422102, "78dcbbfb5a27efaf1b6c1d616caca68560be8766c5bffcb2791df9273a534229"),
    "t10k-labels-idx1-ubyte": (
        5148, "42bd18137a62d5998cdeae52bf3a0676ac6b706f5cf8439b47bb5b151ae3dccf"),
})


def mnist(root: str | PathLike | None = None, split: str = "train", flat: bool = True,
          download: bool = False,
          mirrors: str | Sequence[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """70,000 handwritten digits, 28x28 pixels each: 60,000 to learn from, 10,000 to test.

    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
    document recognition", Proceedings of the IEEE 86 (11), 1998. Licence: CC BY-SA 3.0.

    Args:
        root: the folder with the IDX files, as they are or packed with gzip; only those of
            the `split` are looked for. Left out, it is "mnist" in the folder that the
            variable TINYGRAD_LITE_DATA names, or in ~/.cache/tinygrad_lite.
        split: "train" or "test".
        flat: whether an image is a row of 784 numbers, or of shape (28, 28).
        download: whether to download what is missing into `root`. Files are checked by their
            SHA-256, an interrupted download goes on where it stopped, and tqdm, if it is
            installed (extra "progress"), shows how far it is.
        mirrors: address of a folder with the files packed with gzip, or several, which are
            tried in order, instead of the usual ones.

    Returns:
        The images, float32 from 0 (paper) to 1 (ink), of shape (N, 784) or (N, 28, 28), to
        which ``images[:, None]`` gives a channel; and the labels, int64 from 0 to 9, of shape
        (N,). Both belong to the caller.

    Raises:
        FileNotFoundError: if a file is missing and not to be downloaded; it says which, and
            where to put it.
        RuntimeError: if a download fails; it names each mirror, and what went wrong.
        ValueError: for another `split`, or if a file is damaged or not of this set.
    """
    return _load(_MNIST, root, split, flat, download, mirrors)


def fashion_mnist(root: str | PathLike | None = None, split: str = "train",
                  flat: bool = True, download: bool = False,
                  mirrors: str | Sequence[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """70,000 pictures of clothes, 28x28 pixels each: 60,000 to learn from, 10,000 to test.

    The labels mean: 0 T-shirt, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt,
    7 sneaker, 8 bag, 9 ankle boot.

    Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for
    Benchmarking Machine Learning Algorithms", arXiv:1708.07747, 2017. Licence: MIT.

    Its files are called like those of MNIST and so need a folder of their own. For the
    arguments, the results and the errors see `mnist`.
    """
    return _load(_FASHION_MNIST, root, split, flat, download, mirrors)


def _load(which: _Set, root: str | PathLike | None, split: str, flat: bool, download: bool,
          mirrors: str | Sequence[str] | None) -> tuple[np.ndarray, np.ndarray]:
    if split not in ("train", "test"):
        raise ValueError(f"{which.name} expects split 'train' or 'test'; got {split!r}")
    root = _folder(which.name, root)
    mirrors = [mirrors] if isinstance(mirrors, str) else list(mirrors or which.mirrors)
    missing = [name for name in _FILES[split] if not os.path.isfile(_path(root, name))]
    if missing and not download:
        raise FileNotFoundError(
            f"{which.name} expects the files {' and '.join(missing)} in {root}, as they are or "
            "packed, with .gz at the end. Put them there, give another folder as root, or pass "
            f"download=True to get them from {mirrors[0]}")
    for name in missing:
        _download(which, root, name, mirrors)
    images, labels = (_read(which, root, name) for name in _FILES[split])
    if images.shape[1:] != _SIZE or labels.shape != images.shape[:1]:
        raise ValueError(f"{root}: expected images of shape (N, 28, 28) and labels of shape "
                         f"(N,) for split {split!r}; got {images.shape} and {labels.shape}")
    if flat:
        images = images.reshape(len(images), _SIZE[0] * _SIZE[1])
    return images / np.float32(255), labels.astype(np.int64)


def _folder(name: str, root: str | PathLike | None) -> str:
    """The absolute path of the folder where the files are, or are to be."""
    if root is None:
        home = os.environ.get("TINYGRAD_LITE_DATA") or "~/.cache/tinygrad_lite"
        root = os.path.join(home, name)
    return os.path.abspath(os.path.expanduser(root))


def _path(root: str, name: str) -> str:
    """Where a file is, or is to be: packed, unless only the unpacked one is there."""
    path = os.path.join(root, name)
    packed = path + ".gz"
    return path if os.path.isfile(path) and not os.path.isfile(packed) else packed


def _download(which: _Set, root: str, name: str, mirrors: Sequence[str]) -> None:
    from .download import Content, fetch  # urllib imports slowly

    urls = [f"{mirror.rstrip('/')}/{name}.gz" for mirror in mirrors]
    fetch(urls, _path(root, name), Content(*which.contents[name]))


def _read(which: _Set, root: str, name: str) -> np.ndarray:
    """The array in a file, unless that is another set's, which its size gives away."""
    path = _path(root, name)
    for other in (_MNIST, _FASHION_MNIST):
        if other is not which and os.path.getsize(path) == other.contents[name][0]:
            raise ValueError(f"{path} is a file of {other.name}, not of {which.name}; as their "
                             "files have the same names, each needs a folder of its own")
    array = read_idx(path)
    if array.dtype != np.uint8:
        raise ValueError(f"{path}: expected bytes (uint8); got {array.dtype}")
    return array

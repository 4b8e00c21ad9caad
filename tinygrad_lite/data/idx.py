"""The IDX format, in which MNIST and its kin come: one array in a file; NumPy only.

The format is described by Y. LeCun, C. Cortes and C. Burges, "The MNIST database of
handwritten digits": two zero bytes, a code for the dtype, the number of axes, the length of
each axis as a big-endian integer of 32 bits, then the numbers, big-endian, row by row.
"""

from __future__ import annotations

import math
import os
import struct
from io import BufferedIOBase

import numpy as np

__all__ = ["read_idx"]

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_AXES = 64  # of a NumPy array
_CHUNK = 1 << 20


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """The array in an IDX file, which may be packed with gzip, whatever it is called.

    Returns:
        An array in native byte order, which belongs to the caller.

    Raises:
        ValueError: if the file is not in this format, or ends too early or too late, or the
            packed bytes are damaged.
        OSError: if it cannot be read; FileNotFoundError if it is not there.
    """
    import gzip  # these two take time to import
    import zlib

    path = os.fspath(path)
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            return _read(file, path)
        try:
            with gzip.open(file) as unpacked:
                return _read(unpacked, path)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path}: expected a whole gzip file; got a damaged or truncated "
                             f"one ({error}). Fetch it again") from None


def _read(file: BufferedIOBase, path: str) -> np.ndarray:
    dtype, shape = _header(file, path)
    expected = math.prod(shape) * dtype.itemsize
    numbers = bytearray()
    # one byte more than expected, to see the end; in chunks, for the header may lie
    while chunk := file.read(min(_CHUNK, expected + 1 - len(numbers))):
        numbers += chunk
    if len(numbers) != expected:
        got = "more" if len(numbers) > expected else len(numbers)
        raise ValueError(f"{path}: expected {expected} bytes of numbers, for shape {shape} and "
                         f"{dtype.name}; got {got}")
    array = np.frombuffer(numbers, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(file: BufferedIOBase, path: str) -> tuple[np.dtype, tuple[int, ...]]:
    """The dtype and the shape, from the bytes before the numbers."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES \
            or magic[3] > _MOST_AXES:
        codes = " ".join(f"{code:02x}" for code in _DTYPES)
        raise ValueError(f"{path}: expected an IDX file, which begins with the bytes 00 00, a "
                         f"dtype (one of {codes}) and a number of axes; got "
                         f"{magic.hex(' ') or 'an empty file'}")
    n_axes = magic[3]
    lengths = file.read(4 * n_axes)
    if len(lengths) < 4 * n_axes:
        raise ValueError(f"{path}: expected {4 * n_axes} bytes for the lengths of {n_axes} "
                         f"axes; got {len(lengths)}")
    return np.dtype(_DTYPES[magic[2]]), struct.unpack(f">{n_axes}I", lengths)

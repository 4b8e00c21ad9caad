"""NumPy's `.npz` format, a zip file of `.npy` files, to and from bytes.

`np.load` reads what `encode` returns; `decode` reads what `np.savez` and `np.savez_compressed`
write. It is not `np.load` that reads here, for that trusts the sizes which a file claims, and
reads on where an entry is lost. A zip file has a checksum (CRC-32) for each array.
"""

from __future__ import annotations

from io import BytesIO
from math import prod
from typing import Any

import numpy as np

from .tree import DTYPES, CheckpointError

__all__ = ["decode", "encode"]

_SMALL = 2 ** 26  # what a compressed file may always unpack to, in bytes
_RATIO = 100      # or this many times its own size


def encode(arrays: dict[str, np.ndarray]) -> memoryview:
    """The content of a file with the arrays, not compressed; the same for the same arrays."""
    from zipfile import ZipFile, ZipInfo

    file = BytesIO()
    with ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            member = BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            info = ZipInfo(f"{name}.npy")  # of 1980, the earliest date there is
            archive.writestr(info, member.getbuffer())
    return file.getbuffer()


def decode(data: bytes) -> dict[str, np.ndarray]:
    """The arrays by name.

    Raises:
        CheckpointError: for what could be said plainly; what zipfile raises, otherwise.
    """
    from zipfile import ZipFile

    if not data.startswith(b"PK"):
        raise CheckpointError(f"a .npz file begins with b'PK'; this one with {data[:8]!r}")
    with ZipFile(BytesIO(data)) as archive:
        members = archive.infolist()
        _check_end(data[-22 - len(archive.comment):], len(members))
        _check(members, len(data))
        return {member.filename[:-4]: _array(member.filename, archive.read(member))
                for member in members}


def _check_end(record: bytes, members: int) -> None:
    """Refuse a file that does not end with its end record, or lost members in its list."""
    if not record.startswith(b"PK\5\6"):
        raise CheckpointError("there are bytes behind its end")
    count = int.from_bytes(record[10:12], "little")
    # A wrong length in the list hides the members that follow, but does not change the count,
    # whose greatest value stands for that many or more.
    if members != count < 0xFFFF:
        raise CheckpointError(f"it has {count} arrays, and lists {members}")


def _check(members: list[Any], size: int) -> None:
    """Refuse members that are no arrays, or claim more than a file of that size can hold."""
    from zipfile import ZIP_DEFLATED, ZIP_STORED

    names = [member.filename for member in members]
    for name in names:
        if not name.endswith(".npy"):
            raise CheckpointError(f"{name!r:.100} in it is no array")
    if len(set(names)) < len(names):
        raise CheckpointError("it holds two arrays of one name")
    if any(member.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for member in members):
        raise CheckpointError("it is compressed in a way that NumPy does not use")
    if min((member.header_offset for member in members), default=0) > 0:
        raise CheckpointError("there are bytes before its first array")
    if sum(member.compress_size for member in members) > size:
        raise CheckpointError(f"its arrays claim more bytes than its {size}")
    unpacked = sum(member.file_size for member in members)
    if unpacked > max(_SMALL, _RATIO * size):
        raise CheckpointError(f"its {size} bytes claim to unpack to {unpacked}; if you trust "
                              "it, read it with np.load and save it again")


def _array(name: str, data: bytes) -> np.ndarray:
    """The array in the bytes of a `.npy` file, not copied."""
    stream = BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    if dtype.name not in DTYPES:
        raise CheckpointError(f"{name!r:.100} has dtype {dtype.name!r:.40}; expected one of "
                              f"{', '.join(DTYPES)}")
    offset = stream.tell()
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != len(data) - offset:
        raise CheckpointError(f"{name!r:.100} claims shape {shape}, which does not fit its "
                              f"{len(data) - offset} bytes")
    return np.ndarray(shape, dtype, data, offset, order="F" if fortran else "C")

"""The `.safetensors` format, to and from bytes, through the library of that name.

The library checks names, shapes and offsets. The format has no checksum, so `encode` adds one
to the metadata, SHA-256 over names, dtypes, shapes and numbers; files without it are read too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .tree import STRUCTURE, CheckpointError

__all__ = ["decode", "encode"]

_DIGEST = "tinygrad_lite.sha256"
_DTYPES = {
    "BOOL": "bool", "I8": "int8", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "U8": "uint8", "U16": "<u2", "U32": "<u4", "U64": "<u8",
    "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8",
}


def encode(arrays: dict[str, np.ndarray]) -> bytes:
    """The content of a file with the arrays; the same for the same arrays.

    Raises:
        ImportError: if safetensors is not installed.
    """
    return _library().numpy.save(arrays, {_DIGEST: _digest(arrays)})


def decode(data: bytes) -> dict[str, np.ndarray]:
    """The arrays by name; bfloat16, which NumPy lacks, becomes float32.

    Raises:
        CheckpointError: for what could be said plainly; what the library raises, otherwise.
        ImportError: if safetensors is not installed.
    """
    import json

    entries = dict(_library().deserialize(data))
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size], object_pairs_hook=_without_twins)
    metadata = header.pop("__metadata__", None) or {}
    arrays = {name: _array(name, entries[name]) for name in header}
    if _DIGEST not in metadata and STRUCTURE in arrays:
        raise CheckpointError("its checksum is missing")
    if _DIGEST in metadata and metadata[_DIGEST] != _digest(arrays):
        raise CheckpointError("its checksum is not that of its arrays")
    return arrays


def _library() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError("files named .safetensors need safetensors, the extra 'safetensors': "
                          "pip install tinygrad_lite[safetensors]; .npz needs nothing"
                          ) from error
    return safetensors


def _array(name: str, entry: dict[str, Any]) -> np.ndarray:
    """The array of an entry, as the library returns it: its dtype, shape and bytes."""
    dtype = _DTYPES.get(entry["dtype"])
    if dtype is None:
        raise CheckpointError(f"array {name!r:.100} has dtype {entry['dtype']}; expected one "
                              f"of {', '.join(_DTYPES)}")
    array = np.ndarray(entry["shape"], dtype, entry["data"])
    if entry["dtype"] == "BF16":  # the upper half of a float32
        return (array.astype("<u4") << 16).view("<f4")
    return array


def _digest(arrays: dict[str, np.ndarray]) -> str:
    from hashlib import sha256

    digest = sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(repr((name, array.dtype.name, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of two entries of one name the library would take the second."""
    if len(dict(pairs)) < len(pairs):
        raise CheckpointError("its header names something twice")
    return dict(pairs)

"""A state, which is dicts in dicts, as arrays by name and back; it imports the engine.

A flat dict of arrays is just its arrays, under its own names: that is what other programs
read and write. Of any other state the arrays are named by the way to them, such as
`optimizer.state.0.m`, and one more, `__structure__`, holds a JSON text (UTF-8, as uint8): the
state, with a tag where JSON lacks a kind.

    [1, true, null, "text", 0.5]    a list; numbers, which Python writes exactly; text
    {"dict": [[key, value], ...]}   a dict in its order, whatever its keys
    {"tuple": [...]}                a tuple
    {"float": "inf"}                inf, -inf or nan
    {"array": "name"}               the array of that name
    {"scalar": "name"}              a number of NumPy's, stored as an array of no axes
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..engine import Node, refuse_to_read

__all__ = ["DTYPES", "STRUCTURE", "CheckpointError", "flatten", "unflatten"]

STRUCTURE = "__structure__"
VERSION = 1
DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float16", "float32", "float64")

_DEEPEST = 100
_LONGEST = 1000  # of a name; zip files take 65,535 bytes
_TAKEN = (STRUCTURE, "__metadata__")  # the latter by safetensors


class CheckpointError(ValueError):
    """A file that cannot be loaded, or does not fit what it is loaded into."""


def flatten(state: Any) -> dict[str, np.ndarray]:
    """The arrays that stand for a state: little-endian, contiguous, not always copies.

    Raises:
        TypeError: for what is no number, text, array, container or keeper of a state_dict.
        ValueError: for containers nested too deeply, or inside themselves.
    """
    import json  # here and elsewhere in this package: what imports slowly comes when needed

    arrays: dict[str, np.ndarray] = {}
    tree = _encoded(state, (), arrays)
    if tree != {"dict": [[name, {"array": name}] for name in arrays]}:
        text = json.dumps({"version": VERSION, "tree": tree}, allow_nan=False)
        arrays[STRUCTURE] = np.frombuffer(text.encode(), np.uint8)
    return arrays


def unflatten(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The state that the arrays stand for, with arrays of its own.

    Raises:
        CheckpointError: if they stand for none; what their JSON text provokes, otherwise.
    """
    import json

    own = {name: _own(name, array) for name, array in arrays.items()}
    if STRUCTURE not in own:
        return own
    document = json.loads(own.pop(STRUCTURE).tobytes().decode())
    if document["version"] != VERSION:
        raise CheckpointError(f"its version is {document['version']!r}, and this release reads "
                              f"{VERSION}; upgrade tinygrad_lite")
    state = _decoded(document["tree"], own)
    if own or not isinstance(state, dict):
        raise CheckpointError(f"its structure does not tell where {list(own)} belong")
    return state


# ---- to a tree -------------------------------------------------------------------------


def _encoded(x: Any, way: tuple, arrays: dict[str, np.ndarray]) -> Any:
    """x as JSON has it, its arrays put among `arrays`; `way` is the keys that led to it."""
    if len(way) > _DEEPEST:
        raise ValueError(f"a state is nested at most {_DEEPEST} deep; this one contains "
                         f"itself, or is deeper: '{_name(way[:6])}'...")
    if callable(getattr(x, "state_dict", None)):
        x = x.state_dict()
    if x is None or isinstance(x, (bool, int, str)):
        return x
    if isinstance(x, float) and not isinstance(x, np.generic):
        return x if math.isfinite(x) else {"float": repr(x)}
    if isinstance(x, Mapping):
        return {"dict": [[_key(key, way), _encoded(item, (*way, key), arrays)]
                         for key, item in x.items()]}
    if isinstance(x, (list, tuple)):
        items = [_encoded(item, (*way, i), arrays) for i, item in enumerate(x)]
        return {"tuple": items} if isinstance(x, tuple) else items
    name = _name(way)
    array = _as_array(name, x)
    while name in arrays or name in _TAKEN:
        name += "_"
    arrays[name] = array
    return {"scalar" if isinstance(x, np.generic) else "array": name}


def _key(key: Any, way: tuple) -> Any:
    """A dict's key as JSON has it."""
    for part in key if isinstance(key, tuple) else [key]:
        if not isinstance(part, (str, int, float, type(None))) or isinstance(part, np.generic):
            raise TypeError(f"cannot store a key of type {type(part).__name__} in "
                            f"{_name(way) or 'the state'!r}; keys are text, numbers, None or "
                            "tuples of those")
    return _encoded(key, (), {})


def _name(way: tuple) -> str:
    """The keys joined with dots, without what UTF-8 or a zip file cannot take."""
    name = ".".join(map(str, way))[:_LONGEST]
    return name.encode("utf-8", "replace").decode().replace("\0", "?").replace("\\", "/")


def _as_array(name: str, x: Any) -> np.ndarray:
    if isinstance(x, Node):
        refuse_to_read("saving a node")
        array = np.asarray(x._data)
    elif hasattr(x, "__array__"):
        # a tensor of PyTorch that requires a gradient refuses to become an array
        array = np.asarray(x.detach() if hasattr(x, "detach") else x)
    else:
        raise TypeError(f"cannot store '{name}' of type {type(x).__name__}; a state is made of "
                        "numbers, text, None, arrays, dicts, lists, tuples, and objects with a "
                        "state_dict()")
    if array.dtype.name not in DTYPES:
        raise TypeError(f"cannot store '{name}' of dtype {array.dtype}; expected one of "
                        f"{', '.join(DTYPES)}")
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


# ---- and back --------------------------------------------------------------------------


def _decoded(x: Any, arrays: dict[str, np.ndarray]) -> Any:
    """What a tree stands for; its arrays are taken out of `arrays`."""
    if isinstance(x, list):
        return [_decoded(item, arrays) for item in x]
    if not isinstance(x, dict):
        return x
    ((tag, content),) = x.items()
    if tag == "array":
        return arrays.pop(content)
    if tag == "scalar":
        return arrays.pop(content)[()]
    if tag == "float":
        return float(content)
    if tag == "tuple":
        return tuple(_decoded(content, arrays))
    if tag == "dict":
        pairs = [(_decoded(key, {}), _decoded(item, arrays)) for key, item in content]
        if len(dict(pairs)) < len(pairs):
            raise CheckpointError("its structure has a key twice")
        return dict(pairs)
    raise CheckpointError(f"its structure has an unknown tag {tag!r:.40}")


def _own(name: str, array: np.ndarray) -> np.ndarray:
    """A copy, contiguous and in the byte order of this machine."""
    if array.dtype == bool and array.view(np.uint8).max(initial=0) > 1:
        raise CheckpointError(f"array {name!r:.100} is boolean, with bytes other than 0 and 1")
    return np.array(array, array.dtype.newbyteorder("="), order="C")

"""save and load; it imports the formats and the random generator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ..rng import get_rng_state, set_rng_state
from . import files, npz, safetensors
from .tree import CheckpointError, flatten, unflatten

__all__ = ["load", "save"]

_FORMATS: dict[str, Any] = {".npz": npz, ".safetensors": safetensors}


def save(path: Any, state: Any = None, /, *, rng: bool = True, **parts: Any) -> None:
    """Write weights, or the parts of a run, to a file that is there whole or not at all.

    ::

        tg.save("weights.safetensors", net)
        tg.save("run.npz", model=net, optimizer=optimizer, loader=batches, epoch=epoch)

    A file that was there before is replaced in one move, after the disk has the new one: a
    program killed at any moment leaves the old file or the new.

    Args:
        path: ends in `.npz` or `.safetensors`, which needs the extra 'safetensors'.
        state: what the file is to hold, and nothing else: a dict, or an object with a
            `state_dict()`. Arrays in a flat dict keep their names, for other programs.
        rng: whether the random state of the package is kept with the parts, as "rng".
        parts: instead of `state`, anything by name.

    In a state or part may be dicts, lists, tuples, numbers, text, None, arrays, Tensors, and
    objects with a `state_dict()`, which are asked for it; nested as you like. `load` returns
    them with the same bits, Tensors as arrays.

    Raises:
        TypeError: for anything else, also of dtypes other than bool, integers and floats up
            to 64 bits; for `state` and parts at once, or neither.
        ValueError: for another ending, or a state nested in itself.
        OSError: if the file cannot be written; the old one stays as it was.
        ImportError: if the format's library is not installed.
    """
    path, form = _resolved(path)
    if (state is None) is not bool(parts):
        raise TypeError("save expects a state, tg.save(path, net), or parts by name, "
                        "tg.save(path, model=net, optimizer=optimizer); "
                        f"got {'both' if parts else 'neither'}")
    if parts:
        state = {**parts, "rng": get_rng_state()} if rng else parts
    elif not isinstance(state, Mapping) and not hasattr(state, "state_dict"):
        raise TypeError("save expects a dict, or an object with a state_dict(); got "
                        f"{type(state).__name__}")
    files.write(path, form.encode(flatten(state)))


def load(path: Any, /, *, rng: bool = True, **parts: Any) -> dict[str, Any]:
    """Read a file, and put parts of a run back into the objects given by name.

    ::

        net.load_state_dict(tg.load("weights.safetensors"))
        epoch = tg.load("run.npz", model=net, optimizer=optimizer, loader=batches)["epoch"]

    Nothing in a file is run. Files of other programs are read as well: NumPy's, and those
    that PyTorch users write with safetensors; bfloat16 becomes float32.

    Args:
        path: ends in `.npz` or `.safetensors`, which needs the extra 'safetensors'.
        rng: whether the random state comes back with the parts, if the file has it.
        parts: objects with `state_dict` and `load_state_dict`, which get the parts of their
            names in this order; None for a part that is not wanted. Either all fit or none
            is changed.

    Returns:
        All that is in the file, as it was saved; Tensors as arrays.

    Raises:
        CheckpointError: a ValueError, for a file that is damaged, hostile or of a kind that
            is not known, for a part that is not in it, and for one that does not fit.
        TypeError: for an object without `state_dict` and `load_state_dict`.
        ValueError: for another ending.
        OSError: if the file is not there or cannot be read.
        ImportError: if the format's library is not installed.
    """
    path, form = _resolved(path)
    state = _read(path, form)
    wanted = {name: part for name, part in parts.items() if part is not None}
    _check(path, state, wanted)
    if parts:
        _put_back(path, state, wanted, rng)
    return state


def _resolved(path: Any) -> tuple[str, Any]:
    """The path as text, and the module of its format."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError("a path comes first, as in tg.save('weights.npz', net); got "
                        f"{type(path).__name__}")
    path = os.fsdecode(path)
    ending = os.path.splitext(path)[1].lower()
    if ending not in _FORMATS:
        raise ValueError(f"a checkpoint ends in {' or '.join(_FORMATS)}; got {path!r}. Pickle "
                         "(.pt, .pth, .pkl) could run code when read: in PyTorch, save weights "
                         "with safetensors.torch.save_file")
    return path, _FORMATS[ending]


def _read(path: str, form: Any) -> dict[str, Any]:
    """The state in a file, which is read once and to its end, then looked at."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(f"cannot load {path!r}: it is a folder or a device")
    with open(path, "rb") as file:
        data = file.read()
    try:
        return unflatten(form.decode(data))
    except (ImportError, MemoryError):
        raise
    except CheckpointError as error:
        reason, cause = str(error), None
    except Exception as error:  # the bytes may be anything, and so may what they provoke
        reason = f"it is damaged, cut short or of another kind ({error!r:.200})"
        cause = error
    raise CheckpointError(f"cannot load {path!r}: {reason}. Load an earlier copy, or save it "
                          "again") from cause


def _check(path: str, state: dict[str, Any], parts: dict[str, Any]) -> None:
    """Refuse objects that cannot take a part, and parts that are not there."""
    for name, part in parts.items():
        if not hasattr(part, "state_dict") or not hasattr(part, "load_state_dict"):
            raise TypeError(f"load puts '{name}' back into an object with state_dict and "
                            f"load_state_dict; got {type(part).__name__}. Numbers are in the "
                            f"dict that it returns: tg.load(path)['{name}']")
        if state.get(name) is None:
            raise CheckpointError(f"cannot load {path!r}: it has no '{name}'; it has "
                                  f"{list(state)[:20]}")


def _put_back(path: str, state: dict[str, Any], parts: dict[str, Any], rng: bool) -> None:
    """Give each object its part of the state: all of them, or none."""
    before = {name: deepcopy(part.state_dict()) for name, part in parts.items()}
    generator = get_rng_state()
    touched = []
    try:
        for name, part in parts.items():
            touched.append(name)
            part.load_state_dict(state[name])
        if rng and "rng" in state:
            name = "rng"
            set_rng_state(state["rng"])
    except BaseException as error:
        for other in touched:
            parts[other].load_state_dict(before[other])
        set_rng_state(generator)
        if isinstance(error, Exception):
            raise CheckpointError(f"cannot load {path!r}, nothing was changed: '{name}' does "
                                  f"not fit. {type(error).__name__}: {error}") from error
        raise

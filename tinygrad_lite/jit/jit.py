"""jit: the function as users call it. It imports the recorder, the program and the skins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import update_wrapper
from threading import RLock
from typing import Any

import numpy as np

from .. import engine
from ..engine import Node
from ..tensor import Tensor
from ..value import Value
from .program import Program, copied
from .recorder import Recorder

__all__ = ["Jitted", "jit"]


def jit(function: Callable) -> Jitted:
    """Record what a function does, and replay it from then on, most of it in C.

    ::

        @tg.jit
        def step(x, y):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

    The first call with inputs of new shapes and dtypes runs as it stands, the second is
    recorded, and later ones copy their inputs into the recorded arrays and do again what was
    recorded. A change of what the recording depends on (an array of a parameter exchanged,
    train and eval mode, an optimizer that takes other arrays) leads to another recording; at
    most eight are kept. Rates and other settings of optimizers may change at any time.

    Args:
        function: takes arrays, Tensors, Values, other hashable arguments, and tuples, lists
            and dicts of them; arrays come in as Tensors. It returns such a structure, or
            None.

    Returns:
        A function that returns copies of what the function returned, outside any graph.
        Gradients of parameters are left as after the function itself; their arrays are
        written again by the next call.

    Raises:
        RuntimeError: while recording, for what cannot be replayed, with the line: reading a
            number (``item()``, ``float(t)``, ``t.numpy()``, a branch on it), random numbers
            that are not drawn by an op.
        TypeError: for an argument that is neither of these and not hashable.
    """
    return Jitted(function)


class Jitted:
    """A function and its recordings; see `jit`.

    Attributes:
        program: the `Program` that the last call replayed or recorded; None before.
    """

    most = 8  # recordings that are kept

    def __init__(self, function: Callable) -> None:
        if not callable(function):
            raise TypeError(f"jit expects a function; got {type(function).__name__}")
        update_wrapper(self, function)
        self._function = function
        self._recordings: list[_Recording] = []  # the last used is the last
        self._seen: set[Any] = set()
        self._lock = RLock()
        self.program: Program | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mode = engine._mode
        if mode.tracer is not None:  # a part of another jitted function
            return self._function(*args, **kwargs)
        with self._lock:
            last = self._recordings[-1] if self._recordings else None
            if last is not None and not kwargs and last.takes(args, mode.recording):
                return last.replay(args)
            leaves: list[Any] = []
            key = _signature((args, kwargs, mode.recording), leaves)
            found = self._find(key)
            if found is not None:
                self.program = found.program
                return found.replay(leaves)
            if key not in self._seen:
                self._seen.add(key)
                return self._function(*args, **kwargs)
            return self._record(key, args, kwargs)

    def clear(self) -> None:
        """Forget all recordings."""
        with self._lock:
            self._recordings.clear()
            self._seen.clear()
            self.program = None

    def _find(self, key: Any) -> _Recording | None:
        """The recording for this key that holds now, moved to the end."""
        for i, recording in enumerate(self._recordings):
            if recording.key == key and recording.program.fits():
                self._recordings.append(self._recordings.pop(i))
                return recording
        return None

    def _record(self, key: Any, args: Any, kwargs: Any) -> Any:
        """Run the function, write down what it does, and keep that."""
        inputs: list[Any] = []
        args, kwargs = _as_nodes((args, kwargs), inputs)
        with Recorder() as recorder:
            returned = self._function(*args, **kwargs)
        outputs: list[Any] = []
        shape = _shape_of(returned, outputs)
        program = Program(recorder, inputs, outputs)
        for node, grad in program.gradients:
            node._grad = program._load(grad)
        self.program = program
        recording = _Recording(key, program, shape, args if not kwargs else None)
        self._recordings = [*self._recordings, recording][-self.most:]
        return _filled(shape, iter([copied(_plain(x)) for x in outputs]))


class _Recording:
    """A program, the calls that it stands for, and what it returns.

    Attributes:
        key: what `_signature` says of the arguments.
        arrays: shape and dtype of each, if all are arrays; else None.
        shape: what is returned, with holes for nodes.
    """

    def __init__(self, key: Any, program: Program, shape: Any, args: Any) -> None:
        self.key = key
        self.program = program
        self.shape = shape
        self.recording = key[1][2][1]
        self.arrays = None
        if args is not None and all(type(x) is Tensor for x in args):
            self.arrays = [(x.shape, x.dtype) for x in args]

    def takes(self, args: tuple, recording: bool) -> bool:
        """Whether it stands for a call with these arguments, all arrays, and holds now."""
        if self.arrays is None or len(args) != len(self.arrays) \
                or recording is not self.recording:
            return False
        for x, (shape, dtype) in zip(args, self.arrays):
            if type(x) is not np.ndarray or x.dtype != dtype or x.shape != shape:
                return False
        return self.program.fits()

    def replay(self, inputs: Iterable[Any]) -> Any:
        """Run the program, and return new nodes."""
        results = self.program.run(inputs)
        if self.shape is _Hole:
            return _node(results[0])
        return _filled(self.shape, iter(results))


# ---- arguments and results -------------------------------------------------------------


def _signature(x: Any, leaves: list[Any]) -> Any:
    """What a recording depends on of an argument; its arrays and numbers go to leaves."""
    if type(x) is np.ndarray:
        leaves.append(x)
        return x.shape, x.dtype
    if isinstance(x, (tuple, list)):
        return type(x), tuple(_signature(item, leaves) for item in x)
    if isinstance(x, dict):
        return dict, tuple((name, _signature(item, leaves)) for name, item in x.items())
    if isinstance(x, (np.ndarray, Node)):
        leaves.append(_plain(x))
        return type(x), np.shape(leaves[-1]), getattr(x, "dtype", None)
    try:
        hash(x)
    except TypeError:
        raise TypeError("a jitted function takes arrays, Tensors, Values and hashable "
                        f"arguments; got {type(x).__name__}") from None
    return type(x), x


def _as_nodes(x: Any, inputs: list[Any]) -> Any:
    """The arguments with nodes of their own in place of arrays and nodes."""
    if isinstance(x, (tuple, list)):
        return type(x)(_as_nodes(item, inputs) for item in x)
    if isinstance(x, dict):
        return {name: _as_nodes(item, inputs) for name, item in x.items()}
    if isinstance(x, (np.ndarray, Tensor)):
        inputs.append(Tensor(_plain(x)))
        return inputs[-1]
    if isinstance(x, Value):
        inputs.append(Value(x._data, requires_grad=False))
        return inputs[-1]
    return x


def _plain(x: Any) -> Any:
    return x._data if isinstance(x, Node) else x


class _Hole:
    """Stands for an output in a returned structure."""


def _shape_of(x: Any, outputs: list[Any]) -> Any:
    """The returned structure with holes for its nodes, which are added to outputs."""
    if isinstance(x, (tuple, list)):
        return type(x)(_shape_of(item, outputs) for item in x)
    if isinstance(x, dict):
        return {name: _shape_of(item, outputs) for name, item in x.items()}
    if isinstance(x, Node):
        outputs.append(x)
        return _Hole
    return x


def _filled(shape: Any, results: Iterator[Any]) -> Any:
    """The structure with the results in its holes, as nodes."""
    if isinstance(shape, (tuple, list)):
        return type(shape)(_filled(item, results) for item in shape)
    if isinstance(shape, dict):
        return {name: _filled(item, results) for name, item in shape.items()}
    if shape is _Hole:
        return _node(next(results))
    return shape


def _node(result: Any) -> Any:
    """A result as a Value or a Tensor."""
    return engine.kinds[type(result)](result, [result])

"""jit: the function as users call it. It imports the recorder, the program and the skins."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import update_wrapper
from threading import RLock
from types import MethodType
from typing import Any
from weakref import WeakSet, ref

import numpy as np

from .. import engine
from ..engine import Node
from ..nn import Module
from ..tensor import Tensor, as_tensor
from ..value import Value
from .outside import Outside
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
    recorded. So Python runs in the first two calls only: what it prints or appends to a list
    is not repeated, and plain numbers and arrays from outside are constants. Schedulers that
    step in the function, and modes that it sets, do go on.

    A change of what the recording depends on leads to another recording: a variable from
    outside that the function itself names, what it names in one (``config.rate``,
    ``config["rate"]``), an array of a parameter exchanged, ``requires_grad``, hooks,
    attributes of Modules such as ``training`` or the p of a `Dropout`, gradients that are
    there or not, an optimizer that takes other parameters or other state. At most eight are
    kept. Numbers in Tensors and Values, and rates and other settings of optimizers, may
    change at any time.

    Args:
        function: takes arrays, Tensors, Values, other hashable arguments, and tuples, lists
            and dicts of them. Arrays come in as Tensors, and all of these as copies, so what
            it writes into them is not seen outside; their gradients are. It returns such a
            structure, or None.

    Returns:
        A function that returns copies of what the function returned, outside any graph.
        Gradients of parameters are left as after the function itself; their arrays are
        written again by the next call. A jitted function that is called by another is a part
        of that one.

    Raises:
        RuntimeError: while recording, for what cannot be replayed, with the line: reading a
            number (``item()``, ``float(t)``, ``t.numpy()``, ``print(t)``, a branch on it),
            random numbers that are not drawn by an op, loading a state, assigning attributes,
            variables or settings of optimizers. The function has then run up to there, as it
            would have by itself, with what it has changed so far; nothing is recorded.
            For an argument that is part of a graph, as none would lead back into it.
        TypeError: for an argument or a result that is none of these; for a generator or
            coroutine.
    """
    return Jitted(function)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Put off the search for garbage: of a recording, which is many objects, none is."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class Jitted:
    """A function and its recordings; see `jit`.

    Attributes:
        program: the `Program` that the last call replayed or recorded; None before.
    """

    most = 8           # recordings that are kept
    most_seen = 64     # kinds of arguments that are remembered

    def __init__(self, function: Callable) -> None:
        if not callable(function):
            raise TypeError(f"jit expects a function; got {type(function).__name__}")
        if getattr(function, "__code__", engine._NO_CODE).co_flags & engine._RUNS_LATER:
            raise TypeError("jit cannot record a generator or coroutine, which runs after the "
                            "call")
        update_wrapper(self, function, updated=())
        self._function = function
        self._recordings: list[_Recording] = []  # the last used is the last
        self._seen: dict[Any, None] = {}
        self._lock = RLock()
        _locks.add(self._lock)
        self.program: Program | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mode = engine._mode
        if mode.jitted:  # a part of another jitted function
            args, kwargs = _arrays_as_nodes((args, kwargs))
            return self._function(*args, **kwargs)
        with self._lock:
            last = self._recordings[-1] if self._recordings else None
            if last is not None and not kwargs and last.takes(args, mode.recording):
                return last.replay(args)
            leaves: list[Any] = []
            key = (_signature(args, leaves), _signature(kwargs, leaves)[1], mode.recording)
            found = self._find(key)
            if found is not None:
                self.program = found.program
                returned = found.replay(list(map(_plain, leaves)))
                _hand_back(leaves, found.program.given_now())
                return returned
            if key in self._seen:
                return self._record(key, leaves, args, kwargs)
            self._seen[key] = None
            if len(self._seen) > self.most_seen:
                del self._seen[next(iter(self._seen))]
            return self._just_call(leaves, args, kwargs)

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        """The function as a method of an object."""
        return self if owner is None else MethodType(self, owner)

    def __reduce__(self) -> tuple:
        """Copy and pickle it without its recordings."""
        return type(self), (self._function,)

    def clear(self) -> None:
        """Forget all recordings."""
        with self._lock:
            self._recordings.clear()
            self._seen.clear()
            self.program = None

    def _find(self, key: Any) -> _Recording | None:
        """The recording for this key that holds now, moved to the end."""
        for i, recording in enumerate(self._recordings):
            if recording.key == key and recording.holds():
                self._recordings.append(self._recordings.pop(i))
                return recording
        return None

    @_without_collector()
    def _record(self, key: Any, leaves: list[Any], args: Any, kwargs: Any) -> Any:
        """Run the function, write down what it does, and keep that."""
        inputs: list[Any] = []
        outputs: list[Any] = []
        own = getattr(self._function, "__self__", None)
        outside = Outside(self._function, [own, *args, *kwargs.values()])
        nodes, options = _as_nodes((args, kwargs), inputs)
        with Recorder(inputs) as recorder:
            for x in (own, *nodes, *options.values()):
                if isinstance(x, Module):
                    recorder.entered(x)
            shape = _shape_of(self._run(nodes, options), outputs)
            changed = outside.first_change()
            if changed is not None:
                recorder.refuse(f"assigning '{changed}'", "a replay assigns nothing; return "
                                "it, or write into a Tensor, as in t[...] = x")
        program = Program(recorder, inputs, outputs)
        _hand_back(leaves, program.given_now())
        self.program = program
        self._warn_of_waste()
        self._recordings.append(_Recording(key, program, shape, args, outside))
        del self._recordings[:-self.most]
        return _filled(shape, iter([copied(_plain(x)) for x in outputs]))

    def _warn_of_waste(self) -> None:
        """Warn if all recordings that are kept were made in vain."""
        if len(self._recordings) < self.most or any(r.replayed for r in self._recordings):
            return
        name = getattr(self._function, "__name__", "a function")
        changed = self._recordings[-1].outside.first_change()
        what = "something that it depends on" if changed is None else f"'{changed}'"
        warnings.warn(f"tg.jit has recorded {name}() {self.most + 1} times without a replay: "
                      f"{what} changes at each call, or there are more than {self.most} kinds "
                      "of arguments", stacklevel=5)

    def _just_call(self, leaves: list[Any], args: Any, kwargs: Any) -> Any:
        """Run the function, with arguments and results like those of a replay."""
        inputs: list[Any] = []
        args, kwargs = _as_nodes((args, kwargs), inputs)
        outputs: list[Any] = []
        shape = _shape_of(self._run(args, kwargs), outputs)
        _hand_back(leaves, {i: x._grad for i, x in enumerate(inputs) if x._grad is not None})
        return _filled(shape, iter([copied(_plain(x)) for x in outputs]))

    def _run(self, args: Any, kwargs: Any) -> Any:
        """Call the function, in which other jitted ones are just called."""
        engine._mode.jitted = True
        try:
            return self._function(*args, **kwargs)
        finally:
            engine._mode.jitted = False


class _Recording:
    """A program, the calls that it stands for, and what it returns.

    Attributes:
        key: what `_signature` says of the arguments.
        arrays: if all arguments are arrays, shape and dtype of each; else None.
        recording: whether the graph was recorded.
        shape: what is returned, with holes for nodes.
        outside: the variables of others that the function names.
        replayed: whether it was of use.
    """

    def __init__(self, key: Any, program: Program, shape: Any, args: tuple,
                 outside: Outside) -> None:
        self.outside = outside
        self.replayed = False
        self.key = key
        self.program = program
        self.shape = shape
        self.recording = key[-1]
        self.arrays = None
        if all(type(x) is np.ndarray for x in args) and not key[1]:
            self.arrays = [(x.shape, x.dtype) for x in args]
            program.alike = program.read is not None and \
                all(x.dtype == y.dtype for x, y in zip(args, program.inputs))

    def takes(self, args: tuple, recording: bool) -> bool:
        """Whether it stands for a call with these arguments, all arrays, and holds now."""
        if self.arrays is None or len(args) != len(self.arrays) \
                or recording is not self.recording:
            return False
        for x, (shape, dtype) in zip(args, self.arrays):
            if type(x) is not np.ndarray or x.dtype != dtype or x.shape != shape:
                return False
        return self.holds()

    def holds(self) -> bool:
        """Whether the function would do the same now."""
        return self.program.fits() and self.outside.first_change() is None

    def replay(self, inputs: Sequence[Any]) -> Any:
        """Run the program, and return new nodes."""
        self.replayed = True
        results = self.program.run(inputs)
        return _node(results[0]) if self.shape is _Hole else _filled(self.shape, iter(results))


_locks: WeakSet = WeakSet()


def _open_locks() -> None:
    """Leave them open in a forked child, where the threads that held them are not."""
    for lock in _locks:
        lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_locks)


# ---- arguments and results -------------------------------------------------------------


def _signature(x: Any, leaves: list[Any]) -> Any:
    """What a recording depends on of an argument; its arrays and numbers go to leaves."""
    if isinstance(x, np.ndarray):
        leaves.append(x)
        return x.shape, x.dtype
    if isinstance(x, (tuple, list)):
        return type(x), tuple(_signature(item, leaves) for item in x)
    if isinstance(x, dict):
        return dict, tuple((name, _signature(item, leaves)) for name, item in x.items())
    if isinstance(x, Node):
        if x._requires_grad and x._maker is not None and engine._mode.recording:
            raise RuntimeError("a jitted function takes no node that is part of a graph, as no "
                               f"gradient would lead back into it; got the result of "
                               f"'{x.op_name}': detach() it")
        leaves.append(x)
        return type(x), getattr(x, "shape", None), getattr(x, "dtype", None), x._requires_grad
    try:
        hash(x)
    except TypeError:
        raise TypeError("a jitted function takes arrays, Tensors, Values and hashable "
                        f"arguments; got {type(x).__name__}") from None
    if type(x) is float:
        return float, x.hex()  # 0.0 equals -0.0, and nan not itself
    by_identity = type(x).__hash__ is object.__hash__ and type(x).__weakrefoffset__
    return type(x), ref(x) if by_identity else x  # what is gone will not come again


def _as_nodes(x: Any, inputs: list[Any]) -> Any:
    """The arguments with nodes of their own in place of arrays and nodes."""
    if isinstance(x, (tuple, list, dict)):
        return _mapped(x, lambda item: _as_nodes(item, inputs))
    if isinstance(x, Value):
        inputs.append(Value(x._data, x._requires_grad))
        return inputs[-1]
    if isinstance(x, (np.ndarray, Tensor)):
        inputs.append(Tensor(_plain(x), None, getattr(x, "_requires_grad", False)))
        return inputs[-1]
    return x


def _arrays_as_nodes(x: Any) -> Any:
    """The arguments with Tensors in place of arrays, which keep their memory."""
    if isinstance(x, (tuple, list, dict)):
        return _mapped(x, _arrays_as_nodes)
    return as_tensor(x) if isinstance(x, np.ndarray) else x


def _mapped(x: Any, function: Callable) -> Any:
    """The same kind of container with what the function makes of the items."""
    if isinstance(x, dict):
        return {name: function(item) for name, item in x.items()}
    make = getattr(x, "_make", type(x))  # that of a named tuple
    return make(map(function, x))


def _plain(x: Any) -> Any:
    return x._data if isinstance(x, Node) else x


def _hand_back(given: list[Any], grads: dict[int, Any]) -> None:
    """Add the gradients of the function's own inputs to those of the arguments."""
    for i, g in grads.items():
        if not getattr(given[i], "_requires_grad", False):
            continue  # the function itself asked for this one
        with engine._lock, engine.no_grad():
            engine._accumulate(given[i], given[i]._plain_grad(g))


class _Hole:
    """Stands for an output in a returned structure."""


_CONSTANTS = (type(None), bool, int, float, complex, str, bytes, np.generic, np.ndarray)


def _shape_of(x: Any, outputs: list[Any]) -> Any:
    """The returned structure with holes for its nodes, which are added to outputs."""
    if isinstance(x, (tuple, list, dict)):
        return _mapped(x, lambda item: _shape_of(item, outputs))
    if isinstance(x, Node):
        outputs.append(x)
        return _Hole
    if not isinstance(x, _CONSTANTS):
        raise TypeError("a jitted function returns Tensors, Values, plain numbers and tuples, "
                        f"lists and dicts of them, or None; got {type(x).__name__}")
    return x


def _filled(shape: Any, results: Iterator[Any]) -> Any:
    """The structure with the results in its holes, as nodes."""
    if isinstance(shape, (tuple, list, dict)):
        return _mapped(shape, lambda item: _filled(item, results))
    if shape is _Hole:
        return _node(next(results))
    return shape


def _node(result: Any) -> Any:
    """A result as a Value or a Tensor."""
    return engine.kinds[type(result)](result, [result])

"""Tensor: one NumPy array in the graph.

It imports the engine and the ops. Array methods have NumPy's names and keywords.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import engine, functions, ops
from .engine import Node, kinds, mark_changed, refuse_to_read
from .ops import Operators

__all__ = ["Tensor", "as_tensor"]

_FLOAT64 = np.dtype(np.float64)
_DEFAULT = np.dtype(np.float32)


def _in_place(function: Callable) -> Callable:
    """The method behind ``t += other`` and its like: t <- function(t, other).

    It writes into the memory of t, unless a graph records the change.
    """
    def method(self: Tensor, other: Any) -> Any:
        other = ops.as_operand(other, self)
        if other is NotImplemented:
            return NotImplemented
        if self._joins_graph(other):
            old = self._before()
            self._become(function(old, old if other is self else other), old)
        else:
            self._write(function(self.detach(), other))
        return self

    return method


class Tensor(Operators):
    """An array that remembers how it was computed.

    Args:
        data: numbers in any form that NumPy takes, or a node; always copied.
        dtype: left out, an array keeps its dtype, and Python floats become float32.
        requires_grad: whether `backward` gives it a gradient; floating dtypes only.

    ``.grad`` is None before the first sweep, then a Tensor of the same shape and dtype.
    Numbers changed through ``.data`` or ``.numpy()`` are not noticed by a recorded graph;
    changes made through the Tensor (``t += 1``, ``t[0] = 1``, an optimizer) are.

    Raises:
        TypeError: if `data` or `dtype` is not of real numbers.
        RuntimeError: if an integer or boolean Tensor is to require a gradient.
    """

    # _changed is a cell shared with every view: when the numbers last changed in place
    __slots__ = ("_changed", "_is_view", "_past")
    _rank = 1

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        array = _as_array(data, dtype)
        shared = array is data or array.base is not None or isinstance(data, Node)
        self._data = array.copy() if shared or not array.flags.c_contiguous else array
        self._grad = None
        self._requires_grad = False
        self._hooks = None
        self._maker = None
        self._changed = [0]
        self._is_view = False
        self._past = None
        if engine._mode.tracer is not None:
            engine._mode.tracer.created(self)
        if requires_grad:
            self.requires_grad = True

    # ---- what the engine asks of a kind ------------------------------------------------

    @staticmethod
    def _wrap(data: Any, inputs: Any = ()) -> Tensor:
        """A node around the result of an op on `inputs`, sharing memory with `data`.

        A float64 result that came from no float64 array (of integers and numbers, say)
        becomes float32, the default; but in a sweep, where `_fit` will see to it.
        """
        if type(data) is not np.ndarray:
            data = np.asarray(data)
        if data.dtype is _FLOAT64 and not (_any_float64(inputs) or engine._mode.sweeping):
            data = data.astype(_DEFAULT)
        node = _new(Tensor)
        node._data = data
        node._grad = None
        node._requires_grad = False
        node._hooks = None
        node._maker = None
        node._changed = [0]
        node._is_view = False
        node._past = None
        return node

    def _share_changes(self, source: Any) -> None:
        """Be a view of the source: what changes one in place has changed the other."""
        if isinstance(source, Tensor) and np.may_share_memory(self._data, source._data):
            self._changed = source._changed
            self._is_view = True

    def _one(self) -> np.ndarray:
        if self._data.size != 1:
            raise RuntimeError(
                "grad can be implicitly created only for scalar outputs; got shape "
                f"{self._data.shape}. Reduce it with sum() or mean(), or pass gradient=")
        return np.ones_like(self._data)

    def _zero(self) -> np.ndarray:
        return np.zeros_like(self._data)

    def _plain_grad(self, g: Any) -> np.ndarray:
        g = np.array(g._data if isinstance(g, Node) else g, dtype=self._data.dtype)
        if g.shape != self._data.shape:
            raise RuntimeError(f"expected a gradient of shape {self._data.shape}; "
                               f"got {g.shape}")
        return g

    def _fit(self, g: Any) -> Any:
        """The gradient g, array or node, in this node's shape and dtype."""
        own = self._data
        if not isinstance(g, (np.ndarray, Node)):
            g = np.asarray(g, own.dtype)
        data = g._data if isinstance(g, Node) else g
        if isinstance(data, float):
            return g * np.ones_like(own)
        if data.shape != own.shape:
            g = ops.sum_to(g, own.shape)
        return g if data.dtype == own.dtype else ops.astype(g, own.dtype)

    def _own(self, g: Any, borrowed: bool) -> Any:
        """A contiguous gradient that no one else holds."""
        data = g._data if isinstance(g, Node) else g
        if borrowed or data.base is not None or not data.flags.c_contiguous:
            return ops.copy(g)
        return g

    def _public(self, g: Any) -> Tensor:
        return g if isinstance(g, Tensor) else Tensor._wrap(g, [self._data])

    # ---- the numbers and their gradient ------------------------------------------------

    @property
    def data(self) -> np.ndarray:
        """The array itself. Assigning copies the numbers into a new array of this dtype."""
        refuse_to_read(".data")
        return self._data

    @data.setter
    def data(self, numbers: Any) -> None:
        refuse_to_read("assigning .data")
        array = np.array(numbers, dtype=self._data.dtype, order="C")
        if array.shape != self._data.shape:
            raise ValueError(f"expected data of shape {self._data.shape}; got {array.shape}")
        self._data = array
        engine.turned()
        if self._maker is not None:
            mark_changed(self._changed)  # rules may read the old result

    @property
    def grad(self) -> Tensor | None:
        """dL/dself, summed over all sweeps since it was last cleared; None before."""
        if engine._mode.tracer is not None:
            engine._mode.tracer.finds(self)
        return self._grad

    @grad.setter
    def grad(self, g: Any) -> None:
        if engine._mode.tracer is not None:
            engine._mode.tracer.clears(self)
        if g is None:
            self._grad = None
            return
        array = g._data if isinstance(g, Tensor) else np.asarray(g)
        if array.shape != self._data.shape:
            raise RuntimeError(f"expected a gradient of shape {self._data.shape}; "
                               f"got {array.shape}")
        same = isinstance(g, Tensor) and array.dtype == self._data.dtype
        self._grad = g if same else Tensor(array, dtype=self._data.dtype)

    @property
    def requires_grad(self) -> bool:
        """Whether `backward` gives this node a gradient; may be set on a leaf."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if self._maker is not None:
            raise RuntimeError("you can only change requires_grad of leaf Tensors; use "
                               "detach() for a Tensor that stands outside the graph")
        if flag and self._data.dtype.kind != "f":
            raise RuntimeError("only Tensors of floating point dtype can require gradients; "
                               f"got {self._data.dtype}. Convert it with astype('float32')")
        self._requires_grad = bool(flag)
        engine.turned()

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` and return the Tensor itself."""
        self.requires_grad = requires_grad
        return self

    def detach(self) -> Tensor:
        """The same memory, outside the graph."""
        if engine._mode.tracer is not None:
            engine._mode.tracer.seen(self)
        new = Tensor._wrap(self._data, [self._data])
        new._share_changes(self)
        return new

    # ---- as an array -------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """How many elements there are."""
        return self._data.size

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype."""
        return self._data.dtype

    @property
    def T(self) -> Tensor:
        """The Tensor with its axes in reverse order."""
        return ops.transpose(self)

    def numpy(self) -> np.ndarray:
        """The array itself, sharing memory."""
        refuse_to_read("numpy()")
        return self._data

    def item(self) -> Any:
        """The only element, as a Python number.

        Raises:
            ValueError: if there is not exactly one.
        """
        refuse_to_read("item(), float() or int()")
        if self._data.size != 1:
            raise ValueError("only a Tensor of one element can be converted to a Python "
                             f"number; got shape {self._data.shape}")
        return self._data.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        refuse_to_read("tolist()")
        return self._data.tolist()

    def astype(self, dtype: Any) -> Tensor:
        """The Tensor in another dtype; gradients flow between floating dtypes only."""
        dtype = _checked_dtype(dtype)
        convert = ops.astype if dtype.kind == "f" else ops._as_integers
        return convert(self, dtype=dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        refuse_to_read("an array made of a Tensor")
        return np.array(self._data, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None,
                        **options: Any) -> Any:
        """NumPy's own functions on a Tensor: ``np.exp(t)``, ``array * t``, ``array -= t``.

        The op of that name takes over, and gradients flow; given an array to write into,
        NumPy works on the plain numbers.
        """
        if out is not None:
            refuse_to_read(f"np.{ufunc.__name__}() into an array")
            plain = [x._data if isinstance(x, Node) else x for x in inputs]
            return getattr(ufunc, method)(*plain, out=out, **options)
        function = _NUMPY_FUNCTIONS.get(ufunc)
        if function is None or options or method != "__call__":
            return NotImplemented
        operands = [ops.as_operand(x, self) for x in inputs]
        if any(x is NotImplemented for x in operands):
            return NotImplemented
        return function(*operands)

    def __len__(self) -> int:
        if not self._data.ndim:
            raise TypeError("len() of a 0-d Tensor")
        return len(self._data)

    def __iter__(self) -> Iterator[Tensor]:
        if not self._data.ndim:
            raise TypeError("iteration over a 0-d Tensor")
        return (self[i] for i in range(len(self._data)))

    def __contains__(self, number: Any) -> bool:
        refuse_to_read("the operator 'in'")
        return bool((self._data == np.asarray(number)).any())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        refuse_to_read("an index made of a Tensor")
        if self._data.dtype.kind not in "iu" or self._data.size != 1:
            raise TypeError("only an integer Tensor of one element can be an index; got "
                            f"{self._data.dtype}, shape {self._data.shape}")
        return int(self._data.item())

    def __bool__(self) -> bool:
        refuse_to_read("a branch on a Tensor")
        if self._data.size != 1:
            raise ValueError("the truth value of a Tensor with other than one element is "
                             f"ambiguous; got shape {self._data.shape}")
        return bool(self._data.item())

    def __repr__(self) -> str:
        refuse_to_read("a Tensor as text")
        numbers = np.array2string(self._data, separator=", ", prefix="Tensor(")
        numbers += f", shape={self.shape}" if self.size == 0 and self.shape != (0,) else ""
        dtype = "" if self._data.dtype in (_DEFAULT, np.int64, bool) else \
            f", dtype={self._data.dtype}"
        history = f", op={self.op_name}" if self.op_name else \
            ", requires_grad=True" if self._requires_grad else ""
        return f"Tensor({numbers}{dtype}{history})"

    # ---- operators beyond arithmetic ---------------------------------------------------

    __matmul__ = ops._operator(ops.matmul)
    __rmatmul__ = ops._operator(ops.matmul, reflected=True)
    __lt__ = ops._operator(ops.less)
    __le__ = ops._operator(ops.less_equal)
    __gt__ = ops._operator(ops.greater)
    __ge__ = ops._operator(ops.greater_equal)
    __eq__ = ops._operator(ops.equal)
    __ne__ = ops._operator(ops.not_equal)
    __hash__ = object.__hash__  # by identity, so that Tensors can be dict keys

    __and__ = ops._operator(ops._and)
    __rand__ = ops._operator(ops._and, reflected=True)
    __or__ = ops._operator(ops._or)
    __ror__ = ops._operator(ops._or, reflected=True)

    def __invert__(self) -> Tensor:
        return ops._invert(self)

    def __getitem__(self, index: Any) -> Tensor:
        return ops.getitem(self, index=_plain_index(index))

    # ---- changes in place --------------------------------------------------------------

    def __setitem__(self, index: Any, value: Any) -> None:
        index = _plain_index(index)
        value = ops.as_operand(value, self)
        if value is NotImplemented:
            raise TypeError("a Tensor takes numbers, arrays and nodes as elements; join nodes "
                            "in one with tg.stack first")
        if not self._joins_graph(value):
            self._data[index] = value._data if isinstance(value, Node) else value
            self._written(index, value)
            return
        if self._is_view:
            raise RuntimeError("cannot assign into a view that takes part in a graph; "
                               "assign through the Tensor that it was taken from")
        old = self._before()
        self._become(ops._setitem(old, old if value is self else value, index=index), old)

    __iadd__ = _in_place(ops.add)
    __isub__ = _in_place(ops.subtract)
    __imul__ = _in_place(ops.multiply)
    __itruediv__ = _in_place(ops.divide)
    __ipow__ = _in_place(ops.power)

    def _joins_graph(self, other: Any) -> bool:
        """Whether a change of self by other must be recorded; RuntimeError on a leaf."""
        if not engine._mode.recording:
            return False
        if self._requires_grad and self._maker is None:
            raise RuntimeError("a leaf Tensor that requires grad is being used in an "
                               "in-place operation; do it under no_grad()")
        return self._requires_grad or (isinstance(other, Node) and other._requires_grad)

    def _before(self) -> Tensor:
        """A node with self's array and history, to stand for what self was till now."""
        old = Tensor._wrap(self._data, [self._data])
        old._inherit(self)
        old._changed = self._changed
        old._past = self._past
        return old

    def _become(self, new: Tensor, old: Tensor) -> None:
        """Take over array and history of `new`; what self was lives on in `old`.

        The old array is left as it is: rules and views that hold it stay right.
        """
        if engine._mode.tracer is not None:
            engine._mode.tracer.becomes(self)
        if self._data.dtype.kind != "f":
            raise TypeError("an in-place operation with a gradient expects a Tensor of "
                            f"floating point dtype; got {self._data.dtype}")
        self._check_result(new._data)
        if new._data.dtype != self._data.dtype:
            new = ops.astype(new, dtype=self._data.dtype)
        engine.replace_in_history(new, self, old)
        self._changed = [0]
        mark_changed(self._changed)
        self._is_view = False
        self._past = old
        engine.turned()
        old._hooks, self._hooks = engine.split_hooks(self._hooks)
        self._data = new._data
        self._inherit(new)
        self._birth = engine.now()

    def _write(self, new: Tensor) -> None:
        self._check_result(new._data)
        np.copyto(self._data, new._data)
        self._written(..., new)

    def _written(self, index: Any, numbers: Any) -> None:
        """Say that numbers were written in place."""
        mark_changed(self._changed)
        if engine._mode.tracer is not None:
            engine._mode.tracer.wrote(self, index, numbers)

    def _check_result(self, result: np.ndarray) -> None:
        """Raise if the result of an in-place operation does not fit into self."""
        if result.shape != self._data.shape:
            raise ValueError("an in-place operation expects a result of shape "
                             f"{self._data.shape}; got {result.shape}")
        if not np.can_cast(result.dtype, self._data.dtype, "same_kind"):
            raise TypeError(f"an in-place operation expects a result that fits into "
                            f"{self._data.dtype}; got {result.dtype}")

    # ---- functions ---------------------------------------------------------------------

    exp = ops.exp
    log = ops.log
    log1p = ops.log1p
    sqrt = ops.sqrt
    abs = ops.abs
    sin = ops.sin
    cos = ops.cos
    tanh = ops.tanh
    sigmoid = ops.sigmoid
    relu = ops.relu
    clip = ops.clip
    sum = ops.sum
    mean = ops.mean
    var = functions.var
    std = functions.std
    max = ops.max
    min = ops.min
    argmax = ops.argmax
    argmin = ops.argmin
    prod = functions.prod
    cumsum = ops.cumsum
    logsumexp = ops.logsumexp
    softmax = ops.softmax
    log_softmax = ops.log_softmax
    swapaxes = ops.swapaxes
    squeeze = ops.squeeze
    expand_dims = ops.expand_dims
    broadcast_to = ops.broadcast_to
    flatten = functions.flatten
    take = functions.take

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape, given as numbers or as one tuple."""
        return ops.reshape(self, shape=unpacked(shape))

    def transpose(self, *axes: Any) -> Tensor:
        """The axes in another order, given as numbers or as one tuple; reversed if none."""
        return ops.transpose(self, axes=unpacked(axes) if axes else None)


_new = Tensor.__new__


_NUMPY_FUNCTIONS: dict[Any, Callable] = {
    **{getattr(np, name): getattr(ops, name)
       for name in ("abs", "add", "cos", "divide", "equal", "exp", "greater", "greater_equal",
                    "less", "less_equal", "log", "log1p", "matmul", "maximum", "minimum",
                    "multiply", "negative", "not_equal", "power", "sign", "sin", "sqrt",
                    "subtract", "tanh")},
    np.bitwise_and: ops._and,
    np.bitwise_or: ops._or,
}


def unpacked(arguments: tuple) -> Any:
    """``f(2, 3)`` and ``f((2, 3))`` mean the same."""
    return arguments[0] if len(arguments) == 1 else arguments


def _any_float64(inputs: Any) -> bool:
    return builtins.any(isinstance(x, np.ndarray) and x.dtype == _FLOAT64 for x in inputs)


def _plain_index(index: Any) -> Any:
    """An index without nodes and lists: arrays in their place."""
    if isinstance(index, tuple):
        return tuple(_plain_part(part) for part in index)
    return _plain_part(index)


def _plain_part(part: Any) -> Any:
    """One part of an index; arrays are copied, for the graph will read them later."""
    if part is None or part is Ellipsis or isinstance(part, (slice, int, np.integer)):
        return part
    if isinstance(part, Node):
        engine.refuse_to_replay("an index made of a Tensor", "it is read once, as an array; "
                                "use nn.functional.embedding for rows, or where")
    array = np.array(part)
    return array if array.size else array.astype(bool if array.dtype == bool else np.intp)


def _checked_dtype(dtype: Any) -> np.dtype:
    """The dtype in native byte order; TypeError unless its numbers are real."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "biuf":
        raise TypeError("Tensor expects booleans, integers or floating point numbers; "
                        f"got dtype {dtype}")
    return dtype.newbyteorder("=")


def _as_array(data: Any, dtype: Any = None) -> np.ndarray:
    """An array of a dtype that a Tensor may have; shared with `data` where possible."""
    if isinstance(data, Node):
        refuse_to_read("a Tensor made of a node")
        data = data._data
    array = np.asarray(data)
    if dtype is None:
        given = isinstance(data, (np.ndarray, np.generic)) or hasattr(data, "__array__")
        dtype = array.dtype if given or array.dtype != _FLOAT64 else _DEFAULT
    return np.asarray(array, dtype=_checked_dtype(dtype))


def as_tensor(data: Any, dtype: Any = None) -> Tensor:
    """A Tensor as it is; anything else as a Tensor that shares memory where possible.

    Args:
        data: numbers in any form that NumPy takes.
        dtype: as in `Tensor`.

    Raises:
        TypeError: if `data` is not of real numbers.
    """
    if isinstance(data, Tensor) and dtype in (None, data._data.dtype):
        return data
    array = _as_array(data, dtype)
    node = Tensor._wrap(array, [array])
    if engine._mode.tracer is not None:
        engine._mode.tracer.borrowed(node)
    return node


kinds[np.ndarray] = Tensor._wrap

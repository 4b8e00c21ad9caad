"""Value: one Python float in the graph, a superset of micrograd's class of that name.

It imports the engine and the ops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import ops
from .engine import Node, _mode, kinds, no_grad, refuse_to_read, refuse_to_replay, turned
from .ops import Operators

__all__ = ["Value"]


class Value(Operators):
    """A float that remembers how it was computed.

    Args:
        data: a number; a Python float is kept.
        requires_grad: whether `backward` gives it a gradient.

    Every Value of a graph keeps its gradient, leaf or not, so that each step of the chain
    rule can be read. ``.grad`` is a float and 0.0 before the first sweep; only after
    ``backward(create_graph=True)`` it is a Value, which can be differentiated again. The
    nodes behind a result, ``_prev`` in micrograd, are there until a sweep frees the graph;
    ``backward(retain_graph=True)`` keeps them.

    Raises:
        TypeError: if `data` is not a number.
    """

    __slots__ = ()
    __array_ufunc__ = None  # so that NumPy leaves `array * value` to the Value
    _fitting = float
    _keeps_grad = True

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        self._data = _as_float(data)
        self._grad = None
        self._requires_grad = bool(requires_grad)
        self._hooks = None
        self._maker = None
        if _mode.tracer is not None:
            _mode.tracer.created(self)

    # ---- what the engine asks of a kind ------------------------------------------------

    @staticmethod
    def _ieee(number: Any) -> Any:
        return np.float64(number)

    @staticmethod
    def _wrap(data: Any, _inputs: Any = None) -> Value:
        """A node around the result of an op; its number becomes a Python float."""
        node = _new(Value)
        node._data = data if type(data) is float else float(data)
        node._grad = None
        node._requires_grad = False
        node._hooks = None
        node._maker = None
        return node

    def _one(self) -> float:
        return 1.0

    def _zero(self) -> float:
        return 0.0

    def _plain_grad(self, g: Any) -> float:
        return _as_float(g)

    def _fit(self, g: Any) -> Any:
        """A float from a float or an array, or a Value from a node."""
        if isinstance(g, float):  # one of NumPy's is
            return float(g)
        return g if isinstance(g, Value) else ops.to_scalar(g)

    def _own(self, g: Any, _borrowed: bool) -> Any:
        return g

    def _public(self, g: Any) -> Any:
        return g

    # ---- the number and its gradient ---------------------------------------------------

    @property
    def data(self) -> float:
        """The number, a Python float; may be assigned on a leaf.

        A graph recorded earlier keeps the old number.
        """
        refuse_to_replay(".data", _NO_DATA)
        return self._data

    @data.setter
    def data(self, number: Any) -> None:
        if self._maker is not None:
            raise RuntimeError(f"only a leaf may be given a new number; this Value is the "
                               f"result of '{self.op_name}': use detach()")
        refuse_to_replay("assigning .data", _NO_DATA)
        self._data = _as_float(number)

    @property
    def grad(self) -> Any:
        """dL/dself, summed over all sweeps since it was last set to 0."""
        if _mode.tracer is not None:
            _mode.tracer.finds(self)
        return 0.0 if self._grad is None else self._grad

    @grad.setter
    def grad(self, g: Any) -> None:
        if _mode.tracer is not None:
            _mode.tracer.clears(self)
        self._grad = g if g is None or isinstance(g, Value) else _as_float(g)

    @property
    def requires_grad(self) -> bool:
        """Whether `backward` gives this node a gradient; may be set on a leaf."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if self._maker is not None:
            raise RuntimeError("you can only change requires_grad of leaf nodes; use "
                               "detach() for a Value that stands outside the graph")
        self._requires_grad = bool(flag)
        turned()

    def detach(self) -> Value:
        """The same number outside the graph."""
        if _mode.tracer is not None:
            with no_grad():
                return self * 1.0
        return Value(self._data, requires_grad=False)

    def item(self) -> float:
        """The number."""
        refuse_to_read("item()")
        return self._data

    # ---- functions ---------------------------------------------------------------------

    exp = ops.exp
    log = ops.log
    sqrt = ops.sqrt
    sin = ops.sin
    cos = ops.cos
    tanh = ops.tanh
    sigmoid = ops.sigmoid
    relu = ops.relu
    abs = ops.abs

    # ---- as a number -------------------------------------------------------------------

    def __float__(self) -> float:
        refuse_to_read("float()")
        return self._data

    def __int__(self) -> int:
        refuse_to_read("int()")
        return int(self._data)

    def __bool__(self) -> bool:
        refuse_to_read("a branch on a Value")
        return self._data != 0.0

    def __lt__(self, other: Any) -> Any:
        return _compare(self, other, ops.less)

    def __le__(self, other: Any) -> Any:
        return _compare(self, other, ops.less_equal)

    def __gt__(self, other: Any) -> Any:
        return _compare(self, other, ops.greater)

    def __ge__(self, other: Any) -> Any:
        return _compare(self, other, ops.greater_equal)

    def __eq__(self, other: Any) -> Any:
        return _compare(self, other, ops.equal)

    def __ne__(self, other: Any) -> Any:
        return _compare(self, other, ops.not_equal)

    __hash__ = object.__hash__  # by identity, so that Values can stand in sets and dicts

    def __repr__(self) -> str:
        refuse_to_read("a Value as text")
        return f"Value(data={self._data}, grad={self.grad})"

    # ---- micrograd's names -------------------------------------------------------------

    @property
    def _prev(self) -> tuple[Node, ...]:
        return self.parents

    @property
    def _op(self) -> str:
        return self.op_name


_new = Value.__new__
_NO_DATA = ("a replay neither gives nor takes single numbers; return them, use ops, or let an "
            "optimizer such as tg.optim.SGD update parameters")


def _as_float(number: Any) -> float:
    """The number as a float, or TypeError."""
    if type(number) is float:
        return number
    real = hasattr(number, "__float__") and not isinstance(number, np.complexfloating)
    if not real or isinstance(number, (str, bytes, np.ndarray)):
        raise TypeError(f"Value expects a number; got {type(number).__name__}. For arrays "
                        "use Tensor")
    return float(number)


def _compare(value: Value, other: Any, compare: Any) -> Any:
    """A bool for two numbers; a boolean Tensor if the other is an array.

    While a function is recorded, a bool is a Value too: 1.0 or 0.0, as in a product.
    """
    other = ops.as_operand(other, value)
    if other is NotImplemented:
        return other
    if _mode.tracer is not None:
        return compare(value, other)
    if isinstance(other, Value):
        return bool(compare(value._data, other._data))
    if isinstance(other, (int, float)):
        return bool(compare(value._data, other))
    return compare(value, other)


kinds[float] = Value._wrap

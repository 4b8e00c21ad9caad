"""The table of operations: each one its result, and one gradient rule per input.

The form is explained at the head of `engine`. Rules use operators and ops only, never
``np.`` functions on their arguments, for they run on plain data and on nodes alike. Every op
returns plain data when it is given plain data only.

It imports the engine, the kernels and NumPy, never a skin: one table serves `Value` and
`Tensor`. Gradients where a function has a kink are listed in docs/gradients.md.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np

from . import kernels
from .engine import Node, apply, op

__all__ = [
    "abs", "add", "argmax", "argmin", "broadcast_to", "clip", "cos", "cumsum",
    "divide", "exp", "expand_dims", "flip", "log", "log1p",
    "log_softmax", "logsumexp", "matmul", "max", "maximum", "mean", "min", "minimum",
    "multiply", "negative", "pad", "power", "relu", "reshape", "sigmoid", "sign",
    "sin", "softmax", "sqrt", "squeeze", "subtract", "sum",
    "swapaxes", "tanh", "transpose", "where",
]

# ---- arithmetic ----------------------------------------------------------------------


@op(lambda g, *_: g,
    lambda g, *_: g)
def add(a, b):
    """y = a + b, element by element."""
    return a + b


@op(lambda g, *_: g,
    lambda g, *_: -g)
def subtract(a, b):
    """y = a - b, element by element."""
    return a - b


@op(lambda g, _y, _a, b: g * b,
    lambda g, _y, a, _b: g * a)
def multiply(a, b):
    """y = a * b, element by element."""
    return a * b


@op(lambda g, _y, _a, b: g / b,
    lambda g, y, _a, b: -g * y / b)
def divide(a, b):
    """y = a / b, element by element; division by zero gives inf or nan."""
    return a / b


@op(lambda g, *_: -g)
def negative(a):
    """y = -a."""
    return -a


def _power_base(g, _y, a, b):
    """g b a^(b-1), and 0 where b = 0, whatever a is."""
    if isinstance(b, (int, float)):
        return g * (b * power(a, b - 1)) if b else g * 0.0
    flat = b == 0
    return g * b * power(where(flat, 1.0, a), where(flat, 1.0, b - 1))


def _power_exponent(g, y, a, b):
    """g y log a, and 0 where a = 0 and b >= 0."""
    flat = (a == 0) * (b >= 0)
    return where(flat, 0.0, g * y * log(where(flat, y * 0.0 + 1.0, a)))


@op(_power_base, _power_exponent)
def power(a, b):
    """y = a ** b, element by element; 0 ** 0 is 1, a negative a needs an integer b."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return a ** b
    return np.power(a, b)


@op(lambda g, _y, a: g * sign(a))
def abs(a):
    """y = |a|; the gradient at 0 is 0."""
    return np.abs(a)


@op(None)
def sign(a):
    """y = -1, 0 or 1; no gradient."""
    return np.sign(a)


# ---- elementary functions ------------------------------------------------------------


def _floating(a):
    """Integers as float32; of small ones NumPy would make float16."""
    if isinstance(a, np.ndarray) and a.dtype.kind != "f":
        return a.astype(np.float32)
    return a


@op(lambda g, y, _a: g * y)
def exp(a):
    """y = e ** a."""
    return np.exp(_floating(a))


@op(lambda g, _y, a: g / a)
def log(a):
    """y = ln a."""
    return np.log(_floating(a))


@op(lambda g, _y, a: g / (1 + a))
def log1p(a):
    """y = ln(1 + a), exact for small a."""
    return np.log1p(_floating(a))


@op(lambda g, y, _a: g / (2 * y))
def sqrt(a):
    """y = the square root of a; the gradient at 0 is inf."""
    return np.sqrt(_floating(a))


@op(lambda g, _y, a: g * cos(a))
def sin(a):
    """y = sin a."""
    return np.sin(_floating(a))


@op(lambda g, _y, a: -g * sin(a))
def cos(a):
    """y = cos a."""
    return np.cos(_floating(a))


@op(lambda g, y, _a: g * (1 - y * y))
def tanh(a):
    """y = tanh a."""
    return np.tanh(_floating(a))


@op(lambda g, y, _a: g * y * (1 - y))
def sigmoid(a):
    """y = 1 / (1 + e ** -a), without overflow at any a."""
    a = _floating(a)
    return np.exp(np.minimum(a, 0)) / (1 + np.exp(-np.abs(a)))


# Fewer numbers than that are NumPy's at once, in relu: nothing else starts up as fast.
_FEW = 4096


@op(lambda g, y, _a: _relu_slope(g, y))
def relu(a):
    """y = a where a > 0, else 0; the gradient at 0 is 0."""
    return np.maximum(a, 0) if getattr(a, "size", 1) < _FEW else kernels.body().relu(a)


@op(lambda g, _d, _g, y: _relu_slope(g, y), None)
def _relu_slope(g, y):
    """d = g * (y > 0): the gradient of y = relu(a), given g.

    It is a product, since NumPy's where takes up to ten times as long; inf * 0 is nan, though.
    """
    return g * (y > 0) if getattr(y, "size", 1) < _FEW else kernels.body().relu_slope(g, y)


# ---- comparison and choice -----------------------------------------------------------


@op(None, None)
def equal(a, b):
    """y = (a == b), element by element; no gradient."""
    return np.equal(a, b)


@op(None, None)
def not_equal(a, b):
    """y = (a != b), element by element; no gradient."""
    return np.not_equal(a, b)


@op(None, None)
def less(a, b):
    """y = (a < b), element by element; no gradient."""
    return np.less(a, b)


@op(None, None)
def less_equal(a, b):
    """y = (a <= b), element by element; no gradient."""
    return np.less_equal(a, b)


@op(None, None)
def greater(a, b):
    """y = (a > b), element by element; no gradient."""
    return np.greater(a, b)


@op(None, None)
def greater_equal(a, b):
    """y = (a >= b), element by element; no gradient."""
    return np.greater_equal(a, b)


@op(None, None)
def _and(a, b):
    """y = a and b, bit by bit; no gradient."""
    return np.bitwise_and(a, b)


@op(None, None)
def _or(a, b):
    """y = a or b, bit by bit; no gradient."""
    return np.bitwise_or(a, b)


@op(None)
def _invert(a):
    """y = not a, bit by bit; no gradient."""
    return np.invert(a)


def _share_of_larger(g, larger, equal):
    """g where this input is the larger, half of it in a tie, else 0."""
    return where(equal, g * 0.5, where(larger, g, 0.0))


@op(lambda g, _y, a, b: _share_of_larger(g, a > b, a == b),
    lambda g, _y, a, b: _share_of_larger(g, b > a, a == b))
def maximum(a, b):
    """y = the larger of a and b, element by element; a tie shares the gradient evenly."""
    return np.maximum(a, b)


@op(lambda g, _y, a, b: _share_of_larger(g, a < b, a == b),
    lambda g, _y, a, b: _share_of_larger(g, b < a, a == b))
def minimum(a, b):
    """y = the smaller of a and b, element by element; a tie shares the gradient evenly."""
    return np.minimum(a, b)


@op(None,
    lambda g, _y, condition, _a, _b: where(condition, g, 0.0),
    lambda g, _y, condition, _a, _b: where(condition, 0.0, g))
def where(condition, a, b):
    """y = a where the condition holds, else b.

    The branch not taken has the gradient 0; yet 0 * inf is nan, so guard its *argument* with
    a second `where` if its own derivative is infinite there.
    """
    y = np.where(condition, a, b)
    return y if y.ndim else y[()]


def _inside(a, min, max):
    """Whether min <= a <= max, either of which may be None."""
    above = True if min is None else a >= min
    below = True if max is None else a <= max
    return above * below


def _constant(x):
    """A bound, through which no gradient flows, safe from later change."""
    if not isinstance(x, Node):
        return x
    if x._requires_grad:
        raise RuntimeError("the bounds of clip are constants, and this one requires grad; use "
                           "minimum and maximum, or detach() it")
    return copy(x) if isinstance(x._data, np.ndarray) else x


@op(lambda g, _y, a, min, max: where(_inside(a, min, max), g, 0.0), None, None)
def _clip(a, min, max):
    """y = a held between bounds, through which no gradient flows."""
    return np.clip(a, min, max)


def clip(a, min=None, max=None):
    """y = a held between min and max; the gradient is 1 inside and on the bounds, else 0.

    Args:
        min, max: numbers or arrays, constant; None for no bound.
    """
    return _clip(a, _constant(min), _constant(max))


# ---- reductions ----------------------------------------------------------------------


def _restore(g, axis, keepdims):
    """Give a reduced g its axes back, each of length 1."""
    if keepdims or axis is None:
        return g
    return expand_dims(g, axis=axis)


def _count(a, axis):
    """How many elements of a one sum over the axis takes in."""
    shape = np.shape(a)
    if axis is None:
        return math.prod(shape)
    axes = axis if isinstance(axis, tuple) else (axis,)
    return math.prod(shape[i] for i in axes)


@op(lambda g, _y, _a, axis, keepdims:
        broadcast_to(_restore(g, axis, keepdims), np.shape(_a)))
def sum(a, axis=None, keepdims=False):
    """y = the sum over an axis, several, or all."""
    return np.add.reduce(a, axis=axis, keepdims=keepdims)


@op(lambda g, _y, _a, axis, keepdims:
        broadcast_to(_restore(g, axis, keepdims) / builtins.max(_count(_a, axis), 1),
                     np.shape(_a)))
def mean(a, axis=None, keepdims=False):
    """y = the arithmetic mean over an axis, several, or all; nan over no element."""
    return np.add.reduce(a, axis=axis, keepdims=keepdims) / (_count(a, axis) or math.nan)


def _share_of_extreme(g, y, a, axis, keepdims):
    """g at the elements that equal the result, divided evenly among them."""
    hit = a == _restore(y, axis, keepdims)
    return _restore(g, axis, keepdims) * hit / sum(hit, axis=axis, keepdims=True)


@op(_share_of_extreme)
def max(a, axis=None, keepdims=False):
    """y = the largest element; equal ones share the gradient evenly."""
    return np.maximum.reduce(a, axis=axis, keepdims=keepdims)


@op(_share_of_extreme)
def min(a, axis=None, keepdims=False):
    """y = the smallest element; equal ones share the gradient evenly."""
    return np.minimum.reduce(a, axis=axis, keepdims=keepdims)


@op(None)
def argmax(a, axis=None, keepdims=False):
    """y = the index of the first largest element; no gradient."""
    return np.argmax(a, axis=axis, keepdims=keepdims)


@op(None)
def argmin(a, axis=None, keepdims=False):
    """y = the index of the first smallest element; no gradient."""
    return np.argmin(a, axis=axis, keepdims=keepdims)


@op(lambda g, _y, _a, axis:
        reshape(flip(cumsum(flip(g, axis=axis), axis=axis), axis=axis), np.shape(_a)))
def cumsum(a, axis=None):
    """y[i] = a[0] + ... + a[i] along an axis; over the flattened a for None."""
    return np.cumsum(a, axis=axis)


@op(lambda g, y, a, axis, keepdims:
        _restore(g, axis, keepdims) * exp(a - _restore(y, axis, keepdims)))
def logsumexp(a, axis=None, keepdims=False):
    """y = ln of the sum of e ** a, without overflow."""
    a = _floating(a)
    peak = np.maximum.reduce(a, axis=axis, keepdims=True)
    peak = np.where(np.isfinite(peak), peak, 0)
    total = np.add.reduce(np.exp(a - peak), axis=axis, keepdims=keepdims)
    return np.log(total) + (peak if keepdims else np.squeeze(peak, axis=axis))


@op(lambda g, y, _a, axis: y * (g - sum(g * y, axis=axis, keepdims=True)))
def softmax(a, axis=-1):
    """y = e ** a / (the sum of e ** a over the axis), without overflow."""
    a = _floating(a)
    e = np.exp(a - np.maximum.reduce(a, axis=axis, keepdims=True, initial=-np.inf))
    e /= np.add.reduce(e, axis=axis, keepdims=True)
    return e


@op(lambda g, y, _a, axis: g - exp(y) * sum(g, axis=axis, keepdims=True))
def log_softmax(a, axis=-1):
    """y = ln(softmax(a)), without overflow."""
    a = _floating(a)
    shifted = a - np.maximum.reduce(a, axis=axis, keepdims=True, initial=-np.inf)
    if shifted.size:
        shifted -= np.log(np.add.reduce(np.exp(shifted), axis=axis, keepdims=True))
    return shifted


# ---- shape ---------------------------------------------------------------------------


@op(lambda g, _y, _a, shape: reshape(g, np.shape(_a)), view=True)
def reshape(a, shape):
    """y = the same elements in another shape; one length may be -1."""
    return np.reshape(a, shape)


def _inverse(axes):
    """The order of axes that undoes another."""
    return None if axes is None else np.argsort(np.asarray(axes) % len(axes))


@op(lambda g, _y, _a, axes: transpose(g, axes=_inverse(axes)), view=True)
def transpose(a, axes=None):
    """y = a with its axes in another order; reversed for None."""
    return np.transpose(a, axes)


@op(lambda g, _y, _a, axis1, axis2: swapaxes(g, axis1, axis2), view=True)
def swapaxes(a, axis1, axis2):
    """y = a with two axes exchanged."""
    return np.swapaxes(a, axis1, axis2)


@op(lambda g, _y, _a, axis: reshape(g, np.shape(_a)), view=True)
def expand_dims(a, axis):
    """y = a with new axes of length 1 at the places `axis` of the result."""
    return np.expand_dims(a, axis)


@op(lambda g, _y, _a, axis: reshape(g, np.shape(_a)), view=True)
def squeeze(a, axis=None):
    """y = a without its axes of length 1, or without those named."""
    return np.squeeze(a, axis)


# the engine sums a gradient over the axes along which its input was repeated
@op(lambda g, *_, **__: g, view=True)
def broadcast_to(a, shape):
    """y = a repeated, without a copy, to a shape that it broadcasts to."""
    return np.broadcast_to(a, shape)


@op(lambda g, _y, _a, axis: flip(g, axis=axis), view=True)
def flip(a, axis=None):
    """y = a in reverse order along an axis, several, or all."""
    return np.flip(a, axis)


@op(lambda g, _y, _a, pad_width, constant_values:
        getitem(g, index=_interior(_a.shape, pad_width)))
def pad(a, pad_width, constant_values=0):
    """y = a with a border of a constant; `pad_width` as NumPy's pad takes it."""
    return np.pad(a, pad_width, constant_values=constant_values)


def _interior(shape, pad_width):
    """The index of the original inside its padded version."""
    before = np.broadcast_to(pad_width, (len(shape), 2))[:, 0].tolist()
    return tuple(slice(b, b + n) for b, n in zip(before, shape))


def _pieces(g, _y, *_inputs, axis):
    """The part of g that came from input i of a concatenation."""
    before = (slice(None),) * (axis % len(g.shape))
    stops = list(accumulate(x.shape[axis] for x in _inputs))
    return lambda i: getitem(
        g, index=(*before, slice(stops[i] - _inputs[i].shape[axis], stops[i])))


@op(each=_pieces)
def _concatenate(*inputs, axis):
    return np.concatenate(inputs, axis=axis)


# ---- indexing ------------------------------------------------------------------------


@op(lambda g, _y, _a, index: _put(g, index=index, shape=_a.shape), view=True)
def getitem(a, index):
    """y = a[index], with NumPy's slices, integer arrays and boolean arrays."""
    return a[index]


@op(lambda g, _y, _a, index, shape: getitem(g, index=index))
def _put(a, index, shape):
    """y = zeros of a shape with a added at the index: the gradient of `getitem`."""
    a = np.asarray(a)
    rows = _numbers_of_rows(index)
    if rows is not None and a.dtype in (np.float32, np.float64):
        return kernels.body().add_rows(a, rows % shape[0], shape[0])
    y = np.zeros(shape, a.dtype)
    if _is_basic(index):
        y[index] = a
    else:
        np.add.at(y, index, a)
    return y


def _numbers_of_rows(index):
    """The integer array, of some axes, if it is the whole index; else None."""
    if isinstance(index, tuple) and len(index) == 1:
        index = index[0]
    is_array = isinstance(index, np.ndarray) and index.ndim > 0
    return index if is_array and index.dtype.kind in "iu" else None


def _is_basic(index):
    """Whether the index picks each element at most once: no integer arrays in it."""
    parts = index if isinstance(index, tuple) else (index,)
    return not any(isinstance(x, np.ndarray) and x.dtype != bool for x in parts)


def _with_axes_of(_b, g):
    """g with axes of length 1 in front, if b had such when it was assigned."""
    lead = len(np.shape(_b)) - len(g.shape)
    return reshape(g, (1,) * lead + g.shape) if lead > 0 else g


@op(lambda g, _y, _a, _b, index: _setitem(g, 0.0, index=index),
    lambda g, _y, _a, _b, index: _with_axes_of(_b, getitem(g, index=index)))
def _setitem(a, b, index):
    """y = a with b in place of the elements at the index."""
    y = np.array(a)
    y[index] = b
    return y


# ---- products ------------------------------------------------------------------------


def _matmul_left(g, _y, _a, b):
    """dL/da of a @ b; a vector counts as a row on the left and a column on the right."""
    if len(b.shape) == 1:
        return (expand_dims(g, axis=-1) if len(_a.shape) > 1 else g) * b
    if len(_a.shape) == 1:
        return squeeze(matmul(b, expand_dims(g, axis=-1)), axis=-1)
    return matmul(g, swapaxes(b, -1, -2))


def _matmul_right(g, _y, a, _b):
    """dL/db of a @ b."""
    if len(a.shape) == 1:
        if len(_b.shape) == 1:
            return g * a
        return expand_dims(a, axis=-1) * expand_dims(g, axis=-2)
    if len(_b.shape) == 1:
        return squeeze(matmul(swapaxes(a, -1, -2), expand_dims(g, axis=-1)), axis=-1)
    return matmul(swapaxes(a, -1, -2), g)


@op(_matmul_left, _matmul_right)
def matmul(a, b):
    """y = a @ b; vectors, matrices, and stacks of matrices that broadcast."""
    return kernels.body().product(a, b)


def _einsum_rule(g, _y, *inputs, subscripts):
    """Contract g with the other inputs; letters of input i that they lack are repeated."""
    terms, out = subscripts.split("->")
    terms = terms.split(",")

    def gradient(i):
        others = terms[:i] + terms[i + 1:]
        known = "".join(letter for letter in terms[i] if letter in out + "".join(others))
        d = _einsum(g, *inputs[:i], *inputs[i + 1:],
                    subscripts=",".join([out, *others]) + "->" + known)
        missing = tuple(k for k, letter in enumerate(terms[i]) if letter not in known)
        d = expand_dims(d, axis=missing)
        # a length of 1 may have been repeated to meet that of another input
        shape = map(builtins.max, d.shape, np.shape(inputs[i]))
        return broadcast_to(d, tuple(shape))

    return gradient


@op(each=_einsum_rule)
def _einsum(*inputs, subscripts):
    y = np.einsum(subscripts, *inputs, optimize=len(inputs) > 2)
    return y if y.base is None else y.copy()


# ---- between the kinds ---------------------------------------------------------------


@op(lambda g, *_: g)
def copy(a):
    """y = a, contiguous and in memory of its own."""
    return np.array(a, order="C")


@op(lambda g, *_, **__: g)
def astype(a, dtype):
    """y = a in another floating dtype."""
    return np.asarray(a).astype(dtype)


@op(None)
def _as_integers(a, dtype):
    """y = a in an integer dtype or that of booleans; no gradient."""
    return np.asarray(a).astype(dtype)


@op(lambda g, _y, _a: g * np.ones(_a.shape, _a.dtype))
def to_scalar(a):
    """y = the sum of all elements, as a float: the gradient of a Value that met a Tensor."""
    return float(np.sum(a))


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum g over the axes along which an input of this shape was repeated to g's shape.

    One number stands for the same gradient everywhere.

    Raises:
        ValueError: if no repetition leads from `shape` to g's; a gradient rule is wrong.
    """
    if not g.shape:
        return broadcast_to(g, shape)
    lead = len(g.shape) - len(shape)
    if lead < 0 or any(n not in (1, g.shape[i + lead]) for i, n in enumerate(shape)):
        raise ValueError(f"a gradient rule returned shape {g.shape} for an input of shape "
                         f"{shape}, which does not broadcast to it")
    if lead:
        g = sum(g, axis=tuple(range(lead)))
    repeated = tuple(i for i, n in enumerate(shape) if n == 1 != g.shape[i])
    return sum(g, axis=repeated, keepdims=True) if repeated else g


def as_operand(x: Any, beside: Node) -> Any:
    """An operand of an operator: a node, an array, a Python number; lists become arrays.

    A NumPy scalar becomes a Python number, so that ``np.float64(2) * t`` keeps the dtype of
    t, as PyTorch does. The floats of a list take the dtype of the Tensor beside it, or else
    the default, float32.

    Args:
        x: what stands on one side of the operator.
        beside: the node on the other side.

    Returns:
        The operand, or NotImplemented for anything else.
    """
    if isinstance(x, Node) or type(x) in _NUMBERS:
        return x
    if isinstance(x, (list, tuple)):
        x = np.array(x)
        if x.dtype == np.float64:
            dtype = getattr(beside._data, "dtype", np.dtype(np.float32))
            x = x.astype(dtype if dtype.kind == "f" else np.float32)
    if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "biuf":
        return x if isinstance(x, np.ndarray) else x.item()
    return NotImplemented


_NUMBERS = frozenset([float, int, bool])


_NO_STATIC: dict = {}


def _operator(function: Callable, reflected: bool = False) -> Callable:
    """The method behind an operator, or behind its reflected form."""
    this = function.op  # type: ignore[attr-defined]  # every op's function has it

    def method(self, other):
        other = as_operand(other, self)
        if other is NotImplemented:
            return other
        return apply(this, (other, self) if reflected else (self, other), _NO_STATIC)

    return method


class Operators(Node):
    """Arithmetic for both kinds of node, with numbers and arrays on either side."""

    __slots__ = ()
    item: Callable  # () -> the number, if there is only one

    __add__ = _operator(add)
    __radd__ = _operator(add, reflected=True)
    __sub__ = _operator(subtract)
    __rsub__ = _operator(subtract, reflected=True)
    __mul__ = _operator(multiply)
    __rmul__ = _operator(multiply, reflected=True)
    __truediv__ = _operator(divide)
    __rtruediv__ = _operator(divide, reflected=True)
    __pow__ = _operator(power)
    __rpow__ = _operator(power, reflected=True)

    def __neg__(self):
        return negative(self)

    def __pos__(self):
        return self

    def __abs__(self):
        return abs(self)

    def __format__(self, spec: str) -> str:
        """The number in the given format, as in ``f"{loss:.4f}"``; the repr without one."""
        return format(self.item(), spec) if spec else str(self)

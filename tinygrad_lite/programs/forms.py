"""The forms of ops in C: what a recorded op becomes as an instruction of a program.

A form takes an `Entry` and returns its instructions, or None where C has no loop for these
dtypes or layouts: the op then runs in NumPy. csrc/kernels.h lists the instructions. It imports
the kernels, the ops, the fused ops and the recorder.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import fused, kernels, ops
from ..engine import Op
from ..fused import batchnorm, convolution, losses, pooling
from ..kernels.instructions import A_TRANSPOSED, B_TRANSPOSED, CONV_PARTS
from .instructions import Instruction
from .recorder import Entry

__all__ = ["instructions_of"]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
IDS = np.dtype(np.int64)


def instructions_of(entry: Entry) -> list[Instruction]:
    """What an op becomes: its form in C if there is one that fits, else that in NumPy."""
    form = FORMS.get(entry.op)
    if form is not None and entry.output.size and _is_plain(entry.output):
        found = form(entry)
        if found is not None:
            found = found if isinstance(found, list) else [found]
            return [one._replace(entry=entry) for one in found]
    arrays = tuple(x for x in entry.inputs if isinstance(x, np.ndarray))
    return [Instruction(entry.op.name, None, (entry.output,), arrays, entry=entry)]


# ---- element by element ----------------------------------------------------------------


def _is_plain(array: Any) -> bool:
    """Whether C can walk over an array of numbers from the first to the last."""
    return array.flags.c_contiguous and array.flags.aligned


def _operand(x: Any, like: np.ndarray) -> np.ndarray | None:
    """An input as an array of the dtype of `like`; None if it is of another."""
    if isinstance(x, (float, int, np.generic)) and not isinstance(x, (bool, np.bool_)):
        return np.array(x, like.dtype)
    fits = isinstance(x, np.ndarray) and x.dtype == like.dtype and x.flags.aligned
    return x if fits else None


def _map(kind: str) -> Callable[[Entry], Instruction | None]:
    """The form of an op that works element by element on one or two inputs."""
    def form(entry: Entry) -> Instruction | None:
        y = entry.output
        given = [_operand(x, y) for x in entry.inputs[:2]]
        arrays = [x for x in given if x is not None]
        if y.dtype not in FLOATS or len(arrays) < len(given):
            return None
        a, b = (arrays * 2)[:2]
        for axis in range(y.ndim + 1):
            of_a, of_b = _steps(a, y.shape, axis), _steps(b, y.shape, axis)
            if of_a is not None and of_b is not None:
                columns = math.prod(y.shape[axis:])
                return Instruction(entry.op.name, kind, (y,), (a, b),
                                   n=(y.size, columns, *of_a, *of_b))
        return None
    return form


def _steps(x: np.ndarray, shape: tuple[int, ...], axis: int) -> tuple[int, int] | None:
    """Elements from column to column and from row to row of x, once repeated to a shape.

    The axes before `axis` are the rows, the others the columns. None if they do not lie so:
    C takes the columns one after the other, or the same number for all.
    """
    if x.size == math.prod(shape) and _is_plain(x):
        return 1, math.prod(shape[axis:])
    strides = [stride // x.itemsize for stride in np.broadcast_to(x, shape).strides]
    rows = _even_step(shape[:axis], strides[:axis])
    columns = _even_step(shape[axis:], strides[axis:])
    return (columns, rows) if columns in (0, 1) and rows is not None and rows >= 0 else None


def _even_step(shape: tuple[int, ...], strides: list[int]) -> int | None:
    """The step that leads through all axes, the last one first; None if there is none."""
    long = [(n, stride) for n, stride in zip(shape, strides) if n != 1]
    if not long:
        return 0
    step = expected = long[-1][1]
    for n, stride in reversed(long):
        if stride != expected:
            return None
        expected = n * stride
    return step


def _copy(entry: Entry) -> Instruction | None:
    """The same bytes in other memory."""
    a, y = entry.inputs[0], entry.output
    if not isinstance(a, np.ndarray) or a.dtype != y.dtype or not _is_plain(a) \
            or a.size != y.size:
        return None
    return Instruction(entry.op.name, "COPY", (y,), (a,), n=(y.nbytes,))


def _part(entry: Entry) -> Instruction | None:
    """A part of an array that NumPy has copied, such as a single number."""
    index = entry.static["index"]
    index = index if isinstance(index, tuple) else (index,)
    if not all(isinstance(i, (int, slice)) or i is None or i is ... for i in index):
        return None
    index = index if ... in index else (*index, ...)
    return _copy(entry._replace(inputs=(entry.inputs[0][index],)))


# ---- products --------------------------------------------------------------------------


def _placed(a: np.ndarray) -> tuple[int, bool] | None:
    """How far a matrix's rows are apart, and whether they are columns: transposed."""
    if a.ndim != 2 or not a.flags.aligned:
        return None
    (row, step), size = a.strides, a.itemsize
    if step == size or a.shape[1] == 1:
        return (row // size, False) if row >= 0 and row % size == 0 else None
    if row == size or a.shape[0] == 1:
        return (step // size, True) if step >= 0 and step % size == 0 else None
    return None


def _product(name: str, y: np.ndarray, a: Any, b: Any, bias: Any) -> Instruction | None:
    """y = a b + bias as one instruction."""
    arrays = [x for x in (a, b, bias) if x is not None]
    if not all(isinstance(x, np.ndarray) and x.dtype == y.dtype for x in arrays) \
            or y.dtype not in FLOATS or y.ndim != 2:
        return None
    a_at, b_at = _placed(a), _placed(b)
    if a_at is None or b_at is None \
            or (bias is not None and not (_is_plain(bias) and bias.shape == y.shape[1:])):
        return None
    (m, k), n = a.shape, b.shape[1]
    if not min(m, n, k) or not kernels.body("c").pays_in_program(m, n, k):
        return None
    options = a_at[1] * A_TRANSPOSED | b_at[1] * B_TRANSPOSED
    return Instruction(name, "MATMUL", (y,), (a, b, bias),
                       n=(m, n, k, n, a_at[0], b_at[0], options))


def _linear(entry: Entry) -> Instruction | None:
    a, w, bias = entry.inputs
    y = entry.output
    if isinstance(a, np.ndarray) and a.ndim != 2 and a.size and _is_plain(a):
        a, y = a.reshape(-1, a.shape[-1]), y.reshape(-1, y.shape[-1])
    if not isinstance(w, np.ndarray) or not isinstance(a, np.ndarray):
        return None
    return _product("linear", y, a, w.T, bias)


def _matmul(entry: Entry) -> Instruction | None:
    a, b = entry.inputs
    return _product("matmul", entry.output, a, b, None)


# ---- sums ------------------------------------------------------------------------------


def _sum(entry: Entry) -> Instruction | None:
    """A sum or mean over neighbouring axes, or over the first and some last ones."""
    a, y = entry.inputs[0], entry.output
    if not isinstance(a, np.ndarray) or a.dtype != y.dtype or y.dtype not in FLOATS \
            or not _is_plain(a):
        return None
    axis = entry.static["axis"]
    axes = range(a.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    parts = _outer_kept_inner(a.shape, {i % a.ndim for i in axes if a.ndim})
    if parts is None:
        return None
    scale = 1 / (parts[0] * parts[2] or math.nan) if entry.op.name == "mean" else 1.0
    return Instruction(entry.op.name, "SUM", (y,), (a,), n=parts, s=(scale,))


def _outer_kept_inner(shape: tuple[int, ...], axes: set[int]) -> tuple | None:
    """How many elements are summed up before, kept, and summed up behind."""
    kept = [i for i in range(len(shape)) if i not in axes and shape[i] != 1]
    if not kept:
        return 1, 1, math.prod(shape)
    first, last = kept[0], kept[-1]
    if any(i in axes and shape[i] != 1 for i in range(first, last)):
        return None
    return (math.prod(shape[:first]), math.prod(shape[first:last + 1]),
            math.prod(shape[last + 1:]))


# ---- losses ----------------------------------------------------------------------------


def _losses(entry: Entry) -> Instruction | None:
    a, target = entry.inputs
    if not _are_logits(a, target):
        return None
    return Instruction("cross_entropy_rows", "LOSSES", (entry.output,), (a, target),
                       n=(*a.shape, entry.static["ignore_index"]))


def _are_logits(a: Any, target: Any) -> bool:
    return (isinstance(a, np.ndarray) and a.dtype in FLOATS and a.ndim == 2 and _is_plain(a)
            and isinstance(target, np.ndarray) and target.dtype == IDS and _is_plain(target))


def _reduced(entry: Entry) -> Instruction | None:
    """The mean of the losses, or their sum, out of the last column of the rows."""
    rows = entry.inputs[2]
    if entry.static["reduction"] == "none":
        return _copy(entry._replace(inputs=(rows[0, :-1],)))
    if entry.static["reduction"] == "mean":
        return _map("DIVIDE")(entry._replace(inputs=(rows[0, -1:], rows[2, -1:])))
    return _copy(entry._replace(inputs=(rows[0, -1:],)))


def _slope(entry: Entry) -> Instruction | None:
    g, a, target, rows = entry.inputs
    if isinstance(g, (float, int, np.generic)):
        g = np.array(g, a.dtype)
    if not _are_logits(a, target) or g.dtype != a.dtype or not _is_plain(g) \
            or rows.dtype != a.dtype:
        return None
    return Instruction("cross_entropy_slope", "SLOPE", (entry.output,), (a, target, rows, g),
                       n=(*a.shape, g.ndim))


# ---- images ----------------------------------------------------------------------------


def _convolution(kind: str) -> Callable[[Entry], Instruction | None]:
    """The form of a convolution or of one of its adjoints."""
    def form(entry: Entry) -> Instruction | None:
        y, at, groups = entry.output, entry.static["at"], entry.static["groups"]
        arrays = [x for x in entry.inputs if x is not None]
        if not all(isinstance(x, np.ndarray) and x.dtype == y.dtype and _is_plain(x)
                   for x in arrays) or y.dtype not in FLOATS:
            return None
        images, w = _images_and_weights(kind, entry)
        if not images:
            return None
        channels = groups * w.shape[1]
        columns = channels * at.places * at.windows
        parts = min(CONV_PARTS, images)
        room = parts * (columns + (w.size if kind == "CONV_WEIGHTS" else 0))
        reads = entry.inputs[::-1] if kind == "CONV_WEIGHTS" else entry.inputs
        return Instruction(entry.op.name, kind, (y, np.empty(room, y.dtype)), tuple(reads),
                           n=(images, channels, len(w), groups, parts, 0), at=at)
    return form


def _images_and_weights(kind: str, entry: Entry) -> tuple[int, np.ndarray]:
    first, second = entry.inputs[:2]
    return len(first), entry.output if kind == "CONV_WEIGHTS" else second


def _max_pool(entry: Entry) -> Instruction | None:
    x, y = entry.inputs[0], entry.output
    if not _is_float(x) or x.dtype != y.dtype:
        return None
    return Instruction("max_pool2d", "MAX_POOL", (y, entry.static["index"]), (x,),
                       n=(math.prod(x.shape[:-2]),), at=entry.static["at"])


def _scatter(entry: Entry) -> Instruction | None:
    a, x, index = entry.inputs[0], entry.output, entry.static["index"]
    if not _is_float(a) or a.dtype != x.dtype or not _is_plain(index):
        return None
    return Instruction("scatter", "SCATTER", (x,), (a, index),
                       n=(math.prod(x.shape[-2:]), math.prod(a.shape[-2:]),
                          math.prod(x.shape[:-2])))


def _is_float(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype in FLOATS and _is_plain(x)


# ---- batch normalization ---------------------------------------------------------------


def _sizes(x: np.ndarray) -> tuple[int, int, int]:
    return x.shape[0], x.shape[1], math.prod(x.shape[2:])


def _batch_norm(entry: Entry) -> list[Instruction] | None:
    x, w, b, mean, var, batches = entry.inputs
    found, momentum = entry.static["found"], entry.static["momentum"]
    channels = [t for t in (w, b, mean, var) if t is not None]
    if momentum is None or not _is_float(x) or not x.size \
            or not all(_is_float(t) and t.dtype == x.dtype for t in channels):
        return None
    running = () if mean is None else (mean, var)
    norm = Instruction("batch_norm", "BATCH_NORM",
                       (entry.output, *found, *(running or (None, None))), (x, w, b),
                       n=_sizes(x), s=(entry.static["eps"], momentum))
    if batches is None:
        return [norm]
    if batches.dtype != IDS:
        return None
    return [norm, Instruction("count", "ADD_ONE", (batches,), (batches,))]


def _normalize(entry: Entry) -> Instruction | None:
    x = entry.inputs[0]
    if not all(_is_float(t) and t.dtype == x.dtype for t in entry.inputs):
        return None
    return Instruction("normalize", "NORMALIZE", (entry.output,), entry.inputs, n=_sizes(x),
                       s=(entry.static["eps"],))


def _norm_slopes(entry: Entry) -> Instruction | None:
    static = entry.static
    if not all(_is_float(t) and t.dtype == entry.output.dtype for t in entry.inputs):
        return None
    return Instruction("batch_norm_slopes", "NORM_SLOPES",
                       (entry.output, static["dw"], static["db"]), entry.inputs,
                       n=(*_sizes(entry.output), int(static["training"])), s=(static["eps"],))


def _found(name: str) -> Callable[[Entry], Instruction | None]:
    """The form of an op whose result another op has left in a static array."""
    return lambda entry: _copy(entry._replace(inputs=(entry.static[name],)))


# ---- rows by number --------------------------------------------------------------------


def _take_rows(entry: Entry) -> Instruction | None:
    a, index = entry.inputs
    if not _are_rows(a, index):
        return None
    return Instruction("embedding", "TAKE_ROWS", (entry.output,), (a, index),
                       n=(index.size, len(a), a.nbytes // len(a)))


def _add_rows(entry: Entry) -> Instruction | None:
    a, index = entry.inputs
    y = entry.output
    if not _are_rows(a, index) or a.dtype not in FLOATS:
        return None
    return Instruction("add_rows", "ADD_ROWS", (y,), (a, index),
                       n=(index.size, len(y), y.size // len(y)))


def _are_rows(a: Any, index: Any) -> bool:
    return (isinstance(a, np.ndarray) and _is_plain(a) and a.size > 0
            and isinstance(index, np.ndarray) and index.dtype == IDS and _is_plain(index))


_FORMS: dict[Any, Callable] = {
    ops.add: _map("ADD"),
    ops.subtract: _map("SUBTRACT"),
    ops.multiply: _map("MULTIPLY"),
    ops.divide: _map("DIVIDE"),
    ops.negative: _map("NEGATIVE"),
    ops.abs: _map("ABS"),
    ops.sqrt: _map("SQRT"),
    ops.exp: _map("EXP"),
    ops.log: _map("LOG"),
    ops.tanh: _map("TANH"),
    ops.sigmoid: _map("SIGMOID"),
    ops.relu: _map("RELU_OF"),
    ops._relu_slope: _map("RELU_SLOPE"),
    fused.squared_difference: _map("SQUARED_DIFFERENCE"),
    ops.copy: _copy,
    ops.reshape: _copy,   # where NumPy had to copy; a view needs no instruction
    ops.getitem: _part,
    ops.matmul: _matmul,
    fused.linear: _linear,
    ops.sum: _sum,
    ops.mean: _sum,
    fused.class_ids: _copy,
    losses._cross_entropy_rows: _losses,
    losses._cross_entropy: _reduced,
    losses._cross_entropy_slope: _slope,
    fused.conv2d: _convolution("CONV"),
    convolution._conv2d_images: _convolution("CONV_IMAGES"),
    convolution._conv2d_weights: _convolution("CONV_WEIGHTS"),
    fused.max_pool2d: _max_pool,
    pooling._scatter: _scatter,
    fused.batch_norm: _batch_norm,
    fused.normalize: _normalize,
    batchnorm._input_slope: _norm_slopes,
    batchnorm._weight_slope: _found("dw"),
    batchnorm._bias_slope: _found("db"),
    fused.embedding: _take_rows,
    fused.add_rows: _add_rows,
}

# The form of each op.
FORMS: dict[Op, Callable] = {function.op: form for function, form in _FORMS.items()}

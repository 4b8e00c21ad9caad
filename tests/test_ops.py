"""One table, a row per public op: every row is held to NumPy and to finite differences.

`test_parity.py` compares the same rows with PyTorch. An op that stands in no row fails
`test_every_op_is_in_the_table`.
"""

import ast
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import Tensor, Value, functions, fused, ops
from tinygrad_lite.gradcheck import GradcheckError, gradcheck
from tinygrad_lite.kernels.pooling import Boxes
from tinygrad_lite.kernels.windows import Windows

PUBLIC = [*ops.__all__, *functions.__all__]


class Row(NamedTuple):
    """An op with certain static arguments, and what it is compared with."""

    name: str
    ours: Callable                 # takes nodes
    reference: Callable            # takes arrays
    inputs: Callable               # random generator -> arrays
    torch: Callable | None = None  # takes the module and its tensors


# ---- inputs --------------------------------------------------------------------------


def one(low=-2.0, high=2.0):
    """One array of up to three axes."""
    def make(rng):
        shape = rng.integers(1, 4, size=rng.integers(0, 4))
        return [rng.uniform(low, high, shape)]
    return make


def pair(low=-2.0, high=2.0):
    """Two arrays, of shapes that broadcast to a common one."""
    def make(rng):
        common = rng.integers(1, 4, size=rng.integers(0, 4))
        return [rng.uniform(low, high, shorter(rng, common)) for _ in range(2)]
    return make


def shorter(rng, shape):
    """A shape that broadcasts to the given one: axes of length 1, or cut in front."""
    shape = np.where(rng.random(len(shape)) < 0.3, 1, shape)
    return shape[rng.integers(0, len(shape) + 1):]


def of(*shapes, low=-2.0, high=2.0):
    """Arrays of just these shapes."""
    return lambda rng: [np.asarray(rng.uniform(low, high, shape)) for shape in shapes]


def with_zeros(*places):
    """An array of shape (2, 3) with zeros at these places of the flattened one."""
    def make(rng):
        array = rng.uniform(0.5, 2, 6)
        array[list(places)] = 0
        return [array.reshape(2, 3)]
    return make


# ---- references that NumPy lacks -----------------------------------------------------


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def logsumexp(a, axis=None, keepdims=False):
    return np.log(np.exp(a).sum(axis=axis, keepdims=keepdims))


def softmax(a, axis=-1):
    return np.exp(a) / np.exp(a).sum(axis=axis, keepdims=True)


def logits_cross_entropy(a, target):
    p = sigmoid(a)
    return -(target * np.log(p) + (1 - target) * np.log(1 - p))


def erf(a):
    return np.vectorize(math.erf, otypes=[float])(a)


def gelu_tanh(a):
    return a / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a ** 3)))


LABELS = np.array([2, 0, 2])


def cross_entropy(a, reduction):
    losses = -np.log(softmax(a))[np.arange(len(a)), LABELS]
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


def binary_cross_entropy(p, target):
    """With p = 1 and t = 1 too, where the second logarithm is bounded."""
    no = np.log(np.where(p < 1, 1 - p, np.exp(-100)))
    return -(target * np.log(p) + (1 - target) * no)


SIGNS = np.array([[1, -1, 1], [-1, -1, 1]], np.float32)


def assigned(a, value, index):
    """A copy of a in which a[index] = value, for nodes and for arrays."""
    a = a * 1
    a[index] = value
    return a


# ---- the table -----------------------------------------------------------------------

CUBE = (2, 3, 2)
AXES = (None, 0, -1, (0, 2), (-1, 0))


def elementwise(name, inputs, reference=None):
    """A function that PyTorch knows by the same name."""
    return Row(name, getattr(ops, name), reference or getattr(np, name), inputs,
               lambda torch, *x: getattr(torch, name)(*x))


def reductions():
    """Every reduction, over every kind of axis, keeping it or not."""
    families = [
        ("sum", {}, np.sum, "sum", {}),
        ("mean", {}, np.mean, "mean", {}),
        ("var", {"ddof": 0}, np.var, "var", {"correction": 0}),
        ("var", {"ddof": 1}, np.var, "var", {"correction": 1}),
        ("std", {"ddof": 1}, np.std, "std", {"correction": 1}),
        ("max", {}, np.max, "amax", {}),
        ("min", {}, np.min, "amin", {}),
        ("logsumexp", {}, logsumexp, "logsumexp", {}),
        ("prod", {}, np.prod, None, {}),
    ]
    return [reduction(*family, axis, keepdims)
            for family in families for axis in AXES for keepdims in (False, True)]


def reduction(name, options, reference, torch_name, torch_options, axis, keepdims):
    static = {"axis": axis, "keepdims": keepdims, **options}

    def torch(module, x):
        dim = tuple(range(x.ndim)) if axis is None else axis
        return getattr(module, torch_name)(x, dim=dim, keepdim=keepdims, **torch_options)

    return Row(name, lambda x: getattr(tg, name)(x, **static),
               lambda x: reference(x, **static), of(CUBE), torch_name and torch)


def same(name, *shapes, call, torch=None, low=-2.0, high=2.0):
    """A function of nodes that does to arrays what NumPy's operators do."""
    return Row(name, call, call, of(*shapes, low=low, high=high), torch)


def indexed(index, torch_index=None):
    """x[index] for a node and an array; PyTorch's tensors take no negative steps."""
    return Row("getitem", lambda x: x[index], lambda x: x[index], of((3, 4)),
               lambda _, x: x[torch_index or index])


def product(left, right):
    return Row("matmul", tg.matmul, np.matmul, of(left, right),
               lambda torch, a, b: torch.matmul(a, b))


def contraction(subscripts, *shapes):
    return Row("einsum", lambda *x: tg.einsum(subscripts, *x),
               lambda *x: np.einsum(subscripts, *x), of(*shapes),
               lambda torch, *x: torch.einsum(subscripts, *x))


NEGATIVE_POWER = same("power", (2, 3), call=lambda a: a ** -2, torch=lambda _, a: a ** -2,
                      low=0.5)

ARITHMETIC = [
    elementwise("add", pair()),
    elementwise("subtract", pair()),
    elementwise("multiply", pair()),
    elementwise("divide", pair(0.5, 2)),
    elementwise("divide", pair(-2, -0.5)),
    elementwise("negative", one()),
    Row("power", tg.power, np.power, pair(0.5, 2), lambda torch, a, b: torch.pow(a, b)),
    same("power", (2, 3), call=lambda a: a ** 3, torch=lambda _, a: a ** 3),
    same("power", (2, 3), call=lambda a: a ** 1, torch=lambda _, a: a ** 1),
    same("power", (2, 3), call=lambda a: a ** 0, torch=lambda _, a: a ** 0),
    NEGATIVE_POWER,
    same("power", (2, 3), call=lambda a: 2 ** a, torch=lambda _, a: 2 ** a),
    same("power", (2, 3), call=lambda a: a ** a, torch=lambda _, a: a ** a, low=0.5),
    same("add", (2, 3), call=lambda a: a + a, torch=lambda _, a: a + a),
    same("subtract", (2, 3), call=lambda a: 2 - a, torch=lambda _, a: 2 - a),
    same("multiply", (2, 3), call=lambda a: a * a, torch=lambda _, a: a * a),
    same("divide", (2, 3), call=lambda a: 1 / a, torch=lambda _, a: 1 / a, low=0.5),
]

FUNCTIONS = [
    elementwise("abs", one()),
    elementwise("exp", one()),
    elementwise("log", one(0.5, 2)),
    elementwise("log1p", one(-0.5, 2)),
    elementwise("sqrt", one(0.5, 2)),
    elementwise("sin", one()),
    elementwise("cos", one()),
    elementwise("tanh", one()),
    elementwise("sigmoid", one(), sigmoid),
    elementwise("relu", one(), lambda a: np.maximum(a, 0)),
    elementwise("maximum", pair()),
    elementwise("minimum", pair()),
    Row("where", lambda a, b: tg.where(a > b, a * a, b), lambda a, b: np.where(a > b, a * a, b),
        pair(), lambda torch, a, b: torch.where(a > b, a * a, b)),
    Row("where", lambda a: tg.where(a > 0, a, 0.5), lambda a: np.where(a > 0, a, 0.5),
        one(), lambda torch, a: torch.where(a > 0, a, 0.5)),
    Row("where", lambda a: tg.where(np.array([True, False]), 1, a),
        lambda a: np.where(np.array([True, False]), 1, a), of((3, 1))),
    Row("clip", lambda a: tg.clip(a, -1, 1), lambda a: np.clip(a, -1, 1), one(),
        lambda torch, a: torch.clip(a, -1, 1)),
    Row("clip", lambda a: tg.clip(a, max=0.5), lambda a: np.minimum(a, 0.5), one(),
        lambda torch, a: torch.clip(a, max=0.5)),
    Row("clip", lambda a: tg.clip(a, np.array([-1, 0]), 1.5),
        lambda a: np.clip(a, np.array([-1, 0]), 1.5), of((3, 1))),
]

ALONG_AN_AXIS = [
    *[Row("softmax", lambda a, axis=axis: tg.softmax(a, axis=axis),
          lambda a, axis=axis: softmax(a, axis), of(CUBE),
          lambda torch, a, axis=axis: torch.softmax(a, axis)) for axis in (-1, 0, 1)],
    *[Row("log_softmax", lambda a, axis=axis: tg.log_softmax(a, axis=axis),
          lambda a, axis=axis: np.log(softmax(a, axis)), of(CUBE),
          lambda torch, a, axis=axis: torch.log_softmax(a, axis)) for axis in (-1, 0, 1)],
    *[Row("cumsum", lambda a, axis=axis: tg.cumsum(a, axis=axis),
          lambda a, axis=axis: np.cumsum(a, axis=axis), of(CUBE),
          lambda torch, a, axis=axis: torch.cumsum(a, axis)) for axis in (-1, 0, 1)],
    Row("cumsum", tg.cumsum, np.cumsum, of(CUBE), lambda torch, a: a.reshape(-1).cumsum(0)),
    *[Row("prod", lambda a: tg.prod(a, axis=1), lambda a: np.prod(a, axis=1),
          with_zeros(*places), lambda torch, a: torch.prod(a, 1))
      for places in [(), (1,), (0, 2), (0, 1, 2, 4)]],
    Row("prod", tg.prod, np.prod, with_zeros(4), lambda torch, a: torch.prod(a)),
    Row("prod", tg.prod, np.prod, of(()), lambda torch, a: torch.prod(a)),
    Row("sum", lambda a: tg.sum(a, axis=()), lambda a: np.sum(a, axis=()), of((2, 3))),
    Row("max", lambda a: tg.max(a, axis=()), lambda a: np.max(a, axis=()), of((2, 3))),
    Row("mean", tg.mean, np.mean, of(()), lambda torch, a: torch.mean(a)),
]

SHAPES = [
    same("reshape", (2, 6), call=lambda a: a.reshape(3, -1),
         torch=lambda _, a: a.reshape(3, 4)),
    same("reshape", (1, 1), call=lambda a: a.reshape(()), torch=lambda _, a: a.reshape(())),
    same("reshape", (), call=lambda a: a.reshape((1, 1)), torch=lambda _, a: a.reshape(1, 1)),
    same("flatten", CUBE, call=lambda a: a.flatten(), torch=lambda _, a: a.flatten()),
    same("flatten", (), call=lambda a: a.flatten(), torch=lambda _, a: a.flatten()),
    same("transpose", CUBE, call=lambda a: a.transpose(),
         torch=lambda _, a: a.permute(2, 1, 0)),
    same("transpose", CUBE, call=lambda a: a.transpose(1, 2, 0),
         torch=lambda _, a: a.permute(1, 2, 0)),
    same("transpose", CUBE, call=lambda a: a.transpose((-1, 0, -2)),
         torch=lambda _, a: a.permute(-1, 0, -2)),
    same("transpose", (3,), call=lambda a: a.T, torch=lambda _, a: a),
    same("transpose", (), call=lambda a: a.transpose(()), torch=lambda _, a: a),
    same("swapaxes", CUBE, call=lambda a: a.swapaxes(0, -1),
         torch=lambda _, a: a.swapaxes(0, -1)),
    Row("expand_dims", lambda a: tg.expand_dims(a, 1), lambda a: np.expand_dims(a, 1),
        of((2, 3)), lambda torch, a: a.unsqueeze(1)),
    Row("expand_dims", lambda a: tg.expand_dims(a, (0, -1)),
        lambda a: np.expand_dims(a, (0, -1)), of((2, 3)), lambda torch, a: a[None, ..., None]),
    Row("squeeze", tg.squeeze, np.squeeze, of((1, 3, 1)), lambda torch, a: a.squeeze()),
    Row("squeeze", lambda a: tg.squeeze(a, -1), lambda a: np.squeeze(a, -1), of((1, 3, 1)),
        lambda torch, a: a.squeeze(-1)),
    Row("squeeze", lambda a: tg.squeeze(a, axis=(0, 2)), lambda a: np.squeeze(a, (0, 2)),
        of((1, 3, 1)), lambda torch, a: a.squeeze((0, 2))),
    *[Row("broadcast_to", lambda a: tg.broadcast_to(a, CUBE),
          lambda a: np.broadcast_to(a, CUBE), of(shape),
          lambda torch, a: torch.broadcast_to(a, CUBE))
      for shape in [(), (2,), (1,), (3, 1), (2, 1, 2), CUBE]],
    *[Row("flip", lambda a, axis=axis: tg.flip(a, axis=axis),
          lambda a, axis=axis: np.flip(a, axis), of(CUBE),
          lambda torch, a, dims=dims: torch.flip(a, dims))
      for axis, dims in [(None, (0, 1, 2)), (0, (0,)), (-1, (-1,)), ((0, -1), (0, 2))]],
    *[Row("pad", lambda a, width=width: tg.pad(a, width),
          lambda a, width=width: np.pad(a, width), of((2, 3)),
          lambda torch, a, sides=sides: torch.nn.functional.pad(a, sides))
      for width, sides in [(1, (1, 1, 1, 1)), ((1, 2), (1, 2, 1, 2)), ((2,), (2, 2, 2, 2)),
                           (((1, 0), (0, 2)), (0, 2, 1, 0)), (((0, 0), (0, 0)), (0, 0, 0, 0))]],
    Row("pad", lambda a: tg.pad(a, 1, constant_values=3.0),
        lambda a: np.pad(a, 1, constant_values=3.0), of((2,))),
]

HALVES = np.full((1, 2), 0.5, np.float32)

JOINS = [
    *[Row("concatenate", lambda *x, axis=axis: tg.concatenate(x, axis=axis),
          lambda *x, axis=axis: np.concatenate(x, axis=axis), of(*shapes),
          lambda torch, *x, axis=axis: torch.cat(x, axis))
      for axis, shapes in [(0, [(1, 2), (3, 2), (2, 2)]), (-1, [(2, 1), (2, 3)]), (1, [CUBE])]],
    Row("concatenate", lambda a: tg.concatenate([a, a]), lambda a: np.concatenate([a, a]),
        of((2, 2)), lambda torch, a: torch.cat([a, a])),
    Row("concatenate", lambda a: tg.concatenate([a, HALVES]),
        lambda a: np.concatenate([a, HALVES]), of((2, 2))),
    *[Row("stack", lambda *x, axis=axis: tg.stack(x, axis=axis),
          lambda *x, axis=axis: np.stack(x, axis=axis), of((2, 3), (2, 3)),
          lambda torch, *x, axis=axis: torch.stack(x, axis)) for axis in (0, 1, -1)],
    Row("stack", lambda a: tg.stack([a, a * a]), lambda a: np.stack([a, a * a]), of(()),
        lambda torch, a: torch.stack([a, a * a])),
    Row("split", lambda a: tg.split(a, 3), lambda a: np.split(a, 3), of((6, 2)),
        lambda torch, a: torch.tensor_split(a, 3)),
    Row("split", lambda a: tg.split(a, [1, 4], axis=-1), lambda a: np.split(a, [1, 4], -1),
        of((2, 6)), lambda torch, a: torch.tensor_split(a, [1, 4], -1)),
    Row("split", lambda a: tg.split(a, [2, 2, -1]), lambda a: np.split(a, [2, 2, -1]), of((6,)),
        lambda torch, a: torch.tensor_split(a, [2, 2, -1])),
]

INDEXING = [
    *[indexed(index) for index in [
        0, -1, (1, 2), slice(1, None), (slice(None), slice(0, 4, 2)), ..., (..., 1), None,
        (slice(None), None, 2), [0, 2, 2], (slice(1, 1),),
        (np.array([0, 0, 2]), np.array([1, 1, 3])), (np.array([[0], [2]]), np.array([1, -1])),
        (0, np.array([1, 1])), (np.array([0, 0]), slice(None), None),
        np.array([True, False, True]), (slice(None), np.array([True, False, False, True])),
        np.array([]).astype(int), np.int64(1), np.array(1), True,
    ]],
    indexed((slice(None, None, -1), slice(3, 0, -2)), (([2], [1], [0]), [3, 1])),
    indexed(np.eye(3, 4, dtype=bool), np.diag_indices(3)),
    indexed([[0, 1], [1, 1]], ([[0, 1], [1, 1]],)),
    indexed(((0, 0), slice(None)), ([0, 0],)),
    indexed(((0, 0, 1),), ([0, 0, 1],)),
    Row("getitem", lambda a: a[a > 0], lambda a: a[a > 0], of((3, 4)),
        lambda torch, a: a[a > 0]),
    Row("getitem", lambda a: a[Tensor([0, 0])], lambda a: a[[0, 0]], of((3, 4))),
    *[Row("take", lambda a, i=indices, axis=axis: tg.take(a, i, axis=axis),
          lambda a, i=indices, axis=axis: np.take(a, i, axis=axis), of((3, 4)))
      for axis in (None, 0, -1) for indices in (1, -1, [0, 0, -2], [[0, 1], [1, 1]])],
    Row("_setitem", lambda a, b: assigned(a, b, 1), lambda a, b: assigned(a, b, 1),
        of((3, 2), (2,)), lambda _, a, b: assigned(a, b, 1)),
    Row("_setitem", lambda a, b: assigned(a, b, slice(0, 2)),
        lambda a, b: assigned(a, b, slice(0, 2)), of((3, 2), ()),
        lambda _, a, b: assigned(a, b, slice(0, 2))),
    Row("_setitem", lambda a, b: assigned(a, b, [2, 0]), lambda a, b: assigned(a, b, [2, 0]),
        of((3, 2), (2, 1)), lambda _, a, b: assigned(a, b, [2, 0])),
]

PRODUCTS = [
    *[product(*shapes) for shapes in [
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((2, 2, 3), (3, 4)),
        ((2, 3), (2, 3, 1)), ((2, 1, 2, 3), (2, 3, 2)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,)),
        ((1, 1), (1, 1)), ((1, 2, 3), (2, 3, 1)),
    ]],
    Row("matmul", lambda a: tg.matmul(a, a), lambda a: a @ a, of((2, 2)),
        lambda _, a: a @ a),
    *[contraction(*case) for case in [
        ("ij,jk->ik", (2, 3), (3, 2)), ("ij,jk", (2, 3), (3, 2)), ("ba", (2, 3)),
        ("ij->", (2, 3)), ("ij->j", (2, 3)), ("ii", (3, 3)), ("ii->i", (3, 3)),
        ("iij,jk->ik", (2, 2, 3), (3, 2)), ("iii->i", (2, 2, 2)), ("...ii->...i", (2, 2, 2)),
        ("i,i,i->i", (3,), (3,), (3,)), ("i,j,k->kij", (2,), (3,), (2,)),
        ("ij,jk,kl->il", (2, 3), (3, 2), (2, 2)), ("ij,k->i", (2, 3), (2,)),
        ("...ij,...jk->...ik", (2, 1, 2, 2), (3, 2, 1)), ("...i,...i", (2, 3), (3,)),
        ("i...,j...->ij...", (2, 3), (2, 3)), ("...->...", (2, 3)), ("...i->...", (2, 3)),
        (",i->i", (), (3,)), ("ij,ij->ij", (1, 3), (2, 3)), ("ij,ij->", (1, 2), (3, 2)),
        ("ij,ij->j", (3, 2), (3, 1)), ("i j , j -> i", (2, 3), (3,)),
    ]],
    Row("einsum", lambda a: tg.einsum("ij,ij->", a, a), lambda a: (a * a).sum(), of((2, 3))),
]

def activation(name, ours, reference, torch_name, **torch_options):
    return Row(name, ours, reference, one(),
               lambda torch, a: getattr(torch.nn.functional, torch_name)(a, **torch_options))


ACTIVATIONS = [
    activation("leaky_relu", fused.leaky_relu, lambda a: np.where(a > 0, a, 0.01 * a),
               "leaky_relu"),
    activation("leaky_relu", lambda a: fused.leaky_relu(a, -1.5),
               lambda a: np.where(a > 0, a, -1.5 * a), "leaky_relu", negative_slope=-1.5),
    activation("hardtanh", fused.hardtanh, lambda a: np.clip(a, -1, 1), "hardtanh"),
    activation("elu", fused.elu, lambda a: np.where(a > 0, a, np.exp(a) - 1), "elu"),
    Row("elu", lambda a: fused.elu(a, 0.5, 2.0),
        lambda a: np.where(a > 0, 2 * a, np.exp(a) - 1), one()),
    activation("softplus", fused.softplus, lambda a: np.log(1 + np.exp(a)), "softplus"),
    activation("softplus", lambda a: fused.softplus(a, 2.0, 1.0),
               lambda a: np.where(a > 0.5, a, np.log(1 + np.exp(2 * a)) / 2), "softplus",
               beta=2, threshold=1),
    activation("silu", fused.silu, lambda a: a * sigmoid(a), "silu"),
    activation("gelu", fused.gelu, lambda a: a / 2 * (1 + erf(a / np.sqrt(2))), "gelu"),
    activation("gelu_tanh", fused.gelu_tanh, gelu_tanh, "gelu", approximate="tanh"),
    Row("erf", fused.erf, erf, one(), lambda torch, a: torch.erf(a)),
]

IDS = np.array([[2, 0], [2, 2]])

TABLES = [
    Row("embedding", lambda a: fused.embedding(a, IDS), lambda a: a[IDS], of((3, 2)),
        lambda torch, a: torch.nn.functional.embedding(torch.tensor(IDS), a)),
    Row("add_rows", lambda a: fused.add_rows(a, IDS, 3),
        lambda a: np.stack([a[0, 1], 0 * a[0, 1], a[0, 0] + a[1, 0] + a[1, 1]]), of((2, 2, 2))),
]

def standardized(a, eps):
    return (a - a.mean(1, keepdims=True)) / np.sqrt(a.var(1, keepdims=True) + eps)


NORMS = [
    Row("standardize", lambda a, eps=eps: fused.standardize(a, eps),
        lambda a, eps=eps: standardized(a, eps), of((3, 4)),
        lambda torch, a, eps=eps: torch.nn.functional.layer_norm(a, (4,), eps=eps))
    for eps in (0.0, 0.1)
]

LOSSES = [
    *[Row("linear", fused.linear, lambda a, w, b: a @ w.T + b, of(shape, (2, 3), (2,)),
          lambda torch, *x: torch.nn.functional.linear(*x)) for shape in [(4, 3), (2, 2, 3)]],
    *[Row("cross_entropy", lambda a, kind=kind: fused.cross_entropy(a, LABELS, kind),
          lambda a, kind=kind: cross_entropy(a, kind), of((3, 3)),
          lambda torch, a, kind=kind: torch.nn.functional.cross_entropy(
              a, torch.tensor(LABELS), reduction=kind)) for kind in ("mean", "sum", "none")],
    Row("logits_cross_entropy", fused.logits_cross_entropy, logits_cross_entropy, pair(0, 1)),
    Row("squared_difference", fused.squared_difference, lambda a, b: (a - b) ** 2, pair()),
    Row("huber", lambda a, b: fused.huber(a, b, delta=0.75),
        lambda a, b: np.where(abs(a - b) < 0.75, (a - b) ** 2 / 2,
                              0.75 * abs(a - b) - 0.75 ** 2 / 2), pair()),
    Row("binary_cross_entropy", fused.binary_cross_entropy, binary_cross_entropy,
        pair(0.1, 0.9)),
    Row("hinge", lambda a: fused.hinge(a, SIGNS, margin=0.5),
        lambda a: np.maximum(0, 0.5 - SIGNS * a), of((2, 3))),
    Row("hinge_embedding", lambda a: fused.hinge_embedding(a, SIGNS, margin=0.5),
        lambda a: np.where(SIGNS > 0, a, np.maximum(0, 0.5 - a)), of((2, 3))),
    Row("kl_divergence", fused.kl_divergence, lambda a, t: t * (np.log(t) - a),
        pair(0.1, 2)),
    Row("log_kl_divergence", fused.log_kl_divergence, lambda a, t: np.exp(t) * (t - a),
        pair()),
    Row("pick", lambda a: fused.pick(a * a, LABELS, ignore_index=2) ** 2,
        lambda a: np.where(LABELS == 2, 0, a[np.arange(3), LABELS] ** 4), of((3, 3))),
    Row("_cross_entropy_rows", lambda a: fused.cross_entropy(a, LABELS, "none", 2),
        lambda a: np.where(LABELS == 2, 0, cross_entropy(a, "none")), of((3, 3))),
]



def seen(a, kernel, step=1):
    """The windows of a, (n, c, out_h, out_w, kernel, kernel), of whole size only."""
    windows = np.lib.stride_tricks.sliding_window_view(a, (kernel, kernel), axis=(2, 3))
    return windows[:, :, ::step, ::step]


def normalized(a, w, b):
    mean = a.mean(axis=(0, 2), keepdims=True)
    std = np.sqrt(a.var(axis=(0, 2), keepdims=True) + 0.1)
    return (a - mean) / std * w[:, None] + b[:, None]


SQUARE = Windows.of((3, 3), (2, 2), (2, 2), (1, 1), (1, 1), (0, 0))
APART = Windows.of((4, 4), (2, 2), (2, 2), (2, 2), (1, 1), (0, 0))
PLACES = np.array([[[[3, 0], [3, 5]]]], np.int32)
FOUR = Boxes(3, 3, *[np.array([[0, 1], [2, 3]])] * 2, np.full((2, 2), 4.0))

# More of these, with every option, are in test_convolution.py, test_pooling.py and
# test_batchnorm.py.
LAYERS = [
    Row("conv2d", lambda a, w, b: fused.conv2d(a, w, b, at=SQUARE),
        lambda a, w, b: np.einsum("ncyxij,ocij->noyx", seen(a, 2), w) + b[:, None, None],
        of((2, 2, 3, 3), (3, 2, 2, 2), (3,)),
        lambda torch, *x: torch.nn.functional.conv2d(*x)),
    Row("max_pool2d", lambda a: fused.max_pool2d(
            a, at=APART, index=np.empty((1, 2, 2, 2), np.int32)),
        lambda a: seen(a, 2, step=2).max(axis=(4, 5)), of((1, 2, 4, 4)),
        lambda torch, a: torch.nn.functional.max_pool2d(a, 2)),
    Row("avg_pool2d", lambda a: fused.avg_pool2d(a, boxes=FOUR),
        lambda a: seen(a, 2).mean(axis=(4, 5)), of((1, 2, 3, 3)),
        lambda torch, a: torch.nn.functional.avg_pool2d(a, 2, 1)),
    Row("_gather", lambda a: fused.pooling._gather(a, index=PLACES),
        lambda a: a.reshape(1, 1, 6)[:, :, [3, 0, 3, 5]].reshape(1, 1, 2, 2), of((1, 1, 2, 3))),
    Row("_scatter", lambda a: fused.pooling._scatter(a, index=PLACES, shape=(1, 1, 2, 3)),
        lambda a: np.reshape([a[0, 0, 0, 1], 0, 0, a[0, 0, 0, 0] + a[0, 0, 1, 0], 0,
                              a[0, 0, 1, 1]], (1, 1, 2, 3)), of((1, 1, 2, 2))),
    Row("_spread", lambda a: fused.pooling._spread(a, boxes=FOUR),
        lambda a: np.array([[[[a[:, :, :i + 1, :j + 1][:, :, max(i - 1, 0):, max(j - 1, 0):]
                               .sum() / 4 for j in range(3)] for i in range(3)]]]),
        of((1, 1, 2, 2))),
    Row("batch_norm", lambda a, w, b: fused.batch_norm(
            a, w, b, None, None, None, eps=0.1, momentum=0.1, found=tuple(np.empty(
                (2, 2), np.float64 if a.dtype == np.float64 else np.float32))),
        normalized, of((3, 2, 2), (2,), (2,)),
        lambda torch, a, w, b: torch.nn.functional.batch_norm(
            a, None, None, w, b, True, eps=0.1)),
    Row("_bias_slope", lambda a: fused.batchnorm._bias_slope(
            a, db=np.asarray(a).sum(axis=(0, 2))),
        lambda a: a.sum(axis=(0, 2)), of((3, 2, 2))),
    Row("normalize", lambda a, w, b: fused.normalize(
            a, w, b, np.array([0.5, 1.0]), np.array([2.0, 3.0]), eps=0.1),
        lambda a, w, b: (a - np.array([[0.5], [1.0]])) * w[:, None]
            / np.sqrt([[2.1], [3.1]]) + b[:, None],
        of((3, 2, 2), (2,), (2,)),
        lambda torch, a, w, b: torch.nn.functional.batch_norm(
            a, torch.tensor([0.5, 1.0]).to(a), torch.tensor([2.0, 3.0]).to(a), w, b, eps=0.1)),
]

KINDS = [
    Row("copy", ops.copy, np.array, one()),
    Row("astype", lambda a: ops.astype(a, dtype=a.dtype), np.array, one()),
    Row("to_scalar", lambda a: ops.to_scalar(a) * a, lambda a: a.sum() * a, of((2, 3))),
]

ROWS = [*ARITHMETIC, *FUNCTIONS, *reductions(), *ALONG_AN_AXIS, *SHAPES, *JOINS, *INDEXING,
        *PRODUCTS, *ACTIVATIONS, *TABLES, *NORMS, *LOSSES, *LAYERS, *KINDS]

# Ops whose results do not depend smoothly on their inputs.
STEPS = [
    Row("sign", ops.sign, np.sign, one()),
    *[Row("dropout_mask", lambda a, p=p: fused.dropout_mask(a, p),
          lambda a, p=p: np.full(np.shape(a), 1.0 - p), one()) for p in (0, 1)],
    Row("step", lambda a: fused.step(a, 0.5, 2.0), lambda a: np.where(a > 0, 2.0, 0.5), one()),
    Row("_integer_prod", lambda a: tg.prod(a > 0, axis=1), lambda a: np.prod(a > 0, axis=1),
        of((2, 3))),
    Row("equal", ops.equal, np.equal, pair()),
    Row("not_equal", ops.not_equal, np.not_equal, pair()),
    Row("less", ops.less, np.less, pair()),
    Row("less_equal", ops.less_equal, np.less_equal, pair()),
    Row("greater", ops.greater, np.greater, pair()),
    Row("greater_equal", ops.greater_equal, np.greater_equal, pair()),
    Row("_and", lambda a, b: (a > 0) & (b > 0), lambda a, b: (a > 0) & (b > 0), pair()),
    Row("_or", lambda a, b: (a > 0) | (b > 0), lambda a, b: (a > 0) | (b > 0), pair()),
    Row("_invert", lambda a: ~(a > 0), lambda a: ~(a > 0), one()),
    Row("_as_integers", lambda a: a.astype("int8"), lambda a: a.astype("int8"), one()),
    Row("class_ids", fused.class_ids, lambda a: a.astype("int64").reshape(-1), one()),
    Row("factors_of_classes",
        lambda a: fused.factors_of_classes(a, np.array([2, -1, 0, 2]), ignore_index=-1),
        lambda a: a[[2, 0, 0, 2]] * [1, 0, 1, 1], of((3,))),
    Row("places_of_largest",
        lambda a: tg.nn.functional.max_pool2d(a, (1, 2), return_indices=True)[1],
        lambda a: a.argmax(axis=-1)[..., None], of((2, 3, 1, 2))),
    Row("_norm", lambda a: tg.nn.utils.get_total_norm(a), np.linalg.norm, of((3,))),
    *[Row(name, lambda a, f=name, axis=axis, keepdims=keepdims: getattr(tg, f)(
              a, axis=axis, keepdims=keepdims),
          lambda a, f=name, axis=axis, keepdims=keepdims: getattr(np, f)(
              a, axis=axis, keepdims=keepdims), of((2, 3)))
      for name in ("argmax", "argmin") for axis in (None, 0, -1) for keepdims in (False, True)],
]


def numbered(rows):
    """The rows as pytest's parameters: the name of the op, and where in the table it is."""
    return [pytest.param(row, id=f"{row.name}-{i}") for i, row in enumerate(rows)]


every_row = pytest.mark.parametrize("row", numbered(ROWS))
every_seed = pytest.mark.parametrize("seed", range(3))


def leaves(arrays, dtype=np.float64):
    return [Tensor(array, dtype=dtype, requires_grad=True) for array in arrays]


def as_list(result):
    return list(result) if isinstance(result, (list, tuple)) else [result]


def summed(results):
    """A scalar that depends on every element of every result, on each differently."""
    total = 0.0
    for y in results:
        weights = np.arange(1, y.size + 1).reshape(y.shape) / 4
        total = total + (y * weights.astype(y.dtype)).sum()
    return total


# ---- what every row is held to -------------------------------------------------------


@every_row
@every_seed
@pytest.mark.filterwarnings("error")
def test_gradients_of_first_and_second_order(row, seed):
    inputs = leaves(row.inputs(np.random.default_rng(seed)))
    assert gradcheck(row.ours, inputs, order=2)


@pytest.mark.parametrize("row", numbered(ROWS + STEPS))
@every_seed
def test_forward_agrees_with_numpy(row, seed):
    arrays = row.inputs(np.random.default_rng(seed))
    expected = as_list(row.reference(*arrays))
    results = as_list(row.ours(*leaves(arrays)))
    assert len(results) == len(expected)
    for y, wanted in zip(results, expected, strict=True):
        assert y.shape == np.shape(wanted)
        np.testing.assert_allclose(y.data, wanted, rtol=1e-12, atol=1e-12)


@every_row
def test_float32_stays_float32(row):
    inputs = leaves(row.inputs(np.random.default_rng(0)), np.float32)
    results = as_list(row.ours(*inputs))
    assert {y.dtype for y in results} == {np.dtype(np.float32)}
    summed(results).backward()
    assert {x.grad.dtype for x in inputs} == {np.dtype(np.float32)}


def with_integers():
    """Rows and integer dtypes, without those whose numbers an integer cannot hold."""
    for dtype in ("int8", "int64"):
        for param in numbered([row for row in ROWS if row is not NEGATIVE_POWER]):
            yield pytest.param(*param.values, dtype, id=f"{param.id}-{dtype}")
    for param in numbered(FUNCTIONS + ACTIVATIONS):
        yield pytest.param(*param.values, "uint8", id=f"{param.id}-uint8")


@pytest.mark.parametrize(("row", "dtype"), list(with_integers()))
def test_integers_stay_integers_or_become_float32(row, dtype):
    drawn = row.inputs(np.random.default_rng(0))
    arrays = [np.ceil(np.abs(array)).astype(dtype) for array in drawn]
    expected = as_list(row.reference(*[array.astype(np.float64) for array in arrays]))
    for y, wanted in zip(as_list(row.ours(*map(Tensor, arrays))), expected, strict=True):
        assert y.dtype.kind in "iu" or y.dtype == np.float32
        np.testing.assert_allclose(y.data.astype(np.float64), wanted, rtol=1e-5, atol=1e-6)


@every_row
def test_gradients_of_noncontiguous_inputs(row):
    arrays = row.inputs(np.random.default_rng(0))
    plain = leaves(arrays)
    turned = leaves([array.T for array in arrays])
    summed(as_list(row.ours(*plain))).backward()
    summed(as_list(row.ours(*[x.T for x in turned]))).backward()
    for x, y in zip(plain, turned, strict=True):
        np.testing.assert_allclose(y.grad.data.T, x.grad.data)
        assert y.grad.data.flags.c_contiguous
        assert y.grad.data.flags.writeable


@pytest.mark.parametrize("row", numbered(STEPS))
def test_steps_have_no_gradient(row):
    y = row.ours(*leaves(row.inputs(np.random.default_rng(0))))
    assert not y.requires_grad


def names_in_graph(nodes):
    """The names of all ops that the nodes were made by."""
    names, stack, seen = set(), list(nodes), set()
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            names.add(node.op_name)
            stack.extend(node.parents)
    return names


def names_that_run(row):
    """The names of the ops in a row's graph and in the graph of its gradients."""
    inputs = leaves(row.inputs(np.random.default_rng(0)))
    y = summed(as_list(row.ours(*inputs)))
    gradients = tg.grad(y, inputs, create_graph=True, retain_graph=True)
    return names_in_graph([y, *gradients])


def names_marked_op():
    """The functions of the package that stand under `@op(...)`, read from its source."""
    package = Path(ops.__file__).parent
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in package.rglob("*.py")]
    functions = [node for tree in trees for node in ast.walk(tree)
                 if isinstance(node, ast.FunctionDef)]
    return {f.name.lstrip("_") for f in functions for mark in f.decorator_list
            if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "op"}


def test_every_op_is_in_the_table():
    covered = {row.name.lstrip("_") for row in ROWS + STEPS}.union(*map(names_that_run, ROWS))
    marked = names_marked_op()
    assert {"add", "matmul", "put"} <= marked
    public = set(ops.__all__) | set(functions.__all__) | set(fused.__all__)
    assert public | marked <= covered


# ---- lengths of zero -----------------------------------------------------------------

EMPTY = [
    (tg.exp, [(0,)]),
    (tg.add, [(0, 3), (3,)]),
    (tg.multiply, [(0,), (1,)]),
    (tg.multiply, [(2, 0), ()]),
    (tg.maximum, [(0, 3), (0, 1)]),
    (tg.sum, [(0, 3)]),
    (lambda a: tg.sum(a, axis=0), [(0, 3)]),
    (lambda a: tg.mean(a, axis=1), [(0, 3)]),
    (lambda a: tg.max(a, axis=1), [(0, 3)]),
    (tg.prod, [(0, 3)]),
    (lambda a: tg.prod(a, axis=0), [(0, 3)]),
    (lambda a: tg.logsumexp(a, axis=1), [(0, 3)]),
    (tg.softmax, [(0, 3)]),
    (tg.log_softmax, [(0, 3)]),
    (tg.cumsum, [(0, 3)]),
    (lambda a: tg.reshape(a, (3, 0)), [(0, 2)]),
    (tg.transpose, [(0, 2)]),
    (tg.flip, [(0, 2)]),
    (lambda a: tg.pad(a, 1), [(0, 2)]),
    (lambda a, b: tg.concatenate([a, b]), [(0, 2), (1, 2)]),
    (lambda a, b: tg.stack([a, b]), [(0,), (0,)]),
    (lambda a: a[np.zeros(0, int)], [(3, 2)]),
    (lambda a: a[np.zeros(3, bool)], [(3, 2)]),
    (lambda a: a[3:], [(3, 2)]),
    (lambda a: tg.take(a, np.zeros((2, 0), int), axis=0), [(3, 2)]),
    (tg.matmul, [(2, 0), (0, 3)]),
    (tg.matmul, [(0, 2), (2, 3)]),
    (tg.matmul, [(0,), (0,)]),
    (lambda a, b: tg.einsum("ij,jk->ik", a, b), [(2, 0), (0, 3)]),
    (fused.linear, [(0, 3), (2, 3), (2,)]),
    (lambda a, w, b: fused.conv2d(a, w, b, at=SQUARE), [(0, 2, 3, 3), (3, 2, 2, 2), (3,)]),
    (lambda a, w, b: fused.conv2d(a, w, b, at=SQUARE), [(1, 0, 3, 3), (3, 0, 2, 2), (3,)]),
    (lambda a: fused.max_pool2d(a, at=APART, index=np.empty((0, 2, 2, 2), np.int32)),
     [(0, 2, 4, 4)]),
    (lambda a: fused.avg_pool2d(a, boxes=FOUR), [(2, 0, 3, 3)]),
    (lambda a, w, b: tg.nn.functional.batch_norm(a, None, None, w, b, True),
     [(0, 2, 2), (2,), (2,)]),
]


@pytest.mark.parametrize(("call", "shapes"), EMPTY)
@pytest.mark.filterwarnings("error")
def test_empty_arrays(call, shapes):
    inputs = leaves([np.ones(shape) for shape in shapes])
    assert gradcheck(call, inputs, order=2)
    call(*inputs).sum().backward()
    assert [x.grad.shape for x in inputs] == shapes


# ---- the gradient at kinks: the table of docs/gradients.md ----------------------------


def kinks():
    """(expression, its variables, their gradients), read from the table in the docs."""
    page = Path(__file__).parents[1] / "docs" / "gradients.md"
    table = page.read_text(encoding="utf-8").split("## Kinks")[1].split("##")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    return [tuple(cell.strip(" `") for cell in row[1:4]) for row in rows]


def numbers_in(cell):
    """The names and numbers of a cell such as ``x = 0, y = [1, 2]``."""
    return eval(f"dict({cell})", {"inf": np.inf, "nan": np.nan})


def evaluated(expression, variables):
    names = {name: getattr(tg, name) for name in [*ops.__all__, *functions.__all__]}
    names["F"] = tg.nn.functional
    names["max_pool2d"] = tg.nn.functional.max_pool2d
    return eval(expression, names, variables)


@pytest.mark.parametrize(("expression", "at", "gradients"), kinks())
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_kinks_of_tensors(expression, at, gradients):
    inputs = {name: Tensor(number, dtype="float64", requires_grad=True)
              for name, number in numbers_in(at).items()}
    evaluated(expression, inputs).sum().backward()
    for name, wanted in numbers_in(gradients).items():
        np.testing.assert_array_equal(inputs[name].grad.data, wanted)


@pytest.mark.parametrize(("expression", "at", "gradients"),
                         [kink for kink in kinks() if "[" not in kink[1]])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_kinks_of_values(expression, at, gradients):
    inputs = {name: Value(number) for name, number in numbers_in(at).items()}
    evaluated(expression, inputs).backward()
    for name, wanted in numbers_in(gradients).items():
        np.testing.assert_array_equal(inputs[name].grad, wanted)


# ---- gradcheck itself ----------------------------------------------------------------


@tg.op(lambda g, _y, a: g * (2.0 * a + 1e-2))
def wrong_square(a):
    return a * a


@tg.op(lambda g, _y, a: g * Tensor(2 * np.asarray(getattr(a, "data", a))))
def square_of_first_order_only(a):
    return a * a


def test_gradcheck_finds_a_wrong_gradient_and_says_where():
    x, y = leaves([np.ones(2), np.ones(2)])
    message = r"element 0 .* input 1 at index \(0,\) is 2\.01 analytically, but (1\.9|2\.0)"
    with pytest.raises(GradcheckError, match=message):
        gradcheck(lambda a, b: a + wrong_square(b), [y, x])
    assert not gradcheck(wrong_square, x, raise_exception=False)
    assert gradcheck(wrong_square, x, atol=0.1)
    assert x.data.tolist() == [1, 1]
    assert x.grad is None


def test_gradcheck_of_second_order_finds_what_the_first_does_not():
    x = Tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    assert gradcheck(square_of_first_order_only, x)
    assert not gradcheck(square_of_first_order_only, x, order=2, raise_exception=False)


def test_gradcheck_takes_values_tensors_and_constants_together():
    v, x = Value(2.0), Tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    assert gradcheck(lambda v, n, x, c: (v ** n, x * v * c), [v, 3, x, np.ones(2)], order=3)


def test_gradcheck_says_what_it_cannot_check():
    x = Tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    with pytest.raises(ValueError, match="input 0 is float32.*astype"):
        gradcheck(tg.exp, Tensor([1.0], requires_grad=True))
    with pytest.raises(ValueError, match="output 0 is float32"):
        gradcheck(lambda x: x.astype("float32"), x)
    with pytest.raises(ValueError, match="input that requires a gradient"):
        gradcheck(tg.exp, [Tensor([1.0]), 2.0])
    with pytest.raises(ValueError, match="output that requires a gradient"):
        gradcheck(tg.argmax, x)
    with pytest.raises(TypeError, match="returns nodes; got float"):
        gradcheck(lambda x: 1.0, x)


# ---- numbers at the edge of what a float holds ----------------------------------------


def test_large_and_small_numbers_neither_overflow_nor_vanish():
    x = Tensor([-1000.0, 0.0, 1000.0], dtype="float64", requires_grad=True)
    np.testing.assert_allclose(tg.sigmoid(x).data, [0, 0.5, 1])
    np.testing.assert_allclose(tg.softmax(x).data, [0, 0, 1])
    np.testing.assert_allclose(tg.log_softmax(x).data, [-2000, -1000, 0])
    np.testing.assert_allclose(tg.logsumexp(x).data, 1000)
    np.testing.assert_allclose(fused.logits_cross_entropy(x, np.ones(3)).data,
                               [1000, np.log(2), 0])


def test_division_by_tiny_numbers():
    a = Tensor([1e-25, 1e25], requires_grad=True)
    b = Tensor([1e-25, 1e25], requires_grad=True)
    (a / b).sum().backward()
    np.testing.assert_allclose(b.grad.data, [-1e25, -1e-25], rtol=1e-5)


def test_integers_to_a_negative_power_raise_as_in_numpy():
    with pytest.raises(ValueError, match="negative integer powers"):
        Tensor([1, 2]) ** -1


def test_errors_of_bad_arguments():
    x = Tensor(np.ones((2, 3)))
    with pytest.raises(ValueError, match="divides the 2 elements"):
        tg.split(x, 3)
    with pytest.raises(ValueError, match="as many operands"):
        tg.einsum("ij,jk", x)
    with pytest.raises(ValueError, match="equal lengths for the letter 'i'"):
        tg.einsum("ii", x)
    with pytest.raises(IndexError, match="integer indices"):
        tg.take(x, [0.5])
    with pytest.raises(ValueError, match="out of bounds"):
        tg.sum(x, axis=2)
    with pytest.raises(TypeError, match="dim"):
        tg.sum(x, dim=0)
    with pytest.raises(TypeError, match="multiple values"):
        tg.sum(x, 0, axis=1)
    with pytest.raises(TypeError, match="add.* takes 2 inputs"):
        tg.add(x)
    with pytest.raises(ValueError, match="mismatch|broadcast"):
        tg.add(x, Tensor(np.ones(4)))


def test_lists_are_joined_cut_and_contracted_like_arrays():
    rows = [[1.0, 2.0], [3.0, 4.0]]
    x = Tensor(rows, dtype="float64", requires_grad=True)
    np.testing.assert_array_equal(tg.concatenate([rows, rows]), rows + rows)
    np.testing.assert_array_equal(tg.split(rows, 2), [rows[:1], rows[1:]])
    assert tg.einsum("ii", rows) == 5.0
    assert gradcheck(lambda x: tg.einsum("ij,jk", rows, x), x)


def test_plain_data_gives_plain_data():
    for row in ARITHMETIC + FUNCTIONS + ACTIVATIONS:
        arrays = row.inputs(np.random.default_rng(0))
        y = row.ours(*arrays)
        assert isinstance(y, (np.ndarray, np.generic, float)), row.name
        np.testing.assert_allclose(y, row.reference(*arrays))

"""Activations: values, gradients, numbers at the edge, and what they refuse."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import tinygrad_lite as tg
from tinygrad_lite import fused, nn
from tinygrad_lite.nn import functional as F

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def erf(x):
    return np.vectorize(math.erf, otypes=[float])(x)


def sigmoid(x):
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def softplus(x, beta=1.0, threshold=20.0):
    return np.where(beta * x > threshold, x, np.logaddexp(0, beta * x) / beta)


def gelu_tanh(x):
    return x * sigmoid(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3))


# a Module, its function, its formula in NumPy
ROWS = [
    (nn.ReLU(), F.relu, lambda x: np.maximum(x, 0)),
    (nn.ReLU6(), F.relu6, lambda x: np.clip(x, 0, 6)),
    (nn.Hardtanh(), F.hardtanh, lambda x: np.clip(x, -1, 1)),
    (nn.Hardtanh(-0.5, 2.0), lambda x: F.hardtanh(x, -0.5, 2.0), lambda x: np.clip(x, -0.5, 2)),
    (nn.LeakyReLU(), F.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)),
    (nn.LeakyReLU(0.3), lambda x: F.leaky_relu(x, 0.3), lambda x: np.where(x > 0, x, 0.3 * x)),
    (nn.ELU(), F.elu, elu),
    (nn.ELU(2.5), lambda x: F.elu(x, alpha=2.5), lambda x: elu(x, 2.5)),
    (nn.SELU(), F.selu, lambda x: SELU_SCALE * elu(x, SELU_ALPHA)),
    (nn.GELU(), F.gelu, lambda x: x * (0.5 + 0.5 * erf(x / np.sqrt(2)))),
    (nn.GELU("tanh"), lambda x: F.gelu(x, approximate="tanh"), gelu_tanh),
    (nn.SiLU(), F.silu, lambda x: x * sigmoid(x)),
    (nn.Sigmoid(), F.sigmoid, sigmoid),
    (nn.LogSigmoid(), F.logsigmoid, lambda x: -np.logaddexp(0, -x)),
    (nn.Softplus(), F.softplus, softplus),
    (nn.Softplus(2.0, 1.5), lambda x: F.softplus(x, 2.0, 1.5), lambda x: softplus(x, 2, 1.5)),
    (nn.Tanh(), F.tanh, np.tanh),
]
every_row = pytest.mark.parametrize(("layer", "function", "formula"),
                                    [pytest.param(*row, id=repr(row[0])) for row in ROWS])
every_formula = pytest.mark.parametrize(("layer", "formula"),
                                        [pytest.param(row[0], row[2], id=repr(row[0]))
                                         for row in ROWS])
every_layer = pytest.mark.parametrize("layer", [row[0] for row in ROWS], ids=repr)

POINTS = np.array([-1e4, -700.0, -30.0, -5.1, -1.3, -0.4, -1e-8, 1e-8, 0.3, 0.9, 4.2, 19.0,
                   1e4])


def leaf(x, dtype=np.float64):
    return tg.Tensor(x, dtype=dtype, requires_grad=True)


# ---- values and gradients --------------------------------------------------------------


@every_row
@pytest.mark.filterwarnings("error")
def test_values(layer, function, formula):
    for f in [layer, function]:
        y = f(tg.Tensor(POINTS))
        assert isinstance(y, tg.Tensor)
        np.testing.assert_allclose(y.numpy(), formula(POINTS), rtol=1e-14, atol=1e-14)
        assert isinstance(f(POINTS), np.ndarray)
        np.testing.assert_array_equal(f(POINTS), y.numpy())
        y = f(tg.Tensor(POINTS.astype(np.float32)))
        assert y.dtype == np.float32
        np.testing.assert_allclose(y.numpy(), formula(POINTS), rtol=5e-7, atol=1.5e-6)


@every_layer
@pytest.mark.filterwarnings("error")
def test_gradients_of_first_to_third_order(layer):
    assert tg.gradcheck(layer, leaf([-3.3, -1.2, -0.2, 0.3, 1.4, 3.1]), order=3)


@every_layer
@pytest.mark.filterwarnings("error")
def test_gradients_of_large_numbers_are_finite(layer):
    for dtype in [np.float32, np.float64]:
        x = leaf([-1e4, -300.0, 300.0, 1e4], dtype)
        (first,) = tg.grad(layer(x).sum(), x, create_graph=True)
        (second,) = tg.grad(first.sum(), x)
        slopes = first.numpy()
        assert slopes.dtype == dtype
        np.testing.assert_allclose(slopes, slopes[[0, 0, 3, 3]], atol=1e-100)
        np.testing.assert_allclose(second.numpy(), 0, atol=1e-100)


# what the function and its slope tend to on the left and on the right
LIMITS = [
    (nn.ReLU(), [0, np.inf], [0, 1]),
    (nn.ReLU6(), [0, 6], [0, 0]),
    (nn.Hardtanh(), [-1, 1], [0, 0]),
    (nn.LeakyReLU(), [-np.inf, np.inf], [0.01, 1]),
    (nn.ELU(), [-1, np.inf], [0, 1]),
    (nn.SELU(), [-SELU_ALPHA * SELU_SCALE, np.inf], [0, SELU_SCALE]),
    (nn.GELU(), [0, np.inf], [0, 1]),
    (nn.GELU("tanh"), [0, np.inf], [0, 1]),
    (nn.SiLU(), [0, np.inf], [0, 1]),
    (nn.Sigmoid(), [0, 1], [0, 0]),
    (nn.LogSigmoid(), [-np.inf, 0], [1, 0]),
    (nn.Softplus(), [0, np.inf], [0, 1]),
    (nn.Tanh(), [-1, 1], [0, 0]),
]


@pytest.mark.parametrize(("layer", "values", "slopes"), LIMITS,
                         ids=[repr(row[0]) for row in LIMITS])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("error")
def test_values_and_slopes_at_infinity(layer, values, slopes, dtype):
    x = leaf([-np.inf, np.inf], dtype)
    y = layer(x)
    np.testing.assert_array_equal(y.numpy(), np.array(values, dtype))
    y.backward(np.ones(2))
    np.testing.assert_allclose(x.grad.numpy(), slopes, rtol=1e-6)


@every_layer
def test_nan_stays_nan(layer):
    assert np.isnan(layer(tg.Tensor([np.nan])).item())


@every_formula
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_any_shape_and_layout(layer, formula, data):
    shape = data.draw(array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    x = data.draw(arrays(np.float64, shape, elements=st.floats(-50, 50)))
    a, turned = leaf(x), leaf(x.T)
    y = layer(a)
    assert y.shape == shape
    np.testing.assert_allclose(y.numpy(), formula(x), rtol=1e-13, atol=1e-13)
    y.sum().backward()
    layer(turned.T).sum().backward()
    np.testing.assert_array_equal(a.grad.numpy(), turned.grad.numpy().T)


@every_formula
def test_values_are_scalars(layer, formula):
    for x in [-1.5, 0.7]:
        v, t = tg.Value(x), leaf(x)
        y = layer(v)
        assert type(y) is tg.Value
        assert y.data == pytest.approx(float(formula(x)), rel=1e-14)
        y.backward()
        layer(t).backward()
        assert type(v.grad) is float
        assert v.grad == t.grad.item()
    assert tg.gradcheck(layer, tg.Value(0.4), order=2)


@every_formula
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "bool"])
def test_integers(layer, formula, dtype):
    x = np.array([0, 1, 3]).astype(dtype)
    y = layer(tg.Tensor(x))
    assert y.dtype.kind in "biu" or y.dtype == np.float32
    np.testing.assert_allclose(y.numpy().astype(float), formula(x.astype(float)), rtol=1e-6)


@every_layer
def test_the_input_is_left_alone(layer):
    x = np.linspace(-3, 3, 7)
    before = x.copy()
    layer(x)
    np.testing.assert_array_equal(x, before)


@every_layer
def test_no_grad_records_nothing(layer):
    with tg.no_grad():
        assert not layer(leaf([1.0])).requires_grad


@every_layer
def test_copies(layer):
    x = np.array([-1.0, 2.0])
    for other in [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]:
        assert repr(other) == repr(layer)
        np.testing.assert_array_equal(other(x), layer(x))


def test_selu_at_0():
    x = leaf(0.0)
    F.selu(x).backward()
    assert x.grad.item() == pytest.approx(SELU_ALPHA * SELU_SCALE)


def test_selu_keeps_mean_0_and_variance_1():
    x = np.random.default_rng(0).standard_normal(400_000)
    y = F.selu(x)
    assert abs(y.mean()) < 0.01
    assert abs(y.var() - 1) < 0.01


def test_gelu_by_tanh_is_close():
    x = np.linspace(-8, 8, 10001)
    assert np.abs(F.gelu(x) - F.gelu(x, "tanh")).max() < 5e-4


# ---- erf -------------------------------------------------------------------------------


def test_erf_in_float64():
    x = np.concatenate([np.linspace(-6.5, 6.5, 40001), np.logspace(-300, 0, 2001)])
    wanted = erf(x)
    units = np.abs(fused.erf(x) - wanted) / np.spacing(np.abs(wanted))
    assert units.max() <= 2  # math.erf itself is within 1


def test_erf_in_float32():
    x = np.concatenate([np.linspace(-6.5, 6.5, 40001), np.logspace(-37, 0, 4001)])
    x = x.astype(np.float32)
    wanted = erf(x.astype(float))
    units = np.abs(fused.erf(x) - wanted) / np.spacing(np.abs(wanted).astype(np.float32))
    assert units.max() < 2.5


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_erf_is_of_its_inputs_dtype(dtype):
    x = np.array([-np.inf, -1e4, -0.5, 0, 0.5, 1e4, np.inf, np.nan], dtype)
    y = fused.erf(x)
    assert y.dtype == dtype
    wanted = [-1, -1, -erf(0.5), 0, erf(0.5), 1, 1, np.nan]
    np.testing.assert_allclose(y, wanted, rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("shape", [(0,), (), (1, 0, 2), (3, 5), (2, 20_001)])
def test_erf_of_any_shape(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    y = fused.erf(np.asarray(x))
    assert np.shape(y) == shape
    np.testing.assert_allclose(y, erf(x), rtol=1e-15)


# ---- along an axis ---------------------------------------------------------------------


@pytest.mark.parametrize("dim", [None, 0, 1, -2])
def test_softmax_layers(dim):
    x = np.random.default_rng(0).standard_normal((3, 4, 2))
    options = {} if dim is None else {"dim": dim}
    axis = -1 if dim is None else dim
    p = np.exp(x) / np.exp(x).sum(axis, keepdims=True)
    np.testing.assert_allclose(nn.Softmax(**options)(x), p, rtol=1e-14)
    np.testing.assert_allclose(nn.LogSoftmax(**options)(x), np.log(p), rtol=1e-13)
    assert tg.gradcheck(nn.Softmax(**options), leaf(x[:2, :2]), order=2)
    assert tg.gradcheck(nn.LogSoftmax(**options), leaf(x[:2, :2]), order=2)


def test_softmax_of_an_axis_that_is_not_there():
    for layer in [nn.Softmax(2), nn.LogSoftmax(-3)]:
        with pytest.raises(IndexError):
            layer(tg.Tensor(np.ones((2, 3))))


# ---- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: nn.GELU("erf"), RuntimeError, "none or tanh; got 'erf'"),
    (lambda: F.gelu(np.ones(2), "fast"), RuntimeError, "none or tanh"),
    (lambda: nn.Hardtanh(1, -1), ValueError, "greater than max_val; got 1 and -1"),
    (lambda: F.hardtanh(np.ones(2), 1, -1), ValueError, "greater than max_val"),
    (lambda: nn.ReLU(inplace=True), TypeError, "takes no arguments|inplace"),
    (lambda: F.elu(np.ones(2), inplace=True), TypeError, "inplace"),
])
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()


# ---- PyTorch ---------------------------------------------------------------------------


def torch_twin(layer):
    """The same Module of PyTorch, made from how ours prints."""
    torch = pytest.importorskip("torch")
    return eval(f"nn.{layer!r}", {"nn": torch.nn})


@pytest.mark.parity
@pytest.mark.parametrize("layer", [*[row[0] for row in ROWS], nn.Softmax(1), nn.LogSoftmax(0)],
                         ids=repr)
def test_values_and_gradients_of_torch(layer):
    torch = pytest.importorskip("torch")
    theirs = torch_twin(layer)
    assert repr(theirs) == repr(layer)
    points = np.random.default_rng(0).uniform(-8, 8, (40, 5))
    points[:5] *= 10
    points[6] = [-1e4, 1e4, 0, 20, -20]
    x, t = leaf(points), torch.tensor(points, requires_grad=True)
    weights = np.random.default_rng(1).standard_normal(points.shape)
    y, z = layer(x), theirs(t)
    (first,) = tg.grad(y, x, weights, create_graph=True)
    (wanted,) = torch.autograd.grad(z, t, torch.tensor(weights), create_graph=True)
    (second,) = tg.grad(first, x, np.cos(points))
    (wanted2,) = torch.autograd.grad(wanted, t, torch.tensor(np.cos(points)),
                                     allow_unused=True, materialize_grads=True)
    second = second.numpy()
    if isinstance(layer, (nn.ELU, nn.SELU)):
        second[6, 2] = 0  # ours is that from below; see docs/gradients.md
    if isinstance(layer, nn.Softplus):
        second[np.abs(points * layer.beta - layer.threshold) < 1e-9] = 0  # on the threshold
    tolerance = dict(rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(y.numpy(), z.numpy(force=True), **tolerance)
    np.testing.assert_allclose(first.numpy(), wanted.numpy(force=True), **tolerance)
    np.testing.assert_allclose(second, wanted2.numpy(force=True), **tolerance)

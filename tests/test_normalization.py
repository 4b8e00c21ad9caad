"""Layer norm and group norm: values, gradients, long rows, and what they refuse."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tg
from tinygrad_lite import fused, nn
from tinygrad_lite.nn import functional as F


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(1.0, 2.0, shape)


def leaf(*shape, seed=0):
    return tg.Tensor(numbers(*shape, seed=seed), requires_grad=True)


def layer_norm(x, axes, w, b, eps):
    axes = tuple(range(x.ndim - axes, x.ndim))
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps) * w + b


def group_norm(x, groups, w, b, eps):
    y = layer_norm(x.reshape(len(x), groups, -1), 1, 1.0, 0.0, eps).reshape(x.shape)
    across = (-1,) + (1,) * (x.ndim - 2)
    return y * w.reshape(across) + b.reshape(across)


# ---- values and gradients --------------------------------------------------------------

LENGTHS = st.lists(st.integers(1, 4), min_size=1, max_size=4)
EPS = st.sampled_from([1e-5, 1e-12, 0.5])


@given(LENGTHS, st.integers(1, 4), EPS, st.booleans(), st.booleans(), st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_layer_norm(shape, axes, eps, weight, bias, seed):
    axes = min(axes, len(shape))
    inner = tuple(shape[len(shape) - axes:])
    x = numbers(*shape, seed=seed)
    w, b = numbers(*inner, seed=1), numbers(*inner, seed=2)
    y = F.layer_norm(tg.Tensor(x), inner, w if weight else None, b if bias else None, eps)
    wanted = layer_norm(x, axes, w if weight else 1, b if bias else 0, eps)
    assert y.shape == x.shape
    np.testing.assert_allclose(y.data, wanted, rtol=1e-9, atol=1e-9)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), LENGTHS, EPS,
       st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_group_norm(batch, groups, size, rest, eps, seed):
    channels = groups * size
    x = numbers(batch, channels, *rest[1:], seed=seed)
    w, b = numbers(channels, seed=1), numbers(channels, seed=2)
    if x.size == groups:
        with pytest.raises(ValueError, match="more than 1 value"):
            F.group_norm(x, groups, w, b, eps)
        return
    y = F.group_norm(tg.Tensor(x), groups, w, b, eps)
    np.testing.assert_allclose(y.data, group_norm(x, groups, w, b, eps), rtol=1e-9, atol=1e-9)


LAYERS = [
    (nn.LayerNorm(4, dtype="float64"), (3, 4)),
    (nn.LayerNorm((2, 3), eps=0.1, dtype="float64"), (2, 2, 3)),
    (nn.LayerNorm([3], bias=False, dtype="float64"), (2, 1, 3)),
    (nn.LayerNorm(3, elementwise_affine=False), (2, 3)),
    (nn.LayerNorm(5, dtype="float64"), (5,)),
    (nn.GroupNorm(2, 4, dtype="float64"), (2, 4)),
    (nn.GroupNorm(1, 2, eps=0.1, dtype="float64"), (2, 2, 3)),
    (nn.GroupNorm(3, 3, affine=False), (1, 3, 2, 2)),
    (nn.GroupNorm(2, 2, bias=False, dtype="float64"), (2, 2, 3)),
]
every_layer = pytest.mark.parametrize(("layer", "shape"), LAYERS,
                                      ids=[repr(layer) for layer, _ in LAYERS])


@every_layer
@pytest.mark.filterwarnings("error")
def test_finite_differences(layer, shape):
    layer = copy.deepcopy(layer)
    for i, p in enumerate(layer.parameters()):
        p.data = numbers(*p.shape, seed=i + 1)
    weights = np.cos(np.arange(math.prod(shape))).reshape(shape)

    def weighted(x, *_parameters):
        return layer(x) * weights

    assert tg.gradcheck(weighted, [leaf(*shape), *layer.parameters()], order=2)


def test_derivatives_of_third_order():
    assert tg.gradcheck(lambda x: fused.standardize(x, 0.1), leaf(2, 3), order=3)


@pytest.mark.parametrize(("layer", "shape"), [(nn.LayerNorm((2, 3)), (4, 2, 3)),
                                              (nn.GroupNorm(2, 4), (3, 4, 5))])
def test_float32_stays_float32(layer, shape):
    x = tg.Tensor(numbers(*shape), dtype=np.float32, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert {t.dtype for t in [y, x.grad, *[p.grad for p in layer.parameters()]]} == {
        np.dtype(np.float32)}
    assert layer(numbers(*shape)).dtype == np.float32  # plain numbers take the dtype of w


@every_layer
def test_inputs_of_any_layout(layer, shape):
    x, turned = leaf(*shape), tg.Tensor(numbers(*shape).T, requires_grad=True)
    weights = numbers(*shape, seed=3)
    (layer(x) * weights).sum().backward()
    (layer(turned.T) * weights).sum().backward()
    np.testing.assert_allclose(turned.grad.data.T, x.grad.data, atol=1e-12)
    plain = layer(x.data)
    np.testing.assert_array_equal(getattr(plain, "data", plain), layer(x).data)


@every_layer
def test_training_and_eval_are_alike(layer, shape):
    x = numbers(*shape)
    before = np.asarray(layer(x))
    np.testing.assert_array_equal(np.asarray(copy.deepcopy(layer).eval()(x)), before)


@pytest.mark.parametrize(("layer", "shape"), [
    (nn.LayerNorm(3), (0, 3)), (nn.LayerNorm(0), (2, 0)), (nn.LayerNorm((0, 2)), (3, 0, 2)),
    (nn.GroupNorm(2, 4), (0, 4)), (nn.GroupNorm(2, 4), (2, 4, 0)),
])
@pytest.mark.filterwarnings("error")
def test_empty_inputs(layer, shape):
    x = tg.Tensor(np.ones(shape), dtype=np.float32, requires_grad=True)
    y = layer(x)
    assert y.shape == shape
    y.sum().backward()
    assert x.grad.shape == shape
    assert all(np.array_equal(p.grad.data, np.zeros(p.shape)) for p in layer.parameters())


@pytest.mark.filterwarnings("error")
def test_rows_without_variance():
    x = tg.Tensor(np.full((2, 3), 7.0), dtype=np.float32, requires_grad=True)
    y = F.layer_norm(x, (3,))
    np.testing.assert_array_equal(y.data, 0)
    y.backward(np.eye(2, 3))
    assert np.isfinite(x.grad.data).all()


@pytest.mark.parametrize("shift", [0.0, 50.0, 1e4])
@pytest.mark.parametrize("n", [100, 10_000, 1_000_000])
def test_long_rows_in_float32(n, shift):
    """The variance is taken after the mean, and sums are exact: no digits are lost."""
    x = (numbers(2, n) + shift).astype(np.float32)
    wanted = layer_norm(x.astype(float), 1, 1, 0, 1e-5)
    np.testing.assert_allclose(F.layer_norm(x, n), wanted, rtol=1e-5,
                               atol=1e-5 + shift * 2e-7)


def test_integers():
    y = F.layer_norm(tg.Tensor([[1, 2, 3]]), 3)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, [[-1.2247, 0, 1.2247]], atol=1e-4)


# ---- the Modules -----------------------------------------------------------------------


def test_parameters():
    for layer, shape in [(nn.LayerNorm((2, 3)), (2, 3)), (nn.GroupNorm(2, 4), (4,))]:
        assert list(layer.state_dict()) == ["weight", "bias"]
        for p, number in [(layer.weight, 1), (layer.bias, 0)]:
            wanted = np.full(shape, number, np.float32)
            np.testing.assert_array_equal(p.data, wanted, strict=True)
        with tg.no_grad():
            layer.weight += 1
        layer.reset_parameters()
        np.testing.assert_array_equal(layer.weight.data, 1)
    for layer in [nn.LayerNorm(3, bias=False), nn.GroupNorm(1, 3, bias=False)]:
        assert list(layer.state_dict()) == ["weight"]
        assert layer.bias is None
    for layer in [nn.LayerNorm(3, elementwise_affine=False), nn.GroupNorm(1, 3, affine=False)]:
        assert (layer.weight, layer.bias) == (None, None)
    assert nn.LayerNorm(np.int64(3)).normalized_shape == (3,)


@every_layer
def test_copies(layer, shape):
    x = numbers(*shape)
    for other in [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]:
        assert repr(other) == repr(layer)
        np.testing.assert_array_equal(np.asarray(other(x)), np.asarray(layer(x)))


# ---- refusals --------------------------------------------------------------------------

REFUSED = [
    (lambda nn, ones: nn.LayerNorm(3)(ones(2, 4)), RuntimeError, r"\(\*, 3\); got \(2, 4\)"),
    (lambda nn, ones: nn.LayerNorm((2, 3))(ones(3)), RuntimeError, r"\(\*, 2, 3\); got \(3,\)"),
    (lambda nn, ones: nn.LayerNorm((3, 2))(ones(2, 3)), RuntimeError, "normalized_shape"),
    (lambda nn, ones: nn.LayerNorm(())(ones(3)), RuntimeError, "at least 1-dimensional"),
    (lambda nn, ones: nn.functional.layer_norm(ones(2, 4), (4,), ones(3)), RuntimeError,
     r"weight to be of same shape as normalized_shape, \(4,\); got \(3,\)"),
    (lambda nn, ones: nn.functional.layer_norm(ones(2, 4), (4,), None, ones(1)), RuntimeError,
     "bias to be of same shape"),
    (lambda nn, ones: nn.GroupNorm(3, 4), ValueError, r"\(4\) must be divisible .* \(3\)"),
    (lambda nn, ones: nn.GroupNorm(2, 4)(ones(2, 6)), RuntimeError, "number of channels.* 6"),
    (lambda nn, ones: nn.GroupNorm(2, 4)(ones(4)), RuntimeError, "at least 2 dimensions"),
    (lambda nn, ones: nn.functional.group_norm(ones(2, 4), 3), RuntimeError, "3 groups"),
    (lambda nn, ones: nn.functional.group_norm(ones(2, 4), -1), RuntimeError, "than 0; got -1"),
    (lambda nn, ones: nn.functional.group_norm(ones(2, 4), 2, None, ones(2)), RuntimeError,
     "bias to be a vector"),
    (lambda nn, ones: nn.GroupNorm(2, 2)(ones(1, 2)), ValueError, "more than 1 value"),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call(nn, lambda *shape: tg.Tensor(np.ones(shape, np.float32)))


def test_no_groups_are_refused():
    for groups in [0, -2]:
        with pytest.raises(ValueError, match="divisible by num_groups"):
            nn.GroupNorm(groups, 4)
    with pytest.raises(RuntimeError, match="greater than 0; got 0"):
        F.group_norm(np.ones((2, 4)), 0)


# ---- PyTorch ---------------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize(("call", "error"), [row[:2] for row in REFUSED])
def test_errors_of_torch(call, error):
    torch = pytest.importorskip("torch")
    with pytest.raises(error):
        call(torch.nn, torch.ones)


@pytest.mark.parity
@every_layer
def test_values_and_gradients_of_torch(layer, shape):
    torch = pytest.importorskip("torch")
    theirs = eval(f"nn.{layer!r}", {"nn": torch.nn}).double()
    assert list(theirs.state_dict()) == list(layer.state_dict())
    assert repr(theirs) == repr(layer)
    layer = copy.deepcopy(layer)
    for i, p in enumerate(layer.parameters()):
        p.data = numbers(*p.shape, seed=i + 1)
    theirs.load_state_dict({k: torch.tensor(v) for k, v in layer.state_dict().items()})
    x = leaf(*shape)
    t = torch.tensor(x.data, requires_grad=True)
    weights, more = numbers(*shape, seed=8), numbers(*shape, seed=9)
    y, z = layer(x), theirs(t)
    inputs, their_inputs = [x, *layer.parameters()], [t, *theirs.parameters()]
    ours = tg.grad(y, inputs, weights, create_graph=True)
    wanted = torch.autograd.grad(z, their_inputs, torch.tensor(weights), create_graph=True)
    second = tg.grad(ours[0], x, more)
    second_wanted = torch.autograd.grad(wanted[0], t, torch.tensor(more))
    for a, b in zip([y, *ours, *second], [z, *wanted, *second_wanted], strict=True):
        np.testing.assert_allclose(a.data, b.numpy(force=True), rtol=1e-9, atol=1e-9)

"""Batch norm: its kernels in three bodies, the function against formulas, finite differences
and PyTorch, and the layers with their running statistics."""

import copy
import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_convolution import first_and_second, leaf, numbers, wave

import tinygrad_lite as tg
from tinygrad_lite import Tensor, kernels, nn
from tinygrad_lite.gradcheck import gradcheck
from tinygrad_lite.nn import functional as F

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
BODIES = ["numpy", "python"] if WITHOUT_C else ["c", "numpy", "python"]
every_body = pytest.mark.parametrize("body", BODIES)
SIZES = [0, 1, 2, 3, 7, 15, 16, 17, 33]


# ---- the kernels -----------------------------------------------------------------------


def slopes(x, g, w, mean, var, eps, training):
    """dx, dw, db in float64; Ioffe and Szegedy 2015, after algorithm 1."""
    r = 1 / np.sqrt(var + eps)
    h = (x - mean[:, None]) * r[:, None]
    db, dw = g.sum(axis=(0, 2)), (g * h).sum(axis=(0, 2))
    m = max(x.shape[0] * x.shape[2], 1)
    share = (db[:, None] + h * dw[:, None]) / m if training else 0
    return (w * r)[:, None] * (g - share), dw, db


@settings(max_examples=60, deadline=None)
@given(n=st.sampled_from([0, 1, 2, 3]), c=st.sampled_from([0, 1, 2, 65]),
       s=st.sampled_from(SIZES), dtype=st.sampled_from([np.float32, np.float64]),
       training=st.booleans())
def test_the_bodies_against_the_formulas(n, c, s, dtype, training):
    x = numbers(n, c, s, dtype=dtype) + dtype(3)
    g, w, b = numbers(n, c, s, seed=1, dtype=dtype), numbers(c, dtype=dtype), np.ones(c, dtype)
    exact = x.astype(np.float64)
    units = 100 * np.finfo(dtype).eps
    for name in [name for name in BODIES if name != "python" or n * c * s < 100]:
        body = kernels.body(name)
        mean, var = found = np.empty((2, c), dtype)
        running = np.zeros(c, dtype), np.ones(c, dtype)
        y = body.batch_norm(x, w, b, running, found, 0.1, 0.25)
        if n * s:
            np.testing.assert_allclose(mean, exact.mean(axis=(0, 2)), rtol=units)
            np.testing.assert_allclose(var, exact.var(axis=(0, 2)), rtol=units, atol=units)
            np.testing.assert_allclose(running[0], 0.25 * mean, rtol=units)
            if n * s > 1:
                unbiased = exact.var(axis=(0, 2), ddof=1)
                np.testing.assert_allclose(running[1], 0.75 + 0.25 * unbiased, rtol=units)
        else:
            assert not running[0].any()
            assert (running[1] == 1).all()
            np.testing.assert_array_equal(found, np.zeros((2, c)))
        np.testing.assert_array_equal(body.normalize(x, w, b, mean, var, 0.1), y)
        mean, var, w64 = (a.astype(np.float64) for a in (mean, var, w))
        scale = w64 / np.sqrt(var + 0.1)
        np.testing.assert_allclose(y, (x - mean[:, None]) * scale[:, None] + 1, rtol=units,
                                   atol=units)
        expected = slopes(exact, g.astype(np.float64), w64, mean, var, 0.1, training)
        sums = np.empty((2, c), dtype)
        dx = body.batch_norm_slopes(g, x, w, *found, *sums, 0.1, training)
        assert dx.dtype == y.dtype == dtype
        for got, wanted in zip((dx, *sums), expected):
            np.testing.assert_allclose(got, wanted, rtol=units, atol=20 * units)


@every_body
def test_a_large_mean_does_not_swallow_the_variance(body):
    x = numbers(50, 2, 40, dtype=np.float32) * np.float32(0.01) + np.float32(100)
    mean, var = found = np.empty((2, 2), np.float32)
    kernels.body(body).batch_norm(x, *np.ones((2, 2), np.float32), (), found, 0.1, 0.1)
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(axis=(0, 2)), rtol=1e-6)
    np.testing.assert_allclose(var, x.astype(np.float64).var(axis=(0, 2)), rtol=1e-5)


C3 = np.ones(3)
ONES = np.ones((2, 3, 1))
ROOM = np.ones((2, 3))


@every_body
@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda k: k.normalize(np.ones(3), C3, C3, C3, C3, 0.1), ValueError, "(n, c, ...)"),
    (lambda k: k.normalize(ONES.astype(int), C3, C3, C3, C3, 0.1), TypeError, "float32 or"),
    (lambda k: k.normalize([1.0], C3, C3, C3, C3, 0.1), TypeError, "ndarray, got list"),
    (lambda k: k.normalize(ONES, C3, C3, C3, C3[:2], 0.1), ValueError, "channels.*(3,)"),
    (lambda k: k.normalize(ONES, C3, [1.0], C3, C3, 0.1), TypeError, "channels.*got list"),
    (lambda k: k.batch_norm(ONES, C3, C3.astype("f"), (), ROOM, 0.1, 0.1), TypeError,
     "channels must be float64"),
    (lambda k: k.batch_norm(ONES, C3, C3, (), ROOM[:, :1], 0.1, 0.1), ValueError, "(3,)"),
    (lambda k: k.batch_norm(ONES, C3, C3, (C3, C3[::-1]), ROOM, 0.1, 0.1), ValueError,
     "C-contiguous"),
    (lambda k: k.batch_norm_slopes(ONES[:1], ONES, C3, C3, C3, *ROOM, 0.1, True), ValueError,
     "g must have shape"),
    (lambda k: k.batch_norm_slopes(ONES.astype("f"), ONES, C3, C3, C3, *ROOM, 0.1, True),
     TypeError, "g must be float64"),
    (lambda k: k.batch_norm_slopes(ONES, ONES, C3, C3, C3, *ROOM.astype("f"), 0.1, True),
     TypeError, "written must be float64"),
])
def test_what_the_border_refuses(body, call, error, words):
    words = words.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(error, match=words):
        call(kernels.body(body))


# ---- the function ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 2), (2, 2, 2), (2, 1, 2, 2), (1, 2, 3)])
def test_gradients_up_to_third_order_in_training(shape):
    inputs = [leaf(*shape), leaf(shape[1]), leaf(shape[1], seed=1)]
    assert gradcheck(lambda x, w, b: F.batch_norm(x, None, None, w, b, True, eps=0.1), inputs,
                     order=3)


@pytest.mark.parametrize("shape", [(3, 2), (1, 2), (2, 1, 2, 2)])
def test_gradients_up_to_third_order_in_evaluation(shape):
    mean, var = numbers(shape[1]), 1 + numbers(shape[1]) ** 2
    inputs = [leaf(*shape), leaf(shape[1]), leaf(shape[1], seed=1)]
    assert gradcheck(lambda x, w, b: F.batch_norm(x, mean, var, w, b), inputs, order=3)


@every_body
def test_every_backend_normalizes(body):
    x = leaf(4, 3, 2)
    with tg.backend(body):
        y = F.batch_norm(x, None, None, training=True, eps=1e-12)
        (y ** 3).sum().backward()
    np.testing.assert_allclose(y.data.mean(axis=(0, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(y.data.std(axis=(0, 2)), 1, rtol=1e-9)
    np.testing.assert_allclose(x.grad.data.sum(axis=(0, 2)), 0, atol=1e-9)


def test_running_arrays_are_changed_in_place_in_training_only():
    x = numbers(5, 2, 3)
    mean, var = np.zeros(2), np.ones(2)
    F.batch_norm(x, mean, var)
    assert (mean.tolist(), var.tolist()) == ([0, 0], [1, 1])
    F.batch_norm(x, mean, var, training=True, momentum=0.25)
    np.testing.assert_allclose(mean, 0.25 * x.mean(axis=(0, 2)))
    np.testing.assert_allclose(var, 0.75 + 0.25 * x.var(axis=(0, 2), ddof=1))


def test_dtypes_and_layouts():
    x = numbers(4, 3, 2)
    expected = F.batch_norm(x, None, None, training=True)
    np.testing.assert_allclose(F.batch_norm(x.copy(order="F"), None, None, training=True),
                               expected)
    for dtype in (np.float32, np.float64):
        a, w = leaf(4, 3, 2, dtype=dtype), leaf(3, dtype=np.float32)
        y = F.batch_norm(a, np.zeros(3), np.ones(3), w, None, True)
        assert y.dtype == dtype
        (y ** 2).sum().backward()
        assert (a.grad.dtype, w.grad.dtype) == (dtype, np.float32)
    assert F.batch_norm(np.arange(6).reshape(3, 2), None, None, training=True).dtype \
        == np.float32


@pytest.mark.parametrize("shape", [(0, 2), (0, 2, 3), (2, 2, 0)])
@pytest.mark.filterwarnings("error")
def test_a_batch_without_numbers(shape):
    layer = nn.BatchNorm1d(2, dtype="float64")
    x = leaf(*shape)
    y = layer(x)
    assert y.shape == shape
    y.sum().backward()
    assert x.grad.shape == shape
    assert layer.weight.grad.tolist() == layer.bias.grad.tolist() == [0, 0]
    assert layer.running_mean.tolist() == [0, 0]
    assert layer.running_var.tolist() == [1, 1]
    assert layer.eval()(x).shape == shape


X = np.ones((4, 3))


@pytest.mark.parametrize(("arguments", "options", "error", "words"), [
    ((np.ones((1, 3)), None, None), {"training": True}, ValueError,
     r"more than 1 value per channel.*\(1, 3\)"),
    ((np.ones((1, 3, 1)), None, None), {"training": True}, ValueError, "more than 1 value"),
    ((np.ones(3), None, None), {"training": True}, IndexError, r"\(n, c, ...\)"),
    ((X, None, None), {"training": True, "eps": 0}, ValueError, "eps must be positive.*0"),
    ((X, C3, C3), {"training": True, "momentum": None}, TypeError, "number as momentum"),
    ((X, None, None), {}, RuntimeError, "must be defined in evaluation mode"),
    ((X, C3, None), {}, RuntimeError, "must be defined in evaluation mode"),
    ((X, C3, None), {"training": True}, ValueError, "both be None or neither"),
    ((X, np.ones(4), C3), {}, RuntimeError, "running_mean should contain 3 elements"),
    ((X, C3, np.ones(4)), {}, RuntimeError, "running_var should contain 3 elements"),
    ((X, C3, C3, np.ones(2)), {}, RuntimeError, r"weight should contain 3.*\(2,\)"),
    ((X, C3, C3, C3, np.ones((3, 1))), {}, RuntimeError, r"bias should contain 3.*\(3, 1\)"),
])
def test_refusals(arguments, options, error, words):
    with pytest.raises(error, match=words):
        F.batch_norm(*arguments, **options)


# ---- the layers ------------------------------------------------------------------------


def test_statistics_run_in_training_and_rest_in_evaluation():
    layer = nn.BatchNorm2d(3)
    x = numbers(2, 3, 4, 4, dtype=np.float32)
    layer(x)
    np.testing.assert_allclose(layer.running_mean.data, 0.1 * x.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.data,
                               0.9 + 0.1 * x.var(axis=(0, 2, 3), ddof=1), rtol=1e-5)
    assert layer.num_batches_tracked.item() == 1
    state = layer.eval().state_dict()
    y = layer(x)
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
    mean, var = (state[name].reshape(3, 1, 1) for name in ("running_mean", "running_var"))
    np.testing.assert_allclose(y.data, (x - mean) / np.sqrt(var + 1e-5), rtol=1e-5, atol=1e-6)


def test_without_momentum_the_average_is_over_all_batches():
    layer = nn.BatchNorm1d(2, momentum=None, dtype="float64")
    batches = numbers(5, 6, 2)
    for x in batches:
        layer(x)
    np.testing.assert_allclose(layer.running_mean.data, batches.mean(axis=(0, 1)))
    np.testing.assert_allclose(layer.running_var.data, batches.var(axis=1, ddof=1).mean(axis=0))
    layer.reset_running_stats()
    assert layer.running_var.tolist() == [1, 1]
    assert layer.num_batches_tracked.item() == 0


def test_without_running_statistics_evaluation_takes_the_batch():
    layer = nn.BatchNorm1d(2, momentum=None, affine=False, track_running_stats=False)
    x = numbers(6, 2, dtype=np.float32)
    expected = layer(x)
    np.testing.assert_array_equal(layer.eval()(x), expected)
    assert list(layer.state_dict()) == list(layer.parameters()) == []


def test_a_layer_whose_statistics_are_frozen():
    layer = nn.BatchNorm1d(2)
    layer.track_running_stats = False
    layer(numbers(4, 2))
    assert layer.running_mean.tolist() == [0, 0]
    assert layer.num_batches_tracked.item() == 0


def test_a_refused_batch_leaves_no_trace():
    layer = nn.BatchNorm1d(2)
    with pytest.raises(ValueError, match="more than 1 value"):
        layer(np.ones((1, 2)))
    assert layer.num_batches_tracked.item() == 0


def test_statistics_that_changed_since_an_evaluation_are_noticed():
    layer = nn.BatchNorm1d(2).eval()
    x = leaf(4, 2, dtype=np.float32)
    y = layer(x)
    layer.train()(x)
    with pytest.raises(RuntimeError, match="'normalize' saved.*inplace"):
        y.sum().backward()


def test_two_batches_in_one_graph():
    layer = nn.BatchNorm1d(2, dtype="float64")
    x = leaf(4, 2)
    (layer(x) * layer(x * 2)).sum().backward()
    assert x.grad.shape == (4, 2)
    assert layer.num_batches_tracked.item() == 2


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))],
                         ids=["deepcopy", "pickle"])
def test_copies_have_statistics_of_their_own(copied):
    layer = nn.BatchNorm1d(2)
    x = numbers(4, 2)
    layer(x)
    other = copied(layer)
    other(x)
    assert (layer.num_batches_tracked.item(), other.num_batches_tracked.item()) == (1, 2)
    assert (layer.running_mean.data != other.running_mean.data).all()


def test_names_and_dtypes_of_the_state():
    state = nn.BatchNorm2d(2, dtype="float64").state_dict()
    assert list(state) == ["weight", "bias", "running_mean", "running_var",
                           "num_batches_tracked"]
    assert [a.dtype.name for a in state.values()] == ["float64"] * 4 + ["int64"]
    assert list(nn.BatchNorm1d(2, bias=False).state_dict())[:2] == ["weight", "running_mean"]


@pytest.mark.parametrize(("layer", "shape", "words"), [
    (nn.BatchNorm1d(2), (2,), r"expected 2D or 3D input \(got 1D input\)"),
    (nn.BatchNorm1d(2), (2, 2, 2, 2), r"expected 2D or 3D input \(got 4D input\)"),
    (nn.BatchNorm2d(2), (2, 2), r"expected 4D input \(got 2D input\)"),
])
def test_inputs_of_another_rank(layer, shape, words):
    with pytest.raises(ValueError, match=words):
        layer(np.ones(shape))


def test_inputs_of_other_channels():
    with pytest.raises(RuntimeError, match="running_mean should contain 4 elements"):
        nn.BatchNorm1d(3)(np.ones((2, 4)))


# ---- PyTorch ---------------------------------------------------------------------------


@pytest.mark.parity
@settings(max_examples=25, deadline=None)
@given(shape=st.lists(st.integers(1, 4), min_size=2, max_size=4), training=st.booleans(),
       affine=st.booleans())
def test_values_and_gradients_agree_with_pytorch(shape, training, affine):
    torch = pytest.importorskip("torch")
    c = shape[1]
    arrays = [numbers(*shape), *([numbers(c), numbers(c, seed=1)] if affine else [])]
    mean, var = numbers(c, seed=2), 1 + numbers(c, seed=3) ** 2
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    their_mean, their_var = torch.tensor(mean), torch.tensor(var)
    ours = [Tensor(a, requires_grad=True) for a in arrays]
    options = {"training": training, "momentum": 0.3, "eps": 0.1}
    try:
        y = torch.nn.functional.batch_norm(theirs[0], their_mean, their_var, *theirs[1:],
                                           **options)
    except ValueError:
        with pytest.raises(ValueError, match="more than 1 value"):
            F.batch_norm(ours[0], mean, var, *ours[1:], **options)
        return
    z = F.batch_norm(ours[0], mean, var, *ours[1:], **options)
    np.testing.assert_allclose(z.data, y.detach().numpy(), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(mean, their_mean.numpy(), rtol=1e-10)
    np.testing.assert_allclose(var, their_var.numpy(), rtol=1e-10)
    expected = first_and_second(y, theirs, torch.autograd.grad,
                                lambda t: torch.tensor(wave(t)) * t)
    for got, wanted in zip(first_and_second(z, ours, tg.grad, lambda t: wave(t) * t), expected,
                           strict=True):
        np.testing.assert_allclose(got.data, wanted.detach().numpy(), rtol=1e-7, atol=1e-8)


@pytest.mark.parity
@pytest.mark.parametrize(("name", "options", "shape"), [
    ("BatchNorm1d", {}, (5, 3)),
    ("BatchNorm1d", {"momentum": None}, (2, 3, 4)),
    ("BatchNorm2d", {"affine": False, "eps": 0.1}, (2, 3, 2, 2)),
    ("BatchNorm2d", {"bias": False, "momentum": 0.5}, (2, 3, 2, 2)),
    ("BatchNorm2d", {"track_running_stats": False}, (2, 3, 2, 2)),
])
def test_the_layers_are_pytorchs(name, options, shape):
    torch = pytest.importorskip("torch")
    layer = getattr(nn, name)(3, **options)
    peer = getattr(torch.nn, name)(3, **options)
    assert repr(layer) == repr(peer)
    assert list(layer.state_dict()) == list(peer.state_dict())
    for seed in range(4):
        x = numbers(*shape, seed=seed, dtype=np.float32)
        np.testing.assert_allclose(np.asarray(layer(x)), peer(torch.tensor(x)).detach().numpy(),
                                   rtol=1e-4, atol=1e-5)
        layer.train(seed == 1)
        peer.train(seed == 1)
    for key, wanted in peer.state_dict().items():
        np.testing.assert_allclose(layer.state_dict()[key], wanted.numpy(), rtol=1e-5,
                                   atol=1e-6)
    other = getattr(nn, name)(3, **options)
    other.load_state_dict(peer.state_dict())
    np.testing.assert_allclose(np.asarray(other.eval()(x)), np.asarray(layer.eval()(x)),
                               rtol=1e-4, atol=1e-5)

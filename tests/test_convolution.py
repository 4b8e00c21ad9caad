"""Convolution: its columns in three bodies, the function against naive loops, finite
differences and PyTorch, and the layer."""

import copy
import os
import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinygrad_lite as tg
from tinygrad_lite import Tensor, fused, kernels, nn
from tinygrad_lite.gradcheck import gradcheck
from tinygrad_lite.kernels.windows import Windows
from tinygrad_lite.nn import functional as F

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
BODIES = ["numpy", "python"] if WITHOUT_C else ["c", "numpy", "python"]
every_body = pytest.mark.parametrize("body", BODIES)


def numbers(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def leaf(*shape, seed=0, dtype=np.float64):
    return Tensor(numbers(*shape, seed=seed, dtype=dtype), requires_grad=True)


# ---- the columns -----------------------------------------------------------------------


@st.composite
def windows(draw):
    """Windows on a small image, with every option."""
    pairs = [draw(st.tuples(st.integers(low, high), st.integers(low, high)))
             for low, high in ((1, 7), (1, 3), (1, 3), (1, 3), (0, 3), (0, 3))]
    image, kernel, stride, dilation, before, behind = pairs
    out = [(a + b + c - d * (k - 1) - 1) // s + 1
           for a, b, c, d, k, s in zip(image, before, behind, dilation, kernel, stride)]
    assume(min(out) >= 1)
    return Windows.of(image, tuple(out), kernel, stride, dilation, before)


def naive_columns(x, at):
    """im2col as its formula says it."""
    cols = np.zeros((len(x), at.kernel_h, at.kernel_w, at.out_h, at.out_w), x.dtype)
    for ky, kx, oy, ox in np.ndindex(cols.shape[1:]):
        iy = oy * at.stride_h - at.top + ky * at.dilation_h
        ix = ox * at.stride_w - at.left + kx * at.dilation_w
        if 0 <= iy < at.height and 0 <= ix < at.width:
            cols[:, ky, kx, oy, ox] = x[:, iy, ix]
    return cols.reshape(len(x), at.places, at.windows)


@settings(max_examples=40, deadline=None)
@given(at=windows(), images=st.integers(0, 2), dtype=st.sampled_from([np.float32, np.float64]))
def test_the_bodies_agree_to_the_last_bit(at, images, dtype):
    x = numbers(images, *at.image, dtype=dtype)
    cols = numbers(images, at.places, at.windows, seed=1, dtype=dtype)
    for body in map(kernels.body, BODIES):
        read = body.im2col(x, at)
        np.testing.assert_array_equal(read, naive_columns(x, at))
        assert read.dtype == dtype
        summed = body.col2im(cols, at)
        np.testing.assert_array_equal(summed, kernels.body("python").col2im(cols, at))
        np.testing.assert_allclose((read * cols).sum(), (x * summed).sum(), rtol=1e-3,
                                   atol=1e-4)  # they are adjoint


@every_body
def test_any_layout_goes_in_and_a_given_array_is_filled(body):
    at = Windows.of((3, 4), (2, 3), (2, 2), (1, 1), (1, 1), (0, 0))
    body = kernels.body(body)
    x = numbers(4, 3, 2).T
    out = np.full((2, 4, 6), np.nan)
    assert body.im2col(x, at, out) is out
    np.testing.assert_array_equal(out, naive_columns(x, at))
    images = np.full((2, 3, 4), np.nan)
    assert body.col2im(out[::1], at, images) is images
    np.testing.assert_array_equal(images, body.col2im(out.copy(order="F"), at))


AT = Windows.of((3, 4), (2, 3), (2, 2), (1, 1), (1, 1), (0, 0))
SHARED = np.zeros(2 * 4 * 6)


@every_body
@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda k: k.im2col([1.0], AT), TypeError, "numpy.ndarray, got list"),
    (lambda k: k.im2col(np.zeros((1, 3, 4), int), AT), TypeError, "float32 or float64"),
    (lambda k: k.im2col(np.zeros((1, 3, 4), ">f8"), AT), TypeError, "native byte order"),
    (lambda k: k.im2col(np.zeros((1, 4, 3)), AT), ValueError, r"\(1, 3, 4\).*\(1, 4, 3\)"),
    (lambda k: k.im2col(np.zeros((3, 4)), AT), ValueError, "shape"),
    (lambda k: k.col2im(np.zeros((1, 4, 5)), AT), ValueError, r"\(1, 4, 6\)"),
    (lambda k: k.im2col(np.zeros((1, 3, 4)), AT._replace(stride_w=0)), ValueError, "from 1"),
    (lambda k: k.col2im(np.zeros((1, 4, 6)), AT._replace(top=-1)), ValueError, "from 0"),
    (lambda k: k.col2im(np.zeros((1, 4, 6)), AT._replace(left=2**31)), ValueError, "31 - 1"),
    (lambda k: k.im2col(np.zeros((1, 3, 4)), AT, np.zeros((1, 4, 6), "f")), TypeError, "out"),
    (lambda k: k.im2col(np.zeros((1, 3, 4)), AT, np.zeros((2, 4, 6))), ValueError, "out"),
    (lambda k: k.im2col(np.zeros((1, 3, 4)), AT, np.zeros((6, 4, 1)).T), ValueError, "out"),
    (lambda k: k.im2col(SHARED[:24].reshape(2, 3, 4), AT, SHARED.reshape(2, 4, 6)), ValueError,
     "apart"),
])
def test_what_the_border_refuses(body, call, error, words):
    with pytest.raises(error, match=words):
        call(kernels.body(body))


# ---- the function ----------------------------------------------------------------------


def naive(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """conv2d as its formula says it, for numbers as options."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    n, (out, c, kh, kw) = len(x), w.shape
    height = (x.shape[2] - dilation * (kh - 1) - 1) // stride + 1
    width = (x.shape[3] - dilation * (kw - 1) - 1) // stride + 1
    y = np.zeros((n, out, height, width))
    for o, oy, ox in np.ndindex(y.shape[1:]):
        first = o // (out // groups) * c
        rows = oy * stride + dilation * np.arange(kh)
        columns = ox * stride + dilation * np.arange(kw)
        seen = x[:, first:first + c][:, :, rows][:, :, :, columns]
        y[:, o, oy, ox] = (seen * w[o]).sum(axis=(1, 2, 3)) + (0 if b is None else b[o])
    return y


OPTIONS = [
    {}, {"stride": 2}, {"padding": 1}, {"padding": 2, "dilation": 2}, {"groups": 2},
    {"stride": 3, "padding": 2}, {"stride": 2, "padding": 1, "dilation": 2, "groups": 2},
]


@every_body
@pytest.mark.parametrize("options", OPTIONS)
def test_against_naive_loops(body, options):
    groups = options.get("groups", 1)
    x, w, b = numbers(2, 4, 5, 6), numbers(6, 4 // groups, 3, 2, seed=1), numbers(6, seed=2)
    with tg.backend(body):
        np.testing.assert_allclose(F.conv2d(x, w, b, **options), naive(x, w, b, **options),
                                   rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("options", [*OPTIONS, {"padding": "same"},
                                     {"padding": "same", "dilation": (1, 3)},
                                     {"stride": (2, 1), "padding": (0, 2)}])
def test_gradients_of_first_and_second_order(options):
    groups = options.get("groups", 1)
    inputs = [leaf(2, 2, 4, 4), leaf(2, 2 // groups, 2, 3, seed=1), leaf(2, seed=2)]
    assert gradcheck(lambda x, w, b: F.conv2d(x, w, b, **options), inputs, order=2)


def test_gradients_of_a_kernel_of_one_pixel():
    inputs = [leaf(2, 2, 3, 2), leaf(4, 1, 1, 1, seed=1)]
    assert gradcheck(lambda x, w: F.conv2d(x, w, groups=2), inputs, order=2)
    assert gradcheck(lambda x, w: F.conv2d(x, w, groups=2, stride=2), inputs)


def test_many_blocks_give_what_one_does(monkeypatch):
    arrays = numbers(7, 2, 5, 5), numbers(3, 2, 2, 2, seed=1)

    def results():
        x, w = (Tensor(a, requires_grad=True) for a in arrays)
        y = F.conv2d(x, w)
        (y * y).sum().backward()
        return y.data, x.grad.data, w.grad.data

    expected = results()
    bytes_of_one_image = 2 * 4 * 16 * 8
    for block in (0, bytes_of_one_image, 3 * bytes_of_one_image):
        monkeypatch.setattr(fused.convolution, "BLOCK", block)
        for got, wanted in zip(results(), expected):
            np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_an_input_without_gradient_costs_none():
    x, w = Tensor(numbers(1, 1, 3, 3)), leaf(1, 1, 2, 2)
    (gradient,) = tg.grad(F.conv2d(x, w).sum(), [w])
    np.testing.assert_allclose(gradient.data, F.conv2d(x, np.ones((1, 1, 2, 2))).data)
    assert x.grad is None


def test_shapes_that_come_and_go():
    w, b = numbers(3, 2, 2, 2), numbers(3)
    x = numbers(2, 5, 4)
    np.testing.assert_allclose(F.conv2d(x, w, b), F.conv2d(x[None], w, b)[0])
    y = F.conv2d(leaf(2, 5, 4), w, b)
    assert y.shape == (3, 4, 3)
    y.sum().backward()
    assert F.conv2d(x, w, stride=[2], padding=np.array([1, 0])).shape == (3, 3, 2)


def test_dtypes():
    x, w = numbers(1, 1, 3, 3, dtype=np.float32), leaf(1, 1, 2, 2)
    assert F.conv2d(x, w).dtype == np.float64
    y = F.conv2d(Tensor(x, requires_grad=True), w)
    assert y.dtype == np.float64
    assert F.conv2d(x.tolist(), Tensor(w, dtype="float32")).dtype == np.float32
    assert F.conv2d(np.ones((1, 1, 2, 2), int), Tensor(w, dtype="float32")).shape[2:] == (1, 1)


def test_views_and_copies_of_an_input():
    x, w = numbers(4, 5, 2, 2).T, numbers(3, 2, 2, 2).swapaxes(2, 3)
    expected = F.conv2d(x.copy(), w.copy())
    np.testing.assert_array_equal(F.conv2d(x, w), expected)
    a, b = Tensor(x, requires_grad=True), Tensor(w, requires_grad=True)
    y = F.conv2d(a.swapaxes(0, 0), b)
    (y.swapaxes(1, 3) ** 2).sum().backward()
    assert a.grad.data.flags.c_contiguous
    assert y.data.flags.c_contiguous


@pytest.mark.parametrize(("n", "c"), [(0, 2), (2, 0), (0, 0)])
def test_no_images_and_no_channels(n, c):
    x, w, b = leaf(n, c, 3, 4), leaf(3, c, 2, 2), leaf(3)
    y = F.conv2d(x, w, b, padding=1)
    assert y.shape == (n, 3, 4, 5)
    y.sum().backward()
    assert [t.grad.shape for t in (x, w, b)] == [x.shape, w.shape, (3,)]
    assert (w.grad.data == 0).all()
    assert (b.grad.data == 20 * n).all()


X = np.zeros((1, 2, 5, 5))
W = np.zeros((4, 2, 3, 3))


@pytest.mark.parametrize(("arguments", "options", "error", "words"), [
    ((X[:, :1], W), {}, RuntimeError, "to have 2 channels, but got 1 channels"),
    ((X[:, :, :2], W), {}, RuntimeError, "2 x 5. Kernel size: 3 x 3"),
    ((X, W), {"dilation": 3}, RuntimeError, "Kernel size: 7 x 7"),
    ((X[:, :, :0], W), {"padding": 3}, RuntimeError, "can't be empty; it is 0 x 5"),
    ((X[0, 0], W), {}, RuntimeError, r"3D .* or 4D .* to conv2d.*\(5, 5\)"),
    ((X, W[0]), {}, RuntimeError, r"weight of shape \(out.*\(2, 3, 3\)"),
    ((X, W[:, :, :0]), {}, RuntimeError, "kernel is not empty"),
    ((X, W[:0]), {}, RuntimeError, "first length"),
    ((X, W, np.zeros(3)), {}, RuntimeError, r"bias of shape \(4,\), but got \(3,\)"),
    ((X, W), {"stride": 0}, RuntimeError, "stride to be 1 or more; got 0"),
    ((X, W), {"stride": (1, 2, 3)}, RuntimeError, "stride to be one whole number or two"),
    ((X, W), {"stride": ()}, RuntimeError, "stride to be one whole number or two"),
    ((X, W), {"stride": 1.5}, TypeError, "whole numbers as stride; got 1.5"),
    ((X, W), {"padding": -1}, RuntimeError, "padding to be 0 or more; got -1"),
    ((X, W), {"padding": "full"}, RuntimeError, "'full'; use 'valid' or 'same'"),
    ((X, W), {"padding": "same", "stride": 2}, RuntimeError, "not supported for strided"),
    ((X, W), {"dilation": 0}, RuntimeError, "dilation to be 1 or more"),
    ((X, W[:, :1]), {"groups": 3}, RuntimeError, "groups=3"),
    ((X, W), {"groups": 2}, RuntimeError, "to have 4 channels, but got 2"),
    ((X, W), {"groups": 0}, RuntimeError, "groups to be 1 or more"),
])
def test_refusals(arguments, options, error, words):
    with pytest.raises(error, match=words):
        F.conv2d(*arguments, **options)


# ---- the layer -------------------------------------------------------------------------


def test_first_values_lie_within_their_bound():
    tg.manual_seed(0)
    layer = nn.Conv2d(8, 64, (3, 5), groups=2)
    bound = 1 / np.sqrt(4 * 15)
    assert layer.weight.shape == (64, 4, 3, 5)
    for parameter in (layer.weight, layer.bias):
        assert abs(parameter.data).max() <= bound
        assert abs(parameter.data).max() > 0.9 * bound
    assert abs(layer.weight.data.std() - bound / np.sqrt(3)) < 0.02 * bound
    before = layer.weight.data.copy()
    layer.reset_parameters()
    assert (layer.weight.data != before).any()


def test_the_layer_is_the_function():
    layer = nn.Conv2d(2, 4, 3, stride=2, padding=1, dilation=1, groups=2, dtype="float64")
    x = leaf(2, 2, 5, 5)
    expected = F.conv2d(x, layer.weight, layer.bias, 2, 1, 1, 2)
    np.testing.assert_array_equal(layer(x).data, expected.data)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(other(x).data, expected.data)
    with tg.no_grad():
        assert not layer(x).requires_grad
    assert layer(x.data).requires_grad
    assert list(nn.Conv2d(1, 1, 1, bias=False).state_dict()) == ["weight"]
    assert nn.Conv2d(1, 2, 3, padding="same")(numbers(1, 1, 4, 5)).shape == (1, 2, 4, 5)


@pytest.mark.parametrize(("arguments", "options", "error", "words"), [
    ((3, 4, 3), {"groups": 2}, ValueError, "in_channels must be divisible by groups"),
    ((4, 3, 3), {"groups": 2}, ValueError, "out_channels must be divisible by groups"),
    ((4, 4, 3), {"groups": 0}, ValueError, "groups must be a positive integer"),
    ((4, 4, 3), {"padding_mode": "reflect"}, ValueError, "'zeros', but got 'reflect'"),
    ((4, 4, 3), {"padding": "full"}, ValueError, "'full'; use 'valid' or 'same'"),
    ((4, 4, 3), {"padding": "same", "stride": 2}, ValueError, "strided"),
    ((4, 4, 0), {}, RuntimeError, "kernel_size to be 1 or more"),
    ((4, 4, (1, 2, 3)), {}, RuntimeError, "kernel_size to be one whole number or two"),
    ((4, 4, 3), {"stride": 0}, RuntimeError, "stride"),
    ((4, 4, 3.0), {}, TypeError, "kernel_size; got 3.0"),
])
def test_what_the_layer_refuses(arguments, options, error, words):
    with pytest.raises(error, match=words):
        nn.Conv2d(*arguments, **options)


# ---- PyTorch ---------------------------------------------------------------------------


def first_and_second(y, inputs, grad, wave):
    """Gradients of a weighted sum of y, and of a weighted sum of those."""
    first = grad((y * wave(y)).sum(), inputs, create_graph=True)
    total = sum((g * wave(g)).sum() for g in first)
    return [*first, *grad(total, inputs)]


def wave(y):
    return np.cos(np.arange(np.prod(y.shape))).reshape(tuple(y.shape))


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:Using padding='same'")
@settings(max_examples=25, deadline=None)
@given(at=windows(), n=st.integers(1, 3), groups=st.integers(1, 2), c=st.integers(1, 3),
       out=st.integers(1, 3), same=st.booleans())
def test_values_and_gradients_agree_with_pytorch(at, n, groups, c, out, same):
    torch = pytest.importorskip("torch")
    padding = "same" if same else (at.top, at.left)
    options = {"stride": 1 if same else at[6:8], "padding": padding, "dilation": at[8:10],
               "groups": groups}
    arrays = (numbers(n, groups * c, *at.image), numbers(groups * out, c, *at[4:6], seed=1),
              numbers(groups * out, seed=2))
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    try:
        y = torch.nn.functional.conv2d(*theirs, **options)
    except RuntimeError:
        with pytest.raises(RuntimeError):
            F.conv2d(*arrays, **options)
        return
    ours = [Tensor(a, requires_grad=True) for a in arrays]
    z = F.conv2d(*ours, **options)
    np.testing.assert_allclose(z.data, y.detach().numpy(), rtol=1e-10, atol=1e-10)
    expected = first_and_second(y, theirs, partial(torch.autograd.grad, materialize_grads=True),
                                lambda t: torch.tensor(wave(t)))
    for got, wanted in zip(first_and_second(z, ours, tg.grad, wave), expected, strict=True):
        np.testing.assert_allclose(got.data, wanted.detach().numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parity
@pytest.mark.parametrize(("arguments", "options"), [
    ((1, 30, 5), {}),
    ((4, 6, (3, 5)), {"stride": 2, "padding": 1, "dilation": 2, "groups": 2, "bias": False}),
    ((4, 6, 3), {"padding": "same"}),
    ((2, 2, 3), {"padding": "valid", "stride": (2, 1)}),
])
def test_the_layer_prints_and_loads_as_pytorchs(arguments, options):
    torch = pytest.importorskip("torch")
    peer = torch.nn.Conv2d(*arguments, **options)
    layer = nn.Conv2d(*arguments, **options)
    assert repr(layer) == repr(peer)
    layer.load_state_dict(peer.state_dict())
    x = numbers(2, arguments[0], 9, 9, dtype=np.float32)
    np.testing.assert_allclose(layer(x).data, peer(torch.tensor(x)).detach().numpy(), rtol=1e-4,
                               atol=1e-5)
    for name in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation",
                 "groups", "padding_mode"):
        assert getattr(layer, name) == getattr(peer, name)

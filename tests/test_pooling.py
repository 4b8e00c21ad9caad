"""Pooling: its kernels in three bodies, the functions against NumPy, finite differences and
PyTorch, and the layers."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_convolution import first_and_second, leaf, numbers, wave, windows

import tinygrad_lite as tg
from tinygrad_lite import Tensor, kernels, nn
from tinygrad_lite.gradcheck import gradcheck
from tinygrad_lite.kernels.pooling import Boxes
from tinygrad_lite.kernels.windows import Windows
from tinygrad_lite.nn import functional as F

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
BODIES = ["numpy", "python"] if WITHOUT_C else ["c", "numpy", "python"]
every_body = pytest.mark.parametrize("body", BODIES)
DTYPES = [np.float32, np.float64]


# ---- the kernels -----------------------------------------------------------------------


def sees_pixels(at):
    """Whether every window has a place in the image."""
    x = np.ones((1, *at.image))
    return kernels.body("numpy").im2col(x, at).any(axis=1).all()


@settings(max_examples=50, deadline=None)
@given(at=windows().filter(sees_pixels), seed=st.integers(0, 99), dtype=st.sampled_from(DTYPES))
def test_the_largest_pixel_and_its_index(at, seed, dtype):
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 2, (2, *at.image)).astype(dtype)  # with many ties
    x[rng.random(x.shape) < 0.05] = np.nan
    x[rng.random(x.shape) < 0.05] = -np.inf
    g = numbers(2, *at.out, dtype=dtype)
    results = []
    for body in map(kernels.body, BODIES):
        index = np.empty((2, *at.out), np.int32)
        y = body.max_pool(x, at, index)
        np.testing.assert_array_equal(body.gather(x, index), y)
        results.append((y, index, body.scatter(g, index, x.shape)))
    for result in results:
        for got, wanted in zip(result, results[0]):
            np.testing.assert_array_equal(got, wanted)


@st.composite
def boxes(draw):
    """Windows of any size, and images for them."""
    ends = []
    sizes = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    for size in sizes:
        pairs = st.tuples(st.integers(0, size), st.integers(0, size)).map(sorted)
        ends.append(np.array(draw(st.lists(pairs, min_size=1, max_size=4))).T.copy())
    shape = ends[0].shape[1], ends[1].shape[1]
    dtype = draw(st.sampled_from(DTYPES))
    return Boxes(*sizes, *ends, np.arange(1, 1 + np.prod(shape)).reshape(shape).astype(dtype))


@settings(max_examples=50, deadline=None)
@given(boxes=boxes(), images=st.integers(0, 2))
def test_means_and_their_adjoint(boxes, images):
    dtype = boxes.divisor.dtype
    x = numbers(images, boxes.height, boxes.width, dtype=dtype)
    g = numbers(images, *boxes.divisor.shape, seed=1, dtype=dtype)
    averages = [kernels.body(name).average(x, boxes) for name in BODIES]
    spreads = [kernels.body(name).spread(g, boxes) for name in BODIES]
    for got, back in zip(averages, spreads):
        np.testing.assert_array_equal(got, averages[0])
        np.testing.assert_array_equal(back, spreads[0])
        np.testing.assert_allclose((got * g).sum(), (back * x).sum(), rtol=1e-3, atol=1e-4)
    for i, (top, bottom) in enumerate(boxes.rows.T):
        for j, (left, right) in enumerate(boxes.columns.T):
            total = x[:, top:bottom, left:right].sum(axis=(1, 2))
            np.testing.assert_allclose(averages[0][:, i, j], total / boxes.divisor[i, j],
                                       rtol=1e-4, atol=1e-5)


AT = Windows.of((4, 4), (2, 2), (2, 2), (2, 2), (1, 1), (0, 0))
X = np.zeros((1, 4, 4))
INDEX = np.zeros((1, 2, 2), np.int32)
PLACES = np.zeros((1, 1, 3), np.int32)
BOXES = Boxes(4, 4, np.array([[0], [4]]), np.array([[0], [4]]), np.ones((1, 1)))


@every_body
@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda k: k.max_pool(X.astype(int), AT, INDEX), TypeError, "float32 or float64"),
    (lambda k: k.max_pool(X[:, :3], AT, INDEX), ValueError, r"\(1, 4, 4\)"),
    (lambda k: k.max_pool(X, AT, INDEX.astype(np.int64)), TypeError, "index must be int32"),
    (lambda k: k.max_pool(X, AT, INDEX[:, :1]), ValueError, r"index.*\(1, 2, 2\)"),
    (lambda k: k.max_pool(X, AT, np.broadcast_to(INDEX, (1, 2, 2))), ValueError, "writable"),
    (lambda k: k.max_pool(X, AT._replace(stride_h=0), INDEX), ValueError, "stride"),
    (lambda k: k.gather(X, PLACES + 16), IndexError, "0 .. 15, got 16"),
    (lambda k: k.gather(X, PLACES - 1), IndexError, "-1"),
    (lambda k: k.scatter(np.ones((1, 1, 3)), PLACES + 2, (1, 1, 2)), IndexError, "0 .. 1"),
    (lambda k: k.scatter(np.ones((1, 1, 2)), PLACES, (1, 1, 2)), ValueError, "y must have"),
    (lambda k: k.gather(np.ones((2, 2, 2)), PLACES), ValueError, "index must have shape"),
    (lambda k: k.gather(X, PLACES.astype(int)), TypeError, "int32"),
    (lambda k: k.average(X[:, :3], BOXES), ValueError, "shape"),
    (lambda k: k.average(X.astype("f"), BOXES), TypeError, "divisor must be float32"),
    (lambda k: k.average(X, BOXES._replace(rows=np.array([[0], [5]]))), ValueError, "0 .. 4"),
    (lambda k: k.spread(X, BOXES), ValueError, r"\(1, 1, 1\)"),
    (lambda k: k.spread(X[:, :1, :1], BOXES._replace(columns=np.array([[-1], [4]]))),
     ValueError, "columns must be in 0 .. 4, got -1"),
])
def test_what_the_border_refuses(body, call, error, words):
    with pytest.raises(error, match=words):
        call(kernels.body(body))


# ---- the functions ---------------------------------------------------------------------

MAX = [{"kernel_size": 2}, {"kernel_size": (2, 3), "stride": 1},
       {"kernel_size": 3, "stride": 2, "padding": 1}, {"kernel_size": 2, "dilation": 2},
       {"kernel_size": 2, "stride": 3, "ceil_mode": True},
       {"kernel_size": 3, "stride": (2, 3), "padding": (1, 0), "ceil_mode": True}]
MEAN = [{"kernel_size": 2}, {"kernel_size": (2, 3), "stride": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
        {"kernel_size": 2, "stride": 3, "ceil_mode": True, "divisor_override": 3}]


@pytest.mark.parametrize("options", MAX)
def test_gradients_of_max_pooling(options):
    assert gradcheck(lambda x: F.max_pool2d(x, **options), leaf(2, 2, 4, 5), order=2)


@pytest.mark.parametrize("options", MEAN)
def test_gradients_of_mean_pooling(options):
    assert gradcheck(lambda x: F.avg_pool2d(x, **options), leaf(2, 2, 4, 5), order=2)


@pytest.mark.parametrize("size", [1, 2, 3, (2, 3), (None, 2), (5, None), (4, 5), [7]])
def test_gradients_of_adaptive_pooling(size):
    assert gradcheck(lambda x: F.adaptive_avg_pool2d(x, size), leaf(1, 2, 4, 5), order=2)


@every_body
def test_every_backend_pools(body):
    x = leaf(2, 1, 4, 5)
    with tg.backend(body):
        y = F.max_pool2d(x, 2) + F.avg_pool2d(x, 2) + F.adaptive_avg_pool2d(x, 2)
        y.sum().backward()
    np.testing.assert_allclose(y.data[0, 0, 0, 0], x.data[0, 0, :2, :2].max()
                               + x.data[0, 0, :2, :2].mean() + x.data[0, 0, :2, :3].mean())
    np.testing.assert_allclose(x.grad.data.sum(), 24)


def test_the_first_of_equal_numbers_gets_the_whole_gradient():
    x = Tensor(np.ones((1, 1, 2, 4)), requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[[1, 0, 1, 0], [0, 0, 0, 0]]]]


def test_padding_is_never_the_largest_and_nan_always():
    x = np.array([[[-3.0, -2.0], [np.nan, -5.0]]])
    assert F.max_pool2d(x, 3, padding=1, stride=2, ceil_mode=False).shape == (1, 1, 1)
    y, places = F.max_pool2d(x, 2, stride=2, padding=1, return_indices=True)
    np.testing.assert_array_equal(y, [[[-3, -2], [np.nan, -5]]])
    np.testing.assert_array_equal(places, [[[0, 1], [2, 3]]])
    np.testing.assert_array_equal(F.max_pool2d(x, 2), [[[np.nan]]])


def test_indices_are_int64_and_have_no_gradient():
    y, places = F.max_pool2d(leaf(1, 2, 4, 4), 2, return_indices=True)
    assert np.asarray(places).dtype == np.int64
    assert places.shape == y.shape
    assert y.requires_grad


def test_a_large_kernel_and_many_rows():
    x = numbers(2, 3, 70, 33)
    np.testing.assert_allclose(F.max_pool2d(x, (70, 33)), x.max(axis=(2, 3), keepdims=True))
    np.testing.assert_allclose(F.avg_pool2d(x, (70, 33)), x.mean(axis=(2, 3), keepdims=True))
    np.testing.assert_allclose(F.max_pool2d(x, 1), x)
    np.testing.assert_allclose(F.adaptive_avg_pool2d(x, (70, 33)), x)


@pytest.mark.parametrize("pool", [
    lambda x: F.max_pool2d(x, 2), lambda x: F.avg_pool2d(x, 2),
    lambda x: F.adaptive_avg_pool2d(x, 2), lambda x: F.adaptive_avg_pool2d(x, 1)])
def test_shapes_layouts_and_dtypes(pool):
    x = numbers(3, 2, 4, 4)
    expected = pool(x)
    np.testing.assert_array_equal(pool(x[1]), expected[1])
    np.testing.assert_allclose(pool(x.copy(order="F")), expected)
    np.testing.assert_allclose(pool(np.repeat(x, 2, axis=3)[..., ::2]), expected)
    assert pool(leaf(2, 4, 4)).shape == expected.shape[1:]
    for dtype in (np.float32, np.float64):
        y = pool(leaf(1, 1, 4, 4, dtype=dtype))
        y.sum().backward()
        assert y.dtype == dtype
    assert pool(np.ones((1, 1, 4, 4), int)).dtype == np.float32
    empty = leaf(0, 2, 4, 4)
    y = pool(empty)
    assert y.shape == (0, *expected.shape[1:])
    y.sum().backward()
    assert empty.grad.shape == (0, 2, 4, 4)


def test_an_output_of_no_windows():
    x = leaf(1, 2, 3, 3)
    y = F.adaptive_avg_pool2d(x, (0, 2))
    assert y.shape == (1, 2, 0, 2)
    y.sum().backward()
    assert (x.grad.data == 0).all()


IMAGE = np.zeros((1, 2, 5, 5))


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: F.max_pool2d(IMAGE[0, 0], 2), RuntimeError, r"3D .* 4D .* max_pool2d.*\(5, 5\)"),
    (lambda: F.max_pool2d(IMAGE, 6), RuntimeError, "length 5.*too small for a window of 6"),
    (lambda: F.max_pool2d(IMAGE, 3, dilation=3), RuntimeError, "window of 7"),
    (lambda: F.max_pool2d(IMAGE, 0), RuntimeError, "kernel_size to be 1 or more; got 0"),
    (lambda: F.max_pool2d(IMAGE, (2, 2, 2)), RuntimeError, "kernel_size.*one whole number"),
    (lambda: F.max_pool2d(IMAGE, 2.0), TypeError, "whole numbers as kernel_size"),
    (lambda: F.max_pool2d(IMAGE, 2, stride=0), RuntimeError, "stride to be 1 or more"),
    (lambda: F.max_pool2d(IMAGE, 2, padding=2), RuntimeError, "pad should be at most half"),
    (lambda: F.max_pool2d(IMAGE, 2, padding=-1), RuntimeError, "padding to be 0 or more"),
    (lambda: F.max_pool2d(IMAGE, 2, dilation=0), RuntimeError, "dilation to be 1 or more"),
    (lambda: F.max_pool2d(IMAGE[:, :, :1, :1], 2, padding=2, dilation=4), RuntimeError,
     "lie outside"),
    (lambda: F.max_pool2d(IMAGE[:, :0], 2), RuntimeError, "empty in its batch at most"),
    (lambda: F.max_pool2d(IMAGE[:, :, :0], 2, padding=1), RuntimeError, "empty in its batch"),
    (lambda: F.avg_pool2d(IMAGE, 6), RuntimeError, "avg_pool2d: an axis of length 5"),
    (lambda: F.avg_pool2d(IMAGE, 2, padding=2), RuntimeError, "pad should be at most half"),
    (lambda: F.avg_pool2d(IMAGE, 2, divisor_override=0), RuntimeError, "other than 0"),
    (lambda: F.avg_pool2d(IMAGE[0, 0], 2), RuntimeError, "avg_pool2d"),
    (lambda: F.adaptive_avg_pool2d(IMAGE, -1), RuntimeError, "output_size to be 0 or more"),
    (lambda: F.adaptive_avg_pool2d(IMAGE, (1, 2, 3)), RuntimeError, "output_size"),
    (lambda: F.adaptive_avg_pool2d(IMAGE, 1.5), TypeError, "output_size"),
    (lambda: F.adaptive_avg_pool2d(IMAGE[:, :, :0], 1), RuntimeError, "empty in its batch"),
    (lambda: F.adaptive_avg_pool2d(IMAGE[0, 0], 1), RuntimeError, "adaptive_avg_pool2d"),
])
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()


# ---- the layers, and PyTorch -----------------------------------------------------------

LAYERS = [
    ("MaxPool2d", (2,), {}),
    ("MaxPool2d", ((3, 2),), {"stride": (2, 1), "padding": (1, 0), "ceil_mode": True}),
    ("MaxPool2d", (2,), {"stride": 1, "dilation": 2}),
    ("AvgPool2d", (2,), {}),
    ("AvgPool2d", ((3, 2), (2, 1)), {"padding": 1, "ceil_mode": True,
                                     "count_include_pad": False}),
    ("AvgPool2d", (2,), {"divisor_override": 3}),
    ("AdaptiveAvgPool2d", (1,), {}),
    ("AdaptiveAvgPool2d", ((None, 3),), {}),
]


@pytest.mark.parity
@pytest.mark.parametrize(("name", "arguments", "options"), LAYERS)
def test_the_layers_are_pytorchs(name, arguments, options):
    torch = pytest.importorskip("torch")
    layer = getattr(nn, name)(*arguments, **options)
    peer = getattr(torch.nn, name)(*arguments, **options)
    assert repr(layer) == repr(peer)
    x = numbers(2, 3, 7, 8)
    np.testing.assert_allclose(layer(x), peer(torch.tensor(x)).numpy(), rtol=1e-12)
    assert list(layer.state_dict()) == []


def test_the_layer_can_return_indices():
    y, places = nn.MaxPool2d(2, return_indices=True)(numbers(1, 1, 4, 4))
    assert y.shape == places.shape == (1, 1, 2, 2)


@pytest.mark.parity
@settings(max_examples=50, deadline=None)
@given(data=st.data(),
       name=st.sampled_from(["max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"]))
def test_values_and_gradients_agree_with_pytorch(data, name):
    torch = pytest.importorskip("torch")
    options = data.draw(pool_options(name))
    array = numbers(2, 1, *data.draw(st.tuples(st.integers(1, 8), st.integers(1, 8))))
    theirs = torch.tensor(array, requires_grad=True)
    ours = Tensor(array, requires_grad=True)
    if name == "max_pool2d" and options["dilation"] != 1:
        options["padding"] = 0  # where PyTorch's own functions do not agree what may be
    try:
        y = getattr(torch.nn.functional, name)(theirs, **options)
    except RuntimeError:
        with pytest.raises(RuntimeError):
            getattr(F, name)(ours, **options)
        return
    z = getattr(F, name)(ours, **options)
    np.testing.assert_allclose(z.data, y.detach().numpy(), rtol=1e-12, atol=1e-12)
    expected = first_and_second(y, [theirs], torch.autograd.grad,
                                lambda t: torch.tensor(wave(t)) * t)
    found = first_and_second(z, [ours], tg.grad, lambda t: wave(t) * t)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got.data, wanted.detach().numpy(), rtol=1e-9, atol=1e-9)


@st.composite
def pool_options(draw, name):
    """Options of a function, fitting or not."""
    def two(low, high):
        return draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    if name == "adaptive_avg_pool2d":
        return {"output_size": two(1, 9)}
    options = {"kernel_size": two(1, 4), "stride": two(1, 3), "padding": two(0, 2),
               "ceil_mode": draw(st.booleans())}
    if name == "max_pool2d":
        return {**options, "dilation": draw(st.sampled_from([1, 1, (1, 2), 2]))}
    return {**options, "count_include_pad": draw(st.booleans()),
            "divisor_override": draw(st.sampled_from([None, 5]))}


@pytest.mark.parity
def test_indices_of_ties_and_nan_are_pytorchs():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (3, 2, 9, 9)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    for options in MAX:
        y, places = F.max_pool2d(x, **options, return_indices=True)
        wanted = torch.nn.functional.max_pool2d(torch.tensor(x), **options, return_indices=True)
        np.testing.assert_array_equal(y, wanted[0].numpy())
        np.testing.assert_array_equal(places, wanted[1].numpy())

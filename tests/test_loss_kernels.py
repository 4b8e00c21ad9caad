"""The cross-entropy kernel: its three bodies against one formula in float64."""

import os

import numpy as np
import pytest

from tinygrad_lite import kernels

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
BODIES = ["numpy", "python"] if WITHOUT_C else ["c", "numpy", "python"]
DTYPES = [np.float32, np.float64]
# Rows shorter and longer than a vector, than the 16 parts of a sum, than a block of 2,048.
SHAPES = [(0, 3), (0, 0), (1, 1), (1, 2), (2, 1), (3, 7), (5, 8), (7, 9), (5, 15), (5, 16),
          (5, 17), (4, 31), (3, 33), (100, 10), (700, 3), (2049, 1), (3, 1000), (2, 2047),
          (2, 2048), (2, 2049), (1, 5003)]

every_body = pytest.mark.parametrize("body", BODIES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)


def cross_entropy(body, a, target, g=1.0, ignore_index=-100):
    """The losses, and their gradient times g."""
    a, target = np.asarray(a), np.asarray(target)
    kernel = kernels.body(body)
    y = kernel.cross_entropy(a, target, ignore_index)
    return y[0, :-1], kernel.cross_entropy_slope(a, target, y, np.asarray(g, a.dtype))


def reference(a, target):
    """The formula in float64, with a shift that keeps e^a finite."""
    a = a.astype(np.float64)
    a = a - a.max(axis=1, keepdims=True, initial=a.min(initial=0))
    p = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    losses = np.log(np.exp(a).sum(axis=1)) - a[np.arange(len(a)), target]
    return losses, p - np.eye(a.shape[1])[target]


@every_body
@every_dtype
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_losses_and_gradient(body, dtype, shape, scale):
    random = np.random.default_rng(0)
    a = (scale * random.standard_normal(shape)).astype(dtype)
    target = random.integers(0, max(shape[1], 1), shape[0])
    losses, d = cross_entropy(body, a, target)
    expected_losses, expected_d = reference(a, target)
    units = 8 * np.finfo(dtype).eps
    assert losses.dtype == d.dtype == dtype
    np.testing.assert_allclose(losses, expected_losses, rtol=units, atol=units)
    np.testing.assert_allclose(d, expected_d, rtol=4 * units, atol=units)


@every_body
@every_dtype
@pytest.mark.parametrize("shape", SHAPES)
def test_what_the_gradient_needs(body, dtype, shape):
    random = np.random.default_rng(2)
    a = random.standard_normal(shape).astype(dtype)
    target = random.integers(0, max(shape[1], 1), shape[0])
    y = kernels.body(body).cross_entropy(a, target, -100)
    assert y.dtype == dtype
    assert y.shape == (3, len(a) + 1)
    losses, peak, total = y.astype(np.float64)
    expected = np.exp(a - a.max(axis=1, keepdims=True, initial=-9), dtype=np.float64)
    np.testing.assert_array_equal(peak, [*a.max(axis=1, initial=-9), 0])
    np.testing.assert_allclose(total[:-1], expected.sum(axis=1), rtol=8 * np.finfo(dtype).eps)
    np.testing.assert_allclose(losses[-1], losses[:-1].sum(), rtol=8 * np.finfo(dtype).eps)
    assert total[-1] == len(a) or (np.isnan(total[-1]) and not len(a))


@every_body
@every_dtype
@pytest.mark.parametrize("shape", [(5, 3), (700, 3), (3, 2049)])
@pytest.mark.parametrize("ignore_index", [-100, 0, 2, 77])
def test_rows_to_ignore(body, dtype, shape, ignore_index):
    random = np.random.default_rng(3)
    a = random.standard_normal(shape).astype(dtype)
    target = random.integers(0, shape[1], shape[0])
    ignored = random.random(shape[0]) < 0.5
    ignored[:2] = True, False
    target[target == ignore_index] = 1
    target[ignored] = ignore_index
    a[0] = np.nan   # what is ignored does no harm
    losses, d = cross_entropy(body, a, target, 1.0, ignore_index)
    rest, slopes = cross_entropy(body, a[~ignored], target[~ignored])
    np.testing.assert_array_equal(losses[ignored], 0)
    np.testing.assert_array_equal(d[ignored], 0)
    np.testing.assert_array_equal(losses[~ignored], rest)
    np.testing.assert_array_equal(d[~ignored], slopes)
    y = kernels.body(body).cross_entropy(a, target, ignore_index)
    assert y[2, -1] == (~ignored).sum()
    np.testing.assert_allclose(y[0, -1], losses.sum(), rtol=8 * np.finfo(dtype).eps)
    y = kernels.body(body).cross_entropy(a, np.full(len(a), ignore_index), ignore_index)
    assert y[0, -1] == 0
    assert np.isnan(y[2, -1])


@every_body
@every_dtype
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 3), (700, 3), (3, 2049)])
def test_the_gradient_times_a_number_for_all_rows_or_for_each(body, dtype, shape):
    random = np.random.default_rng(4)
    a = random.standard_normal(shape).astype(dtype)
    target = random.integers(0, shape[1], shape[0])
    each = random.standard_normal(shape[0]).astype(dtype)
    _, d = cross_entropy(body, a, target)
    units = 8 * np.finfo(dtype).eps
    for g, wanted in [(-0.75, d * -0.75), (each, d * each[:, None]),
                      (np.broadcast_to(0.5, shape[:1]), d * 0.5)]:
        _, scaled = cross_entropy(body, a, target, g)
        assert scaled.dtype == dtype
        np.testing.assert_allclose(scaled, wanted, rtol=4 * units, atol=units)


@every_dtype
@pytest.mark.parametrize("shape", SHAPES)
def test_the_bodies_agree(dtype, shape):
    random = np.random.default_rng(5)
    a = (10 * random.standard_normal(shape)).astype(dtype)
    target = random.integers(0, max(shape[1], 1), shape[0])
    losses, d = cross_entropy("numpy", a, target)
    units = 8 * np.finfo(dtype).eps
    for body in BODIES:
        for x, wanted in zip(cross_entropy(body, a, target), (losses, d)):
            np.testing.assert_allclose(x, wanted, rtol=units, atol=units)


@every_body
@every_dtype
def test_every_exponent(body, dtype):
    """softmax of (0, x) for x from 0 down to where e^x is no normal number any more."""
    x = np.linspace(0, -80 if dtype is np.float32 else -700, 20011, dtype=dtype)
    a = np.stack([np.zeros_like(x), x], axis=1)
    _, d = cross_entropy(body, a, np.zeros(len(x), int))
    e = np.exp(x.astype(np.float64))
    np.testing.assert_allclose(d[:, 1], e / (1 + e), rtol=4 * np.finfo(dtype).eps)


@every_body
@every_dtype
def test_a_class_without_any_probability(body, dtype):
    losses, d = cross_entropy(body, np.array([[0.0, -np.inf], [0.0, -1e30]], dtype), [0, 1])
    np.testing.assert_array_equal(losses, np.array([0, 1e30], dtype))
    np.testing.assert_array_equal(d, np.array([[0, 0], [1, -1]], dtype))


@every_body
@every_dtype
@pytest.mark.parametrize("row", [[np.nan, 0.0], [0.0, np.nan], [np.inf, 0.0], [-np.inf] * 2])
def test_what_is_undefined_is_nan_in_its_own_row_only(body, dtype, row):
    losses, d = cross_entropy(body, np.array([row, [1.0, 1.0]], dtype), [0, 0])
    assert np.isnan(losses[0])
    assert np.isnan(d[0]).any()
    np.testing.assert_allclose(losses[1], np.log(2), rtol=1e-6)
    np.testing.assert_array_equal(d[1], [-0.5, 0.5])


@every_body
@pytest.mark.parametrize("classes", [5, 16, 40, 2051])
def test_the_largest_logit_and_nan_may_stand_anywhere(body, classes):
    places = np.unique(np.linspace(0, classes - 1, 53, dtype=int))
    rows = np.arange(len(places))
    a = np.random.default_rng(6).standard_normal((len(rows), classes)).astype(np.float32)
    a[rows, places] = 50
    y = kernels.body(body).cross_entropy(a, places, -100)
    np.testing.assert_array_equal(y[1, :-1], 50)
    np.testing.assert_allclose(y[0, :-1], 0, atol=1e-6)
    a[rows, places] = np.nan
    losses, d = cross_entropy(body, a, places)
    assert np.isnan(losses).all()
    assert np.isnan(d[rows, places]).all()


@every_body
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_ids_of_any_integer_dtype(body, dtype):
    a = np.eye(3, dtype=np.float32)
    expected = cross_entropy("numpy", a, [2, 0, 1])
    for x, wanted in zip(cross_entropy(body, a, np.array([2, 0, 1], dtype)), expected):
        np.testing.assert_allclose(x, wanted, rtol=1e-6)


@every_body
def test_logits_of_any_layout(body):
    a = np.random.default_rng(1).standard_normal((6, 8)).astype(np.float32)
    for view in (a.T, a[::2], a[:, ::-1], a[1:, 1:]):
        target = np.arange(len(view)) % view.shape[1]
        for x, wanted in zip(cross_entropy(body, view, target),
                             cross_entropy(body, view.copy(), target)):
            np.testing.assert_array_equal(x, wanted)


@every_body
@pytest.mark.parametrize(("a", "target", "error", "words"), [
    (np.zeros((2, 3)), [0, 3], IndexError, "Target 3 is out of bounds.*0 to 2"),
    (np.zeros((2, 3)), [-1, 0], IndexError, "Target -1 is out of bounds"),
    (np.zeros((1, 0)), [0], IndexError, "Target 0 is out of bounds"),
    (np.zeros((1, 0)), [-100], IndexError, "Target -100 is out of bounds"),
    (np.zeros((3, 3)), [-100, 0, 3], IndexError, "Target 3 is out of bounds"),
    (np.zeros((2, 3)), [0], ValueError, r"\(2, 3\) and \(1,\)"),
    (np.zeros(3), [0], ValueError, r"shape \(n, c\)"),
    (np.zeros((2, 3)), [[0], [1]], ValueError, r"shape \(n,\)"),
    (np.zeros((2, 3), np.float16), [0, 0], TypeError, "float32 or float64"),
    (np.zeros((2, 3), int), [0, 0], TypeError, "float32 or float64"),
    (np.zeros((2, 3)), [0.0, 1.0], TypeError, "integers"),
])
def test_refusals(body, a, target, error, words):
    with pytest.raises(error, match=words):
        cross_entropy(body, a, target)

"""The cross-entropy kernel: its three bodies against one formula in float64."""

import os

import numpy as np
import pytest

from tinygrad_lite import kernels

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
BODIES = ["numpy", "python"] if WITHOUT_C else ["c", "numpy", "python"]
DTYPES = [np.float32, np.float64]
SHAPES = [(0, 3), (1, 1), (1, 2), (2, 1), (3, 7), (5, 8), (7, 9), (4, 31), (100, 10), (3, 1000)]

every_body = pytest.mark.parametrize("body", BODIES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)


def cross_entropy(body, a, target):
    return kernels.body(body).cross_entropy(np.asarray(a), np.asarray(target))


def reference(a, target):
    """The formula in float64, with a shift that keeps e^a finite."""
    a = a.astype(np.float64)
    a = a - a.max(axis=1, keepdims=True)
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
    target = random.integers(0, shape[1], shape[0])
    losses, d = cross_entropy(body, a, target)
    expected_losses, expected_d = reference(a, target)
    units = 8 * np.finfo(dtype).eps
    assert losses.dtype == d.dtype == dtype
    np.testing.assert_allclose(losses, expected_losses, rtol=units, atol=units)
    np.testing.assert_allclose(d, expected_d, rtol=4 * units, atol=units)


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

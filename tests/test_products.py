"""The products of the engine: by C or by NumPy, as the backend and the size say."""

import os

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import kernels
from tinygrad_lite.nn import functional as F

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
needs_c = pytest.mark.skipif(WITHOUT_C, reason="built without C on purpose")

BODIES = ["numpy", "python"] if WITHOUT_C else ["c", "numpy", "python"]
SIMD = [] if WITHOUT_C else kernels.body("c").simd_choices()
FUSED = [simd for simd in SIMD if simd != "baseline"]
DTYPES = [np.float32, np.float64]

every_body = pytest.mark.parametrize("body", BODIES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)


@pytest.fixture(autouse=True)
def restored():
    """Backend and instruction set are afterwards what they were."""
    before = kernels.get_backend()
    simd = None if WITHOUT_C else kernels.body("c").simd()
    yield
    kernels.set_backend(before)
    if simd:
        kernels.body("c").set_simd(simd)


def numbers(shape, dtype=np.float64, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def calls(monkeypatch):
    """A list that every call of the C kernel is noted in."""
    from tinygrad_lite.kernels.native import products

    seen = []
    multiply = products.multiply
    monkeypatch.setattr(products, "multiply", lambda *x: (seen.append(x), multiply(*x))[1])
    return seen


@every_body
@every_dtype
@pytest.mark.parametrize("shapes", [
    ((3, 4), (4, 5)), ((70, 64), (64, 65)), ((1, 600), (600, 600)), ((600, 600), (600, 1)),
    ((2, 70, 64), (64, 65)), ((600,), (600, 600)), ((600, 600), (600,)), ((4,), (4,)),
    ((0, 5), (5, 3)), ((5, 0), (0, 3)), ((2, 3, 4), (2, 4, 3)),
], ids=str)
def test_product_is_matmul_of_numpy(body, dtype, shapes):
    a, b = numbers(shapes[0], dtype), numbers(shapes[1], dtype, 1)
    y = kernels.body(body).product(a, b)
    expected = a @ b
    assert y.shape == expected.shape
    assert y.dtype == expected.dtype
    np.testing.assert_allclose(y, expected, rtol=1e-3 if dtype is np.float32 else 1e-10,
                               atol=1e-4 if dtype is np.float32 else 1e-12)


@every_body
@pytest.mark.parametrize(("a", "b"), [
    (np.ones((90, 90), np.float32), np.ones((90, 90))),
    (np.ones((90, 90), int), np.ones((90, 90), int)),
    (np.ones((90, 90), np.float16), np.ones((90, 90), np.float16)),
    (np.ones((90, 90), ">f4"), np.ones((90, 90), ">f4")),
    (np.ones((90, 90)).tolist(), np.ones((90, 90))),
], ids=["mixed", "integers", "half", "big-endian", "list"])
def test_product_of_other_dtypes(body, a, b):
    y = kernels.body(body).product(a, b)
    np.testing.assert_array_equal(y, np.matmul(a, b))
    assert y.dtype == np.matmul(a, b).dtype


@every_body
def test_product_of_shapes_that_do_not_fit(body):
    square = np.ones((90, 90))
    with pytest.raises(ValueError, match="mismatch"):
        kernels.body(body).product(square, np.ones((91, 90)))
    with pytest.raises(ValueError, match="broadcast"):
        kernels.body(body).product(square, square, np.ones(91))


@needs_c
@pytest.mark.parametrize(("m", "n", "k", "in_c"), [
    (64, 64, 64, True), (64, 64, 63, False), (2, 512, 512, True), (1, 1024, 1024, False),
    (1024, 1, 1024, False), (20, 20, 20000, False),
])
def test_size_decides_who_multiplies(monkeypatch, m, n, k, in_c):
    seen = calls(monkeypatch)
    c = kernels.body("c")
    c.set_simd(FUSED[-1] if FUSED else "baseline")
    c.product(np.ones((m, k), np.float32), np.ones((k, n), np.float32))
    assert len(seen) == (in_c and bool(FUSED))
    c.set_simd("baseline")
    c.product(np.ones((m, k), np.float32), np.ones((k, n), np.float32))
    assert len(seen) == (in_c and bool(FUSED))


@needs_c
@pytest.mark.skipif(not FUSED, reason="needs a processor with AVX2")
@pytest.mark.parametrize("layer", ["linear", "matmul"])
def test_forward_and_both_rules_are_in_c_if_the_backend_is(monkeypatch, layer):
    seen = calls(monkeypatch)
    grads = {}
    for backend in ("numpy", "c"):
        kernels.set_backend(backend)
        x = tg.Tensor(numbers((64, 70), np.float32), requires_grad=True)
        w = tg.Tensor(numbers((65, 70), np.float32, 1), requires_grad=True)
        b = tg.Tensor(numbers((65,), np.float32, 2), requires_grad=True)
        y = F.linear(x, w, b) if layer == "linear" else x @ w.T + b
        (y * y).sum().backward()
        grads[backend] = [y.numpy(), *(t.grad.numpy() for t in (x, w, b))]
        assert len(seen) == (3 if backend == "c" else 0)
    for ours, theirs in zip(grads["c"], grads["numpy"]):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)


@every_body
def test_gradients_of_a_product_of_that_size(body):
    kernels.set_backend(body)
    x = tg.Tensor(numbers((2, 512)), requires_grad=True)
    w = tg.Tensor(numbers((300, 512), seed=1) / 20, requires_grad=True)
    g, = tg.grad(F.linear(x, w).tanh().sum(), x, create_graph=True)
    g2, = tg.grad((g * g).sum(), x)
    slope = 1 - np.tanh(x.numpy() @ w.numpy().T) ** 2
    np.testing.assert_allclose(g.numpy(), slope @ w.numpy(), rtol=1e-9, atol=1e-12)
    inner = -2 * np.tanh(x.numpy() @ w.numpy().T) * slope * (2 * g.numpy() @ w.numpy().T)
    np.testing.assert_allclose(g2.numpy(), inner @ w.numpy(), rtol=1e-8, atol=1e-10)

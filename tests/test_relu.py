"""relu's kernels, three bodies with the same bits, and the op, which has them for large arrays.
"""

import os

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import kernels, ops

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
BODIES = ["numpy", "python"] if WITHOUT_C else ["c", "numpy", "python"]
SIMD = [] if WITHOUT_C else kernels.body("c").simd_choices()
DTYPES = [np.float32, np.float64]
PART = 16384  # numbers that a thread takes: see csrc/calls.c
FEW = 4096    # from here on the op calls the kernels: see ops.py
SIZES = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 1000, 3 * PART + 5]
ODD = [np.nan, -np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-40, -1e-40]

every_body = pytest.mark.parametrize("body", BODIES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)


def numbers(size, dtype, seed):
    """Random ones, with odd ones among them at each place of a vector."""
    random = np.random.default_rng(seed)
    a = random.standard_normal(size).astype(dtype)
    odd = random.random(size) < 0.3
    a[odd] = random.choice(np.array(ODD, dtype), odd.sum())
    return a


def bits(a):
    return a.dtype, a.shape, a.tobytes()


def there_and_back(body, a, g):
    """The bits of relu and of its gradient."""
    y = body.relu(a)
    with np.errstate(invalid="ignore"):  # inf * 0
        return bits(y), bits(body.relu_slope(g, y))


@every_dtype
@every_body
def test_the_bits_of_numpy(body, dtype):
    for size in SIZES:
        a, g = numbers(size, dtype, 0), numbers(size, dtype, 1)
        expected = there_and_back(kernels.body("numpy"), a, g)
        assert there_and_back(kernels.body(body), a, g) == expected, size


@pytest.mark.skipif(WITHOUT_C, reason="built without C on purpose")
@every_dtype
@pytest.mark.parametrize("simd", SIMD)
def test_the_bits_of_each_instruction_set(simd, dtype):
    c = kernels.body("c")
    before = c.simd(), c.get_num_threads()
    try:
        c.set_simd(simd)
        for threads in (1, 3):
            c.set_num_threads(threads)
            for size in SIZES:
                a, g = numbers(size + 1, dtype, 0)[1:], numbers(size, dtype, 1)  # not aligned
                expected = there_and_back(kernels.body("numpy"), a, g)
                assert there_and_back(c, a, g) == expected, (size, threads)
    finally:
        c.set_simd(before[0])
        c.set_num_threads(before[1])


@every_body
@pytest.mark.parametrize("a", [
    np.arange(-6, 6),
    np.array([True, False]),
    np.array(-1.5),
    np.arange(-6.0, 6).reshape(3, 4).T,
    np.arange(-6.0, 6)[::-2],
    np.arange(-6, 6).astype(np.float16),
    np.arange(-6.0, 6).astype(">f4"),
    np.broadcast_to(np.arange(-2.0, 2), (3, 4)),
], ids=lambda a: f"{a.dtype}{a.strides}")
def test_arrays_of_any_kind(a, body):
    y, expected = kernels.body(body).relu(a), kernels.body("numpy").relu(a)
    np.testing.assert_array_equal(y, expected, strict=True)
    g = np.full(a.shape, 2.0, np.float32)
    slope = kernels.body(body).relu_slope(g, expected)
    np.testing.assert_array_equal(slope, g * (np.asarray(a) > 0), strict=True)


@every_dtype
@every_body
@pytest.mark.parametrize("size", [FEW - 1, FEW, FEW + 1])
def test_the_op(size, body, dtype):
    a, g, second = (np.random.default_rng(i).standard_normal(size).astype(dtype)
                    for i in range(3))
    x = tg.Tensor(a, requires_grad=True)
    slope = tg.Tensor(g, requires_grad=True)
    with kernels.backend(body):
        y = ops.relu(x)
        d, = tg.grad((y * slope).sum(), [x], create_graph=True)
        (d * second).sum().backward()
    assert bits(y.numpy()) == bits(np.maximum(a, 0))
    assert bits(d.numpy()) == bits(g * (a > 0))
    assert bits(slope.grad.numpy()) == bits(second * (a > 0))
    assert x.grad is None or not x.grad.numpy().any()  # straight on either side


@every_body
def test_an_array_changed_before_backward_is_noticed(body):
    x = tg.Tensor(np.ones(FEW), requires_grad=True)
    with kernels.backend(body):
        y = ops.relu(x)
        with tg.no_grad():
            y[0] = -1.0
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()

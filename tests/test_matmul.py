"""The matrix product: its three bodies against NumPy in float64.

Arrays are compared element by element, with the bound that holds for any order of summation.
"""

import os
from itertools import product

import numpy as np
import pytest

from tinygrad_lite import kernels

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
needs_c = pytest.mark.skipif(WITHOUT_C, reason="built without C on purpose")

BODIES = ["numpy", "python"] if WITHOUT_C else ["c", "numpy", "python"]
SIMD = [] if WITHOUT_C else kernels.body("c").simd_choices()
FUSED = [simd for simd in SIMD if simd != "baseline"]
DTYPES = [np.float32, np.float64]
SIZES = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129]
DEPTH = 512     # of a part of k; TGL_DEPTH in csrc/kernels.h

# Every size in every place, each beside several others.
SHAPES = [(SIZES[i], SIZES[(i * step + 5) % 18], SIZES[(i * step * step + 11) % 18])
          for step in (1, 5, 7) for i in range(len(SIZES))]
DEEP = [(9, 17, k) for k in (DEPTH - 1, DEPTH, DEPTH + 1, 2 * DEPTH, 2 * DEPTH + 1, 3000)]

every_body = pytest.mark.parametrize("body", BODIES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
every_simd = pytest.mark.parametrize("simd", SIMD)
every_transpose = pytest.mark.parametrize(
    "turned", list(product([False, True], repeat=2)), ids=["ab", "abT", "aTb", "aTbT"])


@pytest.fixture(autouse=True)
def restored():
    """Instruction set and threads are afterwards what they were."""
    threads = kernels.get_num_threads()
    simd = None if WITHOUT_C else kernels.body("c").simd()
    yield
    kernels.set_num_threads(threads)
    if simd:
        kernels.body("c").set_simd(simd)


def numbers(shape, dtype=np.float64, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def stored(a, turned):
    """The same matrix, or one whose transpose is C-contiguous."""
    return np.ascontiguousarray(a.T).T if turned else a


def inside(a, offset=1):
    """The same matrix as a part of a larger one, with rows further apart."""
    larger = np.full((a.shape[0] + 2, a.shape[1] + 3), np.nan, a.dtype)
    view = larger[1:1 + a.shape[0], offset:offset + a.shape[1]]
    view[...] = a
    return view


def assert_close(y, a, b, rest=None):
    """y = a b + rest, within the rounding errors of any order of summation."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    rest = np.zeros(y.shape) if rest is None else np.broadcast_to(rest, y.shape)
    unit = np.finfo(y.dtype).eps
    bound = (a.shape[1] + 3) * unit * (abs(a) @ abs(b) + abs(rest)) + np.finfo(y.dtype).tiny
    error = abs(y - (a @ b + rest))
    assert (error <= bound).all(), (error - bound).max()


@every_body
@every_dtype
@every_transpose
def test_all_shapes(body, dtype, turned):
    for m, n, k in SHAPES if body != "python" else SHAPES[::6]:
        a = stored(numbers((m, k), dtype), turned[0])
        b = stored(numbers((k, n), dtype, 1), turned[1])
        y = kernels.body(body).matmul(a, b)
        assert y.shape == (m, n)
        assert y.dtype == dtype
        assert y.flags.c_contiguous
        assert_close(y, a, b)


@every_simd
@every_dtype
@every_transpose
def test_all_shapes_on_each_instruction_set(simd, dtype, turned):
    c = kernels.body("c")
    c.set_simd(simd)
    for m, n, k in [*SHAPES, *DEEP, (300, 40, 20), (520, 70, 530)]:
        a = stored(numbers((m, k), dtype), turned[0])
        b = stored(numbers((k, n), dtype, 1), turned[1])
        bias = numbers((n,), dtype, 2)
        assert_close(c.matmul(a, b), a, b)
        assert_close(c.matmul(a, b, bias), a, b, bias)


@every_body
@every_dtype
@every_transpose
@pytest.mark.parametrize("bias", [False, True], ids=["", "bias"])
@pytest.mark.parametrize("accumulate", [False, True], ids=["", "accumulate"])
@pytest.mark.parametrize("relu", [False, True], ids=["", "relu"])
def test_options(body, dtype, turned, bias, accumulate, relu):
    for m, n, k in [(1, 1, 1), (5, 10, 3), (9, 33, 8), (17, 16, 20), (8, 32, 0)]:
        a = stored(inside(numbers((m, k), dtype)), turned[0])
        b = stored(inside(numbers((k, n), dtype, 1), 2), turned[1])
        row = numbers((n,), dtype, 2) if bias else None
        out = inside(numbers((m, n), dtype, 3))
        rest = (row if bias else 0) + (out.copy() if accumulate else 0)
        y = kernels.body(body).matmul(a, b, row, relu, out, accumulate)
        assert y is out
        plain = kernels.body(body).matmul(a, b) + rest
        assert_close(plain, a, b, rest)
        bound = 1e-4 if dtype is np.float32 else 1e-12
        np.testing.assert_allclose(y, np.maximum(plain, 0) if relu else plain,
                                   rtol=bound, atol=bound)
        assert np.isnan(out.base).sum() == out.base.size - out.size


@every_body
@every_dtype
@pytest.mark.parametrize("view", [
    lambda a: inside(a),
    lambda a: inside(a.T).T,
    lambda a: np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3],
    lambda a: np.ascontiguousarray(a[::-1])[::-1],
    lambda a: np.ascontiguousarray(a[:, ::-1])[:, ::-1],
    lambda a: np.frombuffer(b"?" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    lambda a: np.asarray(a, order="F"),
], ids=["rows-apart", "columns-apart", "steps", "upwards", "backwards", "misaligned",
        "read-only", "fortran"])
def test_layouts(body, dtype, view):
    a, b, bias = numbers((6, 9), dtype), numbers((9, 5), dtype, 1), numbers((5,), dtype, 2)
    expected = kernels.body(body).matmul(a, b, bias)
    got = kernels.body(body).matmul(view(a), view(b), view(bias[None])[0])
    np.testing.assert_array_equal(got, expected)


@every_body
def test_repeated_rows_and_columns(body):
    matmul = kernels.body(body).matmul
    row, b = numbers((4,), np.float32), numbers((4, 3), np.float32, 1)
    same = np.broadcast_to(row, (5, 4))
    np.testing.assert_array_equal(matmul(same, b), matmul(same.copy(), b))
    np.testing.assert_array_equal(matmul(b.T, same.T), matmul(b.T, same.T.copy()))
    one = np.broadcast_to(np.float32(2), (5, 4))
    np.testing.assert_array_equal(matmul(one, b), matmul(one.copy(), b))


@needs_c
@every_simd
@every_dtype
def test_the_same_bits_for_any_number_of_threads(simd, dtype):
    c = kernels.body("c")
    c.set_simd(simd)
    for m, n, k in [(300, 20, 600), (130, 400, 700), (1100, 33, 40)]:
        a, b, bias = numbers((m, k), dtype), numbers((n, k), dtype, 1), numbers((n,), dtype, 2)
        results = []
        for threads in (1, 2, 3):
            kernels.set_num_threads(threads)
            results.append(c.matmul(a, b.T, bias, relu=True))
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])


@needs_c
@pytest.mark.skipif(len(FUSED) < 2, reason="needs a processor with AVX2 and AVX-512")
@every_dtype
def test_the_same_bits_on_instruction_sets_that_can_fuse(dtype):
    c = kernels.body("c")
    for m, n, k in [*SHAPES, *DEEP]:
        a, b = numbers((m, k), dtype), numbers((k, n), dtype, 1)
        results = []
        for simd in FUSED:
            c.set_simd(simd)
            results.append(c.matmul(a, b))
        np.testing.assert_array_equal(results[0], results[1])


@needs_c
@every_simd
@every_dtype
def test_an_element_does_not_depend_on_its_neighbours(simd, dtype):
    """The same bits alone, in a part of the matrices, and from transposed copies."""
    c = kernels.body("c")
    c.set_simd(simd)
    a, b = numbers((70, 600), dtype), numbers((600, 90), dtype, 1)
    whole = c.matmul(a, b)
    np.testing.assert_array_equal(whole, c.matmul(stored(a, True), stored(b, True)))
    for i, j in product([0, 8, 37, 69], [0, 31, 40, 89]):
        np.testing.assert_array_equal(whole[i:i + 1, j:j + 1],
                                      c.matmul(a[i:i + 1], b[:, j:j + 1]))
        np.testing.assert_array_equal(whole[i:, j:], c.matmul(a[i:], b[:, j:]))


@every_body
@every_dtype
def test_what_is_not_finite_flows(body, dtype):
    a, b = np.ones((20, 40), dtype), np.ones((40, 50), dtype)
    a[3, 5], a[4, 6], a[5, 7] = np.nan, np.inf, -np.inf
    b[8, 9] = np.inf
    b[5, 10] = 0
    for relu in (False, True):
        y = kernels.body(body).matmul(a, b, relu=relu)
        with np.errstate(invalid="ignore"):
            expected = a @ b
        np.testing.assert_array_equal(y, np.maximum(expected, 0) if relu else expected)
    assert np.isnan(y[3]).all()
    assert np.isnan(y[5, 9])
    assert y[5, 0] == 0


@every_body
def test_overflow_is_inf_and_silent(body):
    big = np.full((3, 3), 1e30, np.float32)
    np.testing.assert_array_equal(kernels.body(body).matmul(big, big), np.full((3, 3), np.inf))


A, B = np.ones((3, 4)), np.ones((4, 2))


@every_body
@pytest.mark.parametrize(("arguments", "error", "words"), [
    ((A, B.T), ValueError, r"a \(m, k\) and b \(k, n\), got \(3, 4\) and \(2, 4\)"),
    ((A, B[:, 0]), ValueError, r"\(3, 4\) and \(4,\)"),
    ((A[None], B), ValueError, r"\(1, 3, 4\)"),
    ((A, B.astype(np.float32)), TypeError, "one dtype; got float64 and float32"),
    ((A.astype(int), B.astype(int)), TypeError, "float32 or float64.*got int64"),
    ((A.astype(">f8"), B.astype(">f8")), TypeError, "native byte order"),
    ((A.astype(np.float16), B.astype(np.float16)), TypeError, "got float16"),
    ((A.tolist(), B), TypeError, "must be a numpy.ndarray, got list"),
    ((np.ma.array(A), B), TypeError, "must be a numpy.ndarray, got MaskedArray"),
    ((A, B, np.ones(3)), ValueError, r"bias must have shape \(2,\).*got \(3,\)"),
    ((A, B, np.ones((3, 2))), ValueError, r"bias must have shape \(2,\)"),
    ((A, B, np.ones(2, np.float32)), TypeError, "one dtype"),
    ((A, B, None, False, np.ones((2, 3))), ValueError, r"out must have shape \(3, 2\)"),
    ((A, B, None, False, np.ones((3, 2), np.float32)), TypeError, "one dtype"),
    ((A, B, None, False, np.ones((2, 3)).T), ValueError, "rows contiguous"),
    ((A, B, None, False, np.broadcast_to(np.ones(2), (3, 2))), ValueError, "writable"),
    ((A, B, None, False, np.ones((3, 2))[::-1]), ValueError, "rows contiguous and apart"),
    ((A, B, None, False, None, True), ValueError, "pass out="),
])
def test_refusals(body, arguments, error, words):
    with pytest.raises(error, match=words):
        kernels.body(body).matmul(*arguments)


@every_body
@pytest.mark.parametrize("which", ["a", "b", "bias"])
def test_overlap_is_refused_and_nothing_is_written(body, which):
    memory = np.arange(40.0)
    parts = {"a": A, "b": B, "bias": np.ones(2)}
    parts[which] = memory[:parts[which].size].reshape(parts[which].shape)
    out = memory[1:7].reshape(3, 2)
    with pytest.raises(ValueError, match="share memory"):
        kernels.body(body).matmul(parts["a"], parts["b"], parts["bias"], out=out)
    np.testing.assert_array_equal(memory, np.arange(40.0))

"""The kernels: C and NumPy agree to the last bit, plain Python closely, PyTorch closely.

Every test is a row of a table: kernel x options x dtype x size. Arrays are compared, not
norms. Where C was not built on purpose (TINYGRAD_LITE_NO_C=1) the rows of C are left out; in
any other installation a missing C fails.
"""

import importlib
import inspect
import math
import os
import re
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lite import kernels
from tinygrad_lite.kernels.table import KERNELS, OPTIMIZERS, PASSES

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
needs_c = pytest.mark.skipif(WITHOUT_C, reason="built without C on purpose")

BODIES = ["numpy", "python"] if WITHOUT_C else ["c", "numpy", "python"]
SIMD = [] if WITHOUT_C else kernels.body("c").simd_choices()
DTYPES = [np.float32, np.float64]
SIZES = [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 1000]
STEPS = 100
BLOCK = 4096    # elements of a block: what a thread takes, and what is summed by itself
FEW = 8 * BLOCK   # elements that stay with one thread: see csrc/dispatch.c
LONG = 1024       # from here on a loop begins at the start of a line of the cache: likewise

# Settings of each kernel, with the optional arrays that they need; every setting of an
# optimizer is crossed with weight_decay and maximize.
SETTINGS = {
    "sgd": [
        ("", {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "nesterov": False}),
        ("b", {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "nesterov": False}),
        ("b", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "nesterov": False}),
        ("b", {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "nesterov": True}),
    ],
    "momentum": [
        ("", {"lr": 0.1, "momentum": 0.9, "nesterov": False}),
        ("", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ],
    "adagrad": [
        ("", {"lr": 0.1, "inside": 0.0, "outside": 1e-10}),
        ("", {"lr": 0.1, "inside": 1e-3, "outside": 0.0}),
        ("", {"lr": 0.1, "inside": 0.0, "outside": 1e-3}),
    ],
    "adadelta": [
        ("", {"lr": 1.0, "rho": 0.9, "eps": 1e-6}),
        ("", {"lr": 0.5, "rho": 0.5, "eps": 1e-3}),
    ],
    "rmsprop": [
        ("", {"lr": 0.01, "alpha": 0.99, "inside": 0.0, "outside": 1e-8, "momentum": 0.0}),
        ("", {"lr": 0.01, "alpha": 0.9, "inside": 1e-3, "outside": 0.0, "momentum": 0.0}),
        ("a", {"lr": 0.01, "alpha": 0.9, "inside": 0.0, "outside": 1e-3, "momentum": 0.0}),
        ("b", {"lr": 0.01, "alpha": 0.9, "inside": 0.0, "outside": 1e-3, "momentum": 0.5}),
        ("ab", {"lr": 0.01, "alpha": 0.9, "inside": 0.0, "outside": 1e-3, "momentum": 0.5}),
    ],
    "adam": [
        ("", {"lr": 1e-2, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "shrink": 1.0}),
        ("x", {"lr": 1e-2, "beta1": 0.9, "beta2": 0.9, "eps": 1e-8, "shrink": 1.0}),
        ("", {"lr": 1e-2, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3, "shrink": 0.99}),
        ("", {"lr": 1e-2, "beta1": 0.0, "beta2": 0.9, "eps": 1e-3, "shrink": 1.0}),
    ],
    "fill": [("", {"value": 0.1})],
    "scale": [("", {"value": 1.1})],
    "clip": [("", {"low": -0.5, "high": 0.25})],
    "average": [("", {"decay": 0.9})],
    "add_scaled": [("", {"value": 0.1})],
    "triad": [("", {"value": 0.1})],
}
CASES = [
    (kernel, {"optional": optional, **setting, "weight_decay": decay, "maximize": maximize})
    for kernel in OPTIMIZERS
    for (optional, setting), decay, maximize in product(
        SETTINGS[kernel], [0.0, 0.01], [False, True])
]
CASES += [
    (kernel, {"optional": optional, **setting})
    for kernel in PASSES for optional, setting in SETTINGS[kernel]
]


def label(value):
    """A short name of a case in the list of tests."""
    if isinstance(value, dict):
        return "-".join(f"{name}={number}" for name, number in value.items())
    return getattr(value, "__name__", str(value))


every_case = pytest.mark.parametrize(("kernel", "options"), CASES, ids=label)
every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_optimizer = pytest.mark.parametrize("kernel", OPTIMIZERS)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=label)
every_body = pytest.mark.parametrize("body", BODIES)
every_simd = pytest.mark.parametrize("simd", SIMD)


@pytest.fixture
def simd_and_threads():
    """Set both in a test; afterwards they are what they were."""
    native = kernels.body("c")
    before = native.simd(), native.get_num_threads()

    def choose(simd, threads):
        native.set_simd(simd)
        native.set_num_threads(threads)

    yield choose
    choose(*before)


def options_of(kernel):
    """One setting of the kernel in which every term of its formula counts."""
    optional, setting = SETTINGS[kernel][-1]
    return {"optional": optional, **setting, "weight_decay": 0.01, "maximize": False}


def scalars_of(kernel, options=None, step=1):
    """The scalars of step 1, 2, ...: the options, and Adam's bias corrections."""
    options = options_of(kernel) if options is None else options
    if kernel == "adam":
        c1, c2 = (1 - options[beta] ** step for beta in ("beta1", "beta2"))
        options = {**options, "c1": c1, "c2": c2}
    return tuple(options[name] for name in KERNELS[kernel].scalars)


def random_array(random, shape, dtype):
    return random.standard_normal(shape).astype(dtype)


def columns_of(kernel, shapes, dtype, seed=0, optional=None):
    """Random arrays, and state that is 0, for tensors of these shapes."""
    random = np.random.default_rng(seed)
    row = KERNELS[kernel]
    optional = options_of(kernel)["optional"] if optional is None else optional
    columns = []
    for i, letter in enumerate(row.arrays):
        if letter in row.optional and letter not in optional:
            columns.append([])
        elif i >= 2 and kernel in OPTIMIZERS:
            columns.append([np.zeros(shape, dtype) for shape in shapes])
        else:
            columns.append([random_array(random, shape, dtype) for shape in shapes])
    return columns


def copies(columns):
    return [[array.copy() for array in column] for column in columns]


def train(body, kernel, columns, options, steps=STEPS):
    """Several steps, with new arrays to read at each; the columns afterwards."""
    columns = copies(columns)
    random = np.random.default_rng(1)
    cache = {}
    for step in range(1, steps + 1):
        for i, letter in enumerate(KERNELS[kernel].arrays):
            if letter in KERNELS[kernel].reads:
                columns[i] = [random_array(random, a.shape, a.dtype) for a in columns[i]]
        scalars = scalars_of(kernel, options, step)
        kernels.body(body).update(kernel, columns, scalars, cache)
    return columns


@cache
def trained_in_numpy(case, dtype):
    kernel, options = CASES[case]
    columns = columns_of(kernel, SIZES, dtype, optional=options["optional"])
    return train("numpy", kernel, columns, options)


def assert_same_bits(got, expected):
    for got_column, expected_column in zip(got, expected, strict=True):
        for a, b in zip(got_column, expected_column, strict=True):
            assert a.dtype == b.dtype
            assert a.shape == b.shape
            assert a.tobytes() == b.tobytes()


# The bodies agree.


@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda i: f"{CASES[i][0]}-{i}")
@every_dtype
@every_simd
def test_c_equals_numpy_to_the_last_bit(case, dtype, simd, simd_and_threads):
    kernel, options = CASES[case]
    simd_and_threads(simd, 1)
    columns = columns_of(kernel, SIZES, dtype, optional=options["optional"])
    assert_same_bits(train("c", kernel, columns, options), trained_in_numpy(case, dtype))


@every_kernel
@every_dtype
@every_simd
@pytest.mark.parametrize("threads", [1, 2, 3, 66])
def test_bits_around_the_boundaries_of_blocks_and_threads(kernel, dtype, simd, threads,
                                                          simd_and_threads):
    sizes = [5, BLOCK - 1, BLOCK, BLOCK + 1, 0, 1, FEW + 7, 3]
    options = options_of(kernel)
    columns = columns_of(kernel, sizes, dtype)
    expected = train("numpy", kernel, columns, options, steps=3)
    simd_and_threads(simd, threads)
    assert_same_bits(train("c", kernel, columns, options, steps=3), expected)


@every_kernel
@every_dtype
@every_simd
def test_bits_wherever_arrays_begin_in_a_line_of_the_cache(kernel, dtype, simd,
                                                           simd_and_threads):
    sizes = [LONG - 1, LONG, LONG + 1] * 6
    options = options_of(kernel)
    expected = columns_of(kernel, sizes, dtype)
    scalars = scalars_of(kernel, options, 1)
    got = [[np.empty(a.size + 17, dtype)[1 + (i + k) % 17:][:a.size]
            for k, a in enumerate(column)] for i, column in enumerate(expected)]
    for views, column in zip(got, expected, strict=True):
        for view, array in zip(views, column, strict=True):
            view[:] = array
    kernels.body("numpy").update(kernel, expected, scalars, {})
    simd_and_threads(simd, 1)
    kernels.body("c").update(kernel, got, scalars, {})
    assert_same_bits(got, expected)


@every_case
@every_dtype
def test_python_is_close_to_numpy(kernel, options, dtype):
    columns = columns_of(kernel, SIZES, dtype, optional=options["optional"])
    got = train("python", kernel, columns, options, steps=5)
    expected = train("numpy", kernel, columns, options, steps=5)
    rtol, atol = {4: (1e-5, 1e-6), 8: (1e-12, 1e-14)}[np.dtype(dtype).itemsize]
    for got_column, expected_column in zip(got, expected, strict=True):
        for a, b in zip(got_column, expected_column, strict=True):
            np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def test_every_kernel_has_settings():
    assert list(SETTINGS) == list(KERNELS)


@every_optimizer
@every_body
def test_first_step_by_hand(kernel, body):
    """One step from w = 1, g = 0.5 and state 0, lr = 0.1, decay 0, worked out on paper."""
    by_hand = {
        "sgd": 1 - 0.1 * (0.5 + 0.9 * 0.5),
        "momentum": 1 - 0.1 * 0.5 - 0.9 * 0.1 * 0.5,
        "adagrad": 1 - 0.1 * 0.5 / (0.5 + 1e-3),
        "adadelta": 1 - 0.1 * 0.5 * math.sqrt(1e-3 / (0.5 * 0.25 + 1e-3)),
        "rmsprop": 1 - 0.1 * 0.5 / (math.sqrt(0.1 * 0.25 - 0.05 ** 2) + 1e-3),
        "adam": 1 - 0.1 * 0.5 / (0.5 + 1e-3),
    }
    columns = columns_of(kernel, [1], np.float64)
    columns[0][0][:] = 1.0
    columns[1][0][:] = 0.5
    options = {**options_of(kernel), "lr": 0.1, "weight_decay": 0.0}
    kernels.body(body).update(kernel, columns, scalars_of(kernel, options, 1), {})
    np.testing.assert_allclose(columns[0][0], [by_hand[kernel]], rtol=1e-14)


@every_body
def test_passes_by_hand(body):
    update = kernels.body(body).update
    a, b, c = [np.array(numbers) for numbers in ([1.0, -2.0], [3.0, np.nan], [10.0, 20.0])]
    update("triad", [[a], [b], [c]], (2.0,), {})
    np.testing.assert_array_equal(a, [23.0, np.nan])
    update("clip", [[a]], (-1.0, 5.0), {})
    np.testing.assert_array_equal(a, [5.0, np.nan])
    update("add_scaled", [[c], [a]], (2.0,), {})
    np.testing.assert_array_equal(c, [20.0, np.nan])
    update("average", [[a], [b]], (0.5,), {})
    np.testing.assert_array_equal(a, [4.0, np.nan])
    update("scale", [[a]], (0.5,), {})
    np.testing.assert_array_equal(a, [2.0, np.nan])
    update("fill", [[a]], (0.25,), {})
    np.testing.assert_array_equal(a, [0.25, 0.25])


@every_dtype
@every_simd
@pytest.mark.parametrize("threads", [1, 3])
def test_square_sum_is_the_same_to_the_last_bit(dtype, simd, threads, simd_and_threads):
    random = np.random.default_rng(0)
    sizes = [*SIZES, BLOCK - 1, BLOCK, BLOCK + 1, FEW + 17, 2 * FEW]
    arrays = [random_array(random, size, dtype) for size in sizes]
    simd_and_threads(simd, threads)
    for some in [arrays, arrays[::-1], arrays[:1], [], *([array] for array in arrays)]:
        results = [kernels.body(body).square_sum(some, {}) for body in ("c", "numpy")]
        assert results[0] == results[1]


@every_dtype
@every_body
def test_square_sum(dtype, body):
    random = np.random.default_rng(0)
    arrays = [random_array(random, shape, dtype) for shape in [(3, 5), (), (0,), (1000,)]]
    expected = math.fsum(float(x) ** 2 for a in arrays for x in a.reshape(-1))
    assert kernels.body(body).square_sum(arrays, {}) == pytest.approx(expected, rel=1e-14)
    huge = np.full(3, np.finfo(dtype).max)
    if dtype == np.float32:  # the sum is in double, where the squares of floats fit
        assert np.isfinite(kernels.body(body).square_sum([huge], {}))
    assert math.isnan(kernels.body(body).square_sum([np.array([np.nan], dtype)], {}))
    with pytest.raises(TypeError, match="float32 or float64"):
        kernels.body(body).square_sum([np.ones(2, np.int32)], {})


@every_kernel
@every_dtype
@every_body
def test_offset_views_and_their_neighbours(kernel, dtype, body):
    """Views at an odd offset are updated alone: what lies around them is left."""
    expected = columns_of(kernel, [(5,), (2, 3), ()], dtype)
    around = [[np.full(array.size + 2, 7, dtype) for array in column] for column in expected]
    columns = [[outer[1:-1].reshape(array.shape) for outer, array in zip(*pair, strict=True)]
               for pair in zip(around, expected, strict=True)]
    for column, source in zip(columns, expected, strict=True):
        for view, array in zip(column, source, strict=True):
            view[...] = array
    scalars = scalars_of(kernel)
    kernels.body(body).update(kernel, expected, scalars, {})
    kernels.body(body).update(kernel, columns, scalars, {})
    assert_same_bits(columns, expected)
    assert all(outer[0] == outer[-1] == 7 for column in around for outer in column)


@every_case
@pytest.mark.parametrize(("body", "dtype"), [
    pytest.param("c", np.float32, marks=needs_c), pytest.param("c", np.float64, marks=needs_c),
    ("python", np.float64)], ids=label)
def test_nan_and_inf_flow_as_in_numpy(kernel, options, body, dtype):
    columns = columns_of(kernel, [8], dtype, optional=options["optional"])
    columns[0][0][:3] = [np.inf, np.nan, np.finfo(dtype).max]
    columns[1 % len(columns)][0][3:7] = [np.inf, -np.inf, np.nan, np.finfo(dtype).max]
    expected = copies(columns)
    for step in range(1, 4):
        scalars = scalars_of(kernel, options, step)
        kernels.body(body).update(kernel, columns, scalars, {})
        kernels.body("numpy").update(kernel, expected, scalars, {})
    for a, b in zip(columns, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@every_body
@pytest.mark.parametrize("kernel", ["adagrad", "adadelta", "rmsprop", "adam"])
def test_without_eps_a_gradient_of_0_gives_nan(kernel, body):
    """0 / 0; where a gradient is not 0 there is a step as ever. So it is in PyTorch."""
    columns = columns_of(kernel, [3], np.float64, optional="")
    columns[1][0][:] = [0.5, 0.0, -0.5]
    options = {**options_of(kernel), "inside": 0.0, "outside": 0.0, "eps": 0.0,
               "weight_decay": 0.0}
    before = columns[0][0].copy()
    kernels.body(body).update(kernel, columns, scalars_of(kernel, options, 1), {})
    moved = columns[0][0] - before
    assert np.isnan(moved).tolist() == [False, True, False]


@every_body
def test_a_variance_that_rounds_below_0_gives_nan(body):
    """Centered RMSprop: the root of s - a * a, where they should be the same."""
    columns = columns_of("rmsprop", [2], np.float64, optional="a")
    columns[2][0][:] = [0.5, 1.0]
    columns[3][0][:] = [0.9, 0.5]
    options = {**options_of("rmsprop"), "alpha": 1.0}
    kernels.body(body).update("rmsprop", columns, scalars_of("rmsprop", options), {})
    assert np.isnan(columns[0][0]).tolist() == [True, False]


@every_optimizer
@every_body
def test_weight_decay_of_0_adds_nothing(kernel, body):
    """An infinite weight stays infinite: 0 * inf, which is NaN, is not added."""
    columns = columns_of(kernel, [1], np.float64)
    columns[0][0][:] = np.inf
    options = {**options_of(kernel), "weight_decay": 0.0}
    kernels.body(body).update(kernel, columns, scalars_of(kernel, options, 1), {})
    assert columns[0][0] == np.inf


@every_body
def test_no_tensors_and_empty_tensors(body):
    update = kernels.body(body).update
    scalars = scalars_of("adam")
    update("adam", [[], [], [], [], []], scalars, {})
    columns = columns_of("adam", [(0,), (0, 3), (1, 0)], np.float32)
    update("adam", columns, scalars, {})
    assert [w.shape for w in columns[0]] == [(0,), (0, 3), (1, 0)]


@every_body
@pytest.mark.parametrize("scalar", [
    {"lr": np.float64(0.1)}, {"lr": np.array(0.1)}, {"maximize": np.bool_(True)},
    {"momentum": 1, "nesterov": 0}, {"weight_decay": np.float32(0.5)},
], ids=str)
def test_numpy_scalars_do(scalar, body):
    columns = columns_of("sgd", [3], np.float32)
    expected = copies(columns)
    options = {**options_of("sgd"), "momentum": 1.0, "nesterov": False, "maximize": True}
    options["weight_decay"] = 0.5
    given = list(scalars_of("sgd", {**options, **scalar}))
    kernels.body(body).update("sgd", expected, scalars_of("sgd", options), {})
    kernels.body(body).update("sgd", columns, given, {})
    assert_same_bits(columns, expected)


# What is kept between calls is never stale.


@every_body
def test_exchanged_arrays_are_noticed(body):
    """After any array is exchanged, the new one is used and the old one left alone."""
    update = kernels.body(body).update
    shapes = [(4,), (2, 3), (1,)]
    scalars = scalars_of("adam")
    columns = columns_of("adam", shapes, np.float32)
    cache = {}
    update("adam", columns, scalars, cache)
    for column, tensor in product(range(4), range(3)):
        old = columns[column][tensor]
        before = old.tobytes()
        columns[column][tensor] = np.full_like(old, 0.25)
        expected = copies(columns)
        update("adam", expected, scalars, {})
        update("adam", columns, scalars, cache)
        assert_same_bits(columns, expected)
        assert old.tobytes() == before


@every_body
def test_gradient_changed_in_place_is_read_again(body):
    columns = columns_of("sgd", [(3,), (2, 2)], np.float32)
    columns[1][1] = np.asfortranarray(columns[1][1])
    scalars = scalars_of("sgd")
    cache = {}
    for value in (1.0, 2.0, 3.0):
        for g in columns[1]:
            g[...] = value
        expected = copies(columns)
        kernels.body(body).update("sgd", expected, scalars, {})
        kernels.body(body).update("sgd", columns, scalars, cache)
        assert_same_bits(columns[:1], expected[:1])


@every_body
def test_tensors_come_and_go(body):
    """A longer or a shorter group, another dtype, another kernel, with one cache."""
    update = kernels.body(body).update
    columns = columns_of("sgd", [(3,), (2,), (4,)], np.float32)
    scalars = scalars_of("sgd")
    cache = {}
    for count in (3, 1, 2, 3, 0, 3):
        group = [column[:count] for column in columns]
        expected = copies(columns)
        update("sgd", [column[:count] for column in expected], scalars, {})
        update("sgd", group, scalars, cache)
        assert_same_bits(columns, expected)
    wide = columns_of("sgd", [(3,)], np.float64)
    update("sgd", wide, scalars, cache)
    w, g, _ = wide
    before = w[0].copy()
    update("momentum", [w, g, [np.zeros(3)]], scalars_of("momentum"), cache)
    assert (w[0] != before).all()


@every_body
def test_caller_may_change_its_lists(body):
    """The cache copies the lists: one that is emptied by its owner changes nothing."""
    columns = columns_of("sgd", [3], np.float32)
    scalars = scalars_of("sgd")
    arrays = [column[0] for column in columns]
    cache = {}
    kernels.body(body).update("sgd", columns, scalars, cache)
    for column in columns:
        column.clear()
    expected = [[array.copy()] for array in arrays]
    kernels.body(body).update("sgd", expected, scalars, {})
    kernels.body(body).update("sgd", [[array] for array in arrays], scalars, cache)
    assert_same_bits([[array] for array in arrays], expected)


@every_optimizer
@every_dtype
@every_body
@pytest.mark.parametrize("layout", ["fortran", "strided", "reversed", "broadcast"])
def test_gradient_of_any_layout(kernel, dtype, body, layout):
    """PyTorch 2.13's fused CPU optimizers are silently wrong here."""
    g = {
        "fortran": np.asfortranarray(np.arange(12, dtype=dtype).reshape(3, 4)),
        "strided": np.arange(24, dtype=dtype).reshape(3, 8)[:, ::2],
        "reversed": np.arange(12, dtype=dtype).reshape(3, 4)[::-1],
        "broadcast": np.broadcast_to(np.arange(4, dtype=dtype), (3, 4)),
    }[layout]
    columns = columns_of(kernel, [(3, 4)], dtype)
    expected = copies(columns)
    columns[1], expected[1] = [g], [g.copy()]
    before = g.tobytes()
    cache = {}
    for step in (1, 2):
        scalars = scalars_of(kernel, options_of(kernel), step)
        kernels.body(body).update(kernel, expected, scalars, {})
        kernels.body(body).update(kernel, columns, scalars, cache)
        assert_same_bits(columns[:1] + columns[2:], expected[:1] + expected[2:])
    assert columns[1][0] is g
    assert g.tobytes() == before


@every_body
def test_gradients_may_be_read_only_and_shared(body):
    g = np.ones(3, np.float32)
    g.flags.writeable = False
    w = [np.zeros(3, np.float32), np.zeros(3, np.float32)]
    kernels.body(body).update("sgd", [w, [g, g[:]], []], scalars_of("sgd"), {})
    assert_same_bits([w[:1]], [w[1:]])


# What does not fit is refused, and nothing is written.


def misaligned(shape):
    raw = np.zeros(4 * int(np.prod(shape)) + 1, np.uint8)
    return raw[1:].view(np.float32).reshape(shape)


def read_only(shape):
    array = np.ones(shape, np.float32)
    array.flags.writeable = False
    return array


# Each row: the column, the array put there for one of shape (2, 3), the error, its words.
REFUSALS = [
    (0, lambda: np.ones((2, 3)), TypeError, "w[1] must be float32"),
    (1, lambda: np.ones((2, 3)), TypeError, "g[1] must be float32"),
    (2, lambda: np.ones((2, 3)), TypeError, "m[1] must be float32"),
    (3, lambda: np.ones((2, 3), np.int32), TypeError, "got int32"),
    (1, lambda: np.ones((2, 3), ">f4"), TypeError, "native byte order"),
    (1, lambda: [[1.0] * 3] * 2, TypeError, "must be a numpy.ndarray, got list"),
    (1, lambda: None, TypeError, "got NoneType"),
    (1, lambda: np.ma.ones((2, 3), np.float32), TypeError, "got MaskedArray"),
    (0, lambda: np.float32(1), TypeError, "w[1] must be a numpy.ndarray"),
    (1, lambda: np.ones((3, 2), np.float32), ValueError, "g[1] must have shape (2, 3)"),
    (1, lambda: np.ones(6, np.float32), ValueError, "got (6,)"),
    (2, lambda: np.ones((2, 4), np.float32), ValueError, "m[1] must have shape (2, 3)"),
    (0, lambda: np.ones((3, 2), np.float32).T, ValueError, "w[1] is updated in place and must"),
    (3, lambda: np.ones((2, 6), np.float32)[:, ::2], ValueError, "C-contiguous"),
    (0, lambda: read_only((2, 3)), ValueError, "w[1] is updated in place and must be writable"),
    (3, lambda: read_only((2, 3)), ValueError, "v[1] is updated in place and must be writable"),
    (0, lambda: misaligned((2, 3)), ValueError, "w[1] must be aligned"),
    (1, lambda: misaligned((2, 3)), ValueError, "g[1] must be aligned"),
    (2, lambda: misaligned((2, 3)), ValueError, "m[1] must be aligned"),
]


def assert_refused(body, columns, cache, error, words):
    """``update`` raises this error and leaves every array as it was."""
    arrays = [a for column in columns for a in column if isinstance(a, np.ndarray)]
    before = [array.tobytes() for array in arrays]
    scalars = scalars_of("adam")
    with pytest.raises(error, match=re.escape(words)):
        kernels.body(body).update("adam", columns, scalars, cache)
    assert [array.tobytes() for array in arrays] == before


def used_cache(body, columns):
    """A cache that has seen these columns in one step."""
    cache = {}
    scalars = scalars_of("adam")
    kernels.body(body).update("adam", columns, scalars, cache)
    return cache


every_cache = pytest.mark.parametrize("cached", [False, True], ids=["first", "later"])


@pytest.mark.parametrize(("column", "make", "error", "words"), REFUSALS)
@every_cache
@every_body
def test_refused_array(column, make, error, words, cached, body):
    columns = columns_of("adam", [(2,), (2, 3)], np.float32)
    cache = used_cache(body, columns) if cached else {}
    good = [list(arrays) for arrays in columns]
    columns[column][1] = make()
    assert_refused(body, columns, cache, error, words)
    expected = copies(good)
    scalars = scalars_of("adam", options_of("adam"), 2)
    kernels.body(body).update("adam", expected, scalars, {})
    kernels.body(body).update("adam", good, scalars, cache)
    assert_same_bits(good, expected)


@every_body
def test_nothing_in_place_of_an_array_that_was_copied(body):
    columns = columns_of("adam", [(2, 3)], np.float32)
    columns[1][0] = np.asfortranarray(columns[1][0])
    cache = used_cache(body, columns)
    columns[1][0] = None
    assert_refused(body, columns, cache, TypeError, "got NoneType")


@every_body
def test_optional_arrays_are_told_apart(body):
    """The same arrays in other columns are other arrays."""
    update = kernels.body(body).update
    scalars = scalars_of("rmsprop")
    columns = columns_of("rmsprop", [3], np.float64, optional="a")
    cache = {}
    update("rmsprop", columns, scalars, cache)
    columns[3], columns[4] = columns[4], columns[3]
    expected = copies(columns)
    update("rmsprop", expected, scalars, {})
    update("rmsprop", columns, scalars, cache)
    assert_same_bits(columns, expected)


@every_body
def test_after_a_refusal_the_arrays_of_before_are_read(body):
    """Two columns that are only read: one is exchanged, the other is wrong."""
    a, b, c = [np.full(2, number) for number in (0.0, 1.0, 2.0)]
    cache = {}
    update = kernels.body(body).update
    update("triad", [[a], [b], [c]], (1.0,), cache)
    with pytest.raises(ValueError):
        update("triad", [[a], [b + 5], [np.ones(3)]], (1.0,), cache)
    update("triad", [[a], [b], [c]], (1.0,), cache)
    assert a.tolist() == [3.0, 3.0]


# Each row: a column, and what it holds for the one tensor of shape (6,), given its w and m.
OVERLAPS = {
    "g is w": (1, lambda w, m: w),
    "g is a view of w": (1, lambda w, m: w[:]),
    "g is state": (1, lambda w, m: m),
    "g overlaps w by one": (1, lambda w, m: w.base[5:11]),
    "g is w through memoryview": (1, lambda w, m: np.asarray(memoryview(w))),
    "v is m": (3, lambda w, m: m),
    "v is a view of m": (3, lambda w, m: m[:]),
    "v is w": (3, lambda w, m: w),
    "v overlaps w by one": (3, lambda w, m: w.base[5:11]),
}


@pytest.mark.parametrize(("column", "make"), OVERLAPS.values(), ids=OVERLAPS)
@every_cache
@every_body
def test_refused_overlap(column, make, cached, body):
    columns = columns_of("adam", [6], np.float32)
    columns[0][0] = np.arange(20, dtype=np.float32)[:6]
    cache = used_cache(body, columns) if cached else {}
    columns[column][0] = make(columns[0][0], columns[2][0])
    assert_refused(body, columns, cache, ValueError, "share memory")


@every_cache
@every_body
def test_refused_base_of_weights_as_gradient(cached, body):
    columns = columns_of("adam", [6], np.float32)
    base = columns[0][0]
    columns[0][0] = base[:]
    cache = used_cache(body, columns) if cached else {}
    columns[1][0] = base
    assert_refused(body, columns, cache, ValueError, "share memory")


@every_body
def test_neighbours_in_one_buffer_do_not_overlap(body):
    arena = np.ones(12, np.float32)
    columns = [[arena[0:4]], [arena[4:8]], []]
    kernels.body(body).update("sgd", columns, (1.0, *scalars_of("sgd")[1:]), {})
    columns[1] = [arena[8:12]]
    kernels.body(body).update("sgd", columns, (1.0, *scalars_of("sgd")[1:]), {})
    assert (arena[:4] < 0).all()
    assert (arena[4:] == 1).all()


@every_body
def test_refused_overlap_with_memory_from_elsewhere(body):
    """The owner of memory is not always an array: only bounds tell then."""
    owner = np.zeros(6, np.float32)
    columns = columns_of("adam", [6], np.float32)
    columns[0][0] = np.frombuffer(memoryview(owner), np.float32)
    cache = used_cache(body, columns)
    columns[1][0] = owner
    assert_refused(body, columns, cache, ValueError, "share memory")
    columns[1][0] = np.ones(6, np.float32)
    kernels.body(body).update("adam", columns, scalars_of("adam", options_of("adam"), 2), cache)
    assert owner.all()


@every_body
def test_refused_tensor_given_twice(body):
    columns = columns_of("adam", [(3,), (3,)], np.float32)
    columns[0][1] = columns[0][0]
    assert_refused(body, columns, {}, ValueError, "w[1] and adam: w[0] share memory")


@every_cache
@every_body
@pytest.mark.parametrize("column", range(4))
def test_refused_counts(column, cached, body):
    columns = columns_of("adam", [(2,), (3,)], np.float32)
    cache = used_cache(body, columns) if cached else {}
    columns[column].pop()
    assert_refused(body, columns, cache, ValueError, "one ")


@every_body
def test_refused_calls(body):
    update = kernels.body(body).update
    columns = columns_of("sgd", [2], np.float32)
    before = columns[0][0].tobytes()
    with pytest.raises(ValueError, match="unknown kernel 'adamax'; choose from sgd"):
        update("adamax", columns, (), {})
    with pytest.raises(ValueError, match=r"sgd takes 3 columns of arrays \(w, g, b\), got 1"):
        update("sgd", columns[:1], scalars_of("sgd"), {})
    for scalars in [(), scalars_of("sgd")[1:], (*scalars_of("sgd"), 1.0)]:
        with pytest.raises(ValueError, match=rf"6 scalars \(lr, .*\), got {len(scalars)}"):
            update("sgd", columns, scalars, {})
    with pytest.raises(ValueError, match="momentum: v has 0 arrays where w has 1"):
        update("momentum", [*columns[:2], []], scalars_of("momentum"), {})
    with pytest.raises(TypeError):
        update("sgd", columns, (None, *scalars_of("sgd")[1:]), {})
    with pytest.raises(TypeError, match="float32 or float64 in native byte order, got int64"):
        update("sgd", [[np.ones(2, np.int64)], [np.ones(2)], []], scalars_of("sgd"), {})
    assert columns[0][0].tobytes() == before


# The table, the Python bodies and the C header say the same.


@every_kernel
@pytest.mark.parametrize("body", ["numpy_arrays", "python_loops"])
def test_signatures_follow_the_table(kernel, body):
    row = KERNELS[kernel]
    family = "optimizers" if kernel in OPTIMIZERS else "passes"
    module = importlib.import_module(f"tinygrad_lite.kernels.{body}.{family}")
    names = tuple(inspect.signature(getattr(module, kernel)).parameters)
    assert names == row.arrays + row.scalars


@needs_c
@every_kernel
def test_structs_follow_the_table(kernel):
    """The struct of a kernel's scalars has the names of the table, in its order."""
    ffi = importlib.import_module("tinygrad_lite.kernels._kernels").ffi
    fields = [name for name, _ in ffi.typeof(f"tgl_{kernel}").fields]
    assert tuple(fields) == KERNELS[kernel].scalars


@every_kernel
def test_the_header_names_the_arrays(kernel):
    """The comment above a kernel's struct says which arrays it takes."""
    header = (Path(__file__).parents[1] / "csrc" / "kernels.h").read_text(encoding="utf-8")
    row = KERNELS[kernel]
    if kernel in OPTIMIZERS:
        listed = ", ".join(f"[{x}]" if x in row.optional else x for x in row.arrays)
        comment = header[:header.index(f"}} tgl_{kernel};")].rpartition("/*")[2]
        assert f"Arrays: {listed}." in comment


@needs_c
def test_the_constants_are_those_of_c():
    lib = importlib.import_module("tinygrad_lite.kernels._kernels").lib
    numpy_passes = importlib.import_module("tinygrad_lite.kernels.numpy_arrays.passes")
    assert lib.TGL_BLOCK == numpy_passes.BLOCK == BLOCK
    assert lib.TGL_LANES == numpy_passes.LANES


@needs_c
def test_importing_c_leaves_the_floating_point_mode_alone():
    """-ffast-math would flush subnormal numbers to 0 in the whole process."""
    assert "c" in kernels.bodies, kernels.why_not_c()
    assert np.finfo(np.float32).smallest_subnormal / np.float32(1) > 0

"""Programs: each form in C against NumPy's, memory that is shared, chains of maps, listings."""

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tg
from tinygrad_lite import Tensor, kernels, nn
from tinygrad_lite.kernels import instructions
from tinygrad_lite.nn import functional as F
from tinygrad_lite.programs.instructions import Instruction, joined
from tinygrad_lite.programs.memory import LINE, Life, moved_arrays, places

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
needs_c = pytest.mark.skipif(WITHOUT_C, reason="built without C on purpose")
DTYPES = (np.float32, np.float64)
SIMD = [] if WITHOUT_C else kernels.body("c").simd_choices()
TOLERANCE = {np.float32: dict(rtol=2e-6, atol=2e-6), np.float64: dict(rtol=1e-14, atol=1e-14)}


def step_of(net, optimizer):
    """A function that learns from one batch, and returns the loss."""
    def step(x, target):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return step


# ---- forms -----------------------------------------------------------------------------

SPECIAL = [0.0, -0.0, 1e-30, -1e-30, 3e-8, -0.3, 0.34, -0.35, 1.0, -2.5, 20.0, -20.0, 80.0,
           -80.0, 100.0, -100.0, 710.0, -745.0, np.inf, -np.inf, np.nan]

# For each kind the function that becomes it, and the shapes of its inputs.
FORMS = {
    "ADD": (lambda a, b: a + b, [(3, 5), (3, 5)]),
    "SUBTRACT": (lambda a, b: a - b, [(3, 5), (3, 5)]),
    "MULTIPLY": (lambda a, b: a * b, [(17,), (17,)]),
    "DIVIDE": (lambda a, b: a / b, [(17,), (17,)]),
    "NEGATIVE": (lambda a: -a, [(7,)]),
    "ABS": (tg.abs, [(33,)]),
    "SQRT": (tg.sqrt, [(33,)]),
    "RELU_OF": (tg.relu, [(33,)]),
    "RELU_SLOPE": (tg.ops._relu_slope, [(5, 9), (5, 9)]),
    "SQUARED_DIFFERENCE": (tg.nn.functional.mse_loss, [(4, 3), (4, 3)]),
    "EXP": (tg.exp, [(33,)]),
    "LOG": (lambda a: tg.log(abs(a)), [(33,)]),
    "TANH": (tg.tanh, [(33,)]),
    "SIGMOID": (tg.sigmoid, [(33,)]),
    "MATMUL": (lambda a, b: a @ b, [(5, 7), (7, 3)]),
    "SUM": (lambda a: a.sum(), [(3, 4, 5)]),
    "COPY": (tg.ops.copy, [(3, 4)]),
    "CONV": (lambda x, w, b: F.conv2d(x, w, b, padding=1), [(5, 2, 6, 7), (4, 2, 3, 3), (4,)]),
    "NORMALIZE": (lambda x, w, b, m, v: F.batch_norm(x, m, v * v + 1, w, b),
                  [(4, 3, 5), (3,), (3,), (3,), (3,)]),
    "MAX_POOL": (lambda x: F.max_pool2d(x, 2), [(2, 3, 6, 7)]),
}


def kinds(program):
    """The instructions in C, and those in NumPy as None."""
    return [one.kind for one in program.instructions if one.name != "input"]


def outcome(function, arrays):
    """What the replayed function returns, and its program."""
    jitted = tg.jit(function)
    for _ in range(3):
        y = jitted(*arrays)
    return y.numpy(), jitted.program


@needs_c
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", FORMS)
def test_a_form_does_what_numpy_does(kind, dtype):
    function, shapes = FORMS[kind]
    random = np.random.default_rng(0)
    arrays = [random.normal(size=shape).astype(dtype) for shape in shapes]
    if kind == "SQRT":
        arrays = [abs(a) for a in arrays]
    found, program = outcome(function, arrays)
    assert kind in kinds(program)
    with tg.backend("numpy"), np.errstate(all="ignore"):
        expected = function(*map(Tensor, arrays)).numpy()
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, **TOLERANCE[dtype])


@needs_c
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("simd", SIMD)
@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "sqrt", "relu", "abs"])
def test_maps_of_special_numbers(name, simd, dtype):
    """Also denormal results, of which exp makes 0."""
    function = getattr(tg, name)
    numbers = np.array(SPECIAL * 3, dtype)
    body = kernels.bodies["c"]
    before = body.simd()
    body.set_simd(simd)
    with np.errstate(all="ignore"):
        try:
            found, program = outcome(function, [numbers])
        finally:
            body.set_simd(before)
        expected = function(Tensor(numbers)).numpy()
    assert None not in kinds(program)
    tiny = np.finfo(dtype).tiny
    np.testing.assert_allclose(found, expected, rtol=20 * np.finfo(dtype).eps, atol=2 * tiny)


@needs_c
@pytest.mark.parametrize("a, b, in_c", [
    ((5, 7), (7,), True), ((5, 7), (5, 1), True), ((5, 7), (1, 7), True), ((7,), (5, 7), True),
    ((5, 1), (5, 7), True), ((5, 1), (1, 7), True), ((5, 7), (1, 1), True), ((5, 7), (), True),
    ((2, 3, 4), (4,), True), ((2, 3, 4), (3, 4), True), ((2, 3, 4), (2, 1, 1), True),
    ((2, 3, 4), (2, 3, 1), True), ((2, 3, 4), (3, 1), False), ((1, 1), (1,), True),
    ((2000, 33), (33,), True), ((3, 1, 4), (1, 1, 4), True),
], ids=str)
def test_maps_of_what_is_repeated(a, b, in_c):
    random = np.random.default_rng(0)
    a, b = random.normal(size=a), random.normal(size=b)
    found, program = outcome(lambda a, b: (a - b) * b + 1.0, [a, b])
    assert (None not in kinds(program)) is in_c
    np.testing.assert_allclose(found, (a - b) * b + 1.0, rtol=1e-15, atol=1e-15)


@needs_c
def test_maps_of_views():
    a = np.random.default_rng(0).normal(size=(6, 5))

    def function(a):
        return a[::2, 1:4] * a[1, 1:4] - a.T[2, 3] + a[:3, :1]

    found, program = outcome(function, [a])
    assert None not in kinds(program)
    np.testing.assert_allclose(found, function(a), rtol=1e-15)
    found, program = outcome(lambda a: a[:3, :3] * a.T[2, :3], [a])
    assert kinds(program) == [None]  # its columns are far apart
    np.testing.assert_allclose(found, a[:3, :3] * a.T[2, :3], rtol=1e-15)


@needs_c
@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 1), (1, 2), (0, 2), -1, ()])
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_sums_over_axes(name, axis):
    a = np.random.default_rng(0).normal(size=(3, 4, 5))
    found, program = outcome(lambda a: getattr(a, name)(axis=axis), [a])
    assert "SUM" in kinds(program) or axis == 1
    np.testing.assert_allclose(found, getattr(a, name)(axis=axis), rtol=1e-13)


@needs_c
@pytest.mark.parametrize("m, k, n", [(1, 1, 1), (1, 7, 3), (8, 16, 32), (9, 33, 17), (64, 5, 1),
                                     (33, 600, 40)])
def test_products_of_views(m, k, n):
    random = np.random.default_rng(0)
    w = Tensor(random.normal(size=(2 * n, k)), requires_grad=True)
    x = random.normal(size=(k, m))
    found, program = outcome(lambda x: x.T @ w[::2].T, [x])
    assert "MATMUL" in kinds(program)
    np.testing.assert_allclose(found, x.T @ w.numpy()[::2].T, rtol=1e-12, atol=1e-12)


@needs_c
@pytest.mark.parametrize("options", [
    dict(), dict(stride=2), dict(padding=2), dict(dilation=2), dict(groups=2),
    dict(stride=(2, 1), padding=(0, 1), groups=4),
], ids=str)
@pytest.mark.parametrize("images", [0, 1, 3, 9])
def test_convolutions_and_their_gradients(options, images):
    random = np.random.default_rng(0)
    groups = options.get("groups", 1)
    x = random.normal(size=(images, 4, 9, 8))
    w = Tensor(random.normal(size=(8, 4 // groups, 3, 3)), requires_grad=True)
    b = Tensor(random.normal(size=8), requires_grad=True)

    def slopes(x):
        x = x.detach()
        x.requires_grad = True
        y = F.conv2d(x, w, b, **options).relu()
        return [y, *tg.grad((y * y).sum(), [x, w, b])]

    jitted = tg.jit(slopes)
    for _ in range(3):
        found = jitted(x)
    if images:
        assert {"CONV", "CONV_IMAGES", "CONV_WEIGHTS"} <= set(kinds(jitted.program))
    for y, expected in zip(found, slopes(Tensor(x)), strict=True):
        np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-11, atol=1e-11)


@needs_c
def test_products_that_numpy_does_faster_are_numpys():
    a, b = np.ones((2, 1 << 15), np.float32), np.ones((1 << 15, 2), np.float32)
    _, program = outcome(lambda a, b: a @ b, [a, b])
    assert kinds(program) == ["MATMUL"]  # few multiplications
    _, program = outcome(lambda a, b: a @ b, [np.ones((64, 1 << 15)), np.ones((1 << 15, 64))])
    assert kinds(program) == [None]


@needs_c
def test_a_relu_behind_a_product_is_one_instruction_with_it():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 4),
                        nn.ReLU())
    _, program = outcome(net, [np.zeros((3, 1, 6, 6), np.float32)])
    assert [one.name for one in program.instructions] == ["input", "conv2d+relu", "linear+relu"]
    _, program = outcome(lambda x: (net[3](x), tg.relu(net[3](x)))[1],
                         [np.zeros((3, 32), np.float32)])
    assert program.instructions[-1].name == "linear+relu"


def test_a_result_that_others_read_too_is_not_lost_to_a_relu():
    layer = nn.Linear(3, 2)

    @tg.jit
    def outputs(x):
        y = layer(x)
        return [y, y.relu()]

    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    for _ in range(3):
        y, z = outputs(x)
    np.testing.assert_array_equal(np.maximum(y.numpy(), 0), z.numpy())
    assert (y.numpy() < 0).any()


@needs_c
def test_an_id_out_of_range_is_an_index_error_and_changes_nothing():
    net = nn.Linear(3, 2)
    optimizer = tg.optim.SGD(net.parameters(), lr=0.1)

    @tg.jit
    def step(x, target):
        optimizer.zero_grad()
        F.cross_entropy(net(x), target).backward()
        optimizer.step()

    x = np.ones((2, 3), np.float32)
    for _ in range(3):
        step(x, np.array([0, 1]))
    before = net.weight.numpy().copy()
    with pytest.raises(IndexError, match="Target 2 is out of bounds"):
        step(x, np.array([0, 2]))
    np.testing.assert_array_equal(net.weight.numpy(), before)
    assert optimizer.steps_taken == 3
    step(x, np.array([0, 1]))
    assert (net.weight.numpy() != before).any()


@needs_c
def test_constants_are_those_of_the_header():
    lib = kernels.bodies["c"].program.lib
    for name in ("A_TRANSPOSED", "B_TRANSPOSED", "RELU"):
        assert getattr(instructions, name) == getattr(lib, f"TGL_{name}")
    assert len(instructions.MAPS) == lib.TGL_MAPS


# ---- memory ----------------------------------------------------------------------------


lives = st.lists(st.builds(lambda size, first, more: Life(size, first, first + more),
                           st.integers(0, 500), st.integers(0, 20), st.integers(0, 8)),
                 max_size=20)


@given(lives)
@settings(max_examples=200, deadline=None)
def test_what_lives_at_the_same_time_has_places_of_its_own(lives):
    begins, total = places(lives)
    for i, (begin, life) in enumerate(zip(begins, lives, strict=True)):
        assert begin % LINE == 0 or life.size == 0
        assert begin + life.size <= total
        for other, that in zip(begins[:i], lives[:i], strict=True):
            apart = begin + life.size <= other or other + that.size <= begin
            assert apart or life.first > that.last or that.first > life.last
    assert total <= sum(-(-life.size // LINE) * LINE for life in lives)


def test_buffers_that_follow_one_another_share_a_place():
    assert places([Life(64, 0, 1), Life(64, 2, 3), Life(64, 4, 5)]) == ([0, 0, 0], 64)
    assert places([Life(64, 0, 1), Life(64, 1, 2), Life(64, 2, 3)])[1] == 128
    assert places([]) == ([], 0)


def test_views_move_with_their_memory():
    base = np.arange(24.0).reshape(4, 6)
    view = base[1:, ::-2].T
    moved, _ = moved_arrays([base], [Life(base.nbytes, 0, 1)])
    there = moved(base, base)
    there[...] = base
    np.testing.assert_array_equal(moved(view, base), view)
    assert moved(view, base).strides == view.strides
    other = np.ones(3)
    assert moved(other, other) is other


@needs_c
@pytest.mark.parametrize("batch", [1, 32])
def test_a_replay_takes_less_memory_than_the_step(batch):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Linear(4 * 13 * 13, 10))
    step = step_of(net, tg.optim.Adam(net.parameters()))
    x = np.random.default_rng(0).normal(size=(batch, 1, 28, 28)).astype(np.float32)
    target = np.zeros(batch, np.int64)
    nodes = Tensor(x), Tensor(target)
    peak = peak_of(lambda: step(*nodes))
    jitted = tg.jit(step)
    for _ in range(3):
        jitted(x, target)
    during = peak_of(lambda: jitted(x, target))
    assert jitted.program.nbytes + during <= peak
    assert f"{jitted.program.nbytes:,} bytes of memory" in str(jitted.program)


def peak_of(function):
    """The most memory that a call takes beyond what there is, in bytes."""
    for _ in range(3):
        function()
    tracemalloc.start()
    function()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    function()
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak


# ---- chains ----------------------------------------------------------------------------


def a_map(y, *reads):
    return Instruction("map", "ADD", (y,), (reads * 2)[:2], n=(y.size,))


def test_maps_join_where_they_meet_at_the_same_elements():
    a, b, c, d = np.zeros((4, 100))
    run = [a_map(b, a), a_map(c, b, a), a_map(d, c)]
    assert joined(run) == [False, True, True]
    assert joined([*run[:1], Instruction("sum", "SUM", (c[:1],), (b,)), run[2]]) == [False] * 3
    assert joined([a_map(b, a), a_map(c[:50], a[:50])]) == [False, False]


def test_maps_do_not_join_where_one_reads_what_is_not_there_yet():
    memory = np.zeros(300)
    a, b, shifted = memory[:100], memory[100:200], memory[101:201]
    c = np.zeros(100)
    assert joined([a_map(b, a), a_map(c, shifted)]) == [False, False]   # reads ahead
    assert joined([a_map(c, shifted), a_map(b, a)]) == [False, False]   # writes ahead
    assert joined([a_map(c, a), a_map(a, c)]) == [False, True]          # element by element
    square = c.reshape(10, 10)
    assert joined([a_map(c, a), a_map(b, square.T)]) == [False, False]  # in another order


@needs_c
def test_a_long_chain_runs_through_blocks():
    n = 100_003

    def chain(a, b):
        y = a * b + 1.0
        return ((y * y - a) / (abs(b) + 2.0)).tanh() * 0.5

    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, n))
    found, program = outcome(chain, [a, b])
    run = [one for one in program.instructions if one.kind in instructions.MAPS]
    assert joined(run)[1:] == [True] * (len(run) - 1)
    expected = chain(Tensor(a), Tensor(b)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


@needs_c
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_gives_the_same_bits(threads):
    net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Linear(8 * 144, 64), nn.Tanh(), nn.Linear(64, 10))
    x = np.random.default_rng(0).normal(size=(64, 1, 28, 28)).astype(np.float32)
    target = np.arange(64) % 10

    @tg.jit
    def slopes(x, target):
        return tg.grad(F.cross_entropy(net(x), target), list(net.parameters()))

    for _ in range(2):
        slopes(x, target)
    before = tg.get_num_threads()
    results = []
    try:
        for count in (1, threads):
            tg.set_num_threads(count)
            results.append([g.numpy() for g in slopes(x, target)])
    finally:
        tg.set_num_threads(before)
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


# ---- the listing -----------------------------------------------------------------------


def test_the_listing_marks_what_runs_in_numpy():
    jitted = tg.jit(lambda x: nn.functional.gelu(x * 2))
    for _ in range(2):
        jitted(np.ones(3, np.float32))
    marked = [line for line in str(jitted.program).splitlines() if line.endswith("in NumPy")]
    assert len(marked) == (2 if WITHOUT_C else 1)
    assert "gelu" in marked[-1]


@needs_c
def test_the_listing_in_the_documents_is_what_is_printed():
    text = (Path(__file__).parents[1] / "docs" / "jit.md").read_text(encoding="utf-8")
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = tg.optim.Adam(net.parameters(), lr=0.003)

    step = tg.jit(step_of(net, optimizer))
    for _ in range(2):
        step(np.zeros((32, 64), np.float32), np.zeros(32, np.int64))
    assert str(step.program) in text


def test_a_whole_step_is_one_call():
    """Of each net of the benchmarks, with batch norm besides."""
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                        nn.Flatten(), nn.Linear(4 * 9, 8), nn.BatchNorm1d(8), nn.Tanh(),
                        nn.Linear(8, 3))
    optimizer = tg.optim.AdamW(net.parameters(), amsgrad=True)

    step = tg.jit(step_of(net, optimizer))
    for _ in range(3):
        step(np.random.default_rng(0).normal(size=(5, 1, 8, 8)).astype(np.float32),
             np.array([0, 1, 2, 0, 1]))
    if WITHOUT_C:
        assert set(kinds(step.program)) == {None}
    else:
        assert len(step.program.parts) == 1
    assert net[1].num_batches_tracked.item() == 3


@needs_c
def test_another_backend_is_another_recording():
    jitted = tg.jit(lambda x: x @ x)
    x = np.ones((3, 3), np.float32)
    for _ in range(3):
        jitted(x)
    in_c = jitted.program
    with tg.backend("numpy"):
        for _ in range(3):
            jitted(x)
        assert kinds(jitted.program) == [None]
    jitted(x)
    assert jitted.program is in_c

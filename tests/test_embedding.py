"""Embedding, and the kernels behind it: rows of a table by number, and the way back."""

import copy
import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tg
from tinygrad_lite import kernels, nn
from tinygrad_lite.nn import functional as F

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
BODIES = ["numpy", "python"] if WITHOUT_C else ["c", "numpy", "python"]
every_body = pytest.mark.parametrize("body", BODIES)

INTEGERS = [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64]


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def table(rows=5, width=3):
    return tg.Tensor(numbers(rows, width), requires_grad=True)


def summed(a, index, rows):
    """The sums by the definition, one row after the other, in the dtype of a."""
    y = np.zeros((rows, *a.shape[index.ndim:]), a.dtype)
    for k, row in zip(index.reshape(-1), a.reshape(index.size, *y.shape[1:])):
        y[k] = y[k] + row
    return y


# ---- the kernels -----------------------------------------------------------------------


@every_body
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.int64, bool])
@pytest.mark.parametrize("rest", [(), (1,), (3,), (17,), (2, 3), (0,)])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (2, 3), (0,), (3, 0)])
def test_take_rows(body, dtype, rest, shape):
    a = (10 * numbers(4, *rest)).astype(dtype)
    index = np.random.default_rng(1).integers(0, 4, shape)
    y = kernels.body(body).take_rows(a, np.asarray(index))
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, a[index], strict=True)


@every_body
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rest", [(), (1,), (3,), (17,), (2, 3), (0,)])
@pytest.mark.parametrize("n", [0, 1, 2, 9, 100])
def test_add_rows(body, dtype, rest, n):
    a = numbers(n, *rest).astype(dtype)
    index = np.random.default_rng(1).integers(0, 4, n)
    y = kernels.body(body).add_rows(a, index, 4)
    wanted = summed(a, index, 4)
    if body == "python":
        np.testing.assert_allclose(y, wanted, rtol=1e-4 if dtype is np.float32 else 1e-12,
                                   atol=1e-6)
    else:
        np.testing.assert_array_equal(y, wanted)  # to the last bit: the order is fixed
    assert (y.shape, y.dtype) == (wanted.shape, wanted.dtype)
    assert y.base is None or body != "c"  # a leaf may keep it without a copy


@every_body
def test_what_is_large_comes_in_order(body):
    a = np.array([1.0, 1e30, -1e30, 1.0])
    y = kernels.body(body).add_rows(a, np.zeros(4, int), 1)
    assert y.tolist() == [1.0]


@every_body
@pytest.mark.parametrize("dtype", INTEGERS)
def test_numbers_of_any_integer_dtype(body, dtype):
    index = np.array([[2, 0], [1, 2]], dtype)
    a, g = numbers(3, 2), numbers(2, 2, 2)
    kernel = kernels.body(body)
    np.testing.assert_array_equal(kernel.take_rows(a, index), a[index.astype(int)])
    np.testing.assert_allclose(kernel.add_rows(g, index, 3), summed(g, index, 3), rtol=1e-15)


@every_body
def test_arrays_of_any_layout(body):
    kernel = kernels.body(body)
    a = numbers(6, 8)
    for view in [a.T, a[::2], a[:, ::-1], a[1:, 1:], np.broadcast_to(a[0], (6, 8))]:
        index = np.arange(len(view))[::-1]
        np.testing.assert_array_equal(kernel.take_rows(view, index), view[::-1])
        np.testing.assert_array_equal(kernel.add_rows(view, index, len(view)), view[::-1])
        view.flags.writeable = False
        np.testing.assert_array_equal(kernel.take_rows(view, index), view[::-1])


@every_body
def test_misaligned_arrays(body):
    raw = np.zeros(8 * 7 + 1, np.uint8)[1:]
    a, index = raw[:24].view(np.float64), raw[24:48].view(np.int64)
    a[:], index[:] = [1.0, 2.0, 3.0], [2, 0, 2]
    assert not a.flags.aligned
    assert kernels.body(body).take_rows(a, index).tolist() == [3, 1, 3]
    assert kernels.body(body).add_rows(a, index, 3).tolist() == [2, 0, 4]


@every_body
@pytest.mark.filterwarnings("error")
def test_what_float32_cannot_hold_is_infinite(body):
    a = np.full(2, 3e38, np.float32)
    assert kernels.body(body).add_rows(a, np.zeros(2, int), 1).tolist() == [np.inf]


@every_body
@pytest.mark.parametrize(("kernel", "arguments", "error", "words"), [
    ("take_rows", (np.ones((3, 2)), np.array([0, 3])), IndexError, "index 3 .* from 0 to 2"),
    ("take_rows", (np.ones((3, 2)), np.array([-1])), IndexError, "index -1 is out of range"),
    ("take_rows", (np.ones((0, 2)), np.array([0])), IndexError, "there are 0 rows"),
    ("take_rows", (np.ones(3), np.array([2 ** 63], np.uint64)), IndexError, "out of range"),
    ("take_rows", (np.array(1.0), np.array([0])), ValueError, "must have rows"),
    ("take_rows", (np.ones(3), np.array([0.0])), TypeError, "must be integers, got float64"),
    ("take_rows", (np.ones(3), np.array([True])), TypeError, "must be integers, got bool"),
    ("take_rows", (np.ones(3), [0]), TypeError, "index must be a numpy.ndarray, got list"),
    ("take_rows", (np.array(["a"]), np.array([0])), TypeError, "real numbers, got <U1"),
    ("take_rows", ([1.0], np.array([0])), TypeError, "a must be a numpy.ndarray"),
    ("add_rows", (np.ones(2), np.array([0, 3]), 3), IndexError, "index 3 .* from 0 to 2"),
    ("add_rows", (np.ones(2), np.array([0, -1]), 3), IndexError, "index -1"),
    ("add_rows", (np.ones(2), np.array([0, 1, 2]), 3), ValueError, "begins with .3,."),
    ("add_rows", (np.ones((2, 3)), np.zeros((2, 2), int), 3), ValueError, "got .2, 3."),
    ("add_rows", (np.ones(2, int), np.array([0, 1]), 3), TypeError, "float32 or float64"),
    ("add_rows", (np.ones(2, np.float16), np.array([0, 1]), 3), TypeError, "got float16"),
    ("add_rows", (np.ones(2), np.array([0.0, 1.0]), 3), TypeError, "must be integers"),
])
def test_kernels_refuse(body, kernel, arguments, error, words):
    with pytest.raises(error, match=words):
        getattr(kernels.body(body), kernel)(*arguments)


# ---- values and gradients --------------------------------------------------------------

ROWS = st.integers(1, 6)
SHAPES = st.lists(st.integers(0, 4), max_size=3)


@given(ROWS, st.integers(0, 5), SHAPES, st.integers(0, 99), st.sampled_from(BODIES), st.data())
@settings(max_examples=60, deadline=None)
def test_values_and_gradients(rows, width, shape, seed, body, data):
    w = tg.Tensor(numbers(rows, width, seed=seed), requires_grad=True)
    ids = np.random.default_rng(seed).integers(0, rows, shape)
    padding = data.draw(st.none() | st.integers(-rows, rows - 1))
    g = numbers(*shape, width, seed=seed + 1)
    with tg.backend(body):
        y = F.embedding(ids, w, padding)
        y.backward(g)
    np.testing.assert_array_equal(y.data, w.data[ids])
    wanted = summed(g, np.asarray(ids), rows)
    if padding is not None:
        wanted[padding] = 0
    np.testing.assert_allclose(w.grad.data, wanted, rtol=1e-12, atol=1e-12)


@every_body
@pytest.mark.parametrize("padding", [None, 2])
def test_finite_differences(body, padding):
    ids = np.array([[0, 2, 2], [4, 0, 1]])
    weights = np.cos(np.arange(18)).reshape(2, 3, 3)

    def loss(w):
        y = F.embedding(ids, w, padding)
        if padding is not None:  # its row has no gradient: it must not matter
            y = y * (ids != padding)[:, :, None]
        return (y ** 3 * weights).sum()

    with tg.backend(body):
        assert tg.gradcheck(loss, table(), order=3)


def test_the_gradient_of_the_padding_is_0_even_if_it_is_not_finite():
    w = table()
    F.embedding([1, 2], w, padding_idx=1).backward([[np.inf, np.nan, 1], [1, 2, 3]])
    np.testing.assert_array_equal(w.grad.data[1:3], [[0, 0, 0], [1, 2, 3]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_of_the_weight(dtype):
    w = tg.Tensor(numbers(3, 2), dtype=dtype, requires_grad=True)
    y = F.embedding([0, 0, 2], w)
    assert y.dtype == dtype
    y.sum().backward()
    assert w.grad.dtype == dtype
    np.testing.assert_array_equal(w.grad.data, [[2, 2], [0, 0], [1, 1]])


@pytest.mark.parametrize("ids", [
    2, [2], [[0, 1], [1, 2]], (0, 1), np.array(1), np.int64(1), tg.Tensor([1, 2]),
    np.array([0, 1], np.uint8), np.zeros((2, 0), int), np.array([[0, 1], [2, 1]]).T[::-1],
], ids=repr)
def test_ids_in_any_form(ids):
    w = table(3)
    plain = np.asarray(ids)
    y = F.embedding(ids, w)
    np.testing.assert_array_equal(y.data, w.data[plain], strict=True)
    of_array = F.embedding(ids, w.data)
    np.testing.assert_array_equal(getattr(of_array, "data", of_array), w.data[plain])
    y.sum().backward()
    assert w.grad.data.sum() == 3 * plain.size


def test_plain_arrays_give_plain_arrays():
    assert type(F.embedding([0, 1], numbers(3, 2))) is np.ndarray


def test_ids_that_change_later_do_not_matter_or_are_noticed():
    w, ids = table(), np.array([0, 1])
    y = F.embedding(ids, w)
    ids[:] = 4
    y.sum().backward()
    assert w.grad.data.sum(1).tolist() == [3, 3, 0, 0, 0]
    ids = tg.Tensor([0, 1])
    y = F.embedding(ids, w)
    ids[0] = 4
    with pytest.raises(RuntimeError, match="'embedding' .* modified by an inplace"):
        y.sum().backward()


# ---- the gradient of indexing takes the same way -----------------------------------------


@every_body
@pytest.mark.parametrize("index", [
    np.array([0, 2, 2, -1]), np.array([[1, -5], [1, 4]]), (np.array([3, 3]),),
    np.array([1, 1], np.uint8), np.array([], int), np.array([], int).reshape(2, 0), np.array(2),
    np.array([True, False, True, False, True]), (np.array([0, 0]), np.array([1, 1])),
], ids=repr)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_gradient_of_getitem(body, index, dtype):
    w = tg.Tensor(numbers(5, 3), dtype=dtype, requires_grad=True)
    with tg.backend(body):
        y = w[index]
        g = numbers(*y.shape).astype(dtype)
        y.backward(g)
    wanted = np.zeros(w.shape, dtype)
    np.add.at(wanted, index, g)
    np.testing.assert_allclose(w.grad.data, wanted, rtol=1e-3 if dtype is np.float16 else 1e-6)
    assert w.grad.dtype == dtype


# ---- the Module ------------------------------------------------------------------------


def test_module():
    layer = nn.Embedding(10, 4, padding_idx=-1)
    assert layer.weight.shape == (10, 4)
    assert layer.weight.dtype == np.float32
    assert list(layer.state_dict()) == ["weight"]
    assert layer.padding_idx == 9
    assert repr(layer) == "Embedding(10, 4, padding_idx=9)"
    assert repr(nn.Embedding(3, 2)) == "Embedding(3, 2)"
    np.testing.assert_array_equal(layer.weight.data[9], 0)
    assert np.all(layer.weight.data[:9] != 0)
    assert nn.Embedding(2, 2, dtype="float64").weight.dtype == np.float64
    assert nn.Embedding(0, 3)(np.zeros((2, 0), int)).shape == (2, 0, 3)


def test_initial_values_are_standard_normal():
    tg.manual_seed(0)
    w = nn.Embedding(1000, 100).weight.data
    assert abs(w.mean()) < 0.01
    assert abs(w.std() - 1) < 0.01
    tg.manual_seed(0)
    np.testing.assert_array_equal(nn.Embedding(1000, 100).weight.data, w)


def test_padding_stays_0_in_training():
    layer = nn.Embedding(4, 2, padding_idx=0)
    optimizer = tg.optim.SGD(layer.parameters(), lr=0.1)
    before = layer.weight.data.copy()
    for _ in range(3):
        optimizer.zero_grad()
        layer(np.array([[0, 1], [3, 0]])).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(before - layer.weight.data,
                               [[0, 0], [0.3, 0.3], [0, 0], [0.3, 0.3]], rtol=1e-6)


def test_from_pretrained():
    w = numbers(4, 2)
    state = tg.rng.generator().bit_generator.state
    layer = nn.Embedding.from_pretrained(w, padding_idx=1)
    assert tg.rng.generator().bit_generator.state == state
    assert (layer.num_embeddings, layer.embedding_dim, layer.padding_idx) == (4, 2, 1)
    np.testing.assert_array_equal(layer.weight.data, w, strict=True)
    assert layer.weight.data is not w
    assert not layer.weight.requires_grad
    assert not layer(np.array([1, 2])).requires_grad
    assert nn.Embedding.from_pretrained(tg.Tensor(w), freeze=False).weight.requires_grad


def test_copies():
    layer = nn.Embedding(3, 2, padding_idx=1)
    for other in [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]:
        assert repr(other) == repr(layer)
        np.testing.assert_array_equal(other([0, 1]).data, layer([0, 1]).data)


@every_body
@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: nn.Embedding(3, 2)(np.array([0, 3])), IndexError, "index 3 .* 0 to 2"),
    (lambda: nn.Embedding(3, 2)(np.array([-1])), IndexError, "index -1"),
    (lambda: nn.Embedding(3, 2)(np.array([0.0])), RuntimeError, "integer dtype; got float64"),
    (lambda: nn.Embedding(3, 2)([]), RuntimeError, "integer dtype; got float64"),
    (lambda: nn.Embedding(3, 2)([True]), RuntimeError, "integer dtype; got bool"),
    (lambda: nn.Embedding(3, 2)(tg.Tensor([0.0])), RuntimeError, "got float32"),
    (lambda: nn.Embedding(3, 2)(tg.Value(0.0)), RuntimeError, "got float64"),
    (lambda: F.embedding([0], np.ones(3)), RuntimeError, "'weight' must be 2-D"),
    (lambda: F.embedding([0], np.ones((3, 2, 2))), RuntimeError, "must be 2-D.*got .3, 2, 2."),
    (lambda: F.embedding([0], np.ones((3, 2)), 3), ValueError, "from -3 to 2; got 3"),
    (lambda: nn.Embedding(3, 2, -4), ValueError, "padding_idx .* got -4"),
    (lambda: nn.Embedding(-3, 2), ValueError, "negative"),
    (lambda: nn.Embedding.from_pretrained(np.ones(3)), ValueError, "2-dimensional.* got shape"),
    (lambda: nn.Embedding.from_pretrained(np.ones((3, 2)), padding_idx=5), ValueError, "got 5"),
    (lambda: nn.Embedding(3, 2, max_norm=1.0), TypeError, "max_norm"),
])
def test_refusals(body, call, error, words):
    with tg.backend(body), pytest.raises(error, match=words):
        call()


# ---- PyTorch ---------------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("padding", [None, 0, -2])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 1, 3)])
def test_values_and_gradients_of_torch(padding, shape):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Embedding(6, 3, padding_idx=padding, dtype=torch.float64)
    layer = nn.Embedding(6, 3, padding, dtype="float64")
    assert repr(layer) == repr(theirs)
    layer.load_state_dict(theirs.state_dict())
    ids = np.random.default_rng(0).integers(0, 6, shape)
    weights = numbers(*shape, 3)
    y, z = layer(ids), theirs(torch.tensor(ids))
    np.testing.assert_array_equal(y.data, z.numpy(force=True))
    (first,) = tg.grad((y ** 3 * weights).sum(), layer.weight, create_graph=True)
    (wanted,) = torch.autograd.grad((z ** 3 * torch.tensor(weights)).sum(), theirs.weight,
                                    create_graph=True)
    np.testing.assert_allclose(first.data, wanted.numpy(force=True), rtol=1e-12)
    (second,) = tg.grad((first ** 2).sum(), layer.weight)
    (wanted,) = torch.autograd.grad((wanted ** 2).sum(), theirs.weight)
    np.testing.assert_allclose(second.data, wanted.numpy(force=True), rtol=1e-12)


@pytest.mark.parity
def test_pretrained_as_in_torch():
    torch = pytest.importorskip("torch")
    w = numbers(4, 2)
    theirs = torch.nn.Embedding.from_pretrained(torch.tensor(w), padding_idx=1)
    layer = nn.Embedding.from_pretrained(torch.tensor(w), padding_idx=1)
    assert repr(layer) == repr(theirs)
    np.testing.assert_array_equal(layer.weight.data, theirs.weight.numpy())
    assert layer.weight.requires_grad == theirs.weight.requires_grad

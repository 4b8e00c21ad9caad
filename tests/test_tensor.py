"""Tensor: construction and dtypes, NumPy on either side, indexing, data and gradients."""

import copy
import operator
import pickle

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import Tensor, Value

# ---- construction --------------------------------------------------------------------

DTYPES = [
    (1.5, "float32"),
    ([1.5, 2], "float32"),
    ([[1.5], [2]], "float32"),
    ([], "float32"),
    (3, "int64"),
    ([1, 2], "int64"),
    (range(3), "int64"),
    ([True, False], "bool"),
    (np.array([1.5]), "float64"),
    (np.array([1.5], dtype=np.float32), "float32"),
    (np.array([1.5], dtype=np.float16), "float16"),
    (np.array([1], dtype=np.int8), "int8"),
    (np.array([1.5], dtype=">f4"), "float32"),
    (np.float64(1.5), "float64"),
    (np.float32(1.5), "float32"),
    (np.zeros((2, 0)), "float64"),
]


@pytest.mark.parametrize(("data", "dtype"), DTYPES)
def test_dtypes(data, dtype):
    t = Tensor(data)
    assert t.dtype == np.dtype(dtype)
    assert t.dtype.isnative
    assert t.shape == np.shape(data)
    np.testing.assert_array_equal(t.data, data)


def test_a_given_dtype_counts():
    assert Tensor([1, 2], dtype="float64").dtype == np.float64
    assert Tensor(np.array([1.5]), dtype=np.float32).dtype == np.float32
    assert Tensor(Tensor([1, 2]), dtype="float32").dtype == np.float32
    assert Tensor([1.5], dtype=">f8").dtype.isnative


def test_a_value_becomes_a_tensor_of_its_number():
    assert Tensor(Value(2.0)).item() == 2.0


@pytest.mark.parametrize("wrong", ["a", None, 1j, [1, "a"], object(), np.array([1j]), {},
                                   np.array(["a"]), np.datetime64("2020")],
                         ids=lambda x: type(x).__name__)
def test_what_is_no_real_number_is_refused(wrong):
    with pytest.raises(TypeError, match="Tensor expects"):
        Tensor(wrong)


def test_wrong_dtypes_and_ragged_lists_are_refused():
    with pytest.raises(TypeError, match="complex"):
        Tensor([1.0], dtype=complex)
    with pytest.raises(TypeError):
        Tensor([1.0], dtype="no such dtype")
    with pytest.raises(ValueError, match="inhomogeneous"):
        Tensor([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("data", [[1, 2], [True], np.array([1], dtype=np.uint8)])
def test_only_floating_dtypes_require_gradients(data):
    with pytest.raises(RuntimeError, match="only Tensors of floating point dtype"):
        Tensor(data, requires_grad=True)
    t = Tensor(data)
    with pytest.raises(RuntimeError, match="floating point"):
        t.requires_grad = True
    assert not t.requires_grad


class Provider:
    """An object that NumPy can read, and that hands out its own array."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


@pytest.mark.parametrize("wrap", [lambda a: a, Tensor, Provider, lambda a: a[:],
                                  lambda a: Tensor(a)[0:]])
def test_the_data_are_copied(wrap):
    array = np.array([1.0, 2.0])
    source = wrap(array)
    t = Tensor(source)
    t += 1
    assert array.tolist() == [1.0, 2.0]
    assert np.asarray(source).tolist() == [1.0, 2.0]


def test_the_data_are_contiguous():
    for array in (np.ones((2, 3)).T, np.ones((4, 4))[::2, ::-1], np.asfortranarray(np.eye(3))):
        assert Tensor(array).data.flags.c_contiguous
        assert np.array_equal(Tensor(array).data, array)


def test_as_tensor_shares_where_it_can():
    array = np.zeros(2)
    assert np.shares_memory(tg.as_tensor(array).data, array)
    t = Tensor([1.0])
    assert tg.as_tensor(t) is t
    assert tg.as_tensor([1.0]).dtype == np.float32
    assert tg.as_tensor(array, dtype="float32").dtype == np.float32


MAKERS = [
    (lambda: tg.zeros(2, 3), np.zeros((2, 3)), "float32"),
    (lambda: tg.zeros((2, 3), dtype="int64"), np.zeros((2, 3)), "int64"),
    (lambda: tg.ones((2,), dtype="float64"), np.ones(2), "float64"),
    (lambda: tg.zeros(()), np.zeros(()), "float32"),
    (lambda: tg.ones(0, 2), np.ones((0, 2)), "float32"),
    (lambda: tg.full((2, 1), 1.5), np.full((2, 1), 1.5), "float32"),
    (lambda: tg.full((2,), 7), np.full(2, 7), "int64"),
    (lambda: tg.full((2,), 7, dtype="float64"), np.full(2, 7), "float64"),
    (lambda: tg.eye(2), np.eye(2), "float32"),
    (lambda: tg.eye(2, 3, k=1), np.eye(2, 3, 1), "float32"),
    (lambda: tg.arange(3), np.arange(3), "int64"),
    (lambda: tg.arange(1, 2, 0.25), np.arange(1, 2, 0.25), "float32"),
    (lambda: tg.arange(3, dtype="float64"), np.arange(3), "float64"),
]


@pytest.mark.parametrize(("make", "expected", "dtype"), MAKERS)
def test_makers(make, expected, dtype):
    t = make()
    assert t.dtype == np.dtype(dtype)
    assert not t.requires_grad
    np.testing.assert_array_equal(t.data, expected)
    assert t.shape == expected.shape


def test_makers_of_leaves():
    for t in (tg.zeros(2, requires_grad=True), tg.randn(2, 3, requires_grad=True),
              tg.full((1,), 2.0, requires_grad=True), tg.eye(2, requires_grad=True)):
        assert t.requires_grad
        assert t.is_leaf


@pytest.mark.parametrize("make", [tg.rand, tg.randn])
def test_random_numbers_follow_the_seed(make):
    tg.manual_seed(3)
    first, more = make(4, 5), make((4, 5), dtype="float64")
    tg.manual_seed(3)
    np.testing.assert_array_equal(first.data, make(4, 5).data)
    assert not np.array_equal(first.data, make(4, 5).data)
    assert (first.dtype, more.dtype) == (np.float32, np.float64)
    assert make().shape == ()


def test_bad_seeds_are_refused():
    for wrong in ("1", 1.5, True, None):
        with pytest.raises(TypeError, match="integer"):
            tg.manual_seed(wrong)
    with pytest.raises(ValueError, match="0 or greater"):
        tg.manual_seed(-1)


# ---- arithmetic and dtypes -----------------------------------------------------------

NUMBERS = [2, 2.5, np.float64(2.5), np.float32(2.5), np.int64(2), True]
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
ids = {"ids": lambda x: getattr(x, "__name__", f"{type(x).__name__}-{x}")}


@pytest.mark.parametrize("function", OPERATORS, **ids)
@pytest.mark.parametrize("number", NUMBERS, **ids)
def test_numbers_keep_the_dtype(function, number):
    for dtype in (np.float16, np.float32, np.float64):
        t = Tensor(np.array([1.0, 2.0], dtype=dtype))
        assert function(t, number).dtype == dtype
        assert function(number, t).dtype == dtype
        np.testing.assert_allclose(function(number, t).data, function(float(number), t.data),
                                   rtol=1e-2)


@pytest.mark.parametrize("function", OPERATORS, **ids)
def test_arrays_on_either_side(function):
    t = Tensor([[1.0, 2.0]], dtype="float64", requires_grad=True)
    array = np.array([[2.0], [3.0]])
    for y, expected in ((function(t, array), function(t.data, array)),
                        (function(array, t), function(array, t.data))):
        assert isinstance(y, Tensor)
        assert y.requires_grad
        np.testing.assert_allclose(y.data, expected)


@pytest.mark.parametrize("function", [operator.lt, operator.le, operator.gt, operator.ge,
                                      operator.eq, operator.ne], **ids)
def test_comparisons(function):
    t = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    for other in (2, 2.0, np.float32(2), np.array([3, 2, 1]), [3, 2, 1], Tensor([3, 2, 1])):
        y = function(t, other)
        assert isinstance(y, Tensor)
        assert not y.requires_grad
        np.testing.assert_array_equal(y.data, function(t.data, np.asarray(other)))
    np.testing.assert_array_equal(function(np.array([3, 2, 1]), t).data,
                                  function(np.array([3, 2, 1]), t.data))
    assert (t == None) is False  # noqa: E711
    assert (t != "a") is True


def test_mixed_dtypes_promote_and_gradients_come_back():
    x = Tensor([1.0], requires_grad=True)
    y = Tensor([2.0], dtype="float64", requires_grad=True)
    z = x * y
    assert z.dtype == np.float64
    z.sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


def test_integers_divide_to_float32():
    assert (Tensor([1, 2]) / Tensor([2, 2])).dtype == np.float32
    assert (1 / Tensor([1, 2])).dtype == np.float32
    assert (Tensor([1, 2]) * 0.5).dtype == np.float32
    assert (Tensor([1, 2]) * 2).dtype == np.int64
    assert Tensor([1, 2]).mean().dtype == np.float32
    assert (Tensor([1.0]) + [0.5]).dtype == np.float32
    assert (Tensor([1]) + [0.5]).dtype == np.float32
    assert (Value(1.0) + [0.5]).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_floats_of_a_list_have_the_precision_of_the_tensor(dtype):
    t = Tensor([0.1], dtype=dtype)
    for result in (t * [1.1], [1.1] * t, np.multiply([1.1], t), t * 1.1):
        assert result.dtype == dtype
        assert result.tolist() == (t.data * 1.1).tolist()
    assert t == [0.1]
    t[:] = [1 / 3]
    t += [1 / 3]
    assert t.tolist() == (np.array([1 / 3], dtype) * 2).tolist()


def test_matmul_with_arrays_on_either_side():
    t = Tensor([[1.0, 2.0]], dtype="float64", requires_grad=True)
    array = np.array([[3.0], [4.0]])
    assert (t @ array).tolist() == [[11.0]]
    assert (array @ t).tolist() == [[3.0, 6.0], [4.0, 8.0]]
    assert (array @ t).requires_grad
    with pytest.raises(ValueError, match="mismatch"):
        t @ t


@pytest.mark.parametrize("other", ["a", None, 1j, {}, object(), np.array([1j]), np.array(["a"]),
                                   np.complex64(1)], ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("function", OPERATORS, **ids)
def test_operators_refuse_what_is_no_number(function, other):
    for left, right in [(Tensor([1.0]), other), (other, Tensor([1.0]))]:
        with pytest.raises(TypeError) as error:
            function(left, right)
        assert "NotImplementedType" not in str(error.value)


def test_numpy_reads_tensors():
    t = Tensor([[1.0, 2.0]], requires_grad=True)
    assert np.shares_memory(np.asarray(t), t.data)
    assert not np.shares_memory(np.array(t), t.data)
    assert np.asarray(t, dtype=np.float64).dtype == np.float64
    t.sum().backward()
    assert np.asarray(t.grad).tolist() == [[1.0, 1.0]]
    assert np.allclose(t, [[1.0, 2.0]])


def test_astype():
    x = Tensor([1.5], requires_grad=True)
    y = x.astype("float64")
    assert y.dtype == np.float64
    (y * 2).sum().backward()
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [2.0]
    assert x.astype(int).tolist() == [1]
    assert not x.astype(int).requires_grad
    assert Tensor([1, 0]).astype(bool).tolist() == [True, False]
    with pytest.raises(TypeError):
        x.astype(complex)


def test_logic_of_masks():
    t = Tensor([1.0, 2.0, 3.0])
    assert ((t > 1) & (t < 3)).tolist() == [False, True, False]
    last = np.array([False, False, True])
    assert ((t < 2) | last).tolist() == (last | (t < 2)).tolist() == [True, False, True]
    assert ((t > 1) & last).tolist() == (last & (t > 1)).tolist() == [False, False, True]
    assert (np.True_ & (t > 1)).tolist() == (True & (t > 1)).tolist() == [False, True, True]
    assert (~(t > 1)).tolist() == [True, False, False]


# ---- indexing ------------------------------------------------------------------------


def test_every_kind_of_index_works_with_tensors_in_it():
    array = np.arange(12.0).reshape(3, 4)
    t = Tensor(array, requires_grad=True)
    rows = Tensor([2, 0])
    assert t[rows].tolist() == array[[2, 0]].tolist()
    assert t[rows, 1].tolist() == array[[2, 0], 1].tolist()
    assert t[:, Tensor(1)].tolist() == array[:, 1].tolist()
    assert t[t > 5].tolist() == array[array > 5].tolist()
    assert t[Tensor([True, False, True])].tolist() == array[::2].tolist()
    assert t[[0, 2], ..., None].shape == (2, 4, 1)
    assert t[[]].shape == (0, 4)
    t[rows, 1].sum().backward()
    expected = np.zeros((3, 4))
    expected[[0, 2], 1] = 1
    np.testing.assert_array_equal(t.grad.data, expected)


@pytest.mark.parametrize("index", [3, -4, (0, 4), [3], (slice(None), [-5])])
def test_an_index_out_of_bounds_raises(index):
    with pytest.raises(IndexError, match="out of bounds"):
        Tensor(np.ones((3, 4)))[index]


@pytest.mark.parametrize("index", [0.5, "a", (0, 0, 0), Tensor([0.5]), [0.5],
                                   np.array([True, False])])
def test_a_wrong_index_raises(index):
    with pytest.raises(IndexError):
        Tensor(np.ones((3, 4)))[index]


def test_assignment_takes_numbers_arrays_and_tensors():
    t = tg.zeros(2, 3)
    t[0] = 1
    t[1, :2] = np.array([2, 3])
    t[:, 2] = Tensor([4.0, 5.0])
    t[t == 0] = 9
    t[Tensor([1]), 0] = [7]
    t[0, 0] = Value(6.0, requires_grad=False)
    assert t.tolist() == [[6.0, 1.0, 4.0], [7.0, 3.0, 5.0]]
    with pytest.raises(ValueError, match="broadcast"):
        t[0] = [1, 2]


# ---- data and gradients --------------------------------------------------------------


def test_data_can_be_assigned():
    t = Tensor([1.0, 2.0], requires_grad=True)
    numbers = np.array([3.0, 4.0])
    t.data = numbers
    assert t.dtype == np.float32
    assert not np.shares_memory(t.data, numbers)
    t.data = Tensor([5.0, 6.0])
    t.data -= 1
    assert t.tolist() == [4.0, 5.0]
    with pytest.raises(ValueError, match="shape \\(2,\\).*\\(3,\\)"):
        t.data = np.ones(3)


def test_gradients_can_be_assigned():
    t = Tensor([1.0, 2.0], requires_grad=True)
    t.grad = np.array([3.0, 4.0])
    assert isinstance(t.grad, Tensor)
    assert t.grad.dtype == np.float32
    t.sum().backward()
    assert t.grad.tolist() == [4.0, 5.0]
    t.grad = Tensor([1.0, 1.0])
    t.grad.data *= 2
    assert t.grad.tolist() == [2.0, 2.0]
    t.grad = None
    assert t.grad is None
    with pytest.raises(RuntimeError, match="shape \\(2,\\).*\\(3,\\)"):
        t.grad = np.ones(3)


def test_a_gradient_needs_no_gradient():
    x = Tensor([2.0], requires_grad=True)
    (x * x).sum().backward()
    assert not x.grad.requires_grad
    assert x.grad.is_leaf


def test_requires_grad_belongs_to_leaves():
    x = Tensor([1.0]).requires_grad_()
    y = x * 2
    assert (x.is_leaf, y.is_leaf) == (True, False)
    with pytest.raises(RuntimeError, match="leaf"):
        y.requires_grad = False
    assert not x.requires_grad_(False).requires_grad


def test_detach_shares_memory_but_no_history():
    x = Tensor([1.0], requires_grad=True)
    d = (x * 2).detach()
    assert not d.requires_grad
    assert np.shares_memory(x.detach().data, x.data)


# ---- as a sequence and as a number ---------------------------------------------------


def test_length_and_iteration():
    t = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert len(t) == 2
    first, second = t
    assert second.tolist() == [3.0, 4.0]
    assert first.requires_grad
    assert 3 in t
    assert 5 not in t
    assert sum(t).tolist() == [4.0, 6.0]
    assert list(tg.zeros(0, 2)) == []
    with pytest.raises(TypeError, match="0-d"):
        len(Tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(Tensor(1.0))


def test_attributes():
    t = Tensor(np.ones((2, 3)))
    assert (t.shape, t.ndim, t.size, t.dtype) == ((2, 3), 2, 6, np.float64)
    assert t.T.shape == (3, 2)
    assert t.numpy() is t.data


def test_as_a_number():
    assert float(Tensor([1.5])) == 1.5
    assert int(Tensor(2.0)) == 2
    assert Tensor([[3]]).item() == 3
    assert isinstance(Tensor([[3]]).item(), int)
    with pytest.raises(ValueError, match="one element"):
        Tensor([1.0, 2.0]).item()
    with pytest.raises((TypeError, ValueError), match="one element"):
        float(Tensor([1.0, 2.0]))


def test_truth():
    assert Tensor([1.0])
    assert not Tensor(0)
    for ambiguous in ([1.0, 2.0], []):
        with pytest.raises(ValueError, match="ambiguous"):
            bool(Tensor(ambiguous))


def test_an_integer_tensor_is_an_index():
    assert ["a", "b", "c"][Tensor(1)] == "b"
    assert list(range(Tensor([2]))) == [0, 1]
    for wrong in (Tensor(1.0), Tensor([1, 2])):
        with pytest.raises(TypeError, match="integer Tensor of one element"):
            operator.index(wrong)


def test_tensors_are_hashed_by_identity():
    a, b = Tensor([1.0]), Tensor([1.0])
    assert len({a, b, a}) == 2
    assert {a: 1, b: 2}[b] == 2


REPRS = [
    (lambda: Tensor([1.0, 2.0]), "Tensor([1., 2.])"),
    (lambda: Tensor(1.5), "Tensor(1.5)"),
    (lambda: Tensor([1, 2]), "Tensor([1, 2])"),
    (lambda: Tensor([True]), "Tensor([ True])"),
    (lambda: Tensor([1.0], dtype="float64"), "Tensor([1.], dtype=float64)"),
    (lambda: Tensor([1.0], requires_grad=True), "Tensor([1.], requires_grad=True)"),
    (lambda: Tensor([1.0], requires_grad=True) * 2, "Tensor([2.], op=multiply)"),
]


@pytest.mark.parametrize(("make", "text"), REPRS)
def test_repr(make, text):
    assert repr(make()) == text


def test_repr_of_many_rows_is_aligned():
    assert repr(Tensor([[1.0, 2.0], [3.0, 4.0]])) == "Tensor([[1., 2.],\n        [3., 4.]])"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy,
                                   lambda t: pickle.loads(pickle.dumps(t))],
                         ids=["copy", "deepcopy", "pickle"])
def test_leaves_can_be_copied(again):
    x = Tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    (x * x).sum().backward()
    y = again(x)
    assert y is not x
    assert y.requires_grad
    assert (y.tolist(), y.grad.tolist()) == (x.tolist(), x.grad.tolist())
    (y * 3).sum().backward()
    assert y.grad.tolist() == [5.0, 7.0]
    assert x.grad.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("make", [lambda: Value(1.0) * 2,
                                  lambda: Tensor([1.0], requires_grad=True) * 2])
def test_results_of_ops_cannot_be_copied(again, make):
    with pytest.raises(RuntimeError, match="only leaves.*'multiply'"):
        again(make())


def test_new_data_for_a_result_that_a_rule_reads_are_noticed():
    x = Tensor([1.0], requires_grad=True)
    y = x.exp()
    with pytest.raises(RuntimeError, match="'exp'"):
        y.data = np.zeros(1)
        y.sum().backward()
    v = Value(1.0).exp()
    with pytest.raises(RuntimeError, match="'exp'"):
        v.data = 0.0
        v.backward()


def test_a_deep_copy_shares_nothing():
    x = Tensor([1.0], requires_grad=True)
    y = copy.deepcopy(x)
    with tg.no_grad():
        y += 1
    assert x.tolist() == [1.0]


def test_no_node_takes_unknown_attributes():
    with pytest.raises(AttributeError):
        Tensor([1.0]).gradient = 1
    with pytest.raises(AttributeError):
        Value(1.0).gradient = 1


# ---- NumPy's own functions ---------------------------------------------------------------


def test_numpy_functions_of_a_tensor_are_ops():
    x = Tensor([1.0, 4.0], requires_grad=True)
    y = np.sqrt(x) + np.exp(x) * np.float64(2)
    assert isinstance(y, Tensor)
    assert y.dtype == np.float32
    y.sum().backward()
    np.testing.assert_allclose(x.grad, 0.5 / np.sqrt([1, 4]) + 2 * np.exp([1, 4]), rtol=1e-6)


def test_numpy_functions_that_are_no_ops_are_refused():
    with pytest.raises(TypeError):
        np.sinh(Tensor([1.0]))
    with pytest.raises(TypeError):
        np.add.reduce(Tensor([1.0]))
    with pytest.raises(TypeError):
        np.add(Tensor([1.0]), 1, dtype=np.float64)


def test_an_array_changes_by_a_tensor_in_place():
    """As in the textbook's descent: ``w.data -= lr * w.grad``."""
    w = Tensor([1.0, 2.0], requires_grad=True)
    array = w.data
    (w * w).sum().backward()
    w.data -= 0.25 * w.grad
    assert w.tolist() == [0.5, 1.0]
    assert w.is_leaf
    assert isinstance(array, np.ndarray)


def test_a_shallow_copy_of_a_leaf_has_a_gradient_of_its_own():
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    twin = copy.copy(x)
    assert twin.grad.tolist() == [2.0, 4.0]
    assert not np.shares_memory(twin.grad.data, x.grad.data)


def test_a_value_with_axes_of_length_one_in_front_is_assigned():
    x = Tensor(np.ones((1, 1, 3)), requires_grad=True)
    t = Tensor(np.zeros((2, 3)))
    t[0] = x * 2
    t.sum().backward()
    assert x.grad.tolist() == [[[2.0, 2.0, 2.0]]]


def test_a_number_is_formatted_as_a_number():
    assert f"{Tensor(1.5):.3f} {Tensor([2.0]).sum():6.2f}" == "1.500   2.00"
    assert f"{Value(0.25):.1%}" == "25.0%"
    assert f"{Tensor([1.0])}" == str(Tensor([1.0]))
    with pytest.raises(ValueError, match="one element"):
        format(Tensor([1.0, 2.0]), ".2f")

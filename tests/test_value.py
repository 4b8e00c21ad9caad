"""Value: micrograd's behaviours, IEEE arithmetic, and mixing with numbers and arrays."""

import importlib.util
import math
import operator
import random
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import Tensor, Value
from tinygrad_lite.gradcheck import gradcheck

# ---- what micrograd publishes --------------------------------------------------------


def test_an_expression_with_a_kink():
    """Numbers computed by micrograd and PyTorch for this expression, at x = -4."""
    x = Value(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    y.backward()
    assert y.data == -20.0
    assert x.grad == 46.0


def long_expression(a, b):
    """A use of every operator; it runs on micrograd's Values and PyTorch's tensors too."""
    c = a + b
    d = a * b + b ** 3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e ** 2
    g = f / 2.0
    g += 10.0 / f
    return g


def test_a_long_expression():
    a, b = Value(-4.0), Value(2.0)
    g = long_expression(a, b)
    g.backward()
    assert g.data == pytest.approx(24.70408163265306, rel=1e-15)
    assert a.grad == pytest.approx(138.83381924198252, rel=1e-15)
    assert b.grad == pytest.approx(645.5772594752186, rel=1e-15)


@pytest.mark.parity
def test_a_long_expression_as_in_pytorch():
    torch = pytest.importorskip("torch")
    ours = [Value(-1.5), Value(0.25)]
    theirs = [torch.tensor(x.data, dtype=torch.float64, requires_grad=True) for x in ours]
    ours_y, theirs_y = long_expression(*ours), long_expression(*theirs)
    ours_y.backward()
    theirs_y.backward()
    assert ours_y.data == pytest.approx(theirs_y.item(), rel=1e-14)
    assert [x.grad for x in ours] == pytest.approx([x.grad.item() for x in theirs], rel=1e-14)


def module_on_our_value(path):
    """micrograd's nn, with one line changed: where Value comes from."""
    source = path.read_text(encoding="utf-8")
    changed = source.replace("from micrograd.engine import Value",
                             "from tinygrad_lite import Value")
    assert changed != source
    spec = importlib.util.spec_from_loader("nn_on_our_value", loader=None)
    module = importlib.util.module_from_spec(spec)
    exec(changed, module.__dict__)
    return module


def moons():
    """Two half circles, 20 points, with labels -1 and 1."""
    angles = np.linspace(0, np.pi, 10)
    upper = np.column_stack([np.cos(angles), np.sin(angles)])
    lower = np.column_stack([1 - np.cos(angles), 0.5 - np.sin(angles)])
    return np.concatenate([upper, lower]).tolist(), [-1] * 10 + [1] * 10


def train(nn, value, steps):
    """The moons demo: hinge loss, L2 and plain descent. Losses and last gradients."""
    random.seed(1337)
    model = nn.MLP(2, [8, 8, 1])
    points, labels = moons()
    history = []
    for k in range(steps):
        scores = [model(list(map(value, point))) for point in points]
        margins = [label * score for label, score in zip(labels, scores, strict=True)]
        losses = [(1 + -margin).relu() for margin in margins]
        loss = sum(losses) * (1.0 / len(losses))
        loss = loss + 1e-4 * sum(p * p for p in model.parameters())
        correct = [margin.data > 0 for margin in margins]
        model.zero_grad()
        loss.backward()
        rate = 1.0 - 0.9 * k / 100
        for p in model.parameters():
            p.data -= rate * p.grad
        history.append((loss.data, sum(correct)))
    return history, [p.grad for p in model.parameters()], repr(model)


def test_micrograds_nn_trains_on_our_value():
    micrograd_nn = pytest.importorskip("micrograd.nn")
    micrograd = pytest.importorskip("micrograd.engine")
    ours = train(module_on_our_value(Path(micrograd_nn.__file__)), Value, steps=10)
    theirs = train(micrograd_nn, micrograd.Value, steps=10)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-9)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-9, atol=1e-12)
    assert ours[2] == theirs[2]
    assert ours[0][-1][0] < ours[0][0][0]


def test_names_that_readers_of_micrograd_know():
    a, b = Value(2.0), Value(3.0)
    c = a * b
    assert repr(a) == "Value(data=2.0, grad=0.0)"
    assert set(c._prev) == {a, b}
    assert c._op == "multiply"
    a.grad = 0
    assert a.grad == 0.0
    assert isinstance(a.grad, float)


# ---- arithmetic ----------------------------------------------------------------------

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
NUMBERS = [2, 2.5, True, np.float32(2.5), np.float64(2.5), np.int64(3), np.int8(3),
           np.bool_(True), np.array(2.5)[()]]
ids = {"ids": lambda x: getattr(x, "__name__", f"{type(x).__name__}-{x}")}


@pytest.mark.parametrize("number", NUMBERS, **ids)
@pytest.mark.parametrize("function", OPERATORS, **ids)
def test_operators_with_numbers_on_either_side(function, number):
    for f in (lambda v: function(v, number), lambda v: function(number, v)):
        v = Value(1.5)
        y = f(v)
        assert type(y) is Value
        assert type(y.data) is float
        assert y.data == pytest.approx(f(1.5), rel=1e-7)
        assert gradcheck(f, v, order=2)


@pytest.mark.parametrize("function", [tg.flip, tg.transpose, tg.squeeze, tg.sum, tg.cumsum],
                         **ids)
def test_a_value_passes_through_functions_of_arrays(function):
    v = Value(1.5)
    y = function(v) * 1
    assert float(y) == 1.5
    y.backward()
    assert v.grad == 1.0


@pytest.mark.parametrize("function", OPERATORS, **ids)
def test_operators_of_two_values(function):
    a, b = Value(1.5), Value(2.5)
    assert function(a, b).data == pytest.approx(function(1.5, 2.5), rel=1e-15)
    assert gradcheck(function, [a, b], order=3)
    assert gradcheck(lambda a: function(a, a), a, order=2)


@pytest.mark.parametrize("function", OPERATORS, **ids)
@pytest.mark.parametrize("array", [np.array([1.0, 2.0]), np.array([1, 2]), np.ones((2, 0)),
                                   np.array([1.5, 2], dtype=np.float32)],
                         ids=["float64", "int64", "empty", "float32"])
def test_operators_with_arrays_give_tensors(function, array):
    for f in (lambda v: function(v, array), lambda v: function(array, v)):
        v = Value(1.5)
        y = f(v)
        assert isinstance(y, Tensor)
        assert y.dtype == (np.float64 if array.dtype == np.float64 else np.float32)
        np.testing.assert_allclose(y.data, f(1.5), rtol=1e-6)
        y.sum().backward()
        assert type(v.grad) is float


@pytest.mark.parametrize("function", OPERATORS, **ids)
def test_values_and_tensors_in_one_expression(function):
    v = Value(1.5)
    t = Tensor([[1.0, 2.0, 3.0]], dtype="float64", requires_grad=True)
    for f in (function, lambda v, t: function(t, v)):
        y = f(v, t)
        assert isinstance(y, Tensor)
        np.testing.assert_allclose(y.data, f(1.5, t.data))
        assert gradcheck(f, [v, t], order=2)


def test_each_kind_gets_a_gradient_of_its_own_kind():
    v, t = Value(2.0), Tensor([1.0, 3.0], requires_grad=True)
    (v * t + v).sum().backward()
    assert v.grad == 6.0
    assert type(v.grad) is float
    assert isinstance(t.grad, Tensor)
    assert t.grad.dtype == np.float32
    assert t.grad.tolist() == [2.0, 2.0]


def test_values_in_functions_of_arrays():
    a, b = Value(2.0), Value(3.0)
    stacked = tg.stack([a, b, a])
    assert stacked.shape == (3,)
    (stacked * np.array([1.0, 10.0, 100.0])).sum().backward()
    assert (a.grad, b.grad) == (101.0, 10.0)
    t = Tensor([1.0, 5.0], dtype="float64", requires_grad=True)
    a.grad = 0.0
    tg.maximum(t, a).sum().backward()
    assert (a.grad, t.grad.tolist()) == (1.0, [0.0, 1.0])


@pytest.mark.parametrize("other", ["a", b"a", None, 1j, np.complex64(1j), {}, object(),
                                   np.array(["a"]), np.array([1j])],
                         ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("function", OPERATORS, **ids)
def test_operators_refuse_what_is_no_number(function, other):
    with pytest.raises(TypeError):
        function(Value(1.0), other)
    with pytest.raises(TypeError):
        function(other, Value(1.0))


# ---- construction --------------------------------------------------------------------


@pytest.mark.parametrize("number", [2, 2.0, True, np.float32(2), np.int64(2), np.float64(2)])
def test_numbers_become_floats(number):
    assert type(Value(number).data) is float
    v = Value(0)
    v.data = number
    assert type(v.data) is float


@pytest.mark.parametrize("wrong", ["1", None, [1.0], np.array([1.0, 2.0]), 1j, {}, b"1"],
                         ids=lambda x: type(x).__name__)
def test_what_is_no_number_is_refused(wrong):
    with pytest.raises(TypeError, match="Value expects a number; got .*Tensor"):
        Value(wrong)
    with pytest.raises(TypeError, match="Value expects a number"):
        Value(1.0).data = wrong


def test_requires_grad_can_be_switched():
    v = Value(2.0, requires_grad=False)
    assert not (v * 2).requires_grad
    v.requires_grad = True
    y = v * 2
    with pytest.raises(RuntimeError, match="leaf"):
        y.requires_grad = False
    assert not y.detach().requires_grad
    assert y.detach().data == 4.0


# ---- comparisons, and as a number ----------------------------------------------------

COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@pytest.mark.parametrize("compare", COMPARISONS, **ids)
@pytest.mark.parametrize("other", [1, 2.0, 3, np.float32(2), np.int64(1), Value(2.0), Value(3)],
                         ids=str)
def test_comparisons_give_bools(compare, other):
    number = float(other)
    left, right = compare(Value(2.0), other), compare(other, Value(2.0))
    assert (left, right) == (compare(2.0, number), compare(number, 2.0))
    assert type(left) is type(right) is bool


def test_comparisons_with_nan_and_strangers():
    v = Value(math.nan)
    assert (v == v, v != v) == (False, True)
    assert (Value(1.0) == "1", Value(1.0) != "1") == (False, True)
    assert Value(1.0) not in [None, "1", object()]
    with pytest.raises(TypeError):
        operator.lt(Value(1.0), "1")


def test_comparison_with_an_array_gives_a_tensor():
    y = Value(2.0) > np.array([1.0, 2.0, 3.0])
    assert isinstance(y, Tensor)
    assert y.tolist() == [True, False, False]
    assert (np.array([1.0, 3.0]) > Value(2.0)).tolist() == [False, True]


def test_as_a_number():
    v = Value(-2.75)
    assert float(v) == -2.75
    assert int(v) == -2
    assert math.floor(v) == -3
    assert bool(v)
    assert not Value(0)
    assert v.item() == -2.75
    assert sorted([Value(3), Value(1), Value(2)])[0].data == 1.0
    assert max(Value(3), Value(1)).data == 3.0
    assert sum([Value(1), Value(2)]).data == 3.0


def test_equal_values_are_still_two_nodes():
    a, b = Value(1.0), Value(1.0)
    assert a == b
    assert len({a, b, a}) == 2
    assert {a: 1, b: 2}[b] == 2


# ---- functions -----------------------------------------------------------------------

FUNCTIONS = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos,
    "tanh": math.tanh, "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "relu": lambda x: max(x, 0.0), "abs": abs,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("number", [0.3, 1.0, 2.5, -0.7])
def test_functions_as_in_math(name, number):
    number = abs(number) if name in ("log", "sqrt") else number
    v = Value(number)
    y = getattr(v, name)()
    assert type(y) is Value
    assert type(y.data) is float
    assert y.data == pytest.approx(FUNCTIONS[name](number), rel=1e-14)
    assert getattr(tg, name)(v).data == y.data
    assert gradcheck(lambda v: getattr(v, name)(), v, order=2)


def test_unary_operators():
    assert gradcheck(lambda v: -v + abs(v) * (+v), Value(-1.5), order=2)


@pytest.mark.filterwarnings("error")
def test_backward_of_ordinary_numbers_gives_no_warning():
    x = Value(0.5)
    y = (x ** 2 + 2 ** x + x ** x + x.exp().log() + x.sqrt().sin().cos() + x.tanh() / x
         + x.sigmoid() + (-x).relu() + abs(-x) + tg.maximum(x, 1.0) + tg.clip(x, 0, 1))
    (first,) = tg.grad(y, x, create_graph=True)
    first.backward()
    assert math.isfinite(x.grad)


# ---- where Python would raise --------------------------------------------------------

INF, NAN = math.inf, math.nan
EDGES = [
    ("1 / x", 0.0, INF, -INF),
    ("-1 / x", 0.0, -INF, INF),
    ("x / 0", 1.0, INF, INF),
    ("x / 0", 0.0, NAN, INF),
    ("x / x", 0.0, NAN, NAN),
    ("x ** -1", 0.0, INF, -INF),
    ("x ** 0.5", -1.0, NAN, NAN),
    ("x ** 2", 1e200, INF, 2e200),
    ("2 ** x", 1e5, INF, INF),
    ("2 ** x", -1e5, 0.0, 0.0),
    ("x.exp()", 1e3, INF, INF),
    ("x.exp()", -1e3, 0.0, 0.0),
    ("x.log()", 0.0, -INF, INF),
    ("x.log()", -1.0, NAN, -1.0),
    ("x.sqrt()", 0.0, 0.0, INF),
    ("x.sqrt()", -1.0, NAN, NAN),
    ("x.sigmoid()", -1e3, 0.0, 0.0),
    ("x.tanh()", 1e3, 1.0, 0.0),
    ("x * 10", 1e308, INF, 10.0),
    ("x - x", INF, NAN, 0.0),
    ("x.relu()", -INF, 0.0, 0.0),
    ("x.sin()", INF, NAN, NAN),
]


@pytest.mark.parametrize(("expression", "at", "result", "gradient"), EDGES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_arithmetic_is_that_of_ieee_754(expression, at, result, gradient):
    x = Value(at)
    y = eval(expression)
    (again,) = tg.grad(y, x, create_graph=True)
    y = eval(expression)
    y.backward()
    np.testing.assert_array_equal([y.data, x.grad, again.data], [result, gradient, gradient])
    assert [type(number) for number in (y.data, x.grad)] == [float, float]


def test_powers_with_a_negative_base():
    """The base has a gradient, the exponent has none: nan, as in PyTorch."""
    a, b = Value(-2.0), Value(3.0)
    with np.errstate(invalid="ignore"):
        (a ** b).backward()
    assert a.grad == 12.0
    assert math.isnan(b.grad)

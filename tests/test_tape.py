"""Tapes: scalar graphs that `tg.jit` replays, against the same functions as they stand."""

import gc
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tg
from tinygrad_lite import Value, kernels, ops
from tinygrad_lite.engine import op
from tinygrad_lite.fused import activations
from tinygrad_lite.kernels.tape import INPUTS, OPERATIONS, runs
from tinygrad_lite.programs.recorder import Entry, Register
from tinygrad_lite.programs.tape import Tape, is_scalar, with_tapes

BODIES = [name for name in kernels.BACKENDS if name != "c" or not kernels.why_not_c()]
AWKWARD = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -2.5, 3.0, 20.5, -45.0, 710.0, 1e-300, 5e-324,
           -1e-17, 1e300, -1e300, math.inf, -math.inf, math.nan]


def bits(x):
    """A number's bits; those of any NaN are the same."""
    return np.float64(math.nan if math.isnan(x) else x).tobytes()


def differentiated(function, leaves):
    """A function of nothing: the result for the leaves, and the gradient of each."""
    def call():
        for leaf in leaves:
            leaf.grad = None
        y = function(*leaves)
        y.backward()
        return [y, *(leaf.grad for leaf in leaves)]

    return call


def outcomes(function, leaves, rows):
    """For each row of numbers for the leaves: as it stands, and replayed."""
    plain = differentiated(function, leaves)
    jitted = tg.jit(plain)
    found = []
    with np.errstate(all="ignore"):
        for _ in range(2):
            jitted()
        for row in rows:
            for leaf, number in zip(leaves, row, strict=True):
                leaf.data = number
            found.append([[float(x) for x in call()] for call in (plain, jitted)])
    assert len(jitted._recordings) == 1
    return found, jitted.program


def tapes_of(program):
    return [one.entry for one in program.instructions if isinstance(one.entry, Tape)]


# ---- each op -----------------------------------------------------------------------------

EXACT = {
    "add": ops.add, "subtract": ops.subtract, "multiply": ops.multiply, "divide": ops.divide,
    "negative": ops.negative, "abs": ops.abs, "relu": ops.relu, "sqrt": ops.sqrt,
    "maximum": ops.maximum, "minimum": ops.minimum,
    "sign": lambda a: a + ops.sign(a),
    "where": lambda a, b: ops.where(a > b, a * b, b),
    "where with nan": lambda a, b: ops.where(a, b, 2 * b),
    "comparisons": lambda a, b: a * ((a < b) + 2 * (a <= b) + 4 * (a == b) + 8 * (a != b)
                                     + 16 * (a > b) + 32 * (a >= b)) + b,
    "clip": lambda a: ops.clip(a, -1, 2.0), "clip up": lambda a: ops.clip(a, min=0.0),
    "clip down": lambda a: ops.clip(a, max=0.0), "clip not": lambda a: ops.clip(a) + 0,
    "clip to nan": lambda a: ops.clip(a, math.nan, 1.0),
    "square": lambda a: a ** 2, "first power": lambda a: a ** 1, "reciprocal": lambda a: 1 / a,
    "an integer": lambda a: (3 - a) * 7 + 2 ** 60, "true": lambda a: a * True + False,
    "leaky_relu": activations.leaky_relu, "hardtanh": activations.hardtanh,
    "leaky_relu with an int": lambda a: activations.leaky_relu(a, 0),
    "product used twice": lambda a, b: (a * b + a) / (a * b),
    "two products": lambda a, b: a * b + b * b, "sum of itself": lambda a: a * 3 + a * 3,
    "minus zero": lambda a: a * -0.0 + a * 0.0,
}
CLOSE = {
    "power": ops.power, "cube": lambda a: a ** 3, "root": lambda a: a ** 0.5,
    "to the 0": lambda a: a ** 0 + a, "to the -2": lambda a: a ** -2,
    "2 to it": lambda a: 2 ** a,
    "exp": ops.exp, "log": ops.log, "log1p": ops.log1p, "sin": ops.sin, "cos": ops.cos,
    "tanh": ops.tanh, "sigmoid": ops.sigmoid, "erf": activations.erf, "elu": activations.elu,
    "elu, scaled": lambda a: activations.elu(a, alpha=1.5, scale=2),
    "softplus": activations.softplus,
    "softplus, steep": lambda a: activations.softplus(a, 3.0, threshold=1),
    "silu": activations.silu, "gelu": activations.gelu,
}
ALL = {**EXACT, **CLOSE}


def arity(function):
    """How many Values a function in one of the tables takes."""
    rules = getattr(getattr(function, "op", None), "rules", None)
    if rules is not None:
        return len(rules)
    return function.__code__.co_argcount


@pytest.mark.parametrize("name", ALL)
def test_an_op_and_its_gradient_for_awkward_numbers(name):
    function = ALL[name]
    leaves = [Value(0.3), Value(0.7)][:arity(function)]
    rows = [(a,) for a in AWKWARD] if len(leaves) == 1 \
        else [(a, b) for a in AWKWARD for b in AWKWARD]
    found, program = outcomes(function, leaves, rows)
    assert [one.name for one in program.instructions] == ["tape"]
    for row, (plain, replayed) in zip(rows, found, strict=True):
        if name in EXACT:
            assert list(map(bits, replayed)) == list(map(bits, plain)), row
        else:
            np.testing.assert_allclose(replayed, plain, rtol=2e-15, atol=1e-300,
                                       err_msg=f"{name} of {row}")


@pytest.mark.parametrize("name", CLOSE)
def test_an_op_and_its_gradient_for_plain_numbers(name):
    function = CLOSE[name]
    leaves = [Value(0.3), Value(0.7)][:arity(function)]
    rows = np.random.default_rng(0).normal(size=(40, len(leaves))) * 2
    found, _ = outcomes(function, leaves, rows.tolist())
    for row, (plain, replayed) in zip(rows, found, strict=True):
        # what cancels in a gradient, like 1 - y * y, has an error beside the larger of them
        np.testing.assert_allclose(replayed, plain, rtol=4e-15, atol=4e-16, err_msg=f"{row}")


@pytest.mark.parametrize("backend", BODIES)
def test_the_bodies_do_the_same(backend):
    a, b = Value(1.25), Value(-0.75)

    def all_ops():
        return [function(*[a, b][:arity(function)]) for function in ALL.values()]

    with kernels.backend(backend), np.errstate(all="ignore"):
        jitted = tg.jit(all_ops)
        for _ in range(2):
            jitted()
        b.data = 2.5
        np.testing.assert_allclose([y.data for y in jitted()], [y.data for y in all_ops()],
                                   rtol=2e-15)


# ---- whole expressions -------------------------------------------------------------------

@op(lambda g, _y, _a: g / 2)
def halved(a):
    """An op that has no form in C."""
    return a / 2


OPERATORS = [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b,
             lambda a, b: -a, lambda a, b: a * b + a, lambda a, b: a * 1.0,
             lambda a, b: (a - b).relu(), lambda a, b: 2 * a + 0.5, lambda a, b: halved(a)]
FLOATS = st.floats(width=64)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(OPERATORS), st.integers(0, 99),
                                st.integers(0, 99)), min_size=1, max_size=25),
       rows=st.lists(st.tuples(FLOATS, FLOATS, FLOATS), min_size=1, max_size=4))
def test_random_expressions_have_equal_bits(steps, rows):
    def expression(*leaves):
        known = list(leaves)
        for function, i, j in steps:
            known.append(function(known[i % len(known)], known[j % len(known)]))
        return known[-1] + known[len(known) // 2]

    found, _ = outcomes(expression, [Value(0.5), Value(-1.5), Value(3.0)], rows)
    for plain, replayed in found:
        assert list(map(bits, replayed)) == list(map(bits, plain))


def test_a_second_derivative():
    x = Value(0.4)

    def curvature():
        (slope,) = tg.grad(x.tanh() * x, x, create_graph=True)
        (bend,) = tg.grad(slope, x)
        return bend

    jitted = tg.jit(curvature)
    for number in (0.4, 0.4, -1.25, 0.0):
        x.data = number
        assert float(jitted()) == pytest.approx(float(curvature()), rel=1e-15)


def test_a_deep_expression():
    w = Value(0.999)

    def deep(x):
        for _ in range(5000):
            x = x * w + 0.001
        return x

    jitted = tg.jit(differentiated(lambda w: deep(w * 2), [w]))
    for number in (0.999, 0.999, 0.5, 1.001):
        w.data = number
        expected = [float(x) for x in differentiated(lambda w: deep(w * 2), [w])()]
        assert [float(x) for x in jitted()] == expected


# ---- a training step ---------------------------------------------------------------------

OPTIMIZERS = {
    "sgd": lambda params: tg.optim.SGD(params, lr=0.5),
    "nesterov": lambda params: tg.optim.SGD(params, 0.1, 0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda params: tg.optim.Adam(params, lr=0.02),
    "rmsprop": lambda params: tg.optim.RMSprop(params, lr=0.01, momentum=0.5, centered=True),
}


class Net:
    """A net of Values, 2-6-6-1, that scores points; its first step is always the same."""

    def __init__(self, optimizer):
        random = np.random.default_rng(1)
        sizes = [2, 6, 6, 1]
        self.layers = [[[Value(w) for w in random.normal(size=n + 1)] for _ in range(m)]
                       for n, m in zip(sizes, sizes[1:])]
        self.params = [w for layer in self.layers for row in layer for w in row]
        self.optimizer = OPTIMIZERS[optimizer](self.params)

    def score(self, x):
        for i, layer in enumerate(self.layers):
            x = [sum((w * v for w, v in zip(row, x)), row[-1]) for row in layer]
            x = [v.relu() for v in x] if i < 2 else x
        return x[0]

    def step(self, points, labels):
        margins = [(1 + -label * self.score(point)).relu()
                   for point, label in zip(points, labels)]
        loss = sum(margins) * (1 / len(margins)) + 1e-4 * sum(p * p for p in self.params)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def state(self):
        return [(p.data, p.grad) for p in self.params]


POINTS = np.random.default_rng(0).normal(size=(12, 2)).tolist()
LABELS = [1 if x * y > 0 else -1 for x, y in POINTS]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_of_the_moons_kind(optimizer):
    """20 steps, the rate falling: the same bits of losses, weights and gradients."""
    plain, other = Net(optimizer), Net(optimizer)
    made_inside = [[Value(x) for x in point] for point in POINTS]
    jitted = tg.jit(lambda: other.step([[Value(x) for x in point] for point in POINTS], LABELS))
    for i in range(20):
        for net in (plain, other):
            net.optimizer.param_groups[0]["lr"] *= 0.95
        assert jitted().data == plain.step(made_inside, LABELS).data, i
        assert other.state() == plain.state(), i
    assert len(jitted._recordings) == 1
    assert other.optimizer.steps_taken == 20
    assert other.optimizer.state_dict()["state"].keys() == \
        plain.optimizer.state_dict()["state"].keys()
    # and on without the recording
    assert other.step(made_inside, LABELS).data == plain.step(made_inside, LABELS).data
    assert other.state() == plain.state()


def test_points_that_come_as_arguments():
    plain, other = Net("sgd"), Net("sgd")
    jitted = tg.jit(other.step)
    random = np.random.default_rng(5)
    for _ in range(6):
        points = [[Value(x) for x in point] for point in random.normal(size=(4, 2))]
        labels = [Value(x) for x in random.choice([-1.0, 1.0], size=4)]
        assert jitted(points, labels).data == plain.step(points, labels).data
        assert other.state() == plain.state()
    assert len(jitted._recordings) == 1


def test_parameters_that_get_new_numbers_between_calls():
    plain, other = Net("adam"), Net("adam")
    points = [[Value(x) for x in point] for point in POINTS]
    jitted = tg.jit(lambda: other.step(points, LABELS))
    for i in range(5):
        for net in (plain, other):
            net.params[i].data = 0.25 * i
        assert jitted().data == plain.step(points, LABELS).data
        assert other.state() == plain.state()


def test_gradients_that_add_up_over_calls():
    a, b = Value(2.0), Value(2.0)

    def grow(x):
        (x * x * 3).backward()

    jitted = tg.jit(lambda: grow(a))
    for i in range(5):
        a.data = b.data = 1.0 + i
        jitted()
        grow(b)
        assert a.grad == b.grad


def test_two_optimizers_and_an_op_between():
    def nets():
        return Net("sgd"), tg.optim.Adam([Value(0.5)], lr=0.1)

    def step(net, other):
        scale = other.param_groups[0]["params"][0]
        net.optimizer.zero_grad()
        other.zero_grad()
        loss = sum(net.score(point) for point in POINTS) * scale
        loss.backward()
        net.optimizer.step()
        other.step()
        return loss * scale

    plain, again = nets(), nets()
    jitted = tg.jit(lambda: step(*again))
    for _ in range(5):
        assert jitted().data == step(*plain).data
        assert again[0].state() == plain[0].state()


def test_values_and_tensors_in_one_step():
    w, scale = tg.Tensor(np.arange(3.0), requires_grad=True), Value(0.5)
    v, other = tg.Tensor(np.arange(3.0), requires_grad=True), Value(0.5)

    def step(w, scale, optimizer):
        optimizer.zero_grad()
        loss = (w * (scale * scale + 1)).sum() * scale
        loss.backward()
        optimizer.step()
        return loss

    first, second = (tg.optim.SGD(params, lr=0.01) for params in ([w, scale], [v, other]))
    jitted = tg.jit(lambda: step(w, scale, first))
    for _ in range(5):
        assert float(jitted()) == float(step(v, other, second))
        assert scale.data == other.data
        np.testing.assert_array_equal(w.numpy(), v.numpy())


# ---- what a tape is ----------------------------------------------------------------------


def test_an_op_without_a_form_stands_between_two_tapes():
    a = Value(0.5)
    function = differentiated(lambda a: halved(a * 3) * a + 1, [a])
    jitted = tg.jit(function)
    for number in (0.5, 0.5, -1.5, 2.0):
        a.data = number
        assert [float(x) for x in jitted()] == [float(x) for x in function()]
    names = [one.name for one in jitted.program.instructions]
    assert names == ["tape", "halved", "tape"]


def test_one_operation_on_each_of_many_numbers_is_one_run():
    values = [Value(x) for x in range(50)]
    jitted = tg.jit(lambda xs: [x * 2 + 1 for x in xs])
    for _ in range(2):
        jitted(values)
    (tape,) = tapes_of(jitted.program)
    assert [(name, len(inputs[0])) for name, _, inputs in runs(tape.code)] == \
        [("multiply_add", 50), ("move", 50)]
    assert str(tape) == "tape of 100 scalar operations: 50 multiply_add, 50 move"
    assert [y.data for y in jitted(values)] == [2 * x + 1 for x in range(50)]


def test_what_nobody_reads_is_left_out():
    a, b = Value(2.0), Value(3.0)

    def function():
        (a * b).exp()
        return a * 5

    jitted = tg.jit(function)
    for _ in range(3):
        assert jitted().data == 10.0
    (tape,) = tapes_of(jitted.program)
    assert tape.counts == {"multiply": 1, "move": 1}


def played(tape, numbers):
    """The numbers after a tape."""
    x = np.zeros(max(tape.end, len(numbers)))
    x[:len(numbers)] = numbers
    x[tape.first:tape.first + len(tape.constants)] = tape.constants
    kernels.body().tape(x, tape.code)
    return x


def chain(length):
    """Entries that add 1 so many times, from register 0 on."""
    return [Entry(ops.add.op, (Register(i), 1.0), {}, Register(i + 1)) for i in range(length)]


def test_places_are_used_again():
    tape = Tape(chain(1000), {1000}, 1001)
    assert tape.end <= 1001 + 1 + 3
    assert played(tape, [5.0])[1000] == 1005.0
    both = Tape(chain(1000), {0, 500, 1000}, 1001)
    x = played(both, [5.0])
    assert (x[0], x[500], x[1000]) == (5.0, 505.0, 1005.0)


def test_constants_are_known_by_their_bits():
    inputs = [0.0, -0.0, 0, math.nan, math.nan, True, 1, 1.0]
    entries = [Entry(ops.add.op, (Register(0), x), {}, Register(i + 1))
               for i, x in enumerate(inputs)]
    tape = Tape(entries, set(range(1, 9)), 9)
    assert len(tape.constants) == 4
    x = played(tape, [-0.0])
    assert list(map(bits, x[1:9])) == list(map(bits, [-0.0 + c for c in inputs]))


def test_a_product_with_one_is_the_other_factor():
    entries = [Entry(ops.multiply.op, (1.0, Register(0)), {}, Register(1)),
               Entry(ops.multiply.op, (Register(1), True), {}, Register(2))]
    tape = Tape(entries, {2}, 3)
    assert tape.counts == {"move": 1}
    assert played(tape, [-7.0])[2] == -7.0


def test_an_empty_tape():
    tape = Tape(chain(3), set(), 4)
    assert len(tape.code) == 0
    assert list(played(tape, [1.0, 2.0])[:4]) == [1.0, 2.0, 0.0, 0.0]


def test_tapes_have_places_of_their_own():
    entries = [*chain(3), object(), Entry(ops.add.op, (Register(2), 5.0), {}, Register(4))]
    first, between, second = with_tapes(entries, [Register(3), Register(4), 1.5, None], 5)
    assert between is entries[3]
    assert first.first == 5
    assert second.first == first.end
    x = played(second, played(first, [10.0, 0, 0, 0, 0]))
    assert (x[2], x[3], x[4]) == (12.0, 13.0, 17.0)


@pytest.mark.parametrize(("inputs", "output"), [
    ((np.ones(2), 1.0), Register(0)),
    ((Register(1), 10 ** 400), Register(0)),
    ((Register(1), 1.0), np.ones(1)),
])
def test_what_is_no_scalar_entry(inputs, output):
    assert not is_scalar(Entry(ops.add.op, inputs, {}, output))
    assert is_scalar(Entry(ops.add.op, (Register(1), np.float64(2.0)), {}, Register(0)))


@pytest.mark.skipif("c" not in BODIES, reason="the C kernels were not compiled")
def test_the_numbers_of_the_operations_are_those_of_c():
    from tinygrad_lite.kernels.native.library import lib

    assert [getattr(lib, f"TGL_TAPE_{name.upper()}") for name in OPERATIONS] == \
        list(range(len(INPUTS)))


@pytest.mark.parametrize("backend", BODIES)
@pytest.mark.parametrize(("numbers", "code", "error"), [
    (np.zeros(2, np.float32), np.zeros(0, np.int32), TypeError),
    ([0.0], np.zeros(0, np.int32), TypeError),
    (np.zeros(2), np.zeros(0, np.int64), TypeError),
    (np.zeros(4)[::2], np.zeros(0, np.int32), ValueError),
    (np.zeros(4), np.zeros(8, np.int32)[::2], ValueError),
    (np.broadcast_to(0.0, (1,)), np.zeros(0, np.int32), ValueError),
])
def test_arrays_that_are_refused(backend, numbers, code, error):
    with pytest.raises(error, match="tape: the (numbers|code) must be"):
        kernels.body(backend).tape(numbers, code)


# ---- what cannot be replayed -------------------------------------------------------------


def descend(p, rate):
    (p * p).backward()
    p.data -= rate * p.grad


def assign(p, rate):
    p.data = rate


def branch(p, rate):
    return p if p > rate else -p


@pytest.mark.parametrize(("function", "message"), [
    (descend, r"\.data cannot be replayed.*test_tape\.py:\d+.*tg\.optim\.SGD"),
    (assign, r"assigning \.data cannot be replayed.*test_tape\.py:\d+.*tg\.optim\.SGD"),
    (branch, r"a branch on a Value cannot be replayed.*test_tape\.py:\d+"),
])
def test_what_is_refused(function, message):
    p = Value(2.0)
    jitted = tg.jit(lambda: function(p, 0.1))
    jitted()
    before = p.data
    with pytest.raises(RuntimeError, match=message):
        jitted()
    assert p.data == before
    assert gc.isenabled()

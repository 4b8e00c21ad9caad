"""The optimizers: their formulas, their state, and what they refuse.

A row of `ROWS` is an optimizer with options. Each row is compared with a reference in NumPy
that follows the optimizer's docstring, with PyTorch, and between the backends.
"""

import copy
import importlib
import os
import re
import threading

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import kernels
from tinygrad_lite.optim import SGD, Adadelta, Adagrad, Adam, AdamW, Momentum, RMSprop

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
BACKENDS = ["numpy", "python"] if WITHOUT_C else ["c", "numpy", "python"]
ALL = [SGD, Momentum, Adagrad, Adadelta, RMSprop, Adam, AdamW]
TORCH = [SGD, Adagrad, Adadelta, RMSprop, Adam, AdamW]  # those that PyTorch has too
STEPS = 100
SHAPES = [(4, 3), (5,), (), (1,), (0,), (2, 3, 4)]

ROWS = [
    (SGD, {}),
    (SGD, {"lr": 0.0}),
    (SGD, {"lr": 0.05, "weight_decay": 0.1}),
    (SGD, {"lr": 0.05, "maximize": True}),
    (SGD, {"lr": 0.05, "weight_decay": 0.1, "maximize": True}),
    (SGD, {"lr": 0.05, "momentum": 0.9}),
    (SGD, {"lr": 0.05, "momentum": 0.9, "dampening": 0.3}),
    (SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    (SGD, {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1,
           "maximize": True}),
    (SGD, {"lr": 0.05, "momentum": 0.5, "nesterov": True, "weight_decay": 0.1,
           "maximize": True}),
    (Momentum, {}),
    (Momentum, {"lr": 0.05, "momentum": 0.0}),
    (Momentum, {"lr": 0.05, "momentum": 0.5, "weight_decay": 0.1}),
    (Momentum, {"lr": 0.05, "weight_decay": 0.1, "maximize": True}),
    (Adagrad, {}),
    (Adagrad, {"lr": 0.1, "lr_decay": 0.1}),
    (Adagrad, {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    (Adagrad, {"lr": 0.1, "initial_accumulator_value": 0.5}),
    (Adagrad, {"lr": 0.1, "eps": 0.1, "lr_decay": 0.01, "initial_accumulator_value": 0.1,
               "weight_decay": 0.01}),
    (Adam, {}),
    (Adam, {"lr": 0.01, "betas": (0.5, 0.9)}),
    (Adam, {"lr": 0.01, "betas": (0.0, 0.0), "eps": 1e-3}),
    (Adam, {"lr": 0.01, "eps": 0.1}),
    (Adam, {"lr": 0.01, "weight_decay": 0.1}),
    (Adam, {"lr": 0.01, "weight_decay": 0.1, "maximize": True}),
    (Adam, {"lr": 0.01, "betas": (0.9, 0.9), "amsgrad": True}),
    (Adam, {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    (Adam, {"lr": 0.01, "eps": 1e-3, "eps_hat": True}),
    (AdamW, {}),
    (AdamW, {"lr": 0.01, "weight_decay": 0.5}),
    (AdamW, {"lr": 0.01, "weight_decay": 0.5, "amsgrad": True, "maximize": True}),
    (AdamW, {"lr": 0.01, "weight_decay": 0.0, "eps": 0.1}),
    (Momentum, {"lr": 0.05, "nesterov": True}),
    (Momentum, {"lr": 0.05, "momentum": 0.5, "nesterov": True, "weight_decay": 0.1,
                "maximize": True}),
    (Adagrad, {"lr": 0.1, "eps": 0.1, "eps_inside": True}),
    (Adadelta, {}),
    (Adadelta, {"lr": 0.5, "rho": 0.5, "eps": 1e-3}),
    (Adadelta, {"weight_decay": 0.1, "maximize": True}),
    (RMSprop, {}),
    (RMSprop, {"lr": 0.01, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1}),
    (RMSprop, {"lr": 0.01, "momentum": 0.9}),
    (RMSprop, {"lr": 0.01, "centered": True, "eps": 1e-3}),
    (RMSprop, {"lr": 0.01, "centered": True, "momentum": 0.5, "weight_decay": 0.1,
               "eps": 1e-3, "maximize": True}),
    (RMSprop, {"lr": 0.01, "eps": 0.1, "eps_inside": True, "momentum": 0.5}),
]

# What PyTorch does not have.
OURS_ALONE = {"eps_hat", "eps_inside"}


def label(value):
    """A short name of an option table or a class in the list of tests."""
    if isinstance(value, dict):
        return "-".join(f"{name}={number}" for name, number in value.items()) or "defaults"
    return getattr(value, "__name__", str(value))


every_row = pytest.mark.parametrize(("optimizer", "options"), ROWS, ids=label)
every_optimizer = pytest.mark.parametrize("optimizer", ALL, ids=label)
every_backend = pytest.mark.parametrize("backend", BACKENDS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=label)


def problem(dtype, steps=STEPS, shapes=SHAPES, seed=0):
    """Random weights, and for each step random gradients."""
    random = np.random.default_rng(seed)

    def arrays():
        return [np.asarray(random.standard_normal(shape), dtype) for shape in shapes]

    return arrays(), [arrays() for _ in range(steps)]


def mixed_problem(steps=STEPS):
    """The same for a float32 matrix, a float64 vector and a number for a Value."""
    weights, gradients = problem(np.float64, steps, shapes=[(3, 2), (4,), ()])
    lists = [[a.astype(np.float32), b, float(c)] for a, b, c in [weights, *gradients]]
    return lists[0], lists[1:]


def leaf(array):
    return tg.Tensor(array, requires_grad=True)


def take_steps(optimizer, parameters, gradients):
    """One step for each list of gradients; a gradient of None lets its parameter rest."""
    for step in gradients:
        for p, g in zip(parameters, step, strict=True):
            p.grad = g
        optimizer.step()


def trained(optimizer, options, weights, gradients):
    """The weights after these steps, as arrays."""
    parameters = [leaf(w) for w in weights]
    take_steps(optimizer(parameters, **options), parameters, gradients)
    return [p.numpy() for p in parameters]


def bits(arrays):
    return [(array.dtype, array.shape, array.tobytes()) for array in arrays]


def assert_close(got, expected, dtype):
    """Equal but for a few units in the last place, as many steps round in many orders."""
    tolerance = 32 * np.finfo(dtype).eps
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# ---- the formulas ----------------------------------------------------------------------
# For one array, in float64: the docstrings, and the defaults, once more.


def sgd(w, gradients, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False,
        maximize=False):
    b = None
    for g in gradients:
        d = (-g if maximize else g) + weight_decay * w
        b = d if b is None else momentum * b + (1 - dampening) * d
        w = w - lr * (d + momentum * b if nesterov else b)
    return w


def momentum(w, gradients, lr=1e-2, momentum=0.9, weight_decay=0, nesterov=False,
             maximize=False):
    v = 0
    for g in gradients:
        d = (-g if maximize else g) + weight_decay * w
        v = momentum * v - lr * d
        w = w + (momentum * v - lr * d if nesterov else v)
    return w


def adagrad(w, gradients, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0,
            eps=1e-10, eps_inside=False, maximize=False):
    s = initial_accumulator_value
    for t, g in enumerate(gradients, 1):
        d = (-g if maximize else g) + weight_decay * w
        s = s + d * d
        root = np.sqrt(s + eps) if eps_inside else np.sqrt(s) + eps
        w = w - lr / (1 + (t - 1) * lr_decay) * d / root
    return w


def adadelta(w, gradients, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, maximize=False):
    s = u = 0
    for g in gradients:
        d = (-g if maximize else g) + weight_decay * w
        s = rho * s + (1 - rho) * d * d
        d = np.sqrt(u + eps) / np.sqrt(s + eps) * d
        u = rho * u + (1 - rho) * d * d
        w = w - lr * d
    return w


def rmsprop(w, gradients, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0,
            centered=False, eps_inside=False, maximize=False):
    s = a = b = 0
    for g in gradients:
        d = (-g if maximize else g) + weight_decay * w
        s = alpha * s + (1 - alpha) * d * d
        a = alpha * a + (1 - alpha) * d
        spread = s - a * a if centered else s
        b = momentum * b + d / (np.sqrt(spread + eps) if eps_inside else np.sqrt(spread) + eps)
        w = w - lr * b
    return w


def adam(w, gradients, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False,
         eps_hat=False, maximize=False, shrink=0):
    m = v = x = 0
    for t, g in enumerate(gradients, 1):
        d = (-g if maximize else g) + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * d
        v = betas[1] * v + (1 - betas[1]) * d * d
        x = np.maximum(x, v) if amsgrad else v
        c1 = 1 - betas[0] ** t
        c2 = 1 - betas[1] ** t
        w = w - lr * shrink * w
        if eps_hat:
            w = w - lr * np.sqrt(c2) / c1 * m / (np.sqrt(x) + eps)
        else:
            w = w - lr / c1 * m / (np.sqrt(x) / np.sqrt(c2) + eps)
    return w


def adamw(w, gradients, weight_decay=1e-2, **options):
    return adam(w, gradients, shrink=weight_decay, **options)


FORMULAS = {SGD: sgd, Momentum: momentum, Adagrad: adagrad, Adadelta: adadelta,
            RMSprop: rmsprop, Adam: adam, AdamW: adamw}


@every_row
@every_dtype
@every_backend
def test_formula(optimizer, options, dtype, backend):
    weights, gradients = problem(dtype)
    got = trained(optimizer, {**options, "backend": backend}, weights, gradients)
    columns = [[g.astype(np.float64) for g in column]
               for column in zip(*gradients, strict=True)]
    expected = [FORMULAS[optimizer](w.astype(np.float64), column, **options)
                for w, column in zip(weights, columns, strict=True)]
    assert_close(got, expected, dtype)


@pytest.mark.parity
@pytest.mark.parametrize(("optimizer", "options"),
                         [row for row in ROWS if OURS_ALONE.isdisjoint(row[1])], ids=label)
@every_dtype
def test_parity_with_pytorch(optimizer, options, dtype):
    torch = pytest.importorskip("torch")
    weights, gradients = problem(dtype)
    got = trained(optimizer, options, weights, gradients)
    if optimizer is Momentum:  # at a constant rate it is PyTorch's SGD
        theirs = torch.optim.SGD
        options = {"lr": 1e-2, "momentum": 0.9, **options}
    else:
        theirs = getattr(torch.optim, optimizer.__name__)
    parameters = [torch.tensor(w, requires_grad=True) for w in weights]
    take_steps(theirs(parameters, **options), parameters,
               [[torch.tensor(g) for g in step] for step in gradients])
    assert_close(got, [p.numpy(force=True) for p in parameters], dtype)


@pytest.mark.parity
@pytest.mark.parametrize("optimizer", TORCH, ids=label)
def test_defaults_are_those_of_pytorch(optimizer):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.optim, optimizer.__name__)([torch.zeros(1)]).defaults
    ours = optimizer([leaf(np.zeros(1))]).defaults
    assert ours == {name: theirs.get(name, False) for name in ours}
    assert {name for name in ours if name not in theirs} <= OURS_ALONE


def test_adam_on_tiny_gradients():
    """Where eps stands shows in the first step: 0.99 lr here, 0.24 lr with it inside."""
    (w,) = trained(Adam, {"lr": 1.0}, [np.zeros(1)], [[np.array([1e-6])]])
    assert w[0] == pytest.approx(-1 / (1 + 1e-2), rel=1e-9)


def test_adams_bias_corrections_are_computed_in_double():
    """With a constant gradient every step of Adam is lr long; float32 powers would drift."""
    weights, gradient = [np.zeros(1, np.float32)], [np.ones(1, np.float32)]
    (w,) = trained(Adam, {"lr": 1.0, "betas": (0.9, 0.9999)}, weights, [gradient] * 10)
    assert w[0] == pytest.approx(-10, rel=2e-6)


@every_row
@every_dtype
@pytest.mark.skipif(WITHOUT_C, reason="built without C on purpose")
def test_c_and_numpy_give_the_same_bits(optimizer, options, dtype):
    weights, gradients = problem(dtype)
    results = [trained(optimizer, {**options, "backend": backend}, weights, gradients)
               for backend in ("c", "numpy")]
    assert bits(results[0]) == bits(results[1])


@every_optimizer
def test_the_backend_follows_the_package_unless_named(optimizer):
    weights, gradients = problem(np.float32, steps=3)
    named = trained(optimizer, {"backend": "python"}, weights, gradients)
    with tg.backend("python"):
        followed = trained(optimizer, {}, weights, gradients)
    assert bits(followed) == bits(named)


@every_optimizer
def test_the_same_bits_each_time(optimizer):
    results = [trained(optimizer, {}, *problem(np.float32)) for _ in range(2)]
    assert bits(results[0]) == bits(results[1])


@every_optimizer
def test_maximize_climbs(optimizer):
    w = leaf(np.array([3.0, -2.0]))
    ascent = optimizer([w], lr=0.01, maximize=True)
    heights = []
    for _ in range(5):
        ascent.zero_grad()
        height = -(w * w).sum()
        height.backward()
        ascent.step()
        heights.append(height.item())
    assert heights == sorted(heights)
    assert heights[-1] > heights[0]


# ---- the textbook's numbers --------------------------------------------------------------
# "Deep Learning from Scratch", chapter 6, as its code computes: one weight, float64.


def book_nesterov(w, g, state):
    v = state.get("v", 0.0)
    state["v"] = 0.9 * v - 0.01 * g
    return w + 0.9 * 0.9 * v - (1 + 0.9) * 0.01 * g


def book_adagrad(w, g, state):
    h = state["h"] = state.get("h", 0.0) + g * g
    return w - 0.01 * g / (np.sqrt(h) + 1e-7)


def book_rmsprop(w, g, state):
    h = state["h"] = 0.99 * state.get("h", 0.0) + (1 - 0.99) * g * g
    return w - 0.01 * g / (np.sqrt(h) + 1e-7)


def book_adam(w, g, state):
    t = state["t"] = state.get("t", 0) + 1
    lr = 0.001 * np.sqrt(1 - 0.999 ** t) / (1 - 0.9 ** t)
    m = state["m"] = state.get("m", 0.0) + (1 - 0.9) * (g - state.get("m", 0.0))
    v = state["v"] = state.get("v", 0.0) + (1 - 0.999) * (g * g - state.get("v", 0.0))
    return w - lr * m / (np.sqrt(v) + 1e-7)


@pytest.mark.parametrize(("book", "optimizer", "options"), [
    (book_nesterov, Momentum, {"lr": 0.01, "nesterov": True}),
    (book_adagrad, Adagrad, {"lr": 0.01, "eps": 1e-7}),
    (book_rmsprop, RMSprop, {"lr": 0.01, "eps": 1e-7}),
    (book_adam, Adam, {"lr": 0.001, "eps": 1e-7, "eps_hat": True}),
], ids=label)
def test_numbers_of_the_book(book, optimizer, options):
    """Gradients small enough that the place of eps shows."""
    gradients = 1e-6 * np.random.default_rng(0).standard_normal(50)
    expected, state = 0.5, {}
    for g in gradients:
        expected = book(expected, g, state)
    (w,) = trained(optimizer, options, [np.array(0.5)], [[np.array(g)] for g in gradients])
    assert w == pytest.approx(expected, rel=1e-13)


# ---- two forms of momentum -------------------------------------------------------------


def test_momentum_equals_sgd_at_a_constant_rate():
    weights, gradients = problem(np.float64)
    ours = trained(Momentum, {"lr": 0.1, "momentum": 0.9}, weights, gradients)
    sgd = trained(SGD, {"lr": 0.1, "momentum": 0.9}, weights, gradients)
    assert_close(ours, sgd, np.float64)


@pytest.mark.parametrize(("optimizer", "length"), [(Momentum, 0.596), (SGD, 0.069)], ids=label)
def test_a_rate_cut_reaches_the_two_forms_differently(optimizer, length):
    """Ten steps on the gradient 1, then the rate falls to a tenth: how long is the next?"""
    w = leaf(np.zeros(1))
    descent = optimizer([w], lr=0.1, momentum=0.9)
    take_steps(descent, [w], [[np.ones(1)]] * 10)
    before = w.item()
    descent.param_groups[0]["lr"] = 0.01
    descent.step()
    assert before - w.item() == pytest.approx(length, abs=5e-4)


# ---- what may be a parameter, and groups -----------------------------------------------


@every_optimizer
@every_backend
def test_values_take_the_steps_of_float64_tensors(optimizer, backend):
    (w,), gradients = problem(np.float64, shapes=[(3,)])
    expected = trained(optimizer, {"backend": backend}, [w], gradients)[0]
    values = [tg.Value(number) for number in w]
    take_steps(optimizer(values, backend=backend), values, [g.tolist() for (g,) in gradients])
    assert [type(v.data) for v in values] == [float] * 3
    assert [v.data for v in values] == expected.tolist()


@every_optimizer
def test_values_and_tensors_of_both_dtypes_in_one_group(optimizer):
    weights, gradients = mixed_problem()
    kinds = [leaf, leaf, tg.Value]
    together = [kind(w) for kind, w in zip(kinds, weights, strict=True)]
    take_steps(optimizer(together), together, gradients)
    for i, kind in enumerate(kinds):
        alone = kind(weights[i])
        take_steps(optimizer([alone]), [alone], [[step[i]] for step in gradients])
        np.testing.assert_array_equal(together[i].data, alone.data)
        assert np.asarray(together[i].data).dtype == np.asarray(alone.data).dtype


@every_optimizer
def test_groups_have_settings_of_their_own(optimizer):
    weights, gradients = problem(np.float64, shapes=[(3,), (2,), (4,)])
    parameters = [leaf(w) for w in weights]
    groups = [{"params": parameters[0], "lr": 0.5},
              {"params": parameters[1:], "weight_decay": 0.1, "maximize": True}]
    take_steps(optimizer(groups, lr=0.01), parameters, gradients)
    options = [{"lr": 0.5}] + [{"lr": 0.01, "weight_decay": 0.1, "maximize": True}] * 2
    for i, p in enumerate(parameters):
        (alone,) = trained(optimizer, options[i], [weights[i]], [[g[i]] for g in gradients])
        assert bits([p.numpy()]) == bits([alone])


def test_a_group_added_later():
    first, second = leaf(np.ones(1)), leaf(np.ones(1))
    descent = SGD([first], lr=0.5)
    descent.add_param_group({"params": second, "lr": 0.25})
    take_steps(descent, [first, second], [[np.ones(1), np.ones(1)]])
    assert (first.item(), second.item()) == (0.5, 0.75)
    assert [group["lr"] for group in descent.param_groups] == [0.5, 0.25]


def test_any_iterable_of_parameters():
    w = leaf(np.ones(1))
    descent = SGD((p for p in [w]), lr=1.0)
    take_steps(descent, [w], [[np.ones(1)]])
    assert w.item() == 0.0


def test_repr_shows_groups_and_settings():
    text = repr(Adam([leaf(np.zeros(1))], lr=0.25))
    assert text.startswith("Adam (")
    assert "group 0: 1 parameters" in text
    assert "lr: 0.25" in text
    assert "betas: (0.9, 0.999)" in text


def test_settings_changed_between_steps_count():
    w = leaf(np.zeros(1))
    descent = SGD([w], lr=1.0)
    take_steps(descent, [w], [[np.ones(1)]])
    descent.param_groups[0].update(lr=0.5, maximize=True)
    descent.step()
    assert w.item() == -0.5


def test_momentum_switched_on_later_starts_like_a_first_step():
    """As in PyTorch, the buffer's first content is the gradient, undampened."""
    w = leaf(np.zeros(1))
    descent = SGD([w], lr=1.0)
    take_steps(descent, [w], [[np.ones(1)]])
    descent.param_groups[0].update(momentum=0.5, dampening=0.5)
    descent.step()
    assert w.item() == -2.0
    descent.step()
    assert w.item() == -3.0  # b = 0.5 * 1 + (1 - 0.5) * 1


def test_steps_are_counted():
    w = leaf(np.zeros(1))
    descent = SGD([w], lr=1.0)
    assert descent.steps_taken == 0
    take_steps(descent, [w], [[np.ones(1)], [None]])
    assert descent.steps_taken == 2


@every_optimizer
@every_backend
def test_parameters_of_a_group_may_be_exchanged(optimizer, backend):
    """A layer is replaced in the middle of training: the optimizer goes on with the new one."""
    first, second = leaf(np.ones(2)), leaf(np.ones(3))
    descent = optimizer([first], lr=0.1, backend=backend)
    take_steps(descent, [first], [[np.ones(2)]])
    before = first.tolist()
    descent.param_groups[0]["params"] = [second]
    take_steps(descent, [second], [[np.ones(3)]])
    assert first.tolist() == before
    assert (second.numpy() < 1).all()


def test_after_an_exchange_the_state_has_the_parameters_of_now():
    first, second, third = leaf(np.ones(2)), leaf(np.ones(3)), leaf(np.ones(1))
    adam = Adam([("a", first), ("b", third)])
    take_steps(adam, [first, third], [[np.ones(2), np.ones(1)]])
    adam.param_groups[0]["params"] = [second, third]
    assert list(adam.state_dict()["state"]) == ["b"]
    take_steps(adam, [second, third], [[np.ones(3), np.ones(1)]])
    state = adam.state_dict()["state"]
    assert {name: entries["step"] for name, entries in state.items()} == {"a": 1, "b": 2}
    adam.param_groups[0]["params"] = [("c", second)]
    adam.step()
    assert adam.state_dict()["param_groups"][0]["params"] == ["c"]


def test_groups_may_be_changed_by_hand():
    """A group that was appended is completed, in the very dict; one that was removed rests."""
    first, second = leaf(np.zeros(1)), leaf(np.zeros(1))
    descent = SGD([first], lr=1.0)
    take_steps(descent, [first], [[np.ones(1)]])
    group = {"params": [second], "lr": 0.5}
    descent.param_groups.append(group)
    take_steps(descent, [first, second], [[np.ones(1)] * 2])
    assert (first.item(), second.item()) == (-2.0, -0.5)
    assert group["params"] == (second,)
    assert group["momentum"] == 0.0
    del descent.param_groups[0]
    descent.step()
    assert (first.item(), second.item()) == (-2.0, -1.0)


@pytest.mark.parametrize(("change", "error", "words"), [
    (lambda g: g[0].update(params=[scalar() * 2]), ValueError, "can't optimize a non-leaf"),
    (lambda g: g[0].update(params=[np.ones(1)]), TypeError, "can only optimize"),
    (lambda g: g[0].update(params={scalar()}), ValueError, "an order that does not change"),
    (lambda g: g[0].update(params=g[1]["params"]), ValueError, "appear more than once"),
    (lambda g: g[0].update(params=twice()), ValueError, "appear more than once"),
    (lambda g: g.append({"params": [scalar()], "lr": -1}), ValueError, "learning rate"),
    (lambda g: g.append([scalar()]), TypeError, "a parameter group is a dict"),
], ids=["non-leaf", "array", "set", "of another group", "twice", "group", "no group"])
def test_a_wrong_change_of_the_groups_is_refused(change, error, words):
    """At the step, again and again, until it is undone."""
    first, second = leaf(np.zeros(1)), leaf(np.zeros(1))
    descent = SGD([{"params": [first]}, {"params": [second]}], lr=1.0)
    take_steps(descent, [first, second], [[np.ones(1)] * 2])
    groups = [dict(group) for group in descent.param_groups]
    change(descent.param_groups)
    for act in (descent.step, descent.state_dict, descent.step):
        with pytest.raises(error, match=words):
            act()
    assert (first.item(), second.item()) == (-1.0, -1.0)
    descent.param_groups[:] = groups
    descent.step()
    assert (first.item(), second.item()) == (-2.0, -2.0)


def test_as_many_names_as_parameters():
    adam = Adam([("a", scalar()), ("b", scalar())])
    adam.param_groups[0]["params"] = [scalar()]
    with pytest.raises(ValueError, match="1 parameters, but 2 names"):
        adam.step()


def test_a_step_may_compute_the_loss():
    w = leaf(np.array([3.0]))
    descent = SGD([w], lr=0.25)

    def closure():
        descent.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with tg.no_grad():
        assert descent.step(closure).item() == 9.0
    assert w.item() == 1.5
    assert descent.step() is None


@pytest.mark.skipif(WITHOUT_C, reason="built without C on purpose")
@every_optimizer
def test_a_step_is_one_call_however_many_tensors(optimizer, monkeypatch):
    module = importlib.import_module("tinygrad_lite.kernels.native.update")
    lib = module.lib
    calls = []

    class Counting:
        def __getattr__(self, name):
            calls.append(name)
            return getattr(lib, name)

    weights, gradients = problem(np.float32, steps=3)
    parameters = [leaf(w) for w in weights]
    descent = optimizer(parameters, backend="c")
    take_steps(descent, parameters, gradients[:1])
    monkeypatch.setattr(module, "lib", Counting())
    take_steps(descent, parameters, gradients[1:])
    assert calls == ["tgl_update"] * 2


# ---- parameters with names -------------------------------------------------------------


def named(weights):
    return [(f"layer.{i}", leaf(w)) for i, w in enumerate(weights)]


@every_optimizer
def test_names_change_no_number(optimizer):
    weights, gradients = problem(np.float32, steps=3)
    pairs = named(weights)
    take_steps(optimizer(pairs), [p for _, p in pairs], gradients)
    expected = trained(optimizer, {}, weights, gradients)
    assert bits(p.numpy() for _, p in pairs) == bits(expected)


@every_row
def test_a_state_by_name_is_loaded_in_any_order(optimizer, options):
    weights, gradients = problem(np.float64, steps=6)
    pairs = named(weights)
    first = optimizer(pairs, **options)
    take_steps(first, [p for _, p in pairs], gradients[:3])
    state = first.state_dict()
    assert state["param_groups"][0]["params"] == [name for name, _ in pairs]
    assert set(state["state"]) == {name for name, _ in pairs}
    turned = [(name, leaf(p.numpy())) for name, p in reversed(pairs)]
    second = optimizer(turned, **options)
    second.load_state_dict(state)
    take_steps(first, [p for _, p in pairs], gradients[3:])
    take_steps(second, [p for _, p in turned], [step[::-1] for step in gradients[3:]])
    assert bits(p.numpy() for _, p in turned[::-1]) == bits(p.numpy() for _, p in pairs)


def test_names_and_order_load_into_each_other():
    """Where only one side has names, the order counts."""
    weights, gradients = problem(np.float64, steps=1)
    pairs = named(weights)
    with_names = Adam(pairs)
    take_steps(with_names, [p for _, p in pairs], gradients)
    without = Adam([leaf(w) for w in weights])
    without.load_state_dict(with_names.state_dict())
    state = without.state_dict()["state"]
    assert list(state) == list(range(len(weights)))
    with_names.load_state_dict(without.state_dict())
    for i, (name, _) in enumerate(pairs):
        assert bits([state[i]["m"]]) == bits([with_names.state_dict()["state"][name]["m"]])


def test_groups_of_named_parameters():
    pairs = named([np.ones(1), np.ones(2), np.ones(3)])
    adam = Adam([{"params": pairs[:1], "lr": 0.1}, {"params": pairs[1:]}])
    groups = adam.state_dict()["param_groups"]
    assert [group["params"] for group in groups] == [["layer.0"], ["layer.1", "layer.2"]]
    assert "param_names" not in groups[0]


@pytest.mark.parametrize(("make", "words"), [
    (lambda: [("a", scalar()), scalar()], "all optimizer params should be with names, or all"),
    (lambda: [("a", scalar()), ("a", scalar())], "different names"),
    (lambda: [{"params": [("a", scalar())]}, {"params": [scalar()]}],
     "in every parameter group"),
    (lambda: [{"params": [("a", scalar())]}, {"params": [("a", scalar())]}], "['a'] twice"),
], ids=["some", "one twice", "in one group", "in two groups"])
def test_wrong_names(make, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        SGD(make())


def test_a_state_with_other_names_is_refused():
    state = Adam([("a", scalar()), ("b", scalar())]).state_dict()
    with pytest.raises(ValueError, match=r"only on one side: \['b', 'c'\]"):
        Adam([("a", scalar()), ("c", scalar())]).load_state_dict(state)


# ---- parameters that rest --------------------------------------------------------------


@every_optimizer
@every_backend
def test_without_any_gradient_nothing_happens(optimizer, backend):
    parameters = [leaf(np.ones(2)), tg.Value(1.0)]
    resting = optimizer(parameters, backend=backend)
    resting.step()
    assert parameters[0].tolist() == [1, 1]
    assert parameters[1].data == 1.0
    assert resting.state_dict()["state"] == {}


@every_row
def test_a_parameter_without_gradient_rests_and_so_does_its_count(optimizer, options):
    """It then steps on as if the pause had never been."""
    (w, other), gradients = problem(np.float64, steps=6, shapes=[(3,), (3,)])
    pause = [[None if 1 < t < 4 else g, h] for t, (g, h) in enumerate(gradients)]
    parameters = [leaf(w), leaf(other)]
    paused = optimizer(parameters, **options)
    take_steps(paused, parameters, pause)
    without = [[g] for g, _ in pause if g is not None]
    expected = trained(optimizer, options, [w], without)
    expected += trained(optimizer, options, [other], [[h] for _, h in gradients])
    assert bits(p.numpy() for p in parameters) == bits(expected)
    assert [paused.state[p]["step"] for p in parameters] == [4, 6]


@pytest.mark.parity
@pytest.mark.parametrize("optimizer", TORCH, ids=label)
def test_parity_of_a_parameter_unfrozen_late(optimizer):
    torch = pytest.importorskip("torch")
    weights, gradients = problem(np.float64, steps=8, shapes=[(3,), (3,)])
    schedule = [[g, h if t > 4 else None] for t, (g, h) in enumerate(gradients)]
    got = trained(optimizer, {"lr": 0.1}, weights, schedule)
    parameters = [torch.tensor(w, requires_grad=True) for w in weights]
    theirs = getattr(torch.optim, optimizer.__name__)(parameters, lr=0.1)
    take_steps(theirs, parameters, [[None if g is None else torch.tensor(g) for g in step]
                                    for step in schedule])
    assert_close(got, [p.numpy(force=True) for p in parameters], np.float64)


def test_zero_grad_drops_gradients():
    parameters = [leaf(np.ones(2)), tg.Value(1.0)]
    descent = SGD(parameters, lr=1.0)
    take_steps(descent, parameters, [[np.ones(2), 1.0]])
    descent.zero_grad()
    assert parameters[0].grad is None
    assert parameters[1].grad == 0.0
    descent.step()
    assert [descent.state[p]["step"] for p in parameters] == [1, 1]


def test_zero_grad_may_keep_zeros():
    """Then momentum carries the parameter on, and its steps are counted."""
    parameters = [leaf(np.ones(2, np.float32)), tg.Value(1.0), leaf(np.ones(1))]
    descent = SGD(parameters, lr=1.0, momentum=0.5)
    take_steps(descent, parameters, [[np.ones(2), 1.0, None]])
    descent.zero_grad(set_to_none=False)
    assert parameters[0].grad.tolist() == [0, 0]
    assert parameters[0].grad.dtype == np.float32
    assert parameters[1].grad == 0.0
    assert parameters[2].grad is None
    descent.step()
    assert parameters[0].tolist() == [-0.5, -0.5]
    assert parameters[1].data == -0.5
    assert [descent.state[p]["step"] for p in parameters[:2]] == [2, 2]


# ---- known functions -------------------------------------------------------------------


def valley(x, y):
    """Long and flat along x; the minimum is at (0, 0)."""
    return x * x / 20 + y * y


def rosenbrock(x, y):
    """A bent valley; the minimum is at (1, 1)."""
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


DESCENTS = [
    (valley, (-7.0, 2.0), (0, 0), SGD, {"lr": 0.9}, 200),
    (valley, (-7.0, 2.0), (0, 0), SGD, {"lr": 0.1, "momentum": 0.9}, 300),
    (valley, (-7.0, 2.0), (0, 0), SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}, 300),
    (valley, (-7.0, 2.0), (0, 0), Momentum, {"lr": 0.1}, 300),
    (valley, (-7.0, 2.0), (0, 0), Adagrad, {"lr": 1.5}, 300),
    (valley, (-7.0, 2.0), (0, 0), Adam, {"lr": 0.3}, 300),
    (valley, (-7.0, 2.0), (0, 0), Momentum, {"lr": 0.1, "nesterov": True}, 300),
    (valley, (-7.0, 2.0), (0, 0), Adadelta, {"eps": 1e-4}, 500),
    (valley, (-7.0, 2.0), (0, 0), RMSprop, {"lr": 0.01}, 2000),
    (valley, (-7.0, 2.0), (0, 0), Adam, {"lr": 0.3, "amsgrad": True}, 300),
    (valley, (-7.0, 2.0), (0, 0), AdamW, {"lr": 0.3, "weight_decay": 0.1}, 300),
    (rosenbrock, (-1.2, 1.0), (1, 1), SGD, {"lr": 1e-3, "momentum": 0.9}, 3000),
    (rosenbrock, (-1.2, 1.0), (1, 1), Momentum, {"lr": 1e-3}, 3000),
    (rosenbrock, (-1.2, 1.0), (1, 1), Adagrad, {"lr": 0.7}, 7000),
    (rosenbrock, (-1.2, 1.0), (1, 1), Adam, {"lr": 0.02}, 3000),
    (rosenbrock, (-1.2, 1.0), (1, 1), Momentum, {"lr": 1e-3, "nesterov": True}, 3000),
    (rosenbrock, (-1.2, 1.0), (1, 1), Adadelta, {"lr": 0.3, "eps": 1e-8}, 15000),
    (rosenbrock, (-1.2, 1.0), (1, 1), RMSprop, {"lr": 1e-3, "momentum": 0.5}, 8000),
    (rosenbrock, (-1.2, 1.0), (1, 1), Adam, {"lr": 0.05, "amsgrad": True}, 5000),
    (rosenbrock, (-1.2, 1.0), (1, 1), AdamW, {"lr": 0.02, "weight_decay": 0.0}, 3000),
]


@pytest.mark.parametrize("kind", [tg.Value, leaf], ids=["Value", "Tensor"])
@pytest.mark.parametrize(("function", "start", "goal", "optimizer", "options", "steps"),
                         DESCENTS, ids=label)
def test_reaches_the_minimum(function, start, goal, optimizer, options, steps, kind):
    x, y = (kind(np.float64(number)) for number in start)
    descent = optimizer([x, y], **options)
    for _ in range(steps):
        descent.zero_grad()
        function(x, y).backward()
        descent.step()
    np.testing.assert_allclose([x.item(), y.item()], goal, atol=0.01)


# ---- state -----------------------------------------------------------------------------


def mixed_parameters():
    (a, b, c), _ = mixed_problem(steps=0)
    return [leaf(a), leaf(b), tg.Value(c)]


def numbers(parameters):
    return [np.array(p.data) for p in parameters]


@every_row
def test_resumed_training_equals_uninterrupted_training(optimizer, options):
    _, gradients = mixed_problem(steps=10)
    straight = mixed_parameters()
    take_steps(optimizer(straight, **options), straight, gradients)

    first = mixed_parameters()
    interrupted = optimizer(first, **options)
    take_steps(interrupted, first, gradients[:4])
    saved = interrupted.state_dict()
    second = mixed_parameters()
    for p, q in zip(first, second, strict=True):
        q.data = p.data
    resumed = optimizer(second)
    take_steps(resumed, second, gradients[4:5])  # steps of its own, which are forgotten
    for p, q in zip(first, second, strict=True):
        q.data = p.data
    resumed.load_state_dict(saved)
    take_steps(resumed, second, gradients[4:])

    assert bits(numbers(second)) == bits(numbers(straight))
    assert resumed.param_groups[0]["lr"] == interrupted.param_groups[0]["lr"]


def plain_state(optimizer):
    """The state with its arrays as bytes, to be compared."""
    saved = optimizer.state_dict()
    state = {i: {name: bits([np.asarray(x)]) for name, x in entries.items()}
             for i, entries in saved["state"].items()}
    return {"state": state, "param_groups": saved["param_groups"]}


@every_optimizer
def test_state_dict_is_a_copy(optimizer):
    parameters = mixed_parameters()
    running = optimizer(parameters)
    _, gradients = mixed_problem(steps=5)
    take_steps(running, parameters, gradients[:2])
    saved = running.state_dict()
    before = {i: {name: np.array(x) for name, x in entries.items()}
              for i, entries in saved["state"].items()}
    take_steps(running, parameters, gradients[2:])
    for i, entries in before.items():
        for name, x in entries.items():
            np.testing.assert_array_equal(saved["state"][i][name], x)

    running.load_state_dict(saved)
    loaded = plain_state(running)
    for entries in saved["state"].values():
        for x in entries.values():
            if isinstance(x, np.ndarray):
                x[...] = 77
    saved["param_groups"][0]["lr"] = 77
    assert plain_state(running) == loaded


def test_state_dict_holds_plain_things_by_number():
    parameters = mixed_parameters()
    adam = Adam([{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.5}])
    take_steps(adam, parameters, mixed_problem(steps=1)[1])
    saved = adam.state_dict()
    assert [group["params"] for group in saved["param_groups"]] == [[0], [1, 2]]
    assert [group["lr"] for group in saved["param_groups"]] == [1e-3, 0.5]
    assert sorted(saved["state"]) == [0, 1, 2]
    for entries in saved["state"].values():
        assert sorted(entries) == ["m", "step", "v"]
        assert entries["step"] == 1
        assert type(entries["m"]) is np.ndarray


@pytest.mark.parametrize(("before", "after"), [(0.9, 0.0), (0.0, 0.9)])
def test_momentum_switched_and_saved(before, after):
    """What an optimizer saves it can load, whatever was changed since its last step."""
    parameters = mixed_parameters()
    descent = SGD(parameters, lr=0.1, momentum=before)
    _, gradients = mixed_problem(steps=2)
    take_steps(descent, parameters, gradients[:1])
    descent.param_groups[0]["momentum"] = after
    saved = plain_state(descent)
    descent.load_state_dict(descent.state_dict())
    assert plain_state(descent) == saved
    take_steps(descent, parameters, gradients[1:])


@every_optimizer
@every_backend
def test_a_copied_optimizer_goes_on_by_itself(optimizer, backend):
    parameters = mixed_parameters()
    running = optimizer(parameters, backend=backend)
    _, gradients = mixed_problem(steps=4)
    take_steps(running, parameters, gradients[:2])
    copied_parameters, copied = copy.deepcopy((parameters, running))
    before = bits(numbers(parameters))
    take_steps(copied, copied_parameters, gradients[2:])
    assert bits(numbers(parameters)) == before
    take_steps(running, parameters, gradients[2:])
    assert bits(numbers(copied_parameters)) == bits(numbers(parameters))


def changed_state(change):
    """An Adam, and the state of another one after ``change(state)``."""
    parameters = mixed_parameters()
    adam = Adam(parameters)
    take_steps(adam, parameters, mixed_problem(steps=2)[1])
    state = adam.state_dict()
    change(state)
    return adam, state


WRONG_STATES = {
    "fewer parameters": (lambda s: s["param_groups"][0].update(params=[0, 1]), "groups"),
    "more groups": (lambda s: s["param_groups"].append({"params": []}), "groups"),
    "another shape": (lambda s: s["state"][0].update(m=np.zeros((2, 3))), "shape"),
    "a missing entry": (lambda s: s["state"][1].pop("v"), "expected entries"),
    "an unknown entry": (lambda s: s["state"][1].update(b=np.zeros(4)), "expected entries"),
    "no state": (lambda s: s.pop("state"), "'state' and 'param_groups'"),
    "a state of nobody": (lambda s: s["state"].update({"0": s["state"].pop(0)}), "state for"),
    "a step below 0": (lambda s: s["state"][0].update(step=-1), "a whole number, 0 or more"),
    "half a step": (lambda s: s["state"][0].update(step=1.5), "a whole number, 0 or more"),
    "no dict of a state": (lambda s: s["state"].update({0: [1]}), "expected entries"),
    "no dict of a group": (lambda s: s.update(param_groups=[[0]]), "'param_groups'"),
    "no groups": (lambda s: s.pop("param_groups"), "'state' and 'param_groups'"),
    "a wrong setting": (lambda s: s["param_groups"][0].update(lr=-1), "learning rate"),
}


@pytest.mark.parametrize("name", WRONG_STATES)
def test_a_state_that_does_not_fit_changes_nothing(name):
    change, words = WRONG_STATES[name]
    adam, state = changed_state(change)
    before = plain_state(adam)
    with pytest.raises(ValueError, match=words):
        adam.load_state_dict(state)
    assert plain_state(adam) == before


# ---- what is refused -------------------------------------------------------------------


def scalar():
    return leaf(np.ones(1))


def twice():
    p = scalar()
    return [p, p]


def in_two_groups():
    p = scalar()
    return [{"params": [p]}, {"params": [p]}]


WRONG_PARAMETERS = {
    "none": (list, ValueError, "optimizer got an empty parameter list"),
    "an empty generator": (lambda: iter(()), ValueError, "empty parameter list"),
    "a bare Tensor": (scalar, TypeError, "should be an iterable of Tensors"),
    "a bare Value": (lambda: tg.Value(1.0), TypeError, "should be an iterable of Tensors"),
    "a bare array": (lambda: np.ones(3), TypeError, "should be an iterable of Tensors"),
    "a number": (lambda: 3, TypeError, "int"),
    "an array in a list": (lambda: [np.ones(3)], TypeError, "can only optimize .*ndarray"),
    "a string": (lambda: "ab", TypeError, "can only optimize .*str"),
    "a set": (lambda: {scalar()}, ValueError, "an order that does not change"),
    "a frozen set": (lambda: frozenset([scalar()]), ValueError, "an order"),
    "a set in a group": (lambda: [{"params": {scalar()}}], ValueError, "an order"),
    "one twice": (twice, ValueError, "some parameters appear more than once"),
    "one in two groups": (in_two_groups, ValueError, "some parameters appear more than"),
    "a non-leaf": (lambda: [scalar() * 2], ValueError, "can't optimize a non-leaf"),
    "a non-leaf Value": (lambda: [tg.Value(1.0) * 2], ValueError, "can't optimize a non-leaf"),
    "integers": (lambda: [tg.Tensor([1, 2])], TypeError, "float32 and float64; .*int64"),
    "booleans": (lambda: [tg.Tensor([True])], TypeError, "float32 and float64; .*bool"),
    "float16": (lambda: [tg.Tensor([1.0], dtype=np.float16)], TypeError, "float16"),
    "a group without parameters": (lambda: [{"lr": 0.1}], TypeError, "'params'"),
    "a group and a Tensor": (lambda: [{"params": scalar()}, scalar()], TypeError, "'params'"),
}


@every_optimizer
@pytest.mark.parametrize("name", WRONG_PARAMETERS)
def test_wrong_parameters(optimizer, name):
    make, error, words = WRONG_PARAMETERS[name]
    with pytest.raises(error, match=words):
        optimizer(make())


WRONG_SETTINGS = [
    *((optimizer, {"lr": lr}, f"Invalid learning rate: {lr}")
      for optimizer in ALL for lr in (-1, float("nan"), float("inf"))),
    *((optimizer, {"weight_decay": -0.1}, "Invalid weight_decay value: -0.1")
      for optimizer in ALL),
    (SGD, {"momentum": -0.5}, "Invalid momentum value: -0.5"),
    (SGD, {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
    (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "zero dampening"),
    (Momentum, {"momentum": -0.5}, "Invalid momentum value: -0.5"),
    (Adagrad, {"lr_decay": -1}, "Invalid lr_decay value: -1"),
    (Adagrad, {"eps": -1}, "Invalid epsilon value: -1"),
    (Adagrad, {"initial_accumulator_value": -1}, "Invalid initial_accumulator_value value: -1"),
    (Adam, {"eps": -1}, "Invalid epsilon value: -1"),
    (Adam, {"betas": (1.0, 0.999)}, "Invalid beta parameter at index 0: 1.0"),
    (Adam, {"betas": (0.9, -0.1)}, "Invalid beta parameter at index 1: -0.1"),
    (Adam, {"betas": (0.9,)}, "Invalid betas"),
    (Adam, {"betas": (0.9, 0.9, 0.9)}, "Invalid betas"),
    (Adam, {"betas": 0.9}, "Invalid betas"),
    (AdamW, {"betas": (1.0, 0.999)}, "Invalid beta parameter at index 0: 1.0"),
    (Adadelta, {"rho": 1.5}, "Invalid rho value: 1.5; expected at least 0, at most 1"),
    (Adadelta, {"rho": -0.5}, "Invalid rho value: -0.5"),
    (Adadelta, {"eps": -1}, "Invalid epsilon value: -1"),
    (RMSprop, {"alpha": -0.5}, "Invalid alpha value: -0.5"),
    (RMSprop, {"momentum": -0.5}, "Invalid momentum value: -0.5"),
    (RMSprop, {"eps": -1}, "Invalid epsilon value: -1"),
    (Momentum, {"nesterov": True, "momentum": 0.0}, "Nesterov momentum requires a momentum"),
    *((optimizer, {"backend": "cuda"}, "unknown backend 'cuda'") for optimizer in ALL),
]


@pytest.mark.parametrize(("optimizer", "options", "words"), WRONG_SETTINGS, ids=label)
def test_wrong_settings(optimizer, options, words):
    with pytest.raises(ValueError, match=words):
        optimizer([scalar()], **options)


@pytest.mark.parametrize(("optimizer", "options", "words"),
                         [row for row in WRONG_SETTINGS if "backend" not in row[1]], ids=label)
def test_wrong_settings_of_a_group(optimizer, options, words):
    with pytest.raises(ValueError, match=words):
        optimizer([{"params": scalar(), **options}])


@every_optimizer
@pytest.mark.parametrize("lr", ["0.1", None, (0.1,), np.array([0.1, 0.2]), 0.1j], ids=str)
def test_a_setting_that_is_no_number(optimizer, lr):
    with pytest.raises(TypeError, match="Invalid learning rate: expected a number"):
        optimizer([scalar()], lr=lr)


@pytest.mark.parametrize(("optimizer", "name"), [
    *((optimizer, "maximize") for optimizer in ALL), (SGD, "nesterov"), (Momentum, "nesterov"),
    (Adagrad, "eps_inside"), (RMSprop, "centered"), (RMSprop, "eps_inside"), (Adam, "amsgrad"),
    (Adam, "eps_hat")], ids=label)
def test_a_switch_is_true_or_false(optimizer, name):
    with pytest.raises(TypeError, match=f"Invalid {name}: expected True or False; got 'no'"):
        optimizer([scalar()], **{name: "no"})


def test_dampening_is_a_number():
    with pytest.raises(TypeError, match="Invalid dampening value: expected a number; got 'a'"):
        SGD([scalar()], momentum=0.9, dampening="a")


@every_optimizer
@pytest.mark.parametrize("number", [np.float32(0.5), np.float64(0.5)], ids=label)
def test_a_setting_may_be_a_numpy_number(optimizer, number):
    """It does not change the dtype of a parameter or the bits of its numbers."""
    weights, gradients = problem(np.float32, steps=3)
    assert bits(trained(optimizer, {"lr": number}, weights, gradients)) == \
        bits(trained(optimizer, {"lr": 0.5}, weights, gradients))


@every_optimizer
def test_a_misspelt_setting_of_a_group(optimizer):
    with pytest.raises(TypeError, match=r"unknown settings \['learning_rate'\]"):
        optimizer([{"params": scalar(), "learning_rate": 0.1}])


def test_a_wrong_group_is_not_added():
    first = scalar()
    descent = SGD([first], lr=1.0)
    for group in ({"params": [scalar(), first]}, {"params": scalar(), "lr": -1}):
        with pytest.raises(ValueError):
            descent.add_param_group(group)
    assert len(descent.param_groups) == 1
    first.grad = np.ones(1)
    descent.step()
    assert first.item() == 0.0


@pytest.mark.skipif(not kernels.why_not_c(), reason="C is there")
def test_c_is_not_replaced_in_silence():
    with pytest.raises(RuntimeError, match='backend "c" is not available'):
        SGD([scalar()], backend="c")


# ---- arrays that do not fit ------------------------------------------------------------


def test_a_gradient_of_another_shape_cannot_be_assigned():
    w = leaf(np.ones((2, 3)))
    with pytest.raises(RuntimeError, match=r"shape \(2, 3\); got \(3, 2\)"):
        w.grad = np.ones((3, 2))
    assert w.grad is None


def test_an_assigned_gradient_takes_the_parameters_dtype():
    w = leaf(np.ones(2, np.float32))
    w.grad = np.ones(2, np.float64)
    assert w.grad.dtype == np.float32
    SGD([w], lr=1.0).step()
    assert w.tolist() == [0, 0]


@every_row
@every_backend
def test_gradients_of_any_layout(optimizer, options, backend):
    """A transposed gradient is read by its indices, not in the order of memory."""
    options = {**options, "backend": backend}
    (w,), gradients = problem(np.float64, steps=3, shapes=[(4, 3)])
    expected = trained(optimizer, options, [w], gradients)
    turned = [[tg.Tensor(np.ascontiguousarray(g.T)).T] for (g,) in gradients]
    assert not turned[0][0].numpy().flags.c_contiguous
    assert bits(trained(optimizer, options, [w], turned)) == bits(expected)


def test_one_gradient_for_two_parameters():
    first, second = leaf(np.ones(2)), leaf(np.ones(2))
    shared = tg.Tensor(np.ones(2))
    take_steps(SGD([first, second], lr=1.0), [first, second], [[shared, shared]])
    assert first.tolist() == second.tolist() == [0, 0]
    assert shared.tolist() == [1, 1]


@every_optimizer
@every_backend
def test_gradients_are_only_read(optimizer, backend):
    parameters = [leaf(np.ones((2, 2))), tg.Value(1.0)]
    gradient = np.full((2, 2), 0.5)
    take_steps(optimizer(parameters, backend=backend, weight_decay=0.1, maximize=True),
               parameters, [[gradient, 0.5]] * 3)
    assert parameters[0].grad.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert parameters[1].grad == 0.5


def read_only():
    w = leaf(np.ones((2, 2)))
    w.numpy().flags.writeable = False
    return w


def overlapping():
    """A leaf on the memory of another one, which it keeps alive."""
    base = tg.Tensor(np.ones(8))
    return [base[0:5].detach(), base[3:8].detach()]


def of_another_layout():
    return tg.Tensor(np.ones((2, 3))).T.detach()


WRONG_ARRAYS = {
    "read-only": (lambda: [read_only()], "must be writable"),
    "not contiguous": (lambda: [of_another_layout()], "must be C-contiguous"),
    "overlapping": (overlapping, "share memory"),
}


@every_optimizer
@every_backend
@pytest.mark.parametrize("name", WRONG_ARRAYS)
def test_a_parameter_that_cannot_be_updated(optimizer, backend, name):
    """It is refused at the step, and the good ones beside it stay as they were."""
    make, words = WRONG_ARRAYS[name]
    parameters = [leaf(np.ones(3, np.float32)), leaf(np.ones(3)), tg.Value(1.0), *make()]
    descent = optimizer(parameters, backend=backend)
    for p in parameters:
        p.grad = np.ones(np.shape(p.data)) if isinstance(p, tg.Tensor) else 1.0
    before = bits(numbers(parameters))
    for _ in range(2):
        with pytest.raises(ValueError, match=words):
            descent.step()
        assert bits(numbers(parameters)) == before
        assert all(state["step"] == 0 for state in descent.state.values())


def test_data_assigned_between_steps():
    w = leaf(np.ones(2))
    descent = SGD([w], lr=1.0, momentum=0.5)
    take_steps(descent, [w], [[np.ones(2)]])
    w.data = [5.0, 7.0]
    descent.step()
    assert w.tolist() == [3.5, 5.5]


# ---- with the graph --------------------------------------------------------------------


@every_optimizer
@every_backend
def test_a_step_is_a_change_in_place(optimizer, backend):
    w = leaf(np.ones(3))
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optimizer([w], backend=backend).step()
    with pytest.raises(RuntimeError, match="'multiply' saved .* modified by an inplace"):
        loss.backward()


def test_a_parameter_that_rested_was_not_changed():
    w, frozen = leaf(np.ones(3)), leaf(np.ones(3))
    loss = (frozen * frozen).sum()
    w.grad = np.ones(3)
    SGD([w, frozen]).step()
    loss.backward()
    assert frozen.grad.tolist() == [2, 2, 2]


def test_a_step_keeps_the_array_and_is_not_recorded():
    w = leaf(np.ones(3))
    array = w.numpy()
    w.grad = np.ones(3)
    SGD([w], lr=1.0).step()
    assert w.numpy() is array
    assert w.is_leaf
    assert w.requires_grad
    assert array.tolist() == [0, 0, 0]


# ---- threads ---------------------------------------------------------------------------


@every_optimizer
@every_backend
def test_two_optimizers_in_two_threads(optimizer, backend):
    options = {"backend": backend}
    problems = [problem(np.float32, shapes=[(50, 7), (9,)], seed=seed) for seed in range(2)]
    expected = [trained(optimizer, options, *one) for one in problems]
    results = [None, None]

    def run(i):
        results[i] = trained(optimizer, options, *problems[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [bits(arrays) for arrays in results] == [bits(arrays) for arrays in expected]


def test_an_optimizer_that_threads_share_loses_no_step():
    w = leaf(np.zeros(1))
    descent = SGD([w], lr=1.0)
    w.grad = np.ones(1)

    def work():
        for _ in range(100):
            descent.step()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.item() == -400.0


def test_a_wrong_rate_in_the_second_group_leaves_the_first_alone():
    first, second = leaf(np.zeros(1)), tg.Value(0.0)
    adam = Adam([{"params": [first]}, {"params": [second]}])
    first.grad, second.grad = np.ones(1), 1.0
    adam.param_groups[1]["lr"] = "x"
    with pytest.raises((TypeError, ValueError)):
        adam.step()
    assert first.item() == 0.0
    assert second.data == 0.0
    assert adam.state == {}

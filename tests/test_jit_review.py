"""tg.jit where memory is shared, where shapes are odd, and where state hides."""

import gc
import threading
import weakref
from functools import partial

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import Tensor, nn, optim
from tinygrad_lite.nn import functional as F
from tinygrad_lite.programs import Jitted
from tinygrad_lite.training import AveragedModel


def numbers(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def assert_replays(function, *batches, tolerance=1e-6):
    """Each of the batches, after two calls with the first one, gives what eager gives."""
    jitted = tg.jit(function)
    for batch in (batches[0], *batches):
        jitted(*batch)
    for batch in batches:
        ours = jitted(*batch)
        theirs = function(*map(Tensor, batch))
        assert type(ours) is type(theirs)
        pairs = zip(ours, theirs) if isinstance(ours, (tuple, list)) else [(ours, theirs)]
        for x, y in pairs:
            assert x.dtype == y.dtype
            np.testing.assert_allclose(x.data, y.data, tolerance, tolerance)
    return jitted.program


# ---- memory ----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [100, 3000, 100_000])
def test_one_number_for_all_in_a_chain(n):
    """Its place is used again by a map behind the last one that reads it."""
    def f(x):
        total = x.mean().broadcast_to((n,))
        a = x * total
        b = x * 2.0
        c = b.exp()
        return a, c * x

    def of_a_part(x):
        y = x.exp()
        return x * y[:1].broadcast_to((n,)) * 1.0

    for function in (f, of_a_part):
        assert_replays(function, *[(numbers(n, seed=i),) for i in range(3)], tolerance=1e-5)


def test_a_relu_of_a_gradient():
    """The product that makes the gradient is not only that of the relu."""
    def final(wrap):
        w, c = nn.Parameter(numbers(4, 3)), Tensor(numbers(5, 3, seed=1))
        optimizer = optim.SGD([w], lr=0.1)

        @wrap
        def step(x):
            optimizer.zero_grad()
            (x @ w * c).sum().backward()
            positive = w.grad.relu()
            optimizer.step()
            return positive

        results = [step(Tensor(numbers(5, 4, seed=i))).data for i in range(5)]
        return [*results, w.grad.data, w.data]

    for ours, theirs in zip(final(tg.jit), final(lambda function: function)):
        np.testing.assert_allclose(ours, theirs, 1e-5, 1e-6)


# ---- odd shapes and dtypes -------------------------------------------------------------


@pytest.mark.parametrize(("shape", "axis"), [
    ((0, 3), 0), ((0,), None), ((3, 0), 1), ((0, 3), (0, 1)), ((2, 0, 3), 1)])
def test_the_mean_of_nothing_is_nan(shape, axis):
    assert_replays(lambda x: (x * 1.0).mean(axis=axis), (np.zeros(shape, "float32"),))


@pytest.mark.parametrize("bias", [(), (1,), (4,)])
def test_a_bias_that_is_repeated(bias):
    w, b = Tensor(numbers(4, 3)), Tensor(numbers(*bias))
    assert_replays(lambda x: F.linear(x, w, b), (numbers(5, 3, seed=1),))


def test_a_layer_of_no_inputs():
    w, b = Tensor(np.zeros((4, 0), "float32")), Tensor(numbers(4))
    assert_replays(lambda x: tg.fused.linear(x, w, b), (np.zeros((2, 3, 0), "float32"),))


def test_a_count_of_batches_in_32_bits():
    layer = nn.BatchNorm1d(3)
    counts = layer.num_batches_tracked = Tensor(np.int32(0))
    jitted = tg.jit(layer)
    for _ in range(5):
        jitted(numbers(4, 3))
    assert counts.item() == 5
    assert "count" not in str(jitted.program)


# ---- what the user does to gradients ---------------------------------------------------


def test_the_array_of_a_gradient_is_exchanged():
    w = nn.Parameter(numbers(3))

    @tg.jit
    def step(x):
        w.grad = None
        (w * x).sum().backward()

    for i in range(6):
        step(numbers(3, seed=i))
        np.testing.assert_array_equal(w.grad.data, numbers(3, seed=i))
        w.grad.data = np.zeros(3)


def test_gradients_change_places():
    """What is held in place of one is the other's at the next call."""
    a, b = nn.Parameter(numbers(3)), nn.Parameter(numbers(3))
    a.grad, b.grad = tg.ones(3), tg.full(3, 2.0)

    @tg.jit
    def step():
        nn.utils.clip_grad_value_([a, b], 5.0)

    for i in range(8):
        step()
        a.grad, b.grad = b.grad, a.grad
        assert [a.grad.data[0], b.grad.data[0]] == ([1, 2] if i % 2 else [2, 1])


def test_a_graph_of_a_gradient_notices_the_next_call():
    w, v = nn.Parameter(numbers(3)), nn.Parameter(numbers(3, seed=1))

    @tg.jit
    def step(x):
        w.grad = None
        (w * x).sum().backward()

    for _ in range(3):
        step(numbers(3))
    penalty = (v * w.grad).sum()
    step(numbers(3, seed=2))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        penalty.backward()


# ---- what is outside -------------------------------------------------------------------


def test_other_parameters_of_a_group_that_the_optimizer_knows_already():
    a, b = nn.Parameter(numbers(3)), nn.Parameter(numbers(3))
    optimizer = optim.SGD([a], lr=1.0)

    def step(x):
        optimizer.zero_grad()
        (a * x + b * x).sum().backward()
        optimizer.step()

    jitted = tg.jit(step)
    x = tg.ones(3)
    for i in range(9):
        if i == 4:
            optimizer.param_groups[0]["params"] = [b]
            step(x)
        else:
            jitted(x)
    np.testing.assert_allclose(a.data, numbers(3) - 4, 1e-6)
    np.testing.assert_allclose(b.data, numbers(3) - 5, 1e-6)


def test_the_graph_may_not_be_written_into_a_tensor_from_outside():
    w, kept = nn.Parameter(numbers(3)), tg.zeros(3)

    @tg.jit
    def part(x):
        kept[:2] = (w * x)[:2]

    @tg.jit
    def whole(x):
        h = kept
        h += w * x

    for f in (part, whole):
        f(numbers(3))
        kept = kept.detach() * 1.0
        with pytest.raises(RuntimeError, match=r"Tensor from outside.*write under no_grad"):
            f(numbers(3))


class Net(nn.Module):
    def __init__(self):
        self.inner = nn.Sequential(nn.Linear(3, 3))
        self.inner.scale = 1.0
        self.settings = {"shift": 0.0, 7: 1.0}


def test_what_is_held_deep_inside():
    net = Net()

    @tg.jit
    def f(x):
        return x * net.inner.scale * net.settings[7] + net.settings["shift"]

    x = np.ones(2, "float32")
    for i in range(20):
        net.inner.scale = 1.0 + i // 15
        net.settings["shift"] = float(i // 10)
        net.settings[7] = 1.0 + i // 5
        assert f(x).data[0] == net.inner.scale * net.settings[7] + net.settings["shift"]
    assert len(f._recordings) == 4


SCALE = 1.0


@pytest.mark.parametrize("wrap", [tg.no_grad(), lambda f: partial(f, shift=0.0)])
def test_a_function_inside_of_a_decorator(wrap):
    global SCALE

    @tg.jit
    @wrap
    def f(x, shift=0.0):
        return x * SCALE + shift

    for i in range(9):
        SCALE = float(i // 3)
        assert f(np.ones(2, "float32")).data[0] == SCALE


def test_an_error_in_a_replay_leaves_the_gradients_cleared():
    w = nn.Parameter(numbers(3, 4))

    @tg.jit
    def step(x, ids):
        w.grad = None
        F.cross_entropy(x @ w, ids).backward()

    for _ in range(4):
        step(numbers(2, 3), np.array([0, 1]))
        assert w.grad is not None
    with pytest.raises(IndexError):
        step(numbers(2, 3), np.array([0, 4]))
    assert w.grad is None


def test_owners_of_methods_are_not_kept():
    class Trainer:
        @tg.jit
        def step(self, x):
            return x * 1.0

    alive = []
    for _ in range(20):
        trainer = Trainer()
        alive.append(weakref.ref(trainer))
        for _ in range(3):
            trainer.step(numbers(2))
    del trainer
    gc.collect()
    assert sum(one() is not None for one in alive) <= Jitted.most


def test_an_average_whose_array_is_exchanged():
    model = nn.Linear(2, 2)
    averaged = AveragedModel(model, decay=0.5)

    @tg.jit
    def step():
        averaged.update_parameters(model)

    for _ in range(5):
        step()
    averaged.module.weight.data = model.weight.data + 1
    step()
    np.testing.assert_allclose(averaged.module.weight.data, model.weight.data + 0.5, 1e-5)


def test_floats_as_arguments():
    f = tg.jit(lambda x, k: abs(x) + 1.0 / k)
    x = np.zeros(1, "float64")
    for _ in range(4):
        for k in (np.inf, -np.inf, np.nan):
            f(x, k)
    assert len(f._recordings) == 3

    signed = tg.jit(lambda x, k: x * k)
    for _ in range(4):
        assert [bool(np.signbit(signed(x, k).data[0])) for k in (0.0, -0.0)] == [False, True]


def test_a_constant_that_is_not_changed_by_the_recorded_call():
    """But by later ones, each of which begins with the constant."""
    v, w = nn.Parameter(numbers(3)), nn.Parameter(numbers(3))

    @tg.jit
    def step(x):
        v.grad = x * 1.0
        w.grad = tg.ones(3)
        nn.utils.clip_grad_norm_([v, w], 3.0)

    for scale in (1.0, 1.0, 10.0, 10.0, 1.0):
        x = np.full(3, scale, "float32")
        step(x)
        norm = np.sqrt(3 * scale ** 2 + 3)
        np.testing.assert_allclose(w.grad.data, min(1.0, 3.0 / norm), 1e-5)


class Holder(nn.Module):
    def __init__(self):
        self.layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
        self.settings = {"scales": [1.0, 2.0]}
        self.log = []

    def forward(self, x):
        for layer, scale in zip(self.layers, self.settings["scales"]):
            x = layer(x) * scale
        return x


def test_lists_and_dicts_of_a_module():
    net, x = Holder(), numbers(3, 2)
    f = tg.jit(lambda x: net(x))

    def check():
        for _ in range(3):
            np.testing.assert_allclose(f(x).data, net(Tensor(x)).data, 1e-5, 1e-6)

    check()
    assert len(f._recordings) == 1
    net.layers.reverse()
    check()
    net.settings["scales"][1] = 3.0
    check()
    net.settings["scales"] = [1.0]
    check()
    for _ in range(9):  # what is only added to is no reason, as long as nothing else changes
        net.log.append(None)
        f(x)
    assert len(f._recordings) == 4


def test_lists_that_a_function_names():
    weights, log = [tg.ones(2), tg.ones(2)], []

    @tg.jit
    def f(x):
        log.append(None)
        return x * weights[0]

    for i in range(12):
        if i % 4 == 0:
            weights[0] = tg.full(2, float(i))
        np.testing.assert_allclose(f(numbers(2)).data, numbers(2) * (i // 4 * 4))
    assert len(f._recordings) == 3
    assert len(log) == 4


def test_lists_and_dicts_that_are_passed_may_be_filled_anew():
    f = tg.jit(lambda batch, pair: batch["x"] * pair[0])
    batch, pair = {}, [None]
    for i in range(6):
        batch["x"], pair[0] = numbers(2, seed=i), numbers(2, seed=i + 9)
        np.testing.assert_array_equal(f(batch, pair).data, batch["x"] * pair[0])
    assert len(f._recordings) == 1


def test_functions_that_train_one_model_in_two_threads_do_not_mix_their_steps():
    """Each step of SGD on a sum of squares halves the weights, whoever takes it."""
    w = Tensor(np.ones(1000), requires_grad=True)
    optimizer = optim.SGD([w], lr=0.25)

    def make():
        @tg.jit
        def step():
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()
        return step

    steps = make(), make()
    for step in steps:
        for _ in range(2):
            step()
    threads = [threading.Thread(target=lambda step=step: [step() for _ in range(20)])
               for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(w.numpy(), 0.5 ** 44)
    assert optimizer.steps_taken == 44


def test_other_parameters_in_place_of_those_of_a_group():
    w = [Tensor(np.ones(3), requires_grad=True) for _ in range(2)]
    optimizer = optim.SGD(w[:1], lr=0.1)

    @tg.jit
    def step():
        optimizer.zero_grad()
        ((w[0] + 2 * w[1]) ** 2).sum().backward()
        optimizer.step()

    for _ in range(4):
        step()
    first = w[0].numpy().copy()
    optimizer.param_groups[0]["params"] = (w[1],)
    for _ in range(4):
        step()
    np.testing.assert_array_equal(w[0].numpy(), first)
    np.testing.assert_allclose(w[0].numpy() + 2 * w[1].numpy(), (first + 2) * 0.2 ** 4)

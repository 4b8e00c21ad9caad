"""tg.jit: a jitted function does what the function does, at every call."""

import copy
import functools
import gc
import os
import pickle
import re
import threading
import tracemalloc
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tg
from tinygrad_lite import Tensor, Value, engine, nn, optim
from tinygrad_lite.nn import functional as F
from tinygrad_lite.optim import lr_scheduler
from tinygrad_lite.training import AveragedModel

DTYPES = ("float32", "float64")
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


# ---- how trainings are compared --------------------------------------------------------


def plain(x):
    """A result without nodes, copied."""
    if isinstance(x, Tensor):
        return np.array(x.data)
    if isinstance(x, Value):
        return x.data
    if isinstance(x, dict):
        return {name: plain(item) for name, item in x.items()}
    if isinstance(x, (tuple, list)):
        return [plain(item) for item in x]
    return x


def state_of(*holders):
    """All numbers that Modules and optimizers hold, gradients among them."""
    found = []
    for x in holders:
        if isinstance(x, nn.Module):
            found.append(x.state_dict())
            found.append([plain(p.grad) for p in x.parameters()])
        elif isinstance(x, optim.Optimizer):
            found.append([list(state.values()) for state in x.state.values()])
            found.append([x.steps_taken, [group["lr"] for group in x.param_groups]])
        else:
            found.append(plain(x))
    return found


def eager(function):
    """The function, called with Tensors as a jitted one would be."""
    @functools.wraps(function)
    def called(*args):
        return function(*[Tensor(x) if isinstance(x, np.ndarray) else x for x in args])
    return called


def run(wrap, make, steps, **options):
    """What a training returns at each step, and the state in the end."""
    tg.manual_seed(0)
    step, batches, *holders = make(**options)
    step = wrap(step)
    results = [plain(step(*batches[i % len(batches)])) for i in range(steps)]
    return results, state_of(*holders)


def assert_close(ours, theirs, tolerance):
    """The same structure of the same numbers, but for a share of the largest, or of 1."""
    ours, theirs = [list(x) if isinstance(x, tuple) else x for x in (ours, theirs)]
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert list(ours) == list(theirs)
        assert_close(list(ours.values()), list(theirs.values()), tolerance)
    elif isinstance(ours, list):
        assert len(ours) == len(theirs)
        for x, y in zip(ours, theirs):
            assert_close(x, y, tolerance)
    elif isinstance(ours, np.ndarray):
        assert ours.dtype == theirs.dtype
        largest = np.abs(theirs).max(initial=1, where=np.isfinite(theirs))
        np.testing.assert_allclose(ours, theirs, tolerance, float(tolerance * largest))
    elif isinstance(ours, float):
        assert ours == pytest.approx(theirs, rel=tolerance, abs=tolerance, nan_ok=True)
    else:
        assert ours == theirs


def assert_same_training(make, steps=100, dtype="float64", most=None, **options):
    """Jitted or not, a training is the same; bit for bit, if it is jitted twice."""
    made = []

    def jitted(function):
        made.append(tg.jit(function))
        return made[-1]

    ours = run(jitted, make, steps, dtype=dtype, **options)
    assert made[0].program is not None
    if most is not None:
        assert len(made[0]._recordings) == most
    assert_close(ours, run(eager, make, steps, dtype=dtype, **options),
                 TOLERANCE[dtype])
    again = run(tg.jit, make, steps, dtype=dtype, **options)
    assert_close(ours, again, 0)


def numbers(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def classes(n, k=3, seed=0):
    return np.random.default_rng(seed).integers(0, k, n)


def batches_of(*shape, dtype, sizes=(8, 8, 5)):
    """Batches of inputs and classes, the last of them smaller."""
    return [(numbers(n, *shape, seed=i, dtype=dtype), classes(n, seed=i))
            for i, n in enumerate(sizes)]


def step_of(model, optimizer, loss=F.cross_entropy):
    """A plain training step."""
    def step(x, y):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value
    return step


def dense(d, *middle):
    return nn.Sequential(nn.Linear(4, 6, dtype=d), *middle, nn.Linear(6, 3, dtype=d))


def images(d, *front, features):
    return nn.Sequential(*front, nn.Flatten(), nn.Linear(features, 3, dtype=d))


# ---- layers ----------------------------------------------------------------------------

ACTIVATIONS = ["ELU", "GELU", "SELU", "Hardtanh", "LeakyReLU", "LogSigmoid", "LogSoftmax",
               "ReLU", "ReLU6", "Sigmoid", "SiLU", "Softmax", "Softplus", "Tanh", "Identity"]


class Held(nn.Module):
    """Layers in a list, a ModuleList and a ModuleDict, one of them twice."""

    def __init__(self, d):
        self.front = [nn.Linear(4, 6, dtype=d)]
        self.middle = nn.ModuleList([nn.Linear(6, 6, dtype=d), nn.Tanh()])
        self.heads = nn.ModuleDict({"a": nn.Linear(6, 3, dtype=d)})

    def forward(self, x):
        x = self.front[0](x)
        for layer in [*self.middle, *self.middle]:
            x = layer(x)
        return self.heads["a"](x)


class Ids(nn.Module):
    def __init__(self, d):
        self.table = nn.Embedding(4, 5, padding_idx=0, dtype=d)
        self.out = nn.Linear(20, 3, dtype=d)

    def forward(self, x):
        return self.out(self.table((x > 0).astype("int64") + (x > 1) * 2).reshape(-1, 20))


VECTORS = {
    "Linear": lambda d: dense(d),
    "Linear-unbiased": lambda d: nn.Linear(4, 3, bias=False, dtype=d),
    **{name: lambda d, name=name: dense(d, getattr(nn, name)()) for name in ACTIVATIONS},
    "GELU-tanh": lambda d: dense(d, nn.GELU("tanh")),
    "BatchNorm1d": lambda d: dense(d, nn.BatchNorm1d(6, dtype=d)),
    "BatchNorm1d-average": lambda d: dense(d, nn.BatchNorm1d(6, momentum=None, dtype=d)),
    "BatchNorm1d-plain": lambda d: dense(d, nn.BatchNorm1d(6, affine=False, dtype=d)),
    "BatchNorm1d-untracked": lambda d: dense(
        d, nn.BatchNorm1d(6, track_running_stats=False, dtype=d)),
    "LayerNorm": lambda d: dense(d, nn.LayerNorm(6, dtype=d)),
    "GroupNorm": lambda d: dense(d, nn.GroupNorm(2, 6, dtype=d)),
    "Dropout": lambda d: dense(d, nn.Dropout(0.3), nn.ReLU(), nn.Dropout(0.0)),
    "lists": Held,
    "Embedding": Ids,
}
IMAGES = {
    "Conv2d": lambda d: images(d, nn.Conv2d(2, 4, 3, padding=1, dtype=d), nn.ReLU(),
                               nn.MaxPool2d(2), features=36),
    "Conv2d-groups": lambda d: images(
        d, nn.Conv2d(2, 4, (3, 2), stride=2, dilation=2, groups=2, bias=False, dtype=d),
        nn.Tanh(), nn.Conv2d(4, 2, 1, dtype=d), features=4),
    "MaxPool2d": lambda d: images(d, nn.MaxPool2d(3, stride=2, padding=1), features=18),
    "AvgPool2d": lambda d: images(d, nn.Conv2d(2, 2, 3, padding="same", dtype=d),
                                  nn.AvgPool2d(3, ceil_mode=True), features=8),
    "AdaptiveAvgPool2d": lambda d: images(d, nn.Conv2d(2, 2, 3, dtype=d),
                                          nn.AdaptiveAvgPool2d((3, 2)), features=12),
    "GlobalAvgPool": lambda d: images(d, nn.Conv2d(2, 5, 3, dtype=d),
                                      nn.AdaptiveAvgPool2d(1), features=5),
    "BatchNorm2d": lambda d: images(d, nn.Conv2d(2, 3, 3, dtype=d), nn.BatchNorm2d(3, dtype=d),
                                    nn.ReLU(), features=48),
    "GroupNorm-2d": lambda d: images(d, nn.Conv2d(2, 4, 3, dtype=d),
                                     nn.GroupNorm(2, 4, dtype=d), features=64),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*VECTORS, *IMAGES])
def test_layers(name, dtype):
    def make(dtype):
        model = (VECTORS | IMAGES)[name](dtype)
        optimizer = optim.SGD(model.parameters(), 0.02, momentum=0.5)
        shape = (4,) if name in VECTORS else (2, 6, 6)
        return (step_of(model, optimizer), batches_of(*shape, dtype=dtype), model, optimizer)

    assert_same_training(make, dtype=dtype, most=2)


def test_every_layer_is_in_the_table():
    tested = {type(module).__name__ for build in (VECTORS | IMAGES).values()
              for module in build("float32").modules()}
    layers = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    losses = {name for name in layers if name.endswith("Loss")}
    assert layers - losses - {"Module", "Parameter"} <= tested


# ---- losses ----------------------------------------------------------------------------


def signs(y):
    return 2.0 * (y > 0) - 1


def soft(y):
    return F.softmax(y + 0.5)


# each makes a loss of the outputs y, targets t of their shape, ids and class weights w
LOSSES = {
    "mse": lambda y, t, ids, w: F.mse_loss(y, t),
    "mse-weighted": lambda y, t, ids, w: F.mse_loss(y, t, weight=t * t),
    "l1": lambda y, t, ids, w: F.l1_loss(y, t, reduction="sum"),
    "huber": lambda y, t, ids, w: F.huber_loss(y, t, delta=0.7),
    "smooth_l1": lambda y, t, ids, w: F.smooth_l1_loss(y, t, beta=0.3),
    "bce": lambda y, t, ids, w: F.binary_cross_entropy(F.sigmoid(y), F.sigmoid(t)),
    "bce-weighted": lambda y, t, ids, w: F.binary_cross_entropy(
        F.sigmoid(y), (t > 0).astype(y.dtype), weight=w),
    "bce-logits": lambda y, t, ids, w: F.binary_cross_entropy_with_logits(y, F.sigmoid(t)),
    "bce-logits-weighted": lambda y, t, ids, w: F.binary_cross_entropy_with_logits(
        y, F.sigmoid(t), pos_weight=w),
    "hinge": lambda y, t, ids, w: F.hinge_loss(y, signs(t)),
    "hinge-embedding": lambda y, t, ids, w: F.hinge_embedding_loss(y, signs(t)),
    "kl": lambda y, t, ids, w: F.kl_div(F.log_softmax(y), soft(t), reduction="batchmean"),
    "kl-log": lambda y, t, ids, w: F.kl_div(F.log_softmax(y), F.log_softmax(t),
                                            log_target=True),
    "nll": lambda y, t, ids, w: F.nll_loss(F.log_softmax(y), ids),
    "nll-weighted": lambda y, t, ids, w: F.nll_loss(F.log_softmax(y), ids, weight=w),
    "cross-entropy": lambda y, t, ids, w: F.cross_entropy(y, ids),
    "cross-entropy-sum": lambda y, t, ids, w: F.cross_entropy(y, ids, reduction="sum"),
    "cross-entropy-none": lambda y, t, ids, w: (
        F.cross_entropy(y, ids, reduction="none") * t[:, 0]).sum(),
    "cross-entropy-ignore": lambda y, t, ids, w: F.cross_entropy(y, ids, ignore_index=1),
    "cross-entropy-weighted": lambda y, t, ids, w: F.cross_entropy(y, ids, weight=w),
    "cross-entropy-smooth": lambda y, t, ids, w: F.cross_entropy(
        y, ids, label_smoothing=0.1, ignore_index=2),
    "cross-entropy-soft": lambda y, t, ids, w: F.cross_entropy(y, soft(t), weight=w,
                                                               label_smoothing=0.2),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, dtype):
    def make(dtype):
        model = dense(dtype, nn.Tanh())
        optimizer = optim.Adam(model.parameters(), 0.01)
        w = Tensor(np.array([0.5, 1.0, 2.0], dtype))

        def step(x, t, ids):
            optimizer.zero_grad()
            loss = LOSSES[name](model(x), t, ids, w)
            loss.backward()
            optimizer.step()
            return loss

        rows = [(numbers(n, 4, seed=n, dtype=dtype), numbers(n, 3, seed=n + 1, dtype=dtype),
                 classes(n, seed=n)) for n in (8, 9, 5)]
        return step, rows, model, optimizer

    assert_same_training(make, dtype=dtype, most=3)


def test_every_loss_is_in_the_table():
    names = {name for name in F.__all__ if name.endswith("_loss") or "entropy" in name
             or name == "kl_div"}
    used = {name for loss in LOSSES.values() for name in loss.__code__.co_names}
    assert names <= used


# ---- optimizers and schedules ----------------------------------------------------------

OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, 0.1),
    "SGD-momentum": lambda p: optim.SGD(p, 0.1, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "SGD-nesterov": lambda p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "SGD-maximize": lambda p: optim.SGD(p, 0.001, maximize=True),
    "Momentum": lambda p: optim.Momentum(p, 0.1),
    "Momentum-nesterov": lambda p: optim.Momentum(p, 0.1, nesterov=True, weight_decay=0.1),
    "Adagrad": lambda p: optim.Adagrad(p, 0.1, lr_decay=0.1),
    "Adagrad-inside": lambda p: optim.Adagrad(p, 0.1, initial_accumulator_value=1.0,
                                              eps_inside=True),
    "Adadelta": lambda p: optim.Adadelta(p, weight_decay=0.01),
    "RMSprop": lambda p: optim.RMSprop(p, 0.01),
    "RMSprop-centered": lambda p: optim.RMSprop(p, 0.01, centered=True, momentum=0.5),
    "Adam": lambda p: optim.Adam(p, 0.01),
    "Adam-amsgrad": lambda p: optim.Adam(p, 0.01, amsgrad=True, weight_decay=0.1),
    "Adam-eps_hat": lambda p: optim.Adam(p, 0.01, eps_hat=True, maximize=True),
    "AdamW": lambda p: optim.AdamW(p, 0.01, weight_decay=0.1),
    "Adam-numpy": lambda p: optim.Adam(p, 0.01, backend="numpy"),
    "groups": lambda p: optim.Adam([{"params": (p := list(p))[:1], "lr": 0.1, "amsgrad": True},
                                    {"params": p[1:]}], 0.01),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name, dtype):
    def make(dtype):
        model = dense(dtype, nn.ReLU())
        optimizer = OPTIMIZERS[name](model.parameters())
        return step_of(model, optimizer), batches_of(4, dtype=dtype), model, optimizer

    assert_same_training(make, dtype=dtype, most=2)


def test_every_optimizer_is_in_the_table():
    kinds = {type(make([Tensor([1.0], requires_grad=True), Value(1.0)])).__name__
             for make in OPTIMIZERS.values()}
    assert set(optim.__all__) - {"Optimizer", "lr_scheduler"} <= kinds


SCHEDULES = {
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 30),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=200),
    "sequence": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=5), lr_scheduler.ExponentialLR(o, 0.9)],
        [5]),
}


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name, inside):
    def make(dtype):
        model = dense(dtype, nn.ReLU())
        optimizer = optim.Adam(model.parameters(), 0.01)
        scheduler = SCHEDULES[name](optimizer)
        inner = step_of(model, optimizer)

        def step(x, y):
            loss = inner(x, y)
            if inside:
                scheduler.step()
            return loss

        rates = []
        return step, batches_of(4, dtype=dtype), model, optimizer, scheduler, rates

    def stepping(wrap, make, dtype):
        tg.manual_seed(0)
        step, batches, model, optimizer, scheduler, rates = make(dtype)
        step = wrap(step)
        for i in range(50):
            step(*batches[i % 3])
            if not inside:
                scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
        return state_of(model, optimizer, rates)

    ours, theirs = (stepping(wrap, make, "float64") for wrap in (tg.jit, eager))
    assert_close(ours, theirs, 1e-10)
    assert len(set(ours[-1])) > 10


def test_a_rate_changed_by_hand_counts_from_the_next_call():
    assert_followed(lambda case, i: case.optimizer.param_groups[0].update(lr=0.1 / (i + 1)),
                    recordings=1)


# ---- what happens between calls --------------------------------------------------------


class Case:
    """A net in training, one of a pair: jitted or not."""

    def __init__(self, wrap, optimizer=None, middle=()):
        tg.manual_seed(0)
        self.model = dense("float64", nn.Tanh(), *middle)
        self.optimizer = (optimizer or OPTIMIZERS["SGD-momentum"])(self.model.parameters())
        self.step = wrap(step_of(self.model, self.optimizer))
        self.x, self.y = numbers(8, 4), classes(8)


def assert_followed(change, recordings=None, steps=12, **options):
    """What changes between calls makes the same difference, jitted or not."""
    pair = [Case(wrap, **options) for wrap in (tg.jit, eager)]
    for i in range(steps):
        losses = []
        for case in pair:
            if i >= 3:
                change(case, i)
            losses.append(plain(case.step(case.x, case.y)))
        assert_close(*losses, 1e-10)
        assert_close(*[state_of(case.model, case.optimizer) for case in pair], 1e-10)
    if recordings is not None:
        assert len(pair[0].step._recordings) == recordings
    return pair[0]


def first(case):
    return next(case.model.parameters())


def at(n, change):
    """A change that happens once."""
    return lambda case, i: change(case) if i == n else None


def set_data(case):
    first(case).data = numbers(6, 4, seed=5)


def set_in_place(case):
    with tg.no_grad():
        first(case)[1:3] = 0.5
        case.model[2].bias += 1.0


def set_attribute(case):
    case.model[0].bias = None


def load_state(case):
    case.model.load_state_dict({name: array * 0.5
                                for name, array in case.model.state_dict().items()})


def load_optimizer(case):
    case.optimizer.load_state_dict(case.optimizer.state_dict())
    case.optimizer.param_groups[0]["lr"] = 0.01


def replace_optimizer_state(case):
    state = case.optimizer.state_dict()
    for entry in state["state"].values():
        entry["b"] *= 0.5
    case.optimizer.load_state_dict(state)


def freeze(case):
    case.model[0].requires_grad_(False)


def freeze_and_thaw(case, i):
    case.model[0].requires_grad_(i % 4 < 2)


def add_group(case):
    p = Tensor(numbers(3), requires_grad=True)
    case.optimizer.add_param_group({"params": [p], "lr": 0.3})
    p.grad = Tensor(numbers(3, seed=1))


def add_layer(case):
    tg.manual_seed(1)
    case.model.last = nn.Linear(3, 3, dtype="float64")


def hook(case):
    first(case).register_hook(lambda g: g * 0.5)


def hook_for_a_while(case, i):
    if i == 5:
        case.handle = first(case).register_hook(lambda g: g * 0.5)
    if i == 8:
        case.handle.remove()


def drop_gradients(case, i):
    if i % 2:
        case.model.zero_grad()


def set_gradients(case, i):
    for p in case.model.parameters():
        p.grad = None if i % 3 == 0 else Tensor(np.full(p.shape, float(i)))


CHANGES = {
    "data": at(4, set_data),
    "in place": at(4, set_in_place),
    "attribute": at(4, set_attribute),
    "load_state_dict": at(4, load_state),
    "optimizer.load_state_dict": at(4, load_optimizer),
    "optimizer's state": at(4, replace_optimizer_state),
    "requires_grad": at(4, freeze),
    "requires_grad, back and forth": freeze_and_thaw,
    "add_param_group": at(4, add_group),
    "another layer": at(4, add_layer),
    "hook": at(4, hook),
    "hook for a while": hook_for_a_while,
    "gradients dropped": drop_gradients,
    "gradients set": set_gradients,
    "momentum to 0": at(4, lambda case: case.optimizer.param_groups[0].update(momentum=0.0)),
    "weight_decay": at(4, lambda case: case.optimizer.param_groups[0].update(weight_decay=0.5)),
    "nesterov": at(4, lambda case: case.optimizer.param_groups[0].update(dampening=0.0,
                                                                         nesterov=True)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_between_calls(name):
    assert_followed(CHANGES[name])


@pytest.mark.parametrize("settings", [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}])
def test_settings_that_need_other_arrays(settings):
    assert_followed(at(5, lambda case: case.optimizer.param_groups[0].update(settings)),
                    optimizer=OPTIMIZERS["SGD"])


def test_amsgrad_switched_on():
    assert_followed(at(5, lambda case: case.optimizer.param_groups[0].update(amsgrad=True)),
                    optimizer=OPTIMIZERS["Adam"])


def test_the_probability_of_dropout_changes():
    def change(case, i):
        case.model[2].p = 0.1 * (i % 3)
    finals = []  # the two draw from one generator, so they go one after the other
    for wrap in (tg.jit, eager):
        case = Case(wrap, middle=[nn.Dropout(0.5)])
        for i in range(12):
            change(case, i)
            case.step(case.x, case.y)
        finals.append(state_of(case.model))
    assert_close(*finals, 1e-10)


@pytest.mark.parametrize("inside", [False, True])
def test_modes_switch_between_recordings(inside):
    """Batch norm and dropout; the mode is set outside, or by the functions themselves."""
    finals = []
    for wrap in (tg.jit, eager):
        case = Case(wrap, middle=[nn.BatchNorm1d(6, dtype="float64"), nn.Dropout(0.2)])
        model = case.model

        @wrap
        def evaluated(x, model=model):
            if inside:
                model.eval()
            with tg.no_grad():
                return model(x)

        outputs = []
        for i in range(12):
            model.train()
            case.step(case.x, case.y)
            if not inside:
                model.eval()
            outputs.append(plain(evaluated(case.x)))
            assert not model[0].training
            if i % 3 == 0:
                outputs.append(plain(case.step(case.x, case.y)))
        finals.append([outputs, state_of(model, case.optimizer)])
    assert_close(*finals, 1e-10)


SCALE = 1.0


def test_variables_from_outside():
    """Those that the function itself names: of its module, and of functions around it."""
    global SCALE
    shift, w = 0.0, Tensor([1.0, 2.0])
    calls = []

    @tg.jit
    def f(x):
        calls.append(None)
        return [(x * SCALE + shift) * w for _ in range(1)][0]

    x = np.array([1.0, 1.0], "float32")
    for i in range(12):
        SCALE = [1.0, 2.0][i // 6]
        shift = [0.0, 3.0][i // 3 % 2]
        if i == 11:
            w = Tensor([5.0, 6.0])
        expected = (x * SCALE + shift) * w.data
        np.testing.assert_array_equal(f(x).data, expected)
    SCALE, shift, w = 1.0 * len(x) / 2, shift - shift, w
    assert len(calls) == 6
    assert f(x).data.tolist() == [5.0, 6.0]


def test_attributes_of_what_a_function_names():
    class Trainer:
        def __init__(self):
            self.scale, self.w, self.epoch = 1.0, Tensor([1.0, 2.0]), 0

        @tg.jit
        def step(self, x):
            return x * self.scale * self.w + config.shift

    config = SimpleNamespace(shift=0.0)
    trainer = Trainer()
    x = np.array([1.0, 1.0], "float32")
    for i in range(12):
        trainer.epoch += 1
        trainer.scale = [1.0, 2.0][i // 6]
        config.shift = [0.0, 3.0][i // 3 % 2]
        if i == 11:
            trainer.w = Tensor([5.0, 6.0])
        expected = x * trainer.scale * trainer.w.data + config.shift
        np.testing.assert_array_equal(trainer.step(x).data, expected)
    assert len(trainer.step._recordings) == 5


def test_variables_that_the_function_assigns():
    h, config, total = tg.zeros(2), SimpleNamespace(calls=0), 0

    @tg.jit
    def carries(x):
        nonlocal h
        h = (h + x).detach()
        return h

    @tg.jit
    def counts(x):
        config.calls += 1
        return x

    @tg.jit
    def adds(x):
        global SCALE
        SCALE += 1
        return x

    @tg.jit
    def only_assigns(x):
        nonlocal total
        total = len(x)
        return x * 1

    x = np.ones(2, "float32")
    for f, name in ((carries, "h"), (counts, "calls"), (adds, "SCALE")):
        f(x)
        with pytest.raises(RuntimeError, match=f"assigning '{name}'"):
            f(x)
        assert f.program is None
    for _ in range(3):
        only_assigns(x)
    assert total == 2
    assert only_assigns.program is not None


def test_evaluation_keeps_no_graph():
    model = dense("float32", nn.ReLU())

    @tg.jit
    def evaluated(x):
        return model(x)

    x = numbers(5, 4, dtype="float32")
    for _ in range(4):
        with tg.no_grad():
            y = evaluated(x)
        np.testing.assert_allclose(y.data, model(x).data, rtol=1e-6, atol=1e-7)
        assert not y.requires_grad
        assert y.is_leaf
    for _ in range(4):  # the graph is recorded, but nothing is left of it
        assert not evaluated(x).requires_grad


# ---- what a step may do ----------------------------------------------------------------


def clip(parameters, i):
    return [lambda: nn.utils.clip_grad_norm_(parameters, 0.05),
            lambda: nn.utils.clip_grad_norm_(parameters, 0.05, 1.0),
            lambda: nn.utils.clip_grad_norm_(parameters, 0.5, float("inf")),
            lambda: nn.utils.clip_grad_norm_(parameters, 1e3),
            lambda: nn.utils.clip_grad_value_(parameters, 0.01)][i]()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", range(5))
def test_clipping(way, dtype):
    def make(dtype):
        model = dense(dtype, nn.Tanh())
        optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)
        parameters = list(model.parameters())

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            norm = clip(parameters, way)
            after = nn.utils.get_total_norm([p.grad for p in parameters])
            optimizer.step()
            return loss, norm, after

        return step, batches_of(4, dtype=dtype), model, optimizer

    assert_same_training(make, dtype=dtype, most=2)


def test_clipping_a_norm_that_is_nan():
    w = Tensor([1.0, 2.0], requires_grad=True)

    @tg.jit
    def step(x):
        w.grad = None
        (w * x).sum().backward()
        return nn.utils.clip_grad_norm_([w], 1.0)

    for x in ([3.0, 4.0], [3.0, 4.0], [np.nan, 1.0], [3.0, 4.0], [0.3, 0.4]):
        x = np.array(x, "float32")
        norm = step(x).item()
        np.testing.assert_allclose(norm, np.linalg.norm(x), rtol=1e-6)
        expected = np.full(2, np.nan) if np.isnan(norm) else x / max(norm, 1)
        np.testing.assert_allclose(w.grad.data, expected, rtol=1e-5)


@pytest.mark.parametrize("to_none", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_gradients_add_up_over_several_calls(inside, to_none):
    """Every fourth batch the optimizer steps, in or outside of a jitted function."""
    finals = []
    for wrap in (tg.jit, eager):
        case = Case(eager)
        model, optimizer = case.model, case.optimizer

        @wrap
        def add(x, y, model=model):
            loss = F.cross_entropy(model(x), y) / 4
            loss.backward()
            return loss

        def update(optimizer=optimizer):
            optimizer.step()
            optimizer.zero_grad(set_to_none=to_none)

        update = wrap(update) if inside else update
        losses = []
        for i in range(40):
            losses.append(plain(add(numbers(5, 4, seed=i), classes(5, seed=i))))
            if i % 4 == 3:
                update()
        finals.append([losses, state_of(model, optimizer)])
    assert_close(*finals, 1e-10)


@pytest.mark.parametrize("to_none", [False, True])
def test_a_step_may_clear_at_its_end_or_in_place(to_none):
    def make(dtype):
        model = dense(dtype, nn.Tanh())
        optimizer = optim.Adam(model.parameters(), 0.01)

        def step(x, y):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=to_none)
            return loss

        return step, batches_of(4, dtype=dtype), model, optimizer

    assert_same_training(make)


@pytest.mark.parametrize("decay", [None, 0.9])
@pytest.mark.parametrize("inside", [False, True])
def test_averages_of_weights(inside, decay):
    finals = []
    for wrap in (tg.jit, eager):
        case = Case(eager, middle=[nn.BatchNorm1d(6, dtype="float64")])
        average = AveragedModel(case.model, decay=decay)
        inner = case.step

        def step(x, y, inner=inner, average=average, model=case.model):
            loss = inner(x, y)
            if inside:
                average.update_parameters(model)
            return loss

        step = wrap(step)
        evaluate = wrap(average.forward)
        outputs = []
        for i in range(20):
            step(case.x, case.y)
            if not inside:
                average.update_parameters(case.model)
            if i % 5 == 0:
                with tg.no_grad():
                    outputs.append(plain(evaluate(case.x)))
        finals.append([outputs, state_of(average.module, case.model), average.n_averaged])
    assert_close(*finals, 1e-10)


def test_two_models_and_optimizers_in_one_step():
    """A generator and a critic, which trains twice with its own optimizer."""
    def make(dtype):
        maker = nn.Sequential(nn.Linear(2, 6, dtype=dtype), nn.Tanh(),
                              nn.Linear(6, 4, dtype=dtype))
        critic = nn.Sequential(nn.Linear(4, 6, dtype=dtype), nn.LeakyReLU(0.2),
                               nn.Linear(6, 1, dtype=dtype))
        first = optim.Adam(maker.parameters(), 0.01, (0.5, 0.9))
        second = optim.RMSprop(critic.parameters(), 0.01)
        bce = F.binary_cross_entropy_with_logits

        def step(z, x):
            losses = []
            for _ in range(2):
                second.zero_grad()
                fake = maker(z).detach()
                loss = bce(critic(x), tg.ones(8, 1, dtype=dtype)) \
                    + bce(critic(fake), tg.zeros(8, 1, dtype=dtype))
                loss.backward()
                second.step()
                losses.append(loss)
            first.zero_grad()
            loss = bce(critic(maker(z)), tg.ones(8, 1, dtype=dtype))
            loss.backward()
            first.step()
            return {"critic": losses, "maker": loss, "none": None}

        rows = [(numbers(8, 2, seed=i, dtype=dtype), numbers(8, 4, seed=i + 9, dtype=dtype))
                for i in range(4)]
        return step, rows, maker, critic, first, second

    assert_same_training(make)


def test_second_derivatives_inside_a_step():
    """The gradient penalty, through create_graph, tg.grad and backward."""
    def make(dtype):
        model = nn.Sequential(nn.Linear(4, 6, dtype=dtype), nn.Tanh(),
                              nn.Linear(6, 1, dtype=dtype))
        optimizer = optim.Adam(model.parameters(), 0.01)

        def step(x, y):
            optimizer.zero_grad()
            x.requires_grad_()
            out = model(x)
            (slope,) = tg.grad(out.sum(), x, create_graph=True)
            penalty = ((slope * slope).sum(axis=1) - 1) ** 2
            loss = F.mse_loss(out[:, 0], y.astype(dtype)) + penalty.mean()
            loss.backward(create_graph=True)
            again = sum((p.grad * p.grad).sum() for p in model.parameters())
            slopes = tg.grad(again, list(model.parameters()))
            for p, g in zip(model.parameters(), slopes):
                p.grad = p.grad.detach() + 0.01 * g
            optimizer.step()
            return loss, slopes[0]

        return step, batches_of(4, dtype=dtype), model, optimizer

    assert_same_training(make, steps=40)


def test_a_closure_that_the_optimizer_calls():
    def make(dtype):
        model = dense(dtype)
        optimizer = optim.SGD(model.parameters(), 0.1)

        def step(x, y):
            def closure():
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                return loss
            return optimizer.step(closure)

        return step, batches_of(4, dtype=dtype), model, optimizer

    assert_same_training(make, steps=20)


def test_hooks_and_kept_gradients():
    def make(dtype):
        model = dense(dtype, nn.Tanh())
        optimizer = optim.SGD(model.parameters(), 0.1)
        model[0].weight.register_hook(lambda g: g * 2)
        model[2].bias.register_hook(lambda g: None)

        def step(x, y):
            optimizer.zero_grad()
            h = model[1](model[0](x))
            h.retain_grad()
            h.register_hook(lambda g: g.clip(-0.1, 0.1))
            loss = F.cross_entropy(model[2](h), y)
            loss.backward()
            optimizer.step()
            return loss, h.grad, model[0].weight.grad

        return step, batches_of(4, dtype=dtype), model, optimizer

    assert_same_training(make, steps=20)


def test_parameters_without_a_gradient_rest():
    def make(dtype):
        model = dense(dtype, nn.Tanh())
        optimizer = optim.Adam(model.parameters(), 0.01)

        def step(x, y):
            optimizer.zero_grad()
            with tg.no_grad():
                h = model[0](x)
            loss = F.cross_entropy(model[2](h), y)
            loss.backward()
            optimizer.step()
            return loss

        return step, batches_of(4, dtype=dtype), model, optimizer

    assert_same_training(make, steps=20, most=2)


def test_buffers_written_in_place():
    def make(dtype):
        buffer = Tensor(np.zeros((3, 4), dtype))
        count = Tensor(np.array(0))
        table = Tensor(np.arange(12.0).reshape(3, 4))

        def step(x):
            nonlocal_view = buffer[1:]
            with tg.no_grad():
                buffer[0] = x.mean(axis=0)
                nonlocal_view += x[:2] * 0.5
                buffer[:, 1] = 2.0
                count.__iadd__(1)
                table[[2, 0]] = x[:2] + table[1]
            fresh = tg.zeros(4, dtype=dtype)
            fresh += x.sum(axis=0)
            fresh[0] = 1
            other = Tensor(np.ones(4, dtype))
            other *= fresh
            return buffer * 1, buffer.T @ x[:3], fresh, other, nonlocal_view.sum()

        return step, [(numbers(5, 4, seed=i),) for i in range(3)], buffer, count, table

    assert_same_training(make, steps=20)


def test_in_place_changes_that_the_graph_records():
    def make(dtype):
        w = Tensor(numbers(4, dtype=dtype), requires_grad=True)

        def step(x):
            w.grad = None
            y = x * w
            y *= w
            y[1] = w.sum()
            y += 1
            (y * y).sum().backward()
            with tg.no_grad():
                w.__isub__(0.001 * w.grad)
            return y

        return step, [(numbers(4, seed=i),) for i in range(3)], w

    assert_same_training(make, steps=20)


def test_a_graph_from_outside_notices_what_a_replay_writes():
    buffer = Tensor([1.0, 2.0])
    w = Tensor([3.0, 4.0], requires_grad=True)

    @tg.jit
    def write(x):
        with tg.no_grad():
            buffer[...] = x

    for _ in range(3):
        y = (w * buffer).sum()
        write(np.array([5.0, 6.0], "float32"))
        with pytest.raises(RuntimeError, match="inplace"):
            y.backward()


def test_logical_operators_and_bounds():
    def make(dtype):
        low = Tensor(np.zeros(4, dtype))

        def step(x):
            mask = (x > -1) & ~(x > 1) | (x == 0)
            held = x.clip(low, 0.5)
            with tg.no_grad():
                low[...] = held * 0.1
            return mask, mask.astype("int8"), held, x[0] * mask

        return step, [(numbers(4, seed=i),) for i in range(5)], low

    assert_same_training(make, steps=20)


def test_places_of_the_largest():
    @tg.jit
    def places(x):
        return F.max_pool2d(x, 2, return_indices=True)

    for i in range(4):
        x = numbers(1, 1, 4, 4, seed=i)
        for got, wanted in zip(places(x), F.max_pool2d(x, 2, return_indices=True)):
            np.testing.assert_array_equal(got.data, wanted)


def test_vectors_of_parameters():
    def make(dtype):
        model = dense(dtype)

        def step(x, y):
            model.zero_grad()
            F.cross_entropy(model(x), y).backward()
            vector = nn.utils.parameters_to_vector(model.parameters())
            slope = nn.utils.parameters_to_vector([p.grad for p in model.parameters()])
            nn.utils.vector_to_parameters(vector - 0.1 * slope, model.parameters())
            return vector.detach()

        return step, batches_of(4, dtype=dtype), model

    assert_same_training(make, steps=20)


LAYOUTS = [lambda x: (x[:, :3].T @ x).T, lambda x: tg.broadcast_to(x[0][:, None], (4, 3)),
           lambda x: (x.T @ x[:, :3])[::-1], lambda x: x[:4, :3],
           lambda x: tg.concatenate([x, x])[:8:2, 1:]]


@pytest.mark.parametrize("clips", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients_of_any_layout(layout, clips):
    """The user may set a gradient that is a view of something else."""
    def make(dtype):
        w = Tensor(numbers(4, 3, dtype=dtype), requires_grad=True)
        optimizer = optim.SGD([w], 0.1, momentum=0.9)

        def step(x):
            w.grad = layout(x)
            if clips:
                nn.utils.clip_grad_value_([w], 0.5)
            optimizer.step()
            return w.grad

        return step, [(numbers(5, 4, seed=i, dtype=dtype),) for i in range(3)], [w], optimizer

    assert_same_training(make, steps=20)


def test_parameters_of_several_kinds_and_two_steps_in_one():
    def make(dtype):
        a = Tensor(numbers(3, dtype="float32"), requires_grad=True)
        b = Tensor(numbers(3, dtype=dtype), requires_grad=True)
        v = Value(1.5)
        optimizer = optim.Adam([{"params": [a, v]}, {"params": [b], "lr": 0.1}], 0.01,
                               amsgrad=True)

        def step(x):
            optimizer.zero_grad()
            y = ((a * x + b) ** 2).sum() * v
            y.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
            ((a * x + b) ** 2).mean().backward()
            optimizer.step()
            return y

        return step, [(numbers(3, seed=i),) for i in range(3)], [a, b, v], optimizer

    assert_same_training(make, steps=30)


def test_gradients_made_outside_are_read():
    pair = []
    for wrap in (tg.jit, eager):
        w = Tensor(numbers(3), requires_grad=True)

        @wrap
        def norm(w=w):
            return nn.utils.get_total_norm([w.grad]), w.grad * 2

        pair.append((w, norm))
    for i in range(6):
        results = []
        for w, norm in pair:
            if i % 2:
                w.grad = None
            (w * numbers(3, seed=i)).sum().backward()
            results.append([*plain(norm()), plain(w.grad)])
        assert_close(*results, 1e-12)


def test_a_net_through_time():
    """Sequences of two lengths, whose last state is where the next call begins."""
    def make(dtype):
        into, on, out = [nn.Linear(n, m, dtype=dtype) for n, m in ((3, 5), (5, 5), (5, 2))]
        model = nn.ModuleList([into, on, out])
        start = Tensor(np.zeros((4, 5), dtype))
        optimizer = optim.RMSprop(model.parameters(), 0.01)

        def step(x, y):
            optimizer.zero_grad()
            h, loss = start, 0
            for t in range(x.shape[1]):
                h = tg.tanh(into(x[:, t]) + on(h))
                loss = loss + F.cross_entropy(out(h), y[:, t])
            loss.backward()
            optimizer.step()
            with tg.no_grad():
                start[...] = h.detach()
            return loss

        rows = [(numbers(4, t, 3, seed=t, dtype=dtype), classes(4 * t, 2).reshape(4, t))
                for t in (3, 6)]
        return step, rows, model, optimizer, start

    assert_same_training(make, steps=40, most=2)


def test_attention():
    def make(dtype):
        q, k, v = [nn.Linear(6, 6, bias=False, dtype=dtype) for _ in range(3)]
        norm, table = nn.LayerNorm(6, dtype=dtype), nn.Embedding(5, 6, dtype=dtype)
        out = nn.Linear(6, 5, dtype=dtype)
        model = nn.ModuleList([q, k, v, norm, table, out])
        optimizer = optim.AdamW(model.parameters(), 0.01)
        later = np.triu(np.full((4, 4), -np.inf, dtype), 1)

        def step(ids):
            optimizer.zero_grad()
            x = table(ids)
            scores = tg.einsum("bic,bjc->bij", q(x), k(x)) / 6 ** 0.5 + later
            x = norm(x + scores.softmax(-1) @ v(x))
            loss = F.cross_entropy(out(F.dropout(x, 0.1)).reshape(-1, 5), ids.reshape(-1))
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss, scores

        rows = [(classes(12, 5, seed=i).reshape(3, 4),) for i in range(3)]
        return step, rows, model, optimizer

    assert_same_training(make, steps=60)


def test_integers_and_booleans():
    def f(x, m):
        return (x * 2, x > 3, m & (x > 1), (x * m).sum(), x.argmax(), tg.where(m, x, -x),
                x.max(), x.mean(), x / 2, tg.prod(x), x.cumsum(), abs(-x), x ** 2,
                x[m.size // 2:], ~m, x.astype("float64"))

    jitted = tg.jit(f)
    for i in range(5):
        arrays = np.arange(6) + i, np.arange(6) % 2 == i % 2
        assert_close(plain(jitted(*arrays)), plain(f(*map(Tensor, arrays))), 0)


def test_states_of_any_layout():
    def make(dtype):
        a = tg.as_tensor(np.asfortranarray(numbers(3, 4, dtype=dtype)))
        b = tg.as_tensor(numbers(6, 4, seed=1, dtype=dtype)[::2])

        def step(x):
            with tg.no_grad():
                a[...] = a * 0.5 + x
                b[0] = a[1] + 0.5 * b[1]
            return (a + b).exp(), a.T @ x, b.sum(axis=1)

        return step, [(numbers(3, 4, seed=i, dtype=dtype),) for i in range(3)], a, b

    assert_same_training(make, steps=12)


def test_a_view_of_a_parameter_is_changed():
    def make(dtype):
        w = Tensor(numbers(4, 4, dtype=dtype), requires_grad=True)
        top = w.detach()[:2]
        optimizer = optim.Adam([w], 0.1)

        def step(x):
            optimizer.zero_grad()
            loss = ((x @ w) ** 2).mean()
            loss.backward()
            optimizer.step()
            with tg.no_grad():
                top.__imul__(0.9)
            return loss, top.sum()

        return step, [(numbers(3, 4, seed=i, dtype=dtype),) for i in range(3)], [w], optimizer

    assert_same_training(make, steps=20)


def test_a_graph_from_outside():
    w = Tensor(numbers(3), requires_grad=True)
    h = (w * w).exp()

    def f(x):
        w.grad = None
        (h * x).sum().backward(retain_graph=True)
        return w.grad

    jitted = tg.jit(f)
    for i in range(4):
        x = numbers(3, seed=i)
        assert_close(plain(jitted(x)), plain(f(Tensor(x))), 1e-12)


def test_both_modes_in_one_step():
    finals = []
    for wrap in (tg.jit, eager):
        tg.manual_seed(0)
        model = dense("float64", nn.BatchNorm1d(6, dtype="float64"), nn.Dropout(0.5))

        @wrap
        def outputs(x, model=model):
            first = model.train()(x)
            return first, model.eval()(x)

        found = []
        for i in range(10):
            if i in (4, 5):
                model.train()
            found.append(plain(outputs(numbers(5, 4, seed=i))))
            assert not model.training
        finals.append([found, state_of(model)])
    assert_close(*finals, 1e-12)


def test_what_is_made_inside_is_new_at_each_call():
    """Leaves, layers without random numbers, running statistics."""
    def make(dtype):
        model = dense(dtype)

        def step(x, y):
            shift = Tensor(np.zeros((1, 4), dtype), requires_grad=True)
            scale = Value(1.5)
            out = nn.ReLU()(model(x + shift)) * scale
            loss = nn.CrossEntropyLoss()(nn.BatchNorm1d(3, dtype=dtype)(out), y)
            loss.backward()
            mean, var = Tensor(np.zeros(3, dtype)), Tensor(np.ones(3, dtype))
            F.batch_norm(out.detach(), mean, var, training=True)
            shift.grad += 1
            return loss, shift.grad, scale.grad, mean, var

        return step, batches_of(4, dtype=dtype), model

    assert_same_training(make, steps=12)


@pytest.mark.parametrize("n", [0, 1])
def test_batches_of_no_or_one_sample(n):
    def make(dtype):
        model = dense(dtype, nn.Tanh())
        optimizer = optim.SGD(model.parameters(), 0.1)
        loss = functools.partial(F.cross_entropy, reduction="sum")
        return (step_of(model, optimizer, loss), batches_of(4, dtype=dtype, sizes=(n,)), model,
                optimizer)

    assert_same_training(make, steps=6)


# ---- arguments and results -------------------------------------------------------------

Point = namedtuple("Point", "x y")


def test_structures_go_in_and_come_out():
    @tg.jit
    def f(pair, *, scale=1, options=None):
        a, b = pair
        return Point(a + b, {"list": [a * scale, None, "text", 3], "flag": options["on"]})

    for i in range(5):
        a, b = numbers(3, seed=i), numbers(3, seed=i + 1)
        got = f(Point(a, b), scale=2, options={"on": True})
        assert isinstance(got, Point)
        np.testing.assert_array_equal(got.x.data, a + b)
        np.testing.assert_array_equal(got.y["list"][0].data, 2 * a)
        assert got.y["list"][1:] == [None, "text", 3]
        assert got.y["flag"] is True
    assert len(f._recordings) == 1
    assert f([a, b], scale=3, options={"on": False}).y["flag"] is False
    assert f((a, b), options={"on": True}).y["list"][0].data.tolist() == a.tolist()


def test_results_are_copies():
    w = Tensor([1.0, 2.0])

    @tg.jit
    def f(x):
        return x, w, x[:1], x

    x = np.array([3.0, 4.0], "float32")
    kept = []
    for i in range(4):
        results = f(x + i)
        for y in results:
            assert not np.may_share_memory(y.data, w.data)
            kept.append((y, y.data.copy()))
        results[0].data[...] = 9
        kept[-4:] = [(y, y.data.copy()) for y in results]
    for y, before in kept:
        np.testing.assert_array_equal(y.data, before)
    assert w.data.tolist() == [1, 2]


def test_arguments_are_copies():
    @tg.jit
    def f(x):
        x *= 2
        return x

    x = np.ones(3)
    t = Tensor(x)
    for _ in range(4):
        assert f(x).data.tolist() == [2, 2, 2]
        assert f(t).data.tolist() == [2, 2, 2]
    assert x.tolist() == t.data.tolist() == [1, 1, 1]


def test_arrays_of_any_layout():
    @tg.jit
    def f(x):
        return x * 2

    for i in range(5):
        x = numbers(3, 4, seed=i)
        for y in (x, x.T.copy().T, np.asfortranarray(x), x[::-1], x.astype(">f8"),
                  Tensor(x), Tensor(x).T.T, np.broadcast_to(x[:1], (3, 4))):
            np.testing.assert_array_equal(f(y).data, 2 * np.asarray(y))


@pytest.mark.filterwarnings("ignore:tg.jit has recorded")
def test_arguments_of_many_kinds_of_numbers():
    @tg.jit
    def f(x):
        return x + 1

    for _ in range(3):
        for dtype in ("float16", "float32", "float64", "int64", "int8", "uint8"):
            y = f(np.arange(3, dtype=dtype))
            assert y.dtype == dtype
            assert y.data.tolist() == [1, 2, 3]
            assert f(np.array(2, dtype)).item() == 3
        assert f(np.zeros((0, 2))).shape == (0, 2)
        assert f(np.float64(2.5)) == 3.5
        assert f(2) == 3


def test_gradients_of_arguments_are_handed_back():
    weight = Tensor([2.0, 3.0], requires_grad=True)

    def f(x, v):
        y = (weight * x).sum() * v
        y.backward()
        return y

    jitted = tg.jit(f)
    x, v = Tensor([1.0, -1.0], requires_grad=True), Value(2.0)
    for i in range(5):
        weight.grad = None
        jitted(x, v)
        np.testing.assert_allclose(x.grad.data, (i + 1) * 2 * weight.data)
        assert v.grad == (i + 1) * -1.0
        np.testing.assert_allclose(weight.grad.data, 2 * x.data)
    x.grad = None
    jitted(x, v)
    np.testing.assert_allclose(x.grad.data, 2 * weight.data)
    with pytest.raises(RuntimeError, match="multiply.*detach"):
        jitted(x * 2, v)
    assert jitted((x * 2).detach(), v).shape == ()


def test_methods_and_modules():
    class Trainer:
        def __init__(self, scale):
            self.scale = scale

        @tg.jit
        def step(self, x):
            """Multiply."""
            return x * self.scale

    x = np.ones(2)
    two, three = Trainer(2), Trainer(3)
    for _ in range(4):
        assert two.step(x).data.tolist() == [2, 2]
        assert three.step(x).data.tolist() == [3, 3]
    assert two.step.program is not None
    assert Trainer.step.__doc__ == "Multiply."
    model = nn.Linear(2, 2, dtype="float64")
    forward = tg.jit(model)
    for _ in range(4):
        np.testing.assert_allclose(forward(x).data, model(x).data)
    model.weight = nn.Parameter(np.eye(2))
    np.testing.assert_allclose(forward(x).data, model(x).data)


def test_a_jitted_function_inside_another():
    model = dense("float64", nn.Tanh())

    @tg.jit
    def loss_of(x, y):
        return F.cross_entropy(model(x), y)

    @tg.jit
    def step(x, y):
        model.zero_grad()
        loss = loss_of(x, y) + loss_of(np.ones((2, 4)), np.array([0, 1]))
        loss.backward()
        return loss

    x, y = numbers(8, 4), classes(8)
    for _ in range(4):
        loss = step(x, y)
        wanted = F.cross_entropy(model(x), y) + F.cross_entropy(model(np.ones((2, 4))),
                                                                np.array([0, 1]))
        np.testing.assert_allclose(loss.data, wanted.data)
        grads = tg.grad(wanted, list(model.parameters()))
        for p, g in zip(model.parameters(), grads):
            np.testing.assert_allclose(p.grad.data, g.data, atol=1e-15)
    assert loss_of.program is None


def test_the_kinds_of_arguments_and_results_that_there_are_not():
    with pytest.raises(TypeError, match="function"):
        tg.jit(3)
    with pytest.raises(TypeError, match="generator"):
        tg.jit(lambda: (yield))
    f = tg.jit(lambda x: x)
    with pytest.raises(TypeError, match="set"):
        f({1, 2})
    for _ in range(2):
        with pytest.raises(TypeError, match="object"):
            f(object())
    with pytest.raises(TypeError, match="missing"):
        f()
    assert engine._mode.tracer is None


# ---- recordings ------------------------------------------------------------------------


def test_recordings_are_bounded_and_can_be_forgotten():
    calls = []

    @tg.jit
    def f(x):
        calls.append(x.shape)
        return x * 2

    assert f.program is None
    f(np.ones(3))
    assert f.program is None
    f(np.ones(3))
    program = f.program
    assert program is not None
    assert len(calls) == 2
    f(np.ones(3))
    assert f.program is program
    assert len(calls) == 2
    for n in range(12):
        for _ in range(3):
            assert f(np.ones(n)).shape == (n,)
    assert len(f._recordings) == 8
    before = len(calls)
    f(np.ones(11))
    f(np.ones(4))  # the oldest that is left
    assert len(calls) == before
    f(np.ones(3))  # known, but no longer there: recorded at once
    assert len(calls) == before + 1
    f.clear()
    assert f.program is None
    assert not f._recordings
    f(np.ones(11))
    assert f.program is None
    assert len(calls) == before + 2


def test_recordings_made_in_vain_give_a_warning():
    shift = 0.0

    @tg.jit
    def f(x):
        return x + shift

    def g():
        return f(np.ones(1))

    for _ in range(9):
        shift += 1
        g()
    shift += 1
    with pytest.warns(UserWarning, match=r"recorded f\(\) 9 times.*'shift'") as caught:
        assert g().item() == 11
    assert caught[0].filename == __file__
    for _ in range(3):
        f(np.ones(1))  # the last one is of use
    shift += 1
    f(np.ones(1))


def test_numbers_that_change_at_each_call_are_not_remembered_for_ever():
    f = tg.jit(lambda x, scale: x * scale)
    for i in range(200):
        assert f(np.ones(1), i / 7).item() == i / 7
    assert len(f._seen) <= 64


def test_the_program_is_listed():
    model = dense("float32", nn.ReLU())
    step = tg.jit(step_of(model, optim.Adam(model.parameters())))
    for _ in range(2):
        step(numbers(8, 4, dtype="float32"), classes(8))
    text = str(step.program)
    assert "linear" in text
    assert "[8, 6]" in text
    assert "adam" in text


def test_copies_have_recordings_of_their_own():
    model = nn.Linear(2, 2)
    model.fast = tg.jit(model.forward)
    x = numbers(3, 2, dtype="float32")
    for _ in range(3):
        model.fast(x)
    twin = copy.deepcopy(model)
    assert twin.fast.program is None
    with tg.no_grad():
        twin.weight *= 2
    for _ in range(3):
        np.testing.assert_allclose(twin.fast(x).data, twin(x).data, rtol=1e-6)
    assert pickle.loads(pickle.dumps(tg.jit(F.relu)))(np.array([-1.0])).data.tolist() == [0]


def test_memory_does_not_grow():
    model = dense("float32", nn.BatchNorm1d(6), nn.Dropout(0.1), nn.ReLU())
    optimizer = optim.Adam(model.parameters())
    step = tg.jit(step_of(model, optimizer))
    x, y = numbers(8, 4, dtype="float32"), classes(8)
    for _ in range(20):
        step(x, y)
    gc.collect()
    tracemalloc.start()
    for _ in range(100):
        step(x, y)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(2000):
        step(x, y)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 4000


@pytest.mark.filterwarnings("ignore:tg.jit has recorded")
def test_recording_again_and_again_keeps_nothing():
    model = nn.Linear(4, 3)
    step = tg.jit(step_of(model, optim.SGD(model.parameters())))
    x, y = numbers(8, 4, dtype="float32"), classes(8)

    def record(times):
        for _ in range(times):
            model.weight.data = model.weight.data
            step(x, y)
        gc.collect()
        return len(gc.get_objects())

    record(20)
    before = record(20)
    assert record(40) < before + 200


# ---- errors while a call is under way --------------------------------------------------

TABLE = Tensor(numbers(5, 3), requires_grad=True)
HALVES, LOGITS, IDS = np.full(4, 0.5), numbers(4, 3), np.array([0, 1, 2, 0])

# a function of two arrays, arrays that it takes, and others that it refuses
WRONG = {
    "bce": (F.binary_cross_entropy, (HALVES, HALVES), (HALVES + 1, HALVES)),
    "bce-target": (F.binary_cross_entropy, (HALVES, HALVES), (HALVES, -HALVES)),
    "hinge": (F.hinge_loss, (HALVES, HALVES * 2), (HALVES, HALVES)),
    "hinge-embedding": (F.hinge_embedding_loss, (HALVES, HALVES * 2), (HALVES, HALVES)),
    "ids": (F.cross_entropy, (LOGITS, IDS), (LOGITS, IDS + 1)),
    "negative ids": (F.cross_entropy, (LOGITS, IDS), (LOGITS, IDS - 1)),
    "smooth": (functools.partial(F.cross_entropy, label_smoothing=0.1), (LOGITS, IDS),
               (LOGITS, IDS + 1)),
    "int8": (F.cross_entropy, (LOGITS, IDS.astype("int8")), (LOGITS, (IDS - 1).astype("int8"))),
    "nll": (F.nll_loss, (LOGITS, IDS), (LOGITS, IDS + 1)),
    "embedding": (lambda x, ids: F.embedding(ids, TABLE) * x, (np.ones(3), IDS),
                  (np.ones(3), IDS + 3)),
    "negative rows": (lambda x, ids: F.embedding(ids, TABLE) * x, (np.ones(3), IDS),
                      (np.ones(3), IDS - 1)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_inputs_are_refused_by_replays_too(name):
    function, good, bad = WRONG[name]

    def step(x, y):
        TABLE.grad = None
        loss = function(x, y).sum() + TABLE.sum()
        loss.backward()
        return loss, TABLE.grad

    jitted = tg.jit(step)
    for _ in range(3):
        expected = plain(jitted(*good))
    with pytest.raises(Exception, match=r"\w") as error:
        step(*map(Tensor, bad))
    for _ in range(2):
        with pytest.raises(error.type, match=re.escape(str(error.value))):
            jitted(*bad)
    assert_close(plain(jitted(*good)), expected, 0)


def test_an_error_in_a_replay_leaves_all_in_order():
    case = Case(tg.jit)
    wrong = case.y.copy()
    wrong[3] = 7
    for _ in range(3):
        case.step(case.x, case.y)
    before = state_of(case.optimizer)
    weights = case.model.state_dict()
    with pytest.raises(IndexError):
        case.step(case.x, wrong)
    assert_close(state_of(case.optimizer), before, 0)
    assert_close(case.model.state_dict(), weights, 0)
    twin = Case(eager)
    for _ in range(3):
        twin.step(twin.x, twin.y)
    for _ in range(3):
        case.step(case.x, case.y)
        twin.step(twin.x, twin.y)
    assert_close(state_of(case.model, case.optimizer), state_of(twin.model, twin.optimizer),
                 1e-10)


def test_an_error_while_recording_leaves_all_in_order():
    case = Case(eager)
    fails = True

    @tg.jit
    def step(x, y):
        loss = case.step(x, y)
        if fails:
            raise KeyError("mine")
        return loss

    for _ in range(4):
        with pytest.raises(KeyError, match="mine"):
            step(case.x, case.y)
        assert engine._mode.tracer is None
        assert not engine._mode.jitted
        assert gc.isenabled()
    assert step.program is None
    fails = False
    twin = Case(eager)
    for _ in range(4):
        twin.step(twin.x, twin.y)
    for _ in range(4):
        assert_close(plain(step(case.x, case.y)), plain(twin.step(twin.x, twin.y)), 1e-10)
    assert_close(state_of(case.model, case.optimizer), state_of(twin.model, twin.optimizer),
                 1e-10)


# ---- refusals --------------------------------------------------------------------------

T = Tensor([1.0, 2.0])
V = Value(3.0)
MODEL = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
OPTIMIZER = optim.SGD([Tensor([1.0], requires_grad=True)])
SCHEDULER = lr_scheduler.StepLR(OPTIMIZER, 1)
PLATEAU = lr_scheduler.ReduceLROnPlateau(OPTIMIZER)
MODEL_STATE, OPTIMIZER_STATE = MODEL.state_dict(), OPTIMIZER.state_dict()
LOADER = tg.data.DataLoader(np.ones((4, 2)))
HELD = np.zeros(2)


class Remembers(nn.Module):
    last = None

    def forward(self, x):
        self.last = x
        return x


class Counts(nn.Module):
    def __init__(self):
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x


REMEMBERS, COUNTS = Remembers(), Counts()

# what is refused, a word of the message, and a function of a Tensor (2,) that does it
REFUSALS = [
    ("item", lambda x: x.sum().item()),
    ("float", lambda x: x * float(x[0])),
    ("int", lambda x: x * int(x[0])),
    ("branch", lambda x: x if x.sum() > 0 else -x),
    ("branch", lambda x: x.sum() and x),
    ("branch", lambda x: max(x[0], x[1])),
    (r"numpy\(\)", lambda x: x + x.numpy()),
    ("array made of", lambda x: x + np.asarray(x)),
    (r"\.data", lambda x: x + x.data),
    (r"\.data", lambda x: setattr(T, "data", [3.0, 4.0])),
    ("tolist", lambda x: x.tolist()),
    ("'in'", lambda x: x * (1.0 in x)),
    ("index made of", lambda x: x[(x > 0)]),
    ("index made of", lambda x: x[(x > 1).astype("int64"), None]),
    ("index made of", lambda x: tg.take(x, x.argmax().reshape(1))),
    ("index", lambda x: [1, 2, 3][x.argmax()]),
    ("made of a node", lambda x: Tensor(x)),
    ("made of a node", lambda x: nn.Parameter(x)),
    ("array made of|made of a node", lambda x: tg.full(2, x[0])),
    ("float|item", lambda x: Value(x[0])),
    ("text", lambda x: print(x)),
    ("text", lambda x: f"{x}"),
    ("item", lambda x: f"{x.sum():.3f}"),
    ("copy of a node", lambda x: copy.deepcopy(T)),
    ("copy of a node", lambda x: copy.copy(T)),
    ("into an array", lambda x: np.add(HELD, x, out=HELD)),
    ("into an array", lambda x: HELD.__isub__(x)),
    ("as_tensor", lambda x: tg.as_tensor(np.zeros(2)).__iadd__(x)),
    (r"\.data", lambda x: V.data * x),
    (r"\.data", lambda x: setattr(V, "data", 2.0)),
    ("float", lambda x: float(V) * x),
    ("branch", lambda x: x if V > 1 else -x),
    ("branch", lambda x: x * max(V, Value(2.0))),
    ("item", lambda x: V.item() * x),
    ("text", lambda x: repr(V)),
    (r"rand\(\)", lambda x: x + tg.rand(2)),
    (r"randn\(\)", lambda x: x + tg.randn(2)),
    ("initialiser", lambda x: nn.init.normal_(T)),
    ("initialiser", lambda x: nn.Linear(2, 2)(x)),
    ("manual_seed", lambda x: tg.manual_seed(0)),
    ("random state", lambda x: tg.set_rng_state(tg.get_rng_state())),
    ("DataLoader", lambda x: [x + a for (a,) in LOADER]),
    ("random", lambda x: tg.data.moons(4)),
    (r"state_dict\(\)", lambda x: MODEL.state_dict()),
    ("load_state_dict", lambda x: MODEL.load_state_dict(MODEL_STATE)),
    (r"state_dict\(\)", lambda x: OPTIMIZER.state_dict()),
    ("load_state_dict", lambda x: OPTIMIZER.load_state_dict(OPTIMIZER_STATE)),
    ("add_param_group", lambda x: OPTIMIZER.add_param_group({"params": [x]})),
    ("ReduceLROnPlateau", lambda x: PLATEAU.step(1.0)),
    ("behind", lambda x: [OPTIMIZER.step(), SCHEDULER.step(), OPTIMIZER.step()]),
    ("nonfinite", lambda x: nn.utils.clip_grad_norm_([T], 1.0, error_if_nonfinite=True)),
    ("assigning a setting of SGD", lambda x: OPTIMIZER.param_groups[0].update(
        lr=OPTIMIZER.param_groups[0]["lr"] * 0.9)),
    ("assigning .last of Remembers", lambda x: REMEMBERS(x)),
    ("assigning .calls of Counts", lambda x: COUNTS(x)),
    ("deleting", lambda x: [setattr(REMEMBERS, "new", 1), delattr(REMEMBERS, "new")]),
]


def without_result(function):
    """The function, which then returns nothing that a jitted one may not return."""
    @functools.wraps(function)
    def called(x):
        function(x)
    return called


@pytest.mark.parametrize(("word", "function"), REFUSALS,
                         ids=[f"{i}-{word}" for i, (word, _) in enumerate(REFUSALS)])
def test_refusals(word, function):
    jitted = tg.jit(without_result(function))
    x = np.array([1.0, 2.0], "float32")
    jitted(x)
    line = function.__code__.co_firstlineno
    for _ in range(2):
        with pytest.raises(RuntimeError, match=rf"{word}.* cannot be replayed by tg.jit "
                                               rf"\(test_jit.py:({line}|\d+)\)"):
            jitted(x)
        assert engine._mode.tracer is None
        assert jitted.program is None
    function(Tensor(x))  # outside of a recording nothing is refused


def test_saving_is_refused(tmp_path):
    @tg.jit
    def step(x):
        tg.save(tmp_path / "x.npz", {"x": x})

    step(np.ones(2))
    with pytest.raises(RuntimeError, match="saving a node"):
        step(np.ones(2))
    assert tg.load(tmp_path / "x.npz")["x"].tolist() == [1, 1]


def test_a_refusal_names_the_line():
    @tg.jit
    def step(x):
        y = x * 2
        if y.sum() > 0:  # this one
            y = -y
        return y

    step(np.ones(2))
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    line = next(i for i, text in enumerate(lines, 1) if "# this one" in text)
    with pytest.raises(RuntimeError, match=rf"branch.*test_jit.py:{line}\)"):
        step(np.ones(2))


def test_a_refusal_leaves_gradients_of_values_as_floats():
    a = Value(2.0)

    @tg.jit
    def step():
        (a * a).backward()
        return a.item()

    for i in range(4):
        if i == 0:
            assert step() == 2.0
        else:
            with pytest.raises(RuntimeError, match="item"):
                step()
        assert type(a.grad) is float
        assert a.grad == 4.0 * (i + 1)


# ---- Values ----------------------------------------------------------------------------


class Neuron(nn.Module):
    def __init__(self, n, rng, nonlinear=True):
        self.w = [Value(rng.uniform(-1, 1)) for _ in range(n)]
        self.b = Value(0.0)
        self.nonlinear = nonlinear

    def forward(self, x):
        total = sum((w * z for w, z in zip(self.w, x)), self.b)
        return total.relu() if self.nonlinear else total


class Net(nn.Module):
    """micrograd's MLP."""

    def __init__(self, sizes, seed=0):
        rng = np.random.default_rng(seed)
        self.layers = [[Neuron(n, rng, m != sizes[-1]) for _ in range(m)]
                       for n, m in zip(sizes, sizes[1:])]

    def forward(self, x):
        for layer in self.layers:
            x = [neuron(x) for neuron in layer]
        return x[0] if len(x) == 1 else x


@pytest.mark.parametrize("name", ["SGD", "SGD-momentum", "Adam-amsgrad", "RMSprop-centered"])
def test_nets_of_values(name):
    points = numbers(6, 2).tolist()
    labels = [1.0, -1.0] * 3

    def make(dtype):  # noqa: ARG001  # Values have one
        net = Net([2, 4, 1])
        optimizer = OPTIMIZERS[name](net.parameters())

        def step():
            optimizer.zero_grad()
            scores = [net(list(map(Value, x))) for x in points]
            losses = [(1 - y * s).relu() for y, s in zip(labels, scores)]
            loss = sum(losses) * (1 / len(losses)) + 1e-4 * sum(p * p for p in net.parameters())
            loss.backward()
            optimizer.step()
            return loss

        return step, [()], net, optimizer

    assert_same_training(make, steps=30, most=1)


def test_values_as_arguments_and_leaves():
    a, b = Value(2.0), Value(-3.0)

    @np.errstate(all="ignore")
    def f(x, y):
        a.grad = b.grad = 0.0
        z = (a * x + b / y).tanh() ** 2 + a ** b + (x > y) * a
        z.backward()
        return z, x + y

    jitted = tg.jit(f)
    for i in range(6):
        a.data, b.data = 1.5 + i, 0.5 - i
        x, y = [Value(z, requires_grad=False) for z in (0.3 * i + 0.1, 1.5 - i)]
        got = plain(jitted(x, y)), a.grad, b.grad
        assert type(a.grad) is float
        wanted = plain(f(x, y)), a.grad, b.grad
        assert_close(got, wanted, 1e-13)
    assert len(jitted._recordings) == 1


def test_functions_of_values():
    def f(x):
        y = x.exp() + (x * x + 1).log() + (x * x).sqrt() + x.sin() * x.cos() + x.sigmoid()
        y = y + abs(x) + tg.where(x > 0, x, 2 * x) + x.detach() * x
        (slope,) = tg.grad(y, x, create_graph=True)
        (curve,) = tg.grad(slope, x)
        return y, slope, curve

    jitted = tg.jit(f)
    for i in range(6):
        x = Value(0.7 * i - 1.5)
        assert_close(plain(jitted(x)), plain(f(x)), 1e-12)


def test_gradients_of_values_add_up():
    finals = []
    for wrap in (tg.jit, eager):
        a, b = Value(2.0), Value(3.0)

        @wrap
        def add(a=a, b=b):
            y = a * b
            y.backward()
            return y

        for i in range(8):
            if i == 5:
                a.grad = 0.0
            if i == 6:
                b.grad = None
            add()
            a.data = a.data + 1
        finals.append([a.grad, b.grad])
    assert_close(*finals, 0)


def test_values_meet_tensors():
    def make(dtype):
        w, v = Tensor(numbers(3, dtype=dtype), requires_grad=True), Value(0.5)
        optimizer = optim.SGD([w, v], 0.01, momentum=0.5)

        def step(x):
            optimizer.zero_grad()
            y = (x * w * v).sum() + v * 2 + v.exp() * w[0]
            y.backward()
            norm = nn.utils.clip_grad_norm_([w, v], 1.0)
            optimizer.step()
            return y, norm

        return step, [(numbers(3, seed=i),) for i in range(3)], [w, v], optimizer

    assert_same_training(make, steps=40)


@pytest.mark.parametrize("act", [
    lambda optimizer, p: nn.utils.clip_grad_value_(p, 0.5),
    lambda optimizer, p: nn.utils.clip_grad_norm_(p, 0.5),
    lambda optimizer, p: optimizer.zero_grad(set_to_none=False),
])
def test_passes_over_gradients_of_values(act):
    finals = []
    for wrap in (tg.jit, eager):
        a, b = Value(2.0), Value(3.0)

        optimizer = optim.SGD([a, b])

        @wrap
        def step(a=a, b=b, optimizer=optimizer):
            (a * b).backward()
            act(optimizer, [a, b])

        for _ in range(5):
            step()
            a.data *= 0.9
        finals.append([a.grad, b.grad])
    assert_close(*finals, 1e-15)


# ---- random programs -------------------------------------------------------------------

UNARY = [tg.exp, tg.tanh, tg.sigmoid, tg.relu, tg.sin, tg.abs, F.softplus, F.gelu,
         lambda a: a.softmax(-1), lambda a: a.T, lambda a: a.reshape(-1).reshape(a.shape),
         lambda a: a[::-1], lambda a: a - a.mean(axis=0), lambda a: a.cumsum(axis=0),
         lambda a: a * a.max(), lambda a: a.detach(), lambda a: tg.flip(a, axis=1),
         lambda a: tg.concatenate([a[1:], a[:1]]), lambda a: a / (1 + a * a)]
BINARY = [tg.add, tg.subtract, tg.multiply, tg.maximum, tg.minimum, lambda a, b: a @ b,
          lambda a, b: tg.where(a > b, a, b * 2), lambda a, b: a * b.sum(axis=1, keepdims=True),
          lambda a, b: a + b[0], lambda a, b: a * b.mean(), lambda a, b: a / (2 + b * b)]


@st.composite
def programs(draw, unary=UNARY, binary=BINARY, most=10):
    """Steps of a program that begins with three nodes: an op, and which results it reads."""
    steps = []
    for n in range(draw(st.integers(1, most))):
        some = st.integers(0, n + 2)
        if draw(st.booleans()):
            steps.append((draw(st.sampled_from(unary)), draw(some)))
        else:
            steps.append((draw(st.sampled_from(binary)), draw(some), draw(some)))
    return steps


@settings(max_examples=60, deadline=None)
@given(steps=programs(), n=st.integers(1, 5), dtype=st.sampled_from(DTYPES))
def test_random_programs(steps, n, dtype):
    w = Tensor(numbers(n, n, seed=7, dtype=dtype), requires_grad=True)
    buffer = Tensor(numbers(n, n, seed=8, dtype=dtype))

    def f(x):
        w.grad = None
        found = [x, w, buffer]
        for op, *places in steps:
            found.append(op(*[found[i] for i in places]))
        y = found[-1].tanh().sum() + w.sum() * 0
        y.backward()
        with tg.no_grad():
            buffer[...] = found[-1].tanh()
        return found[-1], y, w.grad

    jitted = tg.jit(f)
    for i in range(4):
        x = numbers(n, n, seed=i, dtype=dtype)
        before = buffer.numpy().copy()
        got, written = plain(jitted(x)), buffer.numpy().copy()
        buffer.numpy()[...] = before
        assert_close([got, written], [plain(f(Tensor(x))), buffer.numpy()], TOLERANCE[dtype])
    assert len(jitted._recordings) == 1


@settings(max_examples=40, deadline=None)
@given(steps=programs(), n=st.integers(1, 4))
def test_second_derivatives_of_random_programs(steps, n):
    w = Tensor(numbers(n, n, seed=7), requires_grad=True)

    def f(x):
        w.grad = None
        found = [x, w, x * w]
        for op, *places in steps:
            found.append(op(*[found[i] for i in places]))
        y = found[-1].tanh().sum() + w.sum() * 0
        (slope,) = tg.grad(y, w, create_graph=True)
        ((slope * slope).sum() + y).backward()
        return slope, w.grad

    jitted = tg.jit(f)
    for i in range(4):
        x = numbers(n, n, seed=i)
        assert_close(plain(jitted(x)), plain(f(Tensor(x))), 1e-9)


OF_ONE_VALUE = [
    tg.exp, tg.tanh, tg.relu, tg.sigmoid, tg.sin, abs, F.softplus, F.gelu, F.leaky_relu, F.elu,
    F.silu, lambda a: -a, lambda a: a ** 2, lambda a: a ** 3, lambda a: 2 ** a,
    lambda a: 1 / (1 + a * a), lambda a: a.detach() * 2, lambda a: (a > 0) * a,
    lambda a: tg.clip(a, -0.5, 1), lambda a: tg.clip(a, min=0.1), lambda a: a - 1.5,
]
OF_TWO_VALUES = [
    tg.add, tg.subtract, tg.multiply, tg.maximum, tg.minimum, lambda a, b: a / (1 + b * b),
    lambda a, b: tg.where(a < b, a, b * 2), lambda a, b: (a * a + 1) ** b.tanh(),
]


@np.errstate(all="ignore")
@settings(max_examples=60, deadline=None)
@given(steps=programs(OF_ONE_VALUE, OF_TWO_VALUES, 20), twice=st.booleans())
def test_random_programs_of_values(steps, twice):
    w, v = Value(0.7), Value(-0.3)

    def f(x):
        w.grad, v.grad = 0.0, None
        found = [x, w, v]
        for op, *places in steps:
            found.append(op(*[found[i] for i in places]))
        y = found[-1].tanh() + w * 0
        if twice:
            (slope,) = tg.grad(y, w, create_graph=True)
            y = y + slope * slope
        y.backward()
        return y, w.grad, v.grad

    jitted = tg.jit(f)
    for i in range(4):
        x = Value(0.3 * i - 0.5, requires_grad=False)
        w.data = w.data + 0.1
        assert_close(plain(jitted(x)), plain(f(x)), 1e-9)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_random_changes_of_gradients(data):
    """Whatever sequence of calls finds gradients there or not, they add up."""
    pair = []
    for wrap in (tg.jit, eager):
        w = Tensor(numbers(3), requires_grad=True)

        @wrap
        def add(x, w=w):
            (w * x).sum().backward()

        @wrap
        def step(x, w=w):
            w.grad = None
            (w * w * x).sum().backward()
            return w.grad

        @wrap
        def halve(w=w):
            if w.grad is not None:
                w.grad *= 0.5

        pair.append((w, add, step, halve))
    for i in range(data.draw(st.integers(5, 20))):
        choice = data.draw(st.sampled_from(["add", "step", "halve", "none", "set"]))
        x = numbers(3, seed=i)
        for w, add, step, halve in pair:
            if choice == "add":
                add(x)
            elif choice == "step":
                step(x)
            elif choice == "halve":
                halve()
            else:
                w.grad = None if choice == "none" else Tensor(x)
        ours, theirs = (plain(w.grad) for w, *_ in pair)
        assert_close(ours, theirs, 1e-12)


# ---- threads and processes -------------------------------------------------------------


def in_threads(functions):
    """Run them all at once; the first error is raised."""
    errors = []

    def guarded(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_one_function_from_several_threads():
    model = dense("float64", nn.Tanh())
    f = tg.jit(lambda x: model(x))

    def call(seed):
        for i in range(100):
            x = numbers(3 + i % 2, 4, seed=seed * 1000 + i)
            with tg.no_grad():
                np.testing.assert_allclose(f(x).data, model(x).data, rtol=1e-12, atol=1e-14)

    in_threads([functools.partial(call, seed) for seed in range(4)])


def test_any_number_of_c_threads_gives_the_same_bits():
    finals = []
    before = tg.get_num_threads()
    try:
        for threads in (1, 2, 3):
            tg.set_num_threads(threads)
            tg.manual_seed(0)
            model = nn.Sequential(nn.Linear(90, 210), nn.BatchNorm1d(210), nn.ReLU(),
                                  nn.Linear(210, 130), nn.ReLU(), nn.Linear(130, 10))
            step = tg.jit(step_of(model, optim.Adam(model.parameters())))
            x, y = numbers(70, 90, dtype="float32"), classes(70, 10)
            finals.append([[plain(step(x, y)) for _ in range(6)], state_of(model)])
    finally:
        tg.set_num_threads(before)
    assert_close(finals[1], finals[0], 0)
    assert_close(finals[2], finals[0], 0)


def test_functions_of_their_own_in_several_threads():
    alone = Case(eager)
    for _ in range(60):
        alone.step(alone.x, alone.y)
    cases = [Case(tg.jit) for _ in range(4)]

    def train(case):
        for _ in range(60):
            case.step(case.x, case.y)

    in_threads([functools.partial(train, case) for case in cases])
    for case in cases:
        assert_close(state_of(case.model, case.optimizer),
                     state_of(alone.model, alone.optimizer), 1e-10)


def test_a_thread_that_records_does_not_disturb_the_others():
    case = Case(tg.jit)
    eager = Tensor([1.0, 2.0], requires_grad=True)
    entered, done = threading.Event(), threading.Event()

    @tg.jit
    def slow(x):
        entered.set()
        done.wait(10)
        return x * 2

    def others():
        entered.wait(10)
        for _ in range(5):
            case.step(case.x, case.y)
            assert float((eager * 2).sum()) == 6.0
        done.set()

    def records():
        for _ in range(3):
            assert slow(np.ones(2)).data.tolist() == [2, 2]

    in_threads([records, others])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_after_a_fork():
    case, twin = Case(tg.jit), Case(eager)
    for _ in range(4):
        case.step(case.x, case.y)
        twin.step(twin.x, twin.y)
    held = threading.Event()
    release = threading.Event()

    def hold():
        with case.step._lock:
            held.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    child = os.fork()
    if child == 0:  # the thread that holds the lock is not there
        status = 1
        try:
            for _ in range(4):
                case.step(case.x, case.y)
                twin.step(twin.x, twin.y)
            assert_close(state_of(case.model), state_of(twin.model), 1e-10)
            status = 0
        finally:
            os._exit(status)
    release.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for _ in range(4):
        case.step(case.x, case.y)
        twin.step(twin.x, twin.y)
    assert_close(state_of(case.model), state_of(twin.model), 1e-10)


# ---- backends --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["numpy", "python"])
def test_other_backends(name):
    """They replay too, in NumPy's forms; and a recording stays right if the backend changes."""
    def make(dtype):
        model = nn.Sequential(nn.Conv2d(1, 2, 2, dtype=dtype), nn.BatchNorm2d(2, dtype=dtype),
                              nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                              nn.Linear(2, 3, dtype=dtype))
        optimizer = optim.Adam(model.parameters(), 0.01)

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            return loss, norm

        return step, batches_of(1, 3, 3, dtype=dtype, sizes=(4, 4)), model, optimizer

    with tg.backend(name):
        assert_same_training(make, steps=12)
    theirs = run(eager, make, 12, dtype="float64")
    switched = []

    def switching(function):
        jitted = tg.jit(function)

        def called(*args):
            switched.append(None)
            with tg.backend(["numpy", tg.get_backend(), name][len(switched) % 3]):
                return jitted(*args)
        return called

    assert_close(run(switching, make, 12, dtype="float64"), theirs, 1e-10)

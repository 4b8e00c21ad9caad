"""ModuleList and ModuleDict: what they hold, under which names, and what they refuse."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tg
from tinygrad_lite import nn


def dense(n=3):
    return [nn.Linear(i + 1, 1) for i in range(n)]


def held(container):
    return list(container.children())


class Net(nn.Module):
    """Both kinds, one inside the other."""

    def __init__(self):
        self.blocks = nn.ModuleList([nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Tanh()})
                                     for _ in range(2)])

    def forward(self, x):
        for block in self.blocks:
            for layer in block.values():
                x = layer(x)
        return x


NAMES = ["blocks.0.a.weight", "blocks.0.a.bias", "blocks.1.a.weight", "blocks.1.a.bias"]


# ---- as Modules ------------------------------------------------------------------------


def test_names_of_parameters():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert list(net.state_dict()) == NAMES
    assert [name for name, _ in net.named_modules()] == [
        "", "blocks", "blocks.0", "blocks.0.a", "blocks.0.b", "blocks.1", "blocks.1.a",
        "blocks.1.b"]


def test_train_eval_and_state():
    net, other = Net(), Net()
    net.eval()
    assert not any(module.training for module in net.modules())
    other.load_state_dict(net.state_dict())
    x = np.ones((1, 2), np.float32)
    np.testing.assert_array_equal(other(x).numpy(), net(x).numpy())
    other(x).sum().backward()
    assert all(p.grad is not None for p in other.parameters())
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
                         ids=["deepcopy", "pickle"])
def test_copies_are_independent(copied):
    net = nn.ModuleList([nn.ModuleDict({"a": nn.Linear(1, 1)})])
    other = copied(net)
    assert repr(other) == repr(net)
    assert other[0]["a"].weight is not net[0]["a"].weight
    np.testing.assert_array_equal(other[0]["a"].weight.data, net[0]["a"].weight.data)


def test_they_compute_nothing():
    for container in [nn.ModuleList(), nn.ModuleDict()]:
        with pytest.raises(NotImplementedError, match=type(container).__name__):
            container(1)


@pytest.mark.parametrize("container", [nn.ModuleList(), nn.ModuleDict(), nn.ModuleList([]),
                                       nn.ModuleDict({}), nn.ModuleList(None),
                                       nn.ModuleDict(None)])
def test_empty(container):
    assert len(container) == 0
    assert list(container) == []
    assert list(container.parameters()) == []
    assert repr(container) == f"{type(container).__name__}()"


def test_one_module_in_two_places():
    layer = nn.Linear(1, 1)
    net = nn.ModuleList([layer, layer])
    assert len(net) == 2
    assert len(list(net.parameters())) == 2
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


# ---- ModuleList ------------------------------------------------------------------------


def test_list_reads_like_a_list():
    layers = dense()
    net = nn.ModuleList(iter(layers))
    assert list(net) == layers
    assert len(net) == 3
    assert [net[0], net[-1], net[np.int64(1)]] == [layers[0], layers[2], layers[1]]
    assert layers[1] in net
    assert nn.ReLU() not in net
    tail = net[1:]
    assert type(tail) is nn.ModuleList
    assert list(tail) == layers[1:]
    assert list(tail.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert list(net[::-1]) == layers[::-1]


def test_list_grows_like_a_list():
    a, b, c, d = dense(4)
    net = nn.ModuleList([a])
    assert net.append(b) is net
    assert net.extend(nn.Sequential(c)) is net
    same = net
    net += [d]
    assert net is same
    assert held(net) == [a, b, c, d]
    assert list(net + [nn.ReLU()])[:4] == [a, b, c, d]
    assert len(net) == 4
    net.extend(net)
    assert held(net[4:]) == [a, b, c, d]


INDICES = st.integers(-6, 6)
NEW = nn.ReLU()
CHANGES = st.one_of(
    st.tuples(st.just("__setitem__"), INDICES, st.just(NEW)),
    st.tuples(st.just("__setitem__"), st.slices(5), st.just([NEW])),
    st.tuples(st.just("__delitem__"), INDICES | st.slices(5)),
    st.tuples(st.just("insert"), INDICES, st.just(NEW)),
    st.tuples(st.just("pop"), INDICES),
    st.tuples(st.just("pop")),
)


def outcome(x, method, *arguments):
    try:
        return getattr(x, method)(*arguments)
    except (IndexError, ValueError) as error:  # an extended slice wants as many as it has
        return type(error)


@given(st.integers(0, 5), st.lists(CHANGES, min_size=1, max_size=5))
@settings(max_examples=80, deadline=None)
def test_list_changes_like_a_list(n, changes):
    """The same Modules in the same order as in a list, and numbered."""
    plain = dense(n)
    net = nn.ModuleList(plain)
    for change in changes:
        assert outcome(net, *change) is outcome(plain, *change)
        assert list(net) == plain
        names = [name for name, x in vars(net).items() if isinstance(x, nn.Module)]
        assert names == [str(i) for i in range(len(plain))]


def test_a_refused_change_changes_nothing():
    layers = dense()
    net = nn.ModuleList(layers)
    for change in [lambda: net.extend([nn.ReLU(), 1]), lambda: net.append(None),
                   lambda: net.insert(0, "x"), lambda: net.__setitem__(1, np.tanh)]:
        with pytest.raises(TypeError, match="ModuleList expects Modules; got"):
            change()
        assert list(net) == layers
    d = nn.ModuleDict({"a": layers[0]})
    with pytest.raises(TypeError, match="int at 'c'"):
        d.update({"b": layers[1], "c": 1})
    assert list(d) == ["a"]


# ---- ModuleDict ------------------------------------------------------------------------


def test_dict_reads_like_a_dict():
    a, b = dense(2)
    for given_ in [{"a": a, "b": b}, [("a", a), ("b", b)], nn.ModuleDict({"a": a, "b": b})]:
        d = nn.ModuleDict(given_)
        assert list(d) == list(d.keys()) == ["a", "b"]
        assert list(d.values()) == held(d) == [a, b]
        assert list(d.items()) == [("a", a), ("b", b)]
        assert d["a"] is a
        assert "a" in d
        assert "c" not in d
        assert "training" not in d
        assert "keys" not in d
        assert len(d) == 2


def test_dict_changes_like_a_dict():
    a, b, c = dense()
    d = nn.ModuleDict({"a": a, "b": b})
    d["a"] = c
    assert list(d.items()) == [("a", c), ("b", b)]
    assert d.pop("a") is c
    assert list(d) == ["b"]
    d.update([("z", a), ("b", c)])
    assert list(d.items()) == [("b", c), ("z", a)]
    del d["b"]
    assert list(d) == ["z"]
    d.clear()
    assert len(d) == 0
    assert not d.eval().training
    assert len(d) == 0


# ---- refusals --------------------------------------------------------------------------

REFUSED = [
    (lambda: nn.ModuleList([1]), TypeError, "int at '0'"),
    (lambda: nn.ModuleList(3), TypeError, "iterable of Modules; got int"),
    (lambda: nn.ModuleList(nn.ReLU()), TypeError, "iterable of Modules; got ReLU"),
    (lambda: nn.ModuleList([nn.ReLU])[0], TypeError, "Modules; got type"),
    (lambda: nn.ModuleList([nn.ReLU()])[1], IndexError, "1 is out of range .* 1 Modules"),
    (lambda: nn.ModuleList([nn.ReLU()])[-2], IndexError, "-2 is out of range"),
    (lambda: nn.ModuleList().pop(-1), IndexError, "-1 is out of range"),
    (lambda: nn.ModuleDict({"a.b": nn.ReLU()}), KeyError, "a.b"),
    (lambda: nn.ModuleDict({"": nn.ReLU()}), KeyError, "names without dots"),
    (lambda: nn.ModuleDict({"keys": nn.ReLU()}), KeyError, "no attribute has; got 'keys'"),
    (lambda: nn.ModuleDict({"training": nn.ReLU()}), KeyError, "training"),
    (lambda: nn.ModuleDict({"a": np.tanh}), TypeError, "ufunc at 'a'"),
    (lambda: nn.ModuleDict()["a"], KeyError, "a"),
    (lambda: nn.ModuleDict({"a": nn.ReLU()}).pop("keys"), KeyError, "keys"),
    (lambda: nn.ModuleDict().__delitem__("training"), KeyError, "training"),
    (lambda: nn.ModuleDict(3), TypeError, "iterable"),
    (lambda: nn.ModuleDict([("a", nn.ReLU(), 1)]), ValueError, "length 3"),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_dict_refuses_names_that_are_no_strings():
    with pytest.raises(KeyError, match="got 1"):
        nn.ModuleDict({1: nn.ReLU()})


# ---- PyTorch ---------------------------------------------------------------------------


def of_pytorch(call):
    """The same call on PyTorch's `nn`."""
    torch = pytest.importorskip("torch")
    return lambda: eval(call.__code__, {"nn": torch.nn, "np": np})


@pytest.mark.parity
@pytest.mark.parametrize(("call", "error"), [row[:2] for row in REFUSED])
def test_errors_are_of_the_class_of_torch(call, error):
    with pytest.raises(error):
        of_pytorch(call)()


@pytest.mark.parity
@pytest.mark.parametrize("build", [
    lambda nn: nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)]),
    lambda nn: nn.ModuleList([nn.Sequential(nn.Linear(1, 1), nn.Tanh()) for _ in range(3)]),
    lambda nn: nn.ModuleList([nn.ModuleDict({"a": nn.ReLU(), "b": nn.ModuleList()})]),
    lambda nn: nn.ModuleDict({"x": nn.ModuleList([nn.Linear(1, 2)]), "y": nn.Tanh()}),
    lambda nn: nn.ModuleDict(),
])
def test_prints_and_names_as_torch_does(build):
    torch = pytest.importorskip("torch")
    ours, theirs = build(nn), build(torch.nn)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    for name, numbers in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[name], numbers.numpy())


def test_a_list_of_values_is_no_module():
    with pytest.raises(TypeError, match="Value"):
        nn.ModuleList([tg.Value(1.0)])

"""Buffers: a Module's numbers that no gradient trains. Found, saved, loaded, copied."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn


class Counter(nn.Module):
    """A parameter, two buffers of which one is saved, and a child after them."""

    def __init__(self):
        self.register_buffer("total", np.zeros(2, np.float32))
        self.register_buffer("scratch", tg.zeros(3), persistent=False)
        self.register_buffer("later", None)
        self.child = nn.Linear(1, 1)
        self.weight = nn.Parameter([1.0])
        self.register_buffer("steps", np.array(0))


class Parent(nn.Module):
    def __init__(self):
        self.parts = [Counter(), nn.ReLU()]


SAVED = ["weight", "total", "steps", "child.weight", "child.bias"]


def named(pairs):
    return [name for name, _ in pairs]


def test_buffers_are_tensors_and_no_parameters():
    net = Counter()
    assert type(net.total) is tg.Tensor
    assert net.steps.dtype == np.int64
    assert net.steps.shape == ()
    assert named(net.named_parameters()) == ["weight", "child.weight", "child.bias"]
    assert named(net.named_buffers()) == ["total", "scratch", "steps"]
    assert [b is c for b, (_, c) in zip(net.buffers(), net.named_buffers())] == [True] * 3


def test_buffers_of_a_child_in_a_list():
    net = Parent()
    assert named(net.named_buffers()) == ["parts.0.total", "parts.0.scratch", "parts.0.steps"]
    assert list(net.state_dict()) == [f"parts.0.{name}" for name in SAVED]


def test_a_module_without_buffers_has_none():
    assert list(nn.Linear(1, 1).buffers()) == []
    assert Counter._buffers == {}  # each Module has its own


def test_a_shared_buffer_is_listed_once_and_saved_at_each_place():
    net = nn.Sequential(Counter(), Counter())
    net[1].total = net[0].total
    assert "1.total" not in named(net.named_buffers())
    assert "1.total" in net.state_dict()


def test_state_goes_out_and_in_and_buffers_stay_the_same_objects():
    net = Counter()
    with tg.no_grad():
        net.total += 5.0
    state = net.state_dict()
    assert list(state) == SAVED
    other = Counter()
    total = other.total
    array = total.data
    other.load_state_dict(state)
    assert other.total is total
    assert total.data is array
    assert total.tolist() == [5.0, 5.0]
    state["total"][0] = 9.0
    assert net.total.tolist() == [5.0, 5.0]


def test_a_loaded_buffer_keeps_its_dtype():
    net = Counter()
    net.load_state_dict({**net.state_dict(), "steps": 7.0, "total": np.ones(2)})
    assert net.steps.dtype == np.int64
    assert net.steps.item() == 7
    assert net.total.dtype == np.float32


def test_what_does_not_fit_is_listed_in_one_error_and_changes_nothing():
    net = Counter()
    state = net.state_dict()
    del state["steps"]
    state |= {"total": np.ones(3), "child.bias": np.ones(4), "scratch": np.ones(3),
              "weight": [2.0]}
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    for words in ('Missing entries: "steps"', 'Unexpected entries: "scratch"',
                  'Size mismatch for "total"', "(2,)", "(3,)",
                  'Size mismatch for "child.bias"'):
        assert words in str(caught.value)
    assert net.weight.tolist() == [1.0]
    assert net.total.tolist() == [0.0, 0.0]


def test_without_strict_a_buffer_may_be_missing():
    net = Counter()
    skipped = net.load_state_dict({"total": np.ones(2), "other": 1}, strict=False)
    assert skipped == (["weight", "steps", "child.weight", "child.bias"], ["other"])
    assert net.total.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))],
                         ids=["deepcopy", "pickle"])
def test_copies_have_buffers_of_their_own(copied):
    net = Counter()
    other = copied(net)
    with tg.no_grad():
        other.total += 1.0
    other.register_buffer("extra", np.ones(1))
    assert net.total.tolist() == [0.0, 0.0]
    assert named(other.named_buffers()) == ["total", "scratch", "steps", "extra"]
    assert named(net.named_buffers()) == ["total", "scratch", "steps"]
    assert list(other.state_dict()) == [*SAVED[:3], "extra", *SAVED[3:]]


def test_apply_reaches_buffers():
    net = Parent()
    net.apply(lambda module: [tg.nn.init.ones_(b) for b in module.buffers()
                              if b.dtype.kind == "f"])
    assert net.parts[0].total.tolist() == [1.0, 1.0]


def test_assignment():
    net = Counter()
    net.total = np.ones(4)
    assert isinstance(net.total, tg.Tensor)
    assert net.state_dict()["total"].shape == (4,)
    net.later = tg.ones(1)
    assert "later" in net.state_dict()
    net.total = None
    assert "total" not in net.state_dict()
    net.total = nn.Parameter([1.0])
    assert "total" in named(net.named_parameters())
    assert "total" not in named(net.named_buffers())
    del net.scratch
    assert named(net.named_buffers()) == ["later", "steps"]


def test_a_buffer_registered_again_is_replaced():
    net = Counter()
    net.register_buffer("total", np.ones(1), persistent=False)
    assert net.total.tolist() == [1.0]
    assert "total" not in net.state_dict()


@pytest.mark.parametrize(("name", "tensor", "error", "words"), [
    (1, np.ones(1), TypeError, "string; got int"),
    ("", np.ones(1), KeyError, "empty"),
    ("a.b", np.ones(1), KeyError, "dot"),
    ("weight", np.ones(1), KeyError, "attribute 'weight' already exists"),
    ("training", np.ones(1), KeyError, "already exists"),
    ("forward", np.ones(1), KeyError, "already exists"),
    ("x", 3, TypeError, "cannot assign int as buffer 'x'"),
    ("x", [1.0], TypeError, "cannot assign list as buffer 'x'"),
    ("x", nn.Parameter([1.0]), TypeError, r"detach\(\)"),
])
def test_refusals_of_register_buffer(name, tensor, error, words):
    net = Counter()
    with pytest.raises(error, match=words):
        net.register_buffer(name, tensor)
    assert named(net.named_buffers()) == ["total", "scratch", "steps"]


def test_a_buffer_cannot_become_something_else():
    net = Counter()
    with pytest.raises(TypeError, match="cannot assign int as buffer 'total'"):
        net.total = 3
    assert net.total.tolist() == [0.0, 0.0]


@pytest.mark.parity
def test_the_same_names_in_the_same_order_as_pytorch():
    torch = pytest.importorskip("torch")

    class Peer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("total", torch.zeros(2))
            self.register_buffer("scratch", torch.zeros(3), persistent=False)
            self.child = torch.nn.Linear(1, 1)
            self.weight = torch.nn.Parameter(torch.ones(1))
            self.register_buffer("steps", torch.tensor(4))

    peer = Peer()
    net = Counter()
    assert list(net.state_dict()) == list(peer.state_dict())
    assert named(net.named_buffers()) == named(peer.named_buffers())
    net.load_state_dict(peer.state_dict())
    assert net.steps.item() == 4

"""tg.save and tg.load: what goes in comes out, other programs agree, damage is noticed.

`test_resume.py` kills processes that save.
"""

import io
import json
import os
import pickle
import stat
import struct
import sys
import warnings
import zipfile
from collections import OrderedDict, namedtuple
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.checkpoint import npz
from tinygrad_lite.checkpoint.tree import DTYPES, STRUCTURE

FORMATS = ["npz", "safetensors"]
Pair = namedtuple("Pair", "a b")


@pytest.fixture(params=FORMATS)
def path(request, tmp_path):
    return str(tmp_path / f"file.{request.param}")


@pytest.fixture(autouse=True)
def seed():
    tg.manual_seed(0)


def same(a, b):
    """Whether two states are equal to the last bit, in types and in order too."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return same(list(a), list(b)) and same(list(a.values()), list(b.values()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (np.ndarray, np.generic)):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, float):
        return repr(a) == repr(b)
    return a == b


def make_net():
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))


def a_step(net, optimizer):
    x = tg.randn(3, 4)
    optimizer.zero_grad()
    (net(x) ** 2).mean().backward()
    optimizer.step()


def a_run(optimizer=tg.optim.Adam, **settings):
    net = make_net()
    optimizer = optimizer(net.parameters(), lr=0.01, **settings)
    a_step(net, optimizer)
    return net, optimizer


# ---- what goes in comes out ------------------------------------------------------------

STATES = {
    "empty": {},
    "flat": {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(1.5)},
    "numbers": {"i": 2 ** 127 + 1, "j": -(10 ** 100), "f": 0.1, "g": 5e-324, "z": -0.0,
                "t": True, "n": None},
    "not finite": {"a": float("inf"), "b": -float("inf"), "c": float("nan")},
    "text": {"a": "", "b": "größer \ud800 \0 \n", "c": "__structure__"},
    "keys": {1: 1, "1": 2, None: 3, (1, "a"): 4, 0.5: 5, float("inf"): 6, "": 7, "a.b": 8},
    "bool key": {True: np.ones(1), False: 0},
    "containers": {"a": (1, [2, (), []], {}), "b": [{"x": (np.ones(2),)}]},
    "names that clash": {"a": {"b": np.zeros(1)}, "a.b": np.ones(1), "a.b_": np.ones(2)},
    "names in use": {STRUCTURE: np.ones(1), "__metadata__": np.ones(2, bool)},
    "odd names": {"": np.ones(1), "ä/../b\\c": np.ones(2), "x.npy": np.ones(3),
                  "\0": np.ones(4), "\ud800": np.ones(5), "l" * 70_000: np.ones(6)},
    "no elements": {"a": np.zeros((0, 3)), "b": np.zeros((2, 0), np.int8)},
    "NumPy's numbers": {"a": np.float32(0.1), "b": np.int64(-1), "c": np.True_},
    "a history": {"loss": [1.0, 0.5], "model": {"w": np.ones(2)}},
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_a_state_comes_back(path, state):
    tg.save(path, state)
    back = tg.load(path)
    if state == STATES["flat"] and path.endswith("safetensors"):
        back = {name: back[name] for name in state}  # the library sorts by dtype and name
    assert same(back, state)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_back(path, dtype):
    bits = np.random.default_rng(0).integers(0, 256, 48, np.uint8)
    array = bits.view(dtype) if dtype != "bool" else bits > 99
    tg.save(path, {"a": array, "b": array[:0]})
    assert same(tg.load(path), {"a": array, "b": array[:0]})


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) \
    | hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, min_side=0, max_side=3))
KEYS = st.text(max_size=3) | st.integers(2, 9) | st.tuples(st.text(max_size=1), st.none())
TREES = st.recursive(LEAVES, lambda x: st.lists(x, max_size=3) | st.tuples(x, x)
                     | st.dictionaries(KEYS, x, max_size=3), max_leaves=10)


@pytest.mark.parametrize("ending", FORMATS)
@given(state=st.dictionaries(KEYS, TREES, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_state_comes_back(ending, state, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / f"file.{ending}"
    tg.save(path, state | {"nested": {}})
    assert same(tg.load(path), state | {"nested": {}})


@pytest.mark.parametrize("array", [
    np.arange(6.0).reshape(2, 3).T,
    np.arange(6.0)[::-2],
    np.broadcast_to(np.float32(3), (2, 2)),
    np.arange(3, dtype=">f4"),
    np.asfortranarray(np.ones((3, 2))),
    np.frombuffer(b"x" * 9, np.uint8)[1:].view(np.float32),
], ids=["transposed", "reversed", "broadcast", "big-endian", "Fortran", "unaligned"])
def test_arrays_of_odd_layout(path, array):
    tg.save(path, {"x": array})
    back = tg.load(path)["x"]
    assert np.array_equal(back, array)
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.dtype.isnative
    assert back.flags.c_contiguous
    assert back.flags.writeable


def test_what_becomes_something_simpler(path):
    """A Tensor or Value becomes an array, a subclass of a container that container."""
    tg.save(path, {
        "t": tg.Tensor([1.0], requires_grad=True), "p": nn.Parameter([2.0]), "v": tg.Value(3.0),
        "o": OrderedDict(a=1), "n": Pair(1, 2), "s": np.str_("x"),
    })
    assert same(tg.load(path), {
        "t": np.ones(1, np.float32), "p": np.full(1, 2, np.float32), "v": np.array(3.0),
        "o": {"a": 1}, "n": (1, 2), "s": "x",
    })


def test_objects_are_asked_for_their_state(path):
    net, optimizer = a_run()
    tg.save(path, {"deep": [net, {"o": optimizer}]})
    expected = {"deep": [net.state_dict(), {"o": optimizer.state_dict()}]}
    assert same(tg.load(path), expected)


def test_the_same_state_gives_the_same_bytes(path):
    net, optimizer = a_run()
    tg.save(path, model=net, optimizer=optimizer)
    first = Path(path).read_bytes()
    tg.save(path, model=net, optimizer=optimizer)
    assert Path(path).read_bytes() == first


def test_a_path_in_any_form(tmp_path):
    for path in [tmp_path / "a.NPZ", str(tmp_path / "b.npz")]:
        tg.save(path, {"x": np.ones(1)})
        assert list(tg.load(path)) == ["x"]


# ---- other programs --------------------------------------------------------------------


def test_weights_are_read_by_others_under_their_names(path):
    net = make_net()
    tg.save(path, net)
    if path.endswith("npz"):
        theirs = dict(np.load(path, allow_pickle=False))
    else:
        theirs = safetensors.numpy.load_file(path)
    assert theirs.keys() == net.state_dict().keys()
    for name, array in net.state_dict().items():
        assert same(theirs[name], array)


def test_arrays_of_a_run_are_read_by_others(path):
    net, optimizer = a_run()
    tg.save(path, model=net, optimizer=optimizer)
    if path.endswith("npz"):
        theirs = dict(np.load(path, allow_pickle=False))
    else:
        theirs = safetensors.numpy.load_file(path)
    assert same(theirs["model.0.weight"], net.state_dict()["0.weight"])
    assert same(theirs["optimizer.state.0.m"], optimizer.state_dict()["state"][0]["m"])
    assert json.loads(theirs[STRUCTURE].tobytes())["version"] == 1


OTHERS = {
    "np.savez": ("npz", lambda path, arrays: np.savez(path, **arrays)),
    "np.savez_compressed": ("npz", lambda path, arrays: np.savez_compressed(path, **arrays)),
    "safetensors": ("safetensors", lambda path, a: safetensors.numpy.save_file(a, path)),
    "safetensors with metadata": (
        "safetensors", lambda path, a: safetensors.numpy.save_file(a, path, {"format": "pt"})),
}


@pytest.mark.parametrize("ending, write", OTHERS.values(), ids=OTHERS)
def test_files_of_others_are_read(tmp_path, ending, write):
    arrays = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(2),
              "flags": np.array([True, False]), "none": np.zeros((0, 2))}
    path = tmp_path / f"theirs.{ending}"
    write(path, arrays)
    back = tg.load(path)
    assert same({name: back[name] for name in arrays}, arrays)
    assert len(back) == len(arrays)


def test_numpys_less_common_headers(tmp_path):
    """Format 2.0 and Fortran order."""
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("x.npy", "w") as member:
        np.lib.format.write_array(member, array, version=(2, 0))
    assert np.array_equal(tg.load(path)["x"], array)


@pytest.mark.parity
def test_weights_from_pytorch_and_back(tmp_path):
    torch = pytest.importorskip("torch")
    import safetensors.torch

    theirs = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    ours = make_net()
    path = tmp_path / "weights.safetensors"
    x = np.random.default_rng(0).random((3, 4), dtype=np.float32)

    safetensors.torch.save_file(theirs.state_dict(), path)
    ours.load_state_dict(tg.load(path))
    assert same(ours.state_dict(), {k: v.numpy() for k, v in theirs.state_dict().items()})
    assert np.allclose(ours(x).numpy(), theirs(torch.from_numpy(x)).detach(), atol=1e-6)

    with tg.no_grad():
        for p in ours.parameters():
            p *= 2
    for save in [lambda: tg.save(path, ours), lambda: tg.save(path, theirs)]:
        save()
        theirs.load_state_dict(safetensors.torch.load_file(path))
        assert same({k: v.numpy() for k, v in theirs.state_dict().items()}, ours.state_dict())


@pytest.mark.parity
def test_short_floats_from_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    import safetensors.torch

    numbers = torch.tensor([1.0, -2.5, 3e38, float("inf"), 1e-40, 0.0])
    path = tmp_path / "a.safetensors"
    for dtype, expected in [(torch.bfloat16, np.float32), (torch.float16, np.float16)]:
        safetensors.torch.save_file({"x": numbers.to(dtype)}, path)
        back = tg.load(path)["x"]
        assert back.dtype == expected
        assert np.array_equal(back, numbers.to(dtype).float().numpy())
    safetensors.torch.save_file({"x": numbers.to(torch.float8_e5m2)}, path)
    with pytest.raises(tg.CheckpointError, match="'x' has dtype F8_E5M2"):
        tg.load(path)


# ---- a run -----------------------------------------------------------------------------

OPTIMIZERS = {
    "sgd": (tg.optim.SGD, {}),
    "momentum": (tg.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adam": (tg.optim.Adam, {"weight_decay": 0.1, "betas": (0.8, 0.9)}),
    "adagrad": (tg.optim.Adagrad, {}),
}


@pytest.mark.parametrize("kind, options", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_run_goes_on_with_the_same_bits(path, kind, options):
    net, optimizer = a_run(kind, **options)
    tg.save(path, model=net, optimizer=optimizer, epoch=7)
    for _ in range(3):
        a_step(net, optimizer)
    end = tg.get_rng_state()

    tg.manual_seed(99)
    again = make_net()
    its = kind(again.parameters(), lr=0.5, **options)
    state = tg.load(path, model=again, optimizer=its)
    assert state["epoch"] == 7
    for _ in range(3):
        a_step(again, its)
    assert same(again.state_dict(), net.state_dict())
    assert same(its.state_dict(), optimizer.state_dict())
    assert same(tg.get_rng_state(), end)


def test_the_random_state_comes_back_with_parts_only(path):
    net = make_net()
    tg.save(path, model=net)
    there = tg.get_rng_state()
    moved = [tg.rand(1), tg.get_rng_state()][1]
    assert same(tg.load(path)["rng"], there)
    assert same(tg.get_rng_state(), moved)
    tg.load(path, model=net, rng=False)
    assert same(tg.get_rng_state(), moved)
    tg.load(path, model=net)
    assert same(tg.get_rng_state(), there)
    tg.save(path, model=net, rng=False)
    assert list(tg.load(path, model=net)) == ["model"]


def test_what_was_loaded_belongs_to_the_caller(path):
    net = make_net()
    tg.save(path, model=net)
    before = net.state_dict()
    for name in before:
        tg.load(path, model=net)["model"][name][...] = 0
    assert same(net.state_dict(), before)


def test_parts_that_are_none_are_not_put_back(path):
    net = make_net()
    tg.save(path, model=net, scheduler=None)
    tg.load(path, model=net, scheduler=None)
    with pytest.raises(tg.CheckpointError, match=r"has no 'scheduler'; it has \['model'"):
        tg.load(path, model=net, scheduler=tg.optim.SGD(net.parameters()))


# ---- all or nothing --------------------------------------------------------------------


class Counter:
    """Something that trains along; it believes any state, and may fail halfway."""

    def __init__(self, fails=None):
        self.n = [0]
        self.fails = fails

    def state_dict(self):
        return {"n": self.n}  # not copied: whoever changes it changes this

    def load_state_dict(self, state):
        self.n[:] = state["n"]
        if self.fails and state["n"] == [5]:
            raise self.fails


MISFITS = {
    "another net": ("model", lambda net: nn.Linear(4, 5), "Missing entries"),
    "another shape": ("model", lambda net: nn.Sequential(nn.Linear(4, 5), nn.ReLU(),
                                                         nn.Linear(5, 3)), "Size mismatch"),
    "another optimizer": ("optimizer", lambda net: tg.optim.SGD(net.parameters()),
                          "unknown settings"),
    "other groups": ("optimizer", lambda net: tg.optim.Adam([*net.parameters()][1:]),
                     "other parameter groups"),
    "halfway": ("counter", lambda net: Counter(KeyError("x")), "KeyError"),
}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("name, make, text", MISFITS.values(), ids=MISFITS)
def test_a_part_that_does_not_fit_changes_nothing(path, name, make, text, order):
    net, optimizer = a_run()
    counter = Counter()
    counter.n = [5]
    tg.save(path, model=net, optimizer=optimizer, counter=counter)
    net, optimizer = a_run()
    parts = {"model": net, "optimizer": optimizer, "counter": Counter()} | {name: make(net)}
    before = tg.get_rng_state(), [deepcopy(x.state_dict()) for x in parts.values()]
    text = f"'{name}' does not fit(.|\n)*{text}"
    with pytest.raises(tg.CheckpointError, match=text) as error:
        tg.load(path, **dict([*parts.items()][::order]))
    assert path in str(error.value)
    assert error.value.__cause__ is not None
    assert same((tg.get_rng_state(), [x.state_dict() for x in parts.values()]), before)


def test_an_interrupt_changes_nothing_and_stays_an_interrupt(path):
    net, counter = make_net(), Counter()
    counter.n = [5]
    tg.save(path, model=net, counter=counter)
    net, counter = make_net(), Counter(KeyboardInterrupt())
    before = net.state_dict()
    with pytest.raises(KeyboardInterrupt):
        tg.load(path, model=net, counter=counter)
    assert same(net.state_dict(), before)
    assert counter.n == [0]


@pytest.mark.parametrize("state", [3, "x", {}, {"state": 1}, [1, 2], np.ones(3)])
def test_a_wrong_random_state(path, state):
    net = make_net()
    tg.save(path, {"model": net, "rng": state})
    other = make_net()
    before = [tg.get_rng_state(), other.state_dict()]
    with pytest.raises((TypeError, ValueError)):
        tg.set_rng_state(state)
    with pytest.raises(tg.CheckpointError, match="'rng' does not fit"):
        tg.load(path, model=other)
    assert same([tg.get_rng_state(), other.state_dict()], before)


def test_the_random_state_is_whole(path):
    """Half of a 64-bit draw that is kept for later is part of it."""
    random = tg.rng.generator()
    random.integers(0, 2 ** 32, dtype=np.uint32)
    tg.save(path, nothing=None)
    expected = random.integers(0, 2 ** 32, 5, dtype=np.uint32)
    tg.manual_seed(1)
    tg.set_rng_state(tg.load(path)["rng"])
    assert np.array_equal(random.integers(0, 2 ** 32, 5, dtype=np.uint32), expected)


# ---- refused when saving ---------------------------------------------------------------


def inside_itself():
    state = {}
    state["x"] = [state]
    return state


UNSUITABLE = {
    "a function": ({"f": print}, TypeError, "cannot store 'f' of type builtin"),
    "a set": ({"a": {1: {2}}}, TypeError, "cannot store 'a.1' of type set"),
    "bytes": ({"a": b"x"}, TypeError, "cannot store 'a' of type bytes"),
    "objects": ({"a": np.array([None])}, TypeError, "'a' of dtype object"),
    "text in arrays": ({"a": np.array(["x"])}, TypeError, "'a' of dtype <U1"),
    "complex": ({"a": np.ones(2, complex)}, TypeError, "dtype complex128; expected one of"),
    "dates": ({"a": np.datetime64("2020")}, TypeError, "dtype datetime64"),
    "a record": ({"a": np.zeros(1, [("x", int)])}, TypeError, "'a' of dtype"),
    "a key of NumPy": ({"a": {np.int64(1): 2}}, TypeError, "key of type int64 in 'a'"),
    "a Tensor as a key": ({tg.Tensor(1.0): 2}, TypeError, "key of type Tensor in 'the state'"),
    "a tuple in a key": ({((1,),): 2}, TypeError, "key of type tuple"),
    "itself": (inside_itself(), ValueError, "contains itself"),
    "a list": ([1], TypeError, "expects a dict, or an object with a state_dict"),
    "an array": (np.ones(2), TypeError, "expects a dict"),
    "nothing": (None, TypeError, "expects a state"),
}


@pytest.mark.parametrize("state, error, text", UNSUITABLE.values(), ids=UNSUITABLE)
def test_what_cannot_be_stored(path, state, error, text):
    tg.save(path, {"old": 1})
    with pytest.raises(error, match=text):
        tg.save(path, state)
    assert tg.load(path) == {"old": 1}
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]


@pytest.mark.parametrize("arguments, error, text", [
    (({}, "w.npz"), TypeError, "a path comes first"),
    ((io.BytesIO(), {}), TypeError, "a path comes first"),
    (("w.pt", {}), ValueError, "ends in .npz or .safetensors; got 'w.pt'"),
    (("weights", {}), ValueError, "ends in"),
    (("nowhere/w.npz", {}), FileNotFoundError, "there is no folder"),
])
def test_wrong_arguments(arguments, error, text):
    with pytest.raises(error, match=text):
        tg.save(*arguments)


def test_state_and_parts_exclude_each_other(path):
    with pytest.raises(TypeError, match="got both"):
        tg.save(path, {}, model={})


def test_what_cannot_be_put_back(path):
    tg.save(path, epoch=3)
    with pytest.raises(TypeError, match=r"tg.load\(path\)\['epoch'\]"):
        tg.load(path, epoch=0)
    with pytest.raises(tg.CheckpointError, match="has no 'model'"):
        tg.load(path, model=make_net())


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        tg.load(tmp_path / "none.npz")
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "null.npz").symlink_to(os.devnull)
    for name in ["folder.npz", "null.npz"]:
        with pytest.raises(OSError, match="a folder or a device"):
            tg.load(tmp_path / name)
        with pytest.raises(OSError, match="a folder or a device"):
            tg.save(tmp_path / name, {})
    assert not os.path.isfile(os.devnull)


def test_without_the_library(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    tg.save(path, {"x": np.ones(1)})
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for use in [lambda: tg.save(path, {}), lambda: tg.load(path)]:
        with pytest.raises(ImportError, match=r"pip install tinygrad_lite\[safetensors\]"):
            use()
    monkeypatch.undo()
    assert list(tg.load(path)) == ["x"]
    assert os.listdir(tmp_path) == ["w.safetensors"]


# ---- damage ----------------------------------------------------------------------------

DAMAGED = {
    "weights": {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(2)},
    "run": {"model": {"w": np.ones(3, np.float32), "b": np.arange(2)}, "at": (3, 0.5)},
}


@pytest.mark.parametrize("state", DAMAGED.values(), ids=DAMAGED)
def test_a_flipped_bit_is_noticed_or_harmless(path, state):
    """At every byte: the one error, or the very state (where it was a date, say)."""
    tg.save(path, state)
    expected = tg.load(path)
    whole = Path(path).read_bytes()
    bits = np.random.default_rng(1).integers(0, 8, len(whole))
    noticed = 0
    for i in range(len(whole)):
        damaged = bytearray(whole)
        damaged[i] ^= 1 << bits[i]
        Path(path).write_bytes(damaged)
        try:
            assert same(tg.load(path), expected), (i, bits[i])
        except tg.CheckpointError:
            noticed += 1
    assert noticed > len(whole) / 2


@pytest.mark.parametrize("state", DAMAGED.values(), ids=DAMAGED)
def test_a_file_of_another_length_is_noticed(path, state):
    tg.save(path, state)
    whole = Path(path).read_bytes()
    for part in [*[whole[:i] for i in range(len(whole))], whole + b"\0", whole + whole,
                 b"\0" + whole, whole[1:]]:
        Path(path).write_bytes(part)
        with pytest.raises(tg.CheckpointError, match="cannot load '.*file"):
            tg.load(path)


@given(data=st.binary(max_size=300), start=st.sampled_from([b"", b"PK\3\4", b"PK\5\6", b"\x08" +
                                                            bytes(7)]))
@settings(max_examples=100, deadline=None)
@pytest.mark.parametrize("ending", FORMATS)
def test_any_bytes_get_the_one_error(ending, data, start, tmp_path_factory):
    path = tmp_path_factory.mktemp("noise") / f"file.{ending}"
    path.write_bytes(start + data)
    with pytest.raises(tg.CheckpointError, match="cannot load"):
        tg.load(path)


def test_damage_changes_nothing(path):
    net, optimizer = a_run()
    tg.save(path, model=net, optimizer=optimizer)
    whole = Path(path).read_bytes()
    a_step(net, optimizer)
    before = [net.state_dict(), optimizer.state_dict(), tg.get_rng_state()]
    for damaged in [whole[:-1], whole[:200] + b"\1" + whole[201:], b""]:
        Path(path).write_bytes(damaged)
        with pytest.raises(tg.CheckpointError, match="Load an earlier copy, or save it again"):
            tg.load(path, model=net, optimizer=optimizer)
        assert Path(path).read_bytes() == damaged
    assert same(before, [net.state_dict(), optimizer.state_dict(), tg.get_rng_state()])


# ---- hostile files ---------------------------------------------------------------------


def npy(shape, descr="<f4", data=b"", fortran=False):
    """The bytes of a .npy file with any header."""
    header = repr({"descr": descr, "fortran_order": fortran, "shape": shape}).encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


def zipped(members, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that comes twice
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def tensors(entries, data=b"", size=None, **metadata):
    """The bytes of a .safetensors file with any header: a dict, or text."""
    if isinstance(entries, list):
        entries = {name: {"dtype": dtype, "shape": shape, "data_offsets": offsets}
                   for name, dtype, shape, offsets in entries}
        entries = json.dumps(entries | ({"__metadata__": metadata} if metadata else {}))
    header = entries.encode()
    return struct.pack("<Q", len(header) if size is None else size) + header + data


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("it-ran",)


def structure(text, **arrays):
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    file = io.BytesIO()
    np.savez(file, **{STRUCTURE: np.frombuffer(text, np.uint8)}, **arrays)
    return file.getvalue()


def tree(content, **arrays):
    return structure({"version": 1, "tree": content}, **arrays)


def pickled():
    file = io.BytesIO()
    np.savez(file, x=np.array([Bomb()]))
    return file.getvalue()


TWIN = '"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
ONE = np.ones(1)

HOSTILE = {
    "npz: pickled objects": ("npz", pickled(), "has dtype 'object'"),
    "npz: a pickle": ("npz", pickle.dumps(Bomb()), "begins with b'PK'"),
    "npz: a page": ("npz", b"<!DOCTYPE html>", "begins with b'PK'"),
    "npz: no array": ("npz", zipped([("x.txt", b"")]), "'x.txt' in it is no array"),
    "npz: a folder": ("npz", zipped([("x.npy/", b"")]), "is no array"),
    "npz: two of a name": ("npz", zipped([("x.npy", npy((0,)))] * 2), "two arrays of one name"),
    "npz: bzip2": ("npz", zipped([("x.npy", npy((0,)))], compression=zipfile.ZIP_BZIP2),
                   "NumPy does not use"),
    "npz: a bomb": ("npz", zipped([("x.npy", bytes(2 ** 26 + 1))],
                                  compression=zipfile.ZIP_DEFLATED), "claim to unpack to"),
    "npz: 4 EB": ("npz", zipped([("x.npy", npy((10 ** 18,)))]), "does not fit its 0 bytes"),
    "npz: overflow": ("npz", zipped([("x.npy", npy((2 ** 62, 4, 2 ** 62)))]), "does not fit"),
    "npz: negative": ("npz", zipped([("x.npy", npy((-1, -2), data=bytes(8)))]), "does not fit"),
    "npz: too few": ("npz", zipped([("x.npy", npy((2,), data=bytes(7)))]), "does not fit"),
    "npz: too many": ("npz", zipped([("x.npy", npy((2,), data=bytes(9)))]), "does not fit"),
    "npz: a record": ("npz", zipped([("x.npy", npy((1,), [("a", "<f4")], bytes(4)))]), "dtype"),
    "npz: text": ("npz", zipped([("x.npy", npy((1,), "<U1", bytes(4)))]), "has dtype 'str"),
    "npz: huge item": ("npz", zipped([("x.npy", npy((1,), "|V2000000000"))]), "dtype 'void"),
    "npz: no header": ("npz", zipped([("x.npy", b"\x93NUMPY\1\0\xff\xff{")]), "damaged"),
    "npz: another version": ("npz", zipped([("x.npy", b"\x93NUMPY\7\0")]), "damaged"),
    "npz: code": ("npz", zipped([("x.npy", npy((1,), "__import__('os')"))]), "damaged"),
    "npz: 99 axes": ("npz", zipped([("x.npy", npy((1,) * 99, data=bytes(4)))]), "damaged"),
    "npz: boolean 2": ("npz", zipped([("x.npy", npy((2,), "|b1", b"\2\1"))]), "other than"),
    "structure: no JSON": ("npz", structure(b"{"), "damaged"),
    "structure: no UTF-8": ("npz", structure(b"\xff"), "damaged"),
    "structure: a list": ("npz", structure([]), "damaged"),
    "structure: a later version": ("npz", structure({"version": 2, "tree": {}}), "upgrade"),
    "structure: deep": ("npz", structure(b'{"version":1,"tree":' + b"[" * 10 ** 5), "damaged"),
    "structure: long number": ("npz", structure(b'{"version":' + b"9" * 10 ** 5 + b"}"),
                               "damaged"),
    "structure: no dict": ("npz", tree([1]), "structure does not tell"),
    "structure: an array too many": ("npz", tree({"dict": []}, x=ONE), r"tell where \['x'\]"),
    "structure: an array too few": ("npz", tree({"dict": [["a", {"array": "x"}]]}), "damaged"),
    "structure: an array twice": ("npz", tree({"dict": [["a", [{"array": "x"}] * 2]]}, x=ONE),
                                  "damaged"),
    "structure: a tag": ("npz", tree({"dict": [["a", {"eval": "1"}]]}), "unknown tag 'eval'"),
    "structure: two tags": ("npz", tree({"dict": [], "tuple": []}), "damaged"),
    "structure: a list as key": ("npz", tree({"dict": [[[1], 2]]}), "damaged"),
    "structure: an array as key": ("npz", tree({"dict": [[{"array": "x"}, 2]]}, x=ONE),
                                   "damaged"),
    "structure: two of a key": ("npz", tree({"dict": [["a", 1], ["a", 2]]}), "key twice"),
    "structure: no number": ("npz", tree({"dict": [["a", {"float": "x"}]]}), "damaged"),
    "safetensors: empty": ("safetensors", b"", "damaged"),
    "safetensors: a pickle": ("safetensors", pickle.dumps(Bomb()), "damaged"),
    "safetensors: no JSON": ("safetensors", tensors("{"), "damaged"),
    "safetensors: header of 1 EB": ("safetensors", tensors([], size=10 ** 18), "damaged"),
    "safetensors: huge": ("safetensors", tensors([("x", "F32", [2 ** 62, 4], [0, 0])]),
                          "damaged"),
    "safetensors: 4 EB": ("safetensors", tensors([("x", "F32", [10 ** 18], [0, 4 * 10 ** 18])]),
                          "damaged"),
    "safetensors: negative": ("safetensors", tensors([("x", "F32", [-2], [0, 8])], bytes(8)),
                              "damaged"),
    "safetensors: overlap": ("safetensors", tensors(
        [("x", "F32", [2], [0, 8]), ("y", "F32", [2], [0, 8])], bytes(8)), "damaged"),
    "safetensors: a hole": ("safetensors", tensors(
        [("x", "F32", [2], [0, 8]), ("y", "F32", [2], [16, 24])], bytes(24)), "damaged"),
    "safetensors: backwards": ("safetensors", tensors([("x", "F32", [2], [8, 0])], bytes(8)),
                               "damaged"),
    "safetensors: more": ("safetensors", tensors([("x", "F32", [2], [0, 8])], bytes(9)),
                          "damaged"),
    "safetensors: twins": ("safetensors", tensors(f"{{{TWIN},{TWIN}}}", bytes(8)), "twice"),
    "safetensors: dtype": ("safetensors", tensors([("x", "F1", [2], [0, 8])], bytes(8)),
                           "damaged"),
    "safetensors: boolean 2": ("safetensors", tensors([("x", "BOOL", [2], [0, 2])], b"\2\1"),
                               "bytes other than"),
    "safetensors: checksum": ("safetensors", tensors(
        [("x", "F32", [1], [0, 4])], bytes(4), **{"tinygrad_lite.sha256": "0"}),
        "its checksum is not that"),
    "safetensors: no checksum": ("safetensors", tensors(
        [(STRUCTURE, "U8", [2], [0, 2])], b"{}"), "checksum is missing"),
}


@pytest.mark.parametrize("ending, data, text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files(tmp_path, monkeypatch, ending, data, text):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"hostile.{ending}"
    path.write_bytes(data)
    with pytest.raises(tg.CheckpointError, match=text) as error:
        tg.load(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 700
    assert os.listdir(tmp_path) == [path.name]


def test_sizes_are_compared_before_anything_is_unpacked(tmp_path, monkeypatch):
    """Overlapping members, each the whole file: 50 times its size."""
    data = zipped([(f"{i}.npy", npy((2000,), data=bytes(8000))) for i in range(2)])
    second = data.rindex(b"PK\1\2")
    size = struct.unpack("<L", data[second + 20:second + 24])[0]
    liar = data[:second + 20] + struct.pack("<LL", size * 2, size * 2) + data[second + 28:]
    path = tmp_path / "liar.npz"
    path.write_bytes(liar)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(tg.CheckpointError, match="claim more bytes than its"):
        tg.load(path)


def test_a_compressed_file_may_be_small(tmp_path):
    """Zeros, as an untouched optimizer has them, are no bomb."""
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, x=np.zeros(npz._SMALL // 8 - 100))
    assert path.stat().st_size < npz._SMALL / npz._RATIO
    assert not tg.load(path)["x"].any()


# ---- whole or not at all ---------------------------------------------------------------


def fail(*_):
    raise OSError("no space left")


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(path, monkeypatch, function):
    tg.save(path, {"old": 1})
    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="no space left"):
        tg.save(path, {"new": 1})
    assert tg.load(path) == {"old": 1}
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]


class Stopped(BaseException):
    """What a signal handler might raise, between any two lines."""


@pytest.mark.parametrize("old", [None, {"x": np.zeros(3)}], ids=["none", "old"])
def test_stopped_at_any_line(path, old):
    """The file is the old one or the new one, whichever line was the last."""
    new = {"x": np.ones(3), "n": 1}
    outcomes = []
    for line in range(10_000):
        Path(path).unlink(missing_ok=True)
        if old:
            tg.save(path, old)
        finished = stopped_at(line, path, new)
        found = tg.load(path) if os.path.exists(path) else None
        outcomes.append(same(found, new))
        assert outcomes[-1] or same(found, old), line
        if finished:
            break
    assert finished
    assert outcomes == sorted(outcomes)  # once the new one is there, it stays
    assert not outcomes[0]
    assert outcomes[-1]


def stopped_at(line, path, state):
    """Save, but stop before that line of the package's code; whether it got to its end."""
    left = line

    def trace(frame, event, _):
        nonlocal left
        if "tinygrad_lite" not in frame.f_code.co_filename:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise Stopped
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        tg.save(path, state)
    except Stopped:
        return False
    finally:
        sys.settrace(before)
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such call for folders")
def test_the_disk_has_the_content_before_the_name_and_then_the_name(path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        calls.append((kind, os.fstat(descriptor).st_size if kind == "file" else None))
        fsync(descriptor)

    def watched_replace(source, target):
        assert os.path.dirname(source) == os.path.dirname(target)
        calls.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    tg.save(path, {"x": np.ones(1000)})
    assert calls == [("file", os.path.getsize(path)), "replace", ("folder", None)]


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such permissions")
def test_permissions_are_those_of_any_file(path):
    old = os.umask(0o027)
    try:
        tg.save(path, {})
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
        os.chmod(path, 0o604)
        tg.save(path, {"new": 1})
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o604
    finally:
        os.umask(old)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    link, target = tmp_path / "last.npz", tmp_path / "far" / "epoch3.npz"
    link.symlink_to(target)
    for n in range(2):  # a link to nothing, then to a file
        tg.save(link, {"n": n})
        assert link.is_symlink()
        assert tg.load(target) == {"n": n}
    assert os.listdir(tmp_path / "far") == ["epoch3.npz"]


def test_what_a_killed_process_left_is_removed_after_an_hour(tmp_path):
    old, fresh = (tmp_path / f".a.npz.{digit * 16}.tmp" for digit in "01")
    others = [tmp_path / ".b.npz.0000000000000000.tmp", tmp_path / "a.npz.tmp"]
    for left in [old, fresh, *others]:
        left.touch()
        if left != fresh:
            os.utime(left, (0, 0))
    tg.save(tmp_path / "a.npz", {})
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a.npz", fresh, *others])

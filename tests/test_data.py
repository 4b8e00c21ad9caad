"""The bundled digits, and the loader that hands out batches."""

import copy
import hashlib
import json
import pickle

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.data import DataLoader, digits

# ---- digits ----------------------------------------------------------------------------


def test_digits_as_delivered():
    images, labels = digits()
    assert images.shape == (1797, 64)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0, 1)
    assert labels.shape == (1797,)
    assert labels.dtype == np.int64
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_digits_are_these_very_digits():
    images, labels = digits()
    content = (images * 16).astype(np.uint8).tobytes() + labels.astype(np.uint8).tobytes()
    assert hashlib.sha256(content).hexdigest() == (
        "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826")


def test_digits_as_images():
    images, labels = digits(flat=False)
    assert images.shape == (1797, 8, 8)
    assert np.array_equal(images.reshape(1797, 64), digits()[0])
    assert np.array_equal(labels, digits()[1])


def test_split_is_the_reference_split():
    images, labels = digits()
    order = np.random.default_rng(0).permutation(1797)
    for split, chosen in [("train", order[:1437]), ("test", order[1437:])]:
        some, of_them = digits(split)
        assert np.array_equal(some, images[chosen])
        assert np.array_equal(of_them, labels[chosen])
        assert digits(split, flat=False)[0].shape == (len(chosen), 8, 8)


def test_split_does_not_depend_on_the_seed():
    tg.manual_seed(1)
    before = digits("test")[1]
    tg.manual_seed(2)
    assert np.array_equal(digits("test")[1], before)


def test_digits_belong_to_the_caller():
    images, labels = digits()
    images[:] = 7
    labels[:] = 7
    assert digits()[0].max() == 1
    assert digits()[1][0] == 0


@pytest.mark.parametrize("split", ["valid", "Train", "", 0, True])
def test_digits_refuses_another_split(split):
    with pytest.raises(ValueError, match="'train', 'test' or None; got"):
        digits(split)


# ---- DataLoader ------------------------------------------------------------------------

X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10)


def ids(loader):
    """The batches as lists of the samples' numbers."""
    return [y.tolist() for _, y in loader]


@pytest.mark.parametrize(("n", "batch_size", "drop_last", "sizes"), [
    (10, 4, False, [4, 4, 2]),
    (10, 4, True, [4, 4]),
    (10, 5, False, [5, 5]),
    (10, 5, True, [5, 5]),
    (10, 1, False, [1] * 10),
    (10, 100, False, [10]),
    (10, 100, True, []),
    (1, 1, True, [1]),
    (0, 4, False, []),
    (0, 4, True, []),
    (10, np.int64(4), False, [4, 4, 2]),
])
@pytest.mark.parametrize("shuffle", [False, True])
def test_sizes(n, batch_size, drop_last, sizes, shuffle):
    loader = DataLoader(X[:n], Y[:n], batch_size=batch_size, shuffle=shuffle,
                        drop_last=drop_last)
    assert len(loader) == len(sizes)
    assert [len(y) for _, y in loader] == sizes
    assert [x.shape for x, _ in loader] == [(size, 2) for size in sizes]


def test_defaults():
    loader = DataLoader(np.arange(50))
    assert [len(batch) for batch, in loader] == [32, 18]
    assert np.array_equal(np.concatenate([batch for batch, in loader]), np.arange(50))


@pytest.mark.parametrize("shuffle", [False, True])
def test_rows_stay_together_and_each_comes_once(shuffle):
    for _ in range(3):
        batches = list(DataLoader(X, Y, batch_size=3, shuffle=shuffle))
        x = np.concatenate([x for x, _ in batches])
        y = np.concatenate([y for _, y in batches])
        assert np.array_equal(x, X[y])
        assert sorted(y) == list(range(10))


def test_each_pass_has_a_new_order():
    loader = DataLoader(X, Y, batch_size=3, shuffle=True, seed=0)
    assert ids(loader) != ids(loader)
    plain = DataLoader(X, Y, batch_size=3)
    assert ids(plain) == ids(plain) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


def test_manual_seed_governs():
    loader = DataLoader(X, Y, batch_size=3, shuffle=True)
    tg.manual_seed(5)
    passes = [ids(loader), ids(loader)]
    tg.manual_seed(5)
    assert [ids(loader), ids(loader)] == passes
    tg.manual_seed(6)
    assert ids(loader) != passes[0]


def test_seed_stands_alone():
    def passes(seed):
        loader = DataLoader(X, Y, batch_size=3, shuffle=True, seed=seed)
        return [ids(loader), ids(loader)]

    tg.manual_seed(5)
    state = tg.rng.generator().bit_generator.state
    first = passes(1)
    assert tg.rng.generator().bit_generator.state == state
    assert passes(1) == first
    assert passes(2) != first


def test_no_shuffle_draws_nothing():
    state = tg.manual_seed(5).bit_generator.state
    ids(DataLoader(X, Y))
    assert tg.rng.generator().bit_generator.state == state


def test_every_order_is_as_likely():
    loader = DataLoader(np.arange(3), batch_size=3, shuffle=True, seed=0)
    counts = {}
    for _ in range(6000):
        for batch, in loader:
            counts[tuple(batch)] = counts.get(tuple(batch), 0) + 1
    assert len(counts) == 6
    assert all(abs(count - 1000) < 150 for count in counts.values())


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_are_copies(shuffle):
    x = X.copy()
    for batch, in DataLoader(x, batch_size=4, shuffle=shuffle):
        batch += 100
    assert np.array_equal(x, X)


@pytest.mark.parametrize(("given", "dtype"), [
    (Y, np.int64),
    (Y.astype(np.uint8), np.uint8),
    (Y.astype(np.float32), np.float32),
    (Y.astype(">f8"), np.float64),
    (tg.Tensor(Y), np.int64),
    (tg.Tensor(Y, dtype=np.float32, requires_grad=True), np.float32),
    (Y.tolist(), np.int64),
    ([float(y) for y in Y], np.float32),
    (np.arange(20)[::2] // 2, np.int64),
])
def test_kinds_of_arrays(given, dtype):
    (batch,), = DataLoader(given, batch_size=10)
    assert type(batch) is np.ndarray
    assert batch.dtype == dtype
    assert np.array_equal(batch, Y)


def test_arrays_of_many_axes_and_transposed_ones():
    images = np.arange(10 * 2 * 3 * 4).reshape(10, 2, 3, 4)
    turned = np.asfortranarray(X)
    for a, b in DataLoader(images, turned, batch_size=10):
        assert np.array_equal(a, images)
        assert np.array_equal(b, X)


def test_two_passes_at_once():
    loader = DataLoader(X, Y, batch_size=5, shuffle=True, seed=0)
    for (_, a), (_, b) in zip(loader, loader, strict=True):
        assert len(a) == len(b) == 5


@pytest.mark.parametrize(("arrays", "options", "error", "message"), [
    ((), {}, ValueError, "at least one array"),
    ((X, Y[:9]), {}, ValueError, r"same length; got \[10, 9\]"),
    ((X, Y), {"batch_size": 0}, ValueError, "positive integer value; got 0"),
    ((X, Y), {"batch_size": -1}, ValueError, "positive integer value; got -1"),
    ((X, Y), {"batch_size": 2.0}, ValueError, "positive integer value; got 2.0"),
    ((X, Y), {"batch_size": True}, ValueError, "positive integer value; got True"),
    ((X, Y), {"batch_size": None}, ValueError, "positive integer value; got None"),
    ((X, np.float32(1)), {}, TypeError, "array 1 has none"),
    ((3,), {}, TypeError, "array 0 has none"),
    ((["a", "b"],), {}, TypeError, "expects booleans, integers or floating"),
    ((np.array([1j]),), {}, TypeError, "expects booleans, integers or floating"),
    ((X,), {"seed": -1}, ValueError, "0 or greater; got -1"),
    ((X,), {"seed": 0.5}, TypeError, "is an integer; got float"),
    ((X,), {"transform": 3}, TypeError, "transform should be a function; got 3"),
])
def test_loader_refuses(arrays, options, error, message):
    with pytest.raises(error, match=message):
        DataLoader(*arrays, **options)


# ---- transform -------------------------------------------------------------------------


def test_transform_gets_each_batch():
    seen = []

    def double(x, y):
        seen.append((x.copy(), y.copy()))
        x *= 2
        return x, y + 100

    original = X.copy()
    loader = DataLoader(original, Y, batch_size=4, transform=double)
    assert len(loader) == 3
    batches = list(loader)
    assert [len(y) for _, y in seen] == [4, 4, 2]
    assert np.array_equal(np.concatenate([x for x, _ in batches]), 2 * X)
    assert np.array_equal(np.concatenate([y for _, y in batches]), Y + 100)
    assert np.array_equal(original, X)


@pytest.mark.parametrize("transform", [lambda x: x + 1, lambda x: (x + 1,)])
def test_transform_of_a_single_array(transform):
    (batch,), = DataLoader(Y, batch_size=10, transform=transform)
    assert np.array_equal(batch, Y + 1)


def test_transform_may_return_more_than_it_got():
    for x, y, weight in DataLoader(X, Y, batch_size=4, transform=lambda x, y: (x, y, y + 0.5)):
        assert np.array_equal(weight, y + 0.5)
        assert np.array_equal(x, X[y])


@pytest.mark.parametrize(("arrays", "result", "got"), [
    ((X, Y), X, "given 2; got ndarray"),  # of two rows, it would pass for two arrays
    ((X, Y), [X, Y], "given 2; got list"),
    ((X, Y), None, "given 2; got NoneType"),
    ((X,), 3, "given 1; got int"),
])
def test_transform_that_returns_no_arrays(arrays, result, got):
    with pytest.raises(TypeError, match="transform should return a tuple of arrays, .*" + got):
        next(iter(DataLoader(*arrays, transform=lambda *_: result)))


def test_an_error_in_a_transform_passes_through_and_the_batch_is_not_counted():
    fails = [False, True]

    def transform(x):
        if fails.pop(0):
            raise OSError("no more")
        return x

    loader = DataLoader(Y, batch_size=4, transform=transform)
    with pytest.raises(OSError, match="no more"):
        list(loader)
    assert loader.state_dict()["position"] == 4


# ---- to stop and go on -----------------------------------------------------------------


def as_it_is(state):
    return state


def through_json(state):
    plain = {name: x.tolist() if isinstance(x, np.ndarray) else x for name, x in state.items()}
    return json.loads(json.dumps(plain))


def through_npz(state):
    """As numbers come out of a file of arrays."""
    return {name: np.array(x) for name, x in state.items()}


def noisy(x, y):
    return x, y + tg.rng.generator().random(len(y))


def passes(loader, first=0, body=lambda number: None):
    """The batches of the passes `first` to 2; body(pass) runs in the body of the loop."""
    batches = []
    for number in range(first, 3):
        batches.append([])
        for _, y in loader:
            batches[-1].append(y.tolist())
            body(number)
    return batches


@pytest.mark.parametrize("way", [as_it_is, through_json, through_npz])
@pytest.mark.parametrize("options", [
    {}, {"shuffle": True}, {"shuffle": True, "seed": 3}, {"seed": 3}, {"drop_last": True},
    {"shuffle": True, "seed": 3, "drop_last": True}, {"shuffle": True, "transform": noisy},
], ids=str)
@pytest.mark.parametrize("stop", range(9))
def test_a_run_stopped_at_any_batch_sees_the_same_rest(way, options, stop):
    """Three passes of three batches, or two if the last is dropped; `stop` numbers them."""
    def keep(number):
        kept.append((number, loader.state_dict(), tg.get_rng_state()))

    kept = []
    tg.manual_seed(1)
    loader = DataLoader(X, Y, batch_size=4, **options)
    whole = passes(loader, body=keep)
    stop %= len(kept)
    number, state, rng_state = kept[stop]

    tg.manual_seed(99)
    if "seed" in options:
        options = {**options, "seed": 8}  # the state brings its own
    fresh = DataLoader(X, Y, batch_size=4, **options)
    fresh.load_state_dict(way(state))
    tg.set_rng_state(rng_state)
    done = stop % len(loader) + 1
    assert passes(fresh, number) == [whole[number][done:], *whole[number + 1:]]


def test_state_between_passes():
    loader = DataLoader(X, Y, batch_size=4, shuffle=True, seed=0)
    for _ in range(2):
        state = loader.state_dict()
        assert state["order"].shape == (0,)
        assert state["position"] == 0
        expected = ids(loader)
    fresh = DataLoader(X, Y, batch_size=4, shuffle=True, seed=1)
    fresh.load_state_dict(state)
    assert ids(fresh) == expected


def test_state_as_it_is_kept():
    loader = DataLoader(X, Y, batch_size=4, shuffle=True, seed=0)
    batches = iter(loader)
    _, y = next(batches)
    state = loader.state_dict()
    assert list(state) == ["order", "position", "generator"]
    assert state["order"].dtype == np.int64
    assert state["order"][:4].tolist() == y.tolist()
    assert state["position"] == 4
    assert state["generator"].shape == (6,)
    next(batches)
    assert state["position"] == 4
    state["order"][:] = 0
    assert np.array_equal(np.sort(loader.state_dict()["order"]), Y)
    assert "generator" not in DataLoader(X).state_dict()


def test_loading_copies():
    state = {"order": Y[::-1].copy(), "position": 4}
    loader = DataLoader(Y, batch_size=4)
    loader.load_state_dict(state)
    state["order"][:] = 0
    assert [batch.tolist() for batch, in loader] == [[5, 4, 3, 2], [1, 0]]
    assert [batch.tolist() for batch, in loader] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_loaded_state_is_the_state():
    loader = DataLoader(Y, batch_size=4, shuffle=True)
    next(iter(loader))
    state = loader.state_dict()
    fresh = DataLoader(Y, batch_size=4, shuffle=True)
    fresh.load_state_dict(state)
    for _ in range(2):
        assert np.array_equal(fresh.state_dict()["order"], state["order"])
        assert fresh.state_dict()["position"] == 4
        iter(fresh)  # goes on with it, and draws nothing


def test_a_pass_left_early_is_under_way_until_another_begins():
    loader = DataLoader(Y, batch_size=4)
    for _ in loader:
        break
    assert loader.state_dict()["position"] == 4
    assert len(list(loader)) == 3
    assert loader.state_dict()["position"] == 0


def test_a_pass_begins_with_iter():
    tg.manual_seed(0)
    loader = DataLoader(Y, batch_size=4, shuffle=True)
    before = tg.get_rng_state()
    batches = iter(loader)
    assert not np.array_equal(tg.get_rng_state(), before)
    assert loader.state_dict()["position"] == 0
    order = loader.state_dict()["order"]
    assert np.array_equal(np.concatenate([batch for batch, in batches]), order)


def test_of_two_passes_at_once_the_later_counts():
    loader = DataLoader(Y, batch_size=4)
    early, late = iter(loader), iter(loader)
    next(late)
    list(early)
    assert loader.state_dict()["position"] == 4
    next(late)
    assert loader.state_dict()["position"] == 8


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_a_loader_stands_where_it_stood(copied):
    loader = DataLoader(Y, batch_size=4, shuffle=True, seed=0)
    next(iter(loader))
    other = copied(loader)
    assert other.state_dict()["position"] == 4
    assert [b.tolist() for b, in other] == [b.tolist() for b, in loader]


def test_resuming_with_another_batch_size_goes_on_with_the_next_sample():
    loader = DataLoader(Y, batch_size=2)
    loader.load_state_dict({"order": Y, "position": 4})
    assert [batch.tolist() for batch, in loader] == [[4, 5], [6, 7], [8, 9]]


GOOD = {"order": Y, "position": 4}
WORDS = [1, 2, 3, 5, 0, 0]


@pytest.mark.parametrize(("state", "error", "message"), [
    (None, ValueError, "the state of a loader, .*; got None"),
    ([1, 2], ValueError, "the state of a loader"),
    ({}, ValueError, r"entries \['generator', 'order', 'position'\] .*; got \[\]"),
    (GOOD, ValueError, r"'generator' if it has a seed\); got \['order', 'position'\]"),
    ({**GOOD, "generator": WORDS, "more": 1}, ValueError, "the state of a loader"),
    ({**GOOD, "generator": None}, TypeError, "a random state is made of integers"),
    ({**GOOD, "generator": WORDS[:5]}, ValueError, "a random state is six numbers"),
    ({**GOOD, "position": -1}, ValueError, "from 0 to 10, how many .*; got -1"),
    ({**GOOD, "position": 11}, ValueError, "from 0 to 10, how many .*; got 11"),
    ({**GOOD, "position": 4.0}, TypeError, "'position' should be an integer; got 4.0"),
    ({**GOOD, "position": [4]}, TypeError, r"'position' should be an integer; got \[4\]"),
    ({**GOOD, "position": None}, TypeError, "'position' should be an integer; got None"),
    ({**GOOD, "position": True}, TypeError, "'position' should be an integer; got True"),
    ({"order": [], "position": 4}, ValueError, "from 0 to 0, how many .*; got 4"),
    ({**GOOD, "order": Y[:9]}, ValueError, r"each of the numbers 0 to 9 once, .* \(9,\)"),
    ({**GOOD, "order": Y + 1}, ValueError, "each of the numbers 0 to 9 once"),
    ({**GOOD, "order": Y // 2}, ValueError, "each of the numbers 0 to 9 once"),
    ({**GOOD, "order": Y.reshape(2, 5)}, ValueError, r"once, .* got shape \(2, 5\)"),
    ({**GOOD, "order": Y.astype(float)}, TypeError, "an array of integers; got float64"),
    ({**GOOD, "order": "0123456789"}, TypeError, "an array of integers; got <U10"),
])
def test_a_state_that_does_not_fit_changes_nothing(state, error, message):
    loader = DataLoader(Y, batch_size=4, shuffle=True, seed=0)
    next(iter(loader))
    before = loader.state_dict()
    if isinstance(state, dict) and "position" in state and state is not GOOD:
        state = {"generator": WORDS, **state}
    with pytest.raises(error, match=message):
        loader.load_state_dict(state)
    after = loader.state_dict()
    assert all(np.array_equal(after[name], before[name]) for name in before)


def test_a_state_with_a_generator_needs_a_loader_with_a_seed():
    with pytest.raises(ValueError, match="the state of a loader"):
        DataLoader(Y).load_state_dict({**GOOD, "generator": WORDS})


def test_a_net_learns_the_digits():
    tg.manual_seed(0)
    images, labels = digits("train")
    net = tg.nn.Sequential(tg.nn.Linear(64, 32), tg.nn.ReLU(), tg.nn.Linear(32, 10))
    optimizer = tg.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(5):
        for x, y in DataLoader(images, labels, batch_size=32, shuffle=True):
            optimizer.zero_grad()
            tg.nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
    images, labels = digits("test")
    assert (net(images).numpy().argmax(axis=1) == labels).mean() > 0.94

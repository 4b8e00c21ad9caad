"""The bundled digits, and the loader that hands out batches."""

import hashlib

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
])
def test_loader_refuses(arrays, options, error, message):
    with pytest.raises(error, match=message):
        DataLoader(*arrays, **options)


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

"""MNIST and its kin from files, toy sets, and the split in two."""

import gzip
import hashlib
import importlib
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import data
from tinygrad_lite.data import fashion_mnist, mnist, train_test_split

SHARED = Path(__file__).parents[2] / "shared" / "data" / "mnist"
MODULE = importlib.import_module("tinygrad_lite.data.mnist")  # the name is the function's

# ---- MNIST -----------------------------------------------------------------------------

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
DIGITS = np.array([3, 1, 4, 1, 9], np.uint8)


def idx(array, code=8):
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) \
        + array.tobytes()


def write(folder, images=PIXELS, labels=DIGITS, prefix="train", packed=True):
    """The two files of a split, as they are downloaded or as they are unpacked."""
    folder.mkdir(exist_ok=True)
    for name, array in [("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)]:
        content = gzip.compress(idx(array), mtime=0) if packed else idx(array)
        (folder / f"{prefix}-{name}{'.gz' if packed else ''}").write_bytes(content)
    return folder


@pytest.fixture(params=[mnist, fashion_mnist], ids=["mnist", "fashion_mnist"])
def load(request):
    return request.param


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("split", "prefix"), [("train", "train"), ("test", "t10k")])
def test_what_the_files_hold(load, tmp_path, packed, split, prefix):
    write(tmp_path, prefix=prefix, packed=packed)
    images, labels = load(tmp_path, split)
    assert images.dtype == np.float32
    assert np.array_equal(images, PIXELS.reshape(5, 784).astype(np.float32) / np.float32(255))
    assert labels.dtype == np.int64
    assert np.array_equal(labels, DIGITS)
    images, labels = load(str(tmp_path), split, flat=False)
    assert images.shape == (5, 28, 28)
    assert (images.min(), images.max()) == (0, 1)
    images[:] = labels[:] = 0  # both belong to the caller


def test_the_split_is_to_train_by_default(load, tmp_path):
    write(tmp_path)
    write(tmp_path, labels=DIGITS[::-1], prefix="t10k")
    assert load(tmp_path)[1].tolist() == DIGITS.tolist()
    assert load(tmp_path, "test")[1].tolist() == DIGITS[::-1].tolist()


def test_an_empty_set(load, tmp_path):
    write(tmp_path, PIXELS[:0], DIGITS[:0])
    assert load(tmp_path)[0].shape == (0, 784)
    assert load(tmp_path, flat=False)[0].shape == (0, 28, 28)


@pytest.mark.parametrize("split", ["valid", "Train", "", None, 0, True])
def test_another_split(load, split):
    with pytest.raises(ValueError, match="expects split 'train' or 'test'; got"):
        load("nowhere", split)


def test_missing_files(load, tmp_path):
    write(tmp_path, prefix="t10k")
    with pytest.raises(FileNotFoundError) as info:
        load(tmp_path, "train")
    message = str(info.value)
    assert "train-images-idx3-ubyte and train-labels-idx1-ubyte" in message
    assert f"in {tmp_path}," in message
    assert "download=True" in message


def test_one_missing_file(load, tmp_path):
    write(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="expects the files train-images-idx3-ubyte in"):
        load(tmp_path, "train")


@pytest.mark.parametrize(("variable", "expected"), [
    ("data", "data"), (None, "home/.cache/tinygrad_lite"), ("", "home/.cache/tinygrad_lite"),
])
def test_the_folder_when_none_is_named(load, tmp_path, monkeypatch, variable, expected):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.delenv("TINYGRAD_LITE_DATA", raising=False)
    if variable is not None:
        monkeypatch.setenv("TINYGRAD_LITE_DATA", variable)
    with pytest.raises(FileNotFoundError):
        load()
    folder = tmp_path / expected / load.__name__
    folder.parent.mkdir(parents=True)
    write(folder)
    assert load()[1].tolist() == DIGITS.tolist()


def test_a_tilde_is_the_home_folder(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write(tmp_path / "digits")
    assert len(load("~/digits")[0]) == 5


@pytest.mark.parametrize(("images", "labels", "message"), [
    (PIXELS, DIGITS[:4], r"got \(5, 28, 28\) and \(4,\)"),
    (PIXELS[:4], DIGITS, r"got \(4, 28, 28\) and \(5,\)"),
    (PIXELS[:, :27], DIGITS, r"expected images of shape \(N, 28, 28\) .* got \(5, 27, 28\)"),
    (PIXELS.reshape(5, 784), DIGITS, r"got \(5, 784\)"),
    (DIGITS, PIXELS, r"got \(5,\) and \(5, 28, 28\)"),
    (PIXELS, DIGITS[:, None], r"got \(5, 28, 28\) and \(5, 1\)"),
    (np.uint8(3), np.uint8(3), r"got \(\) and \(\)"),
])
def test_files_of_another_shape(load, tmp_path, images, labels, message):
    with pytest.raises(ValueError, match=message):
        load(write(tmp_path, images, labels))


def test_files_of_another_dtype(load, tmp_path):
    write(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(idx(DIGITS, code=9))
    with pytest.raises(ValueError, match=r"labels-idx1-ubyte.gz: expected bytes .*got int8"):
        load(tmp_path)


def test_a_damaged_file(load, tmp_path):
    path = write(tmp_path) / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"images-idx3-ubyte.gz: expected a whole gzip file"):
        load(tmp_path)


@pytest.mark.parametrize(("load", "other"), [
    (mnist, "fashion_mnist"), (fashion_mnist, "mnist"),
])
def test_the_other_sets_files_are_noticed(tmp_path, load, other):
    """Their names are the same; downloaded into one folder, one would pass for the other."""
    sets = {"mnist": MODULE._MNIST, "fashion_mnist": MODULE._FASHION_MNIST}
    write(tmp_path)
    size = sets[other].contents["train-images-idx3-ubyte"][0]
    with open(tmp_path / "train-images-idx3-ubyte.gz", "wb") as file:
        file.truncate(size)
    with pytest.raises(ValueError, match=f"a file of {other}, not of {load.__name__}; .*own"):
        load(tmp_path)


# ---- downloads -------------------------------------------------------------------------


@pytest.fixture
def small(load, tmp_path, monkeypatch):
    """A folder to be the mirror, with files small enough for a test, known to the package."""
    folder = write(tmp_path / "mirror")
    contents = {}
    for path in folder.iterdir():
        body = path.read_bytes()
        contents[path.stem] = (len(body), hashlib.sha256(body).hexdigest())
    name = f"_{load.__name__.upper()}"
    monkeypatch.setattr(MODULE, name, getattr(MODULE, name)._replace(contents=contents))
    monkeypatch.setitem(sys.modules, "tqdm", None)
    return folder


def test_download(load, small, tmp_path):
    images, labels = load(tmp_path / "new" / "folder", download=True, mirrors=small.as_uri())
    assert images.shape == (5, 784)
    assert np.array_equal(labels, DIGITS)
    names = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert names == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]


def test_what_is_there_is_not_downloaded(load, tmp_path):
    write(tmp_path / "data", packed=False)
    images, _ = load(tmp_path / "data", download=True, mirrors="nonsense://host")
    assert len(images) == 5
    assert not list((tmp_path / "data").glob("*.gz*"))


def test_only_what_is_missing_is_downloaded(load, small, tmp_path):
    write(tmp_path / "data", packed=False)
    (tmp_path / "data" / "train-labels-idx1-ubyte").unlink()
    (small / "train-images-idx3-ubyte.gz").unlink()
    load(tmp_path / "data", download=True, mirrors=[small.as_uri() + "/"])
    assert (tmp_path / "data" / "train-labels-idx1-ubyte.gz").exists()


def test_no_mirror_has_it(load, small, tmp_path):
    (small / "train-labels-idx1-ubyte.gz").write_bytes(b"something else")
    mirrors = ["nonsense://host", small.as_uri()]
    with pytest.raises(RuntimeError) as info:
        load(tmp_path / "data", download=True, mirrors=mirrors)
    message = str(info.value)
    assert "could not download train-labels-idx1-ubyte.gz" in message
    assert "nonsense://host/train-labels-idx1-ubyte.gz: " in message
    assert f"{small.as_uri()}/train-labels-idx1-ubyte.gz: " in message
    assert f"Put the file into {tmp_path / 'data'}" in message


@pytest.mark.parametrize("which", ["_MNIST", "_FASHION_MNIST"])
def test_the_table_of_files(which):
    entry = getattr(MODULE, which)
    assert len(entry.mirrors) >= 2
    assert all(mirror.endswith("/") for mirror in entry.mirrors)
    names = [name for names in MODULE._FILES.values() for name in names]
    assert list(entry.contents) == names
    assert all(len(bytes.fromhex(digest)) == 32 for _, digest in entry.contents.values())


def test_the_ten_thousand_digits():
    """The real files, where they are at hand."""
    if not SHARED.is_dir():
        pytest.skip("no MNIST files beside the repository")
    for name in MODULE._FILES["test"]:
        body = (SHARED / f"{name}.gz").read_bytes()
        expected = MODULE._MNIST.contents[name]
        assert (len(body), hashlib.sha256(body).hexdigest()) == expected
    images, labels = mnist(SHARED, "test")
    assert images.shape == (10_000, 784)
    assert (images.min(), images.max()) == (0, 1)
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974,
                                            1009]
    with pytest.raises(ValueError, match="a file of mnist, not of fashion_mnist"):
        fashion_mnist(SHARED, "test")
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        mnist(SHARED)


# ---- toy sets --------------------------------------------------------------------------


def moons_by_hand(n):
    a, b = n // 2, n - n // 2
    upper = [(np.cos(t), np.sin(t)) for t in np.linspace(0, np.pi, a)]
    lower = [(1 - np.cos(t), 0.5 - np.sin(t)) for t in np.linspace(0, np.pi, b)]
    return upper + lower, [0] * a + [1] * b


def circles_by_hand(n, factor=0.5):
    points, labels = [], []
    for c, (size, radius) in enumerate([(n // 2, 1), (n - n // 2, factor)]):
        for i in range(size):
            t = 2 * np.pi * i / size
            points.append((radius * np.cos(t), radius * np.sin(t)))
            labels.append(c)
    return points, labels


def spiral_by_hand(n, classes=3, turns=0.6):
    points, labels = [], []
    for c in range(classes):
        size = n // classes + (c < n % classes)
        for i in range(size):
            r = i / size
            t = 2 * np.pi * (c / classes + turns * r)
            points.append((r * np.cos(t), r * np.sin(t)))
            labels.append(c)
    return points, labels


def blobs_by_hand(n, classes=3):
    labels = [c for c in range(classes) for _ in range(n // classes + (c < n % classes))]
    return [(np.cos(2 * np.pi * c / classes), np.sin(2 * np.pi * c / classes))
            for c in labels], labels


TOYS = [(data.moons, moons_by_hand), (data.circles, circles_by_hand),
        (data.spiral, spiral_by_hand), (data.blobs, blobs_by_hand)]
NAMES = ["moons", "circles", "spiral", "blobs"]


def in_order(points, labels):
    """Rows (label, x, y), sorted; rounded, as the last digit depends on the order."""
    points = np.reshape(np.asarray(points, np.float64), (-1, 2))
    rows = np.column_stack([labels, np.round(points, 5) + 0.0])
    return rows[np.lexsort(rows.T[::-1])]


@pytest.mark.parametrize(("toy", "by_hand"), TOYS, ids=NAMES)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 100, np.int64(8)])
def test_geometry(toy, by_hand, n):
    points, labels = toy(n, noise=0)
    assert points.shape == (n, 2)
    assert points.dtype == np.float32
    assert labels.shape == (n,)
    assert labels.dtype == np.int64
    assert np.allclose(in_order(points, labels), in_order(*by_hand(n)), rtol=0, atol=2e-5)


@pytest.mark.parametrize(("toy", "by_hand", "options"), [
    (data.circles, circles_by_hand, {"factor": 0.0}),
    (data.circles, circles_by_hand, {"factor": 1}),
    (data.spiral, spiral_by_hand, {"classes": 1}),
    (data.spiral, spiral_by_hand, {"classes": 5, "turns": -1.5}),
    (data.spiral, spiral_by_hand, {"classes": 20}),
    (data.blobs, blobs_by_hand, {"classes": 1}),
    (data.blobs, blobs_by_hand, {"classes": 4}),
])
def test_options(toy, by_hand, options):
    points, labels = toy(13, noise=0, **options)
    assert np.allclose(in_order(points, labels), in_order(*by_hand(13, **options)), rtol=0,
                       atol=2e-5)


@pytest.mark.parametrize(("toy", "noise"), [
    (data.moons, 0.1), (data.circles, 0.05), (data.blobs, 0.2),
])
def test_noise_is_added_to_each_coordinate(toy, noise):
    """The same seed draws the same numbers, scaled; so the difference is the noise alone."""
    once, labels = toy(4000, noise=noise, seed=3)
    twice, again = toy(4000, noise=2 * noise, seed=3)
    assert np.array_equal(labels, again)
    added = twice - once
    assert abs(added.mean()) < 0.1 * noise
    assert np.allclose(added.std(axis=0), noise, rtol=0.05)
    assert np.array_equal(once, toy(4000, seed=3)[0])  # it is the default


def test_noise_of_a_spiral_is_of_the_angle():
    points, labels = data.spiral(6000, seed=3)
    r = np.hypot(*points.T)
    t = np.arctan2(points[:, 1], points[:, 0])
    noise = t - 2 * np.pi * (labels / 3 + 0.6 * r)
    noise = (noise[r > 0] + np.pi) % (2 * np.pi) - np.pi
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 0.2) < 0.01


@pytest.mark.parametrize("toy", [toy for toy, _ in TOYS], ids=NAMES)
def test_seeds(toy):
    def same(a, b):
        return all(map(np.array_equal, a, b))

    tg.manual_seed(5)
    first, second = toy(50), toy(50)
    assert not same(first, second)
    tg.manual_seed(5)
    assert same(toy(50), first)
    state = tg.get_rng_state()
    assert same(toy(50, seed=1), toy(50, seed=1))
    assert not same(toy(50, seed=1), toy(50, seed=2))
    assert same(toy(50, seed=np.random.default_rng(1)), toy(50, seed=1))
    assert np.array_equal(tg.get_rng_state(), state)


@pytest.mark.parametrize("toy", [toy for toy, _ in TOYS], ids=NAMES)
def test_classes_come_mixed(toy):
    _, labels = toy(300, seed=0)
    assert set(labels[:20]) == set(labels)


@pytest.mark.parametrize(("toy", "options", "error", "message"), [
    *[(toy, {"n": -1}, ValueError, "n of at least 0; got -1") for toy, _ in TOYS],
    *[(toy, {"n": 2.0}, TypeError, "an integer for n; got 2.0") for toy, _ in TOYS],
    *[(toy, {"n": True}, TypeError, "an integer for n; got True") for toy, _ in TOYS],
    *[(toy, {"noise": -1}, ValueError, "noise of at least 0; got -1") for toy, _ in TOYS],
    *[(toy, {"noise": np.nan}, ValueError, "noise of at least 0; got nan") for toy, _ in TOYS],
    *[(toy, {"seed": -1}, ValueError, "0 or greater; got -1") for toy, _ in TOYS],
    *[(toy, {"seed": 0.5}, TypeError, "an integer; got float") for toy, _ in TOYS],
    (data.spiral, {"classes": 0}, ValueError, "classes of at least 1; got 0"),
    (data.blobs, {"classes": -3}, ValueError, "classes of at least 1; got -3"),
    (data.blobs, {"classes": 2.5}, TypeError, "an integer for classes; got 2.5"),
    (data.circles, {"factor": -0.1}, ValueError, "from 0 to 1; got -0.1"),
    (data.circles, {"factor": 1.1}, ValueError, "from 0 to 1; got 1.1"),
    (data.circles, {"factor": np.nan}, ValueError, "from 0 to 1; got nan"),
])
def test_toy_sets_refuse(toy, options, error, message):
    with pytest.raises(error, match=message):
        toy(**options)


# ---- train_test_split ------------------------------------------------------------------

X = np.arange(40.0).reshape(20, 2)
Y = np.arange(20)


@pytest.mark.parametrize(("n", "test_size", "n_test"), [
    (20, 0.25, 5), (20, 0.01, 1), (20, 0.99, None), (20, 0.26, 6), (20, 0.95, 19),
    (20, 5, 5), (20, 1, 1), (20, 19, 19), (20, np.int64(3), 3), (20, np.float32(0.5), 10),
    (2, 0.25, 1), (3, 0.5, 2), (10, 0.3, 3),
])
@pytest.mark.parametrize("shuffle", [True, False])
def test_sizes(n, test_size, n_test, shuffle):
    if n_test is None:
        with pytest.raises(ValueError, match="leaves 0 to learn from and 20 to test with"):
            train_test_split(X[:n], test_size=test_size, shuffle=shuffle)
        return
    train, test = train_test_split(Y[:n], test_size=test_size, shuffle=shuffle)
    assert (len(train), len(test)) == (n - n_test, n_test)
    assert sorted([*train, *test]) == list(range(n))


def test_rows_stay_together():
    x_train, x_test, y_train, y_test = train_test_split(X, Y)
    assert (len(y_train), len(y_test)) == (15, 5)
    assert np.array_equal(x_train, X[y_train])
    assert np.array_equal(x_test, X[y_test])


def test_without_shuffle_the_last_are_to_test_with():
    state = tg.get_rng_state()
    train, test = train_test_split(Y, test_size=0.2, shuffle=False)
    assert np.array_equal(train, Y[:16])
    assert np.array_equal(test, Y[16:])
    assert np.array_equal(tg.get_rng_state(), state)


def test_splits_and_seeds():
    def split(**options):
        return train_test_split(Y, **options)[1].tolist()

    tg.manual_seed(5)
    first, second = split(), split()
    assert first != second
    tg.manual_seed(5)
    assert split() == first
    state = tg.get_rng_state()
    assert split(seed=1) == split(seed=1) == split(seed=np.random.default_rng(1))
    assert split(seed=1) != split(seed=2)
    assert np.array_equal(tg.get_rng_state(), state)


@pytest.mark.parametrize("stratify", [None, np.repeat([0, 1], 10)])
def test_each_sample_is_as_likely(stratify):
    generator = np.random.default_rng(0)
    counts = np.zeros(20)
    for _ in range(2000):
        _, test = train_test_split(Y, test_size=0.3, seed=generator, stratify=stratify)
        counts[test] += 1
    assert np.allclose(counts / 2000, 0.3, atol=0.05)


@pytest.mark.parametrize("given", [
    Y, Y.astype(np.float32), Y.tolist(), tg.Tensor(Y), Y[::-1][::-1],
    tg.Tensor(Y, dtype="float32", requires_grad=True),
], ids=["array", "float32", "list", "Tensor", "strided", "leaf"])
def test_kinds_of_arrays(given):
    train, test = train_test_split(given, test_size=5, shuffle=False)
    assert type(train) is type(test) is np.ndarray
    assert np.array_equal(train, Y[:15])
    train[:] = -1
    test[:] = -1
    assert np.array_equal(np.asarray(given), Y)


@pytest.mark.parametrize(("counts", "n_test", "expected"), [
    ([10, 10], 4, [2, 2]),
    ([15, 5], 4, [3, 1]),
    ([16, 4], 5, [4, 1]),
    ([6, 7, 7], 10, [3, 4, 3]),       # 3, 3.5, 3.5: the first of those cut alike
    ([12, 4, 4], 3, [2, 1, 0]),       # 1.8, 0.6, 0.6
    ([2, 18], 10, [1, 9]),
])
def test_stratify(counts, n_test, expected):
    classes = np.repeat(np.arange(len(counts)), counts)
    classes = np.random.default_rng(0).permutation(classes)
    x_train, x_test, c_train, c_test = train_test_split(
        Y, classes, test_size=n_test, stratify=classes)
    assert np.bincount(c_test, minlength=len(counts)).tolist() == expected
    assert np.array_equal(classes[x_test], c_test)
    assert np.array_equal(classes[x_train], c_train)
    assert sorted([*x_train, *x_test]) == list(range(20))


@pytest.mark.parametrize("stratify", [
    ["cat", "dog"] * 10, np.array([-1.5, 7.0] * 10), tg.Tensor([5, 3] * 10), [True, False] * 10,
], ids=["names", "floats", "Tensor", "bools"])
def test_kinds_of_classes(stratify):
    _, test = train_test_split(Y, test_size=4, stratify=stratify)
    assert sorted(test % 2) == [0, 0, 1, 1]


def test_a_stratified_split_comes_mixed():
    classes = np.repeat([0, 1], 500)
    train, test = train_test_split(classes, stratify=classes, seed=0)
    assert 0.3 < train[:100].mean() < 0.7
    assert 0.3 < test[:100].mean() < 0.7


@pytest.mark.parametrize(("arrays", "options", "error", "message"), [
    ((), {}, ValueError, "train_test_split expects at least one array; got none"),
    ((X, Y[:9]), {}, ValueError, r"same length; got \[20, 9\]"),
    ((3,), {}, TypeError, "array 0 has none"),
    ((["a", "b"],), {}, TypeError, "expects booleans, integers or floating"),
    ((Y,), {"test_size": 0}, ValueError, "leaves 20 to learn from and 0 to test with"),
    ((Y,), {"test_size": 20}, ValueError, "leaves 0 to learn from and 20 to test with"),
    ((Y,), {"test_size": -1}, ValueError, "leaves 21 to learn from and -1 to test with"),
    ((Y,), {"test_size": 0.0}, ValueError, "above 0 and below 1, .*; got 0.0"),
    ((Y,), {"test_size": 1.0}, ValueError, "above 0 and below 1, .*; got 1.0"),
    ((Y,), {"test_size": np.nan}, ValueError, "above 0 and below 1, .*; got nan"),
    ((Y,), {"test_size": True}, TypeError, "a number; got True"),
    ((Y,), {"test_size": "half"}, TypeError, "a number; got 'half'"),
    ((Y,), {"test_size": None}, TypeError, "a number; got None"),
    ((Y[:1],), {}, ValueError, "each part needs one at least"),
    ((Y[:0],), {}, ValueError, "each part needs one at least"),
    ((Y,), {"seed": -1}, ValueError, "0 or greater; got -1"),
    ((Y,), {"stratify": Y[:9]}, ValueError, r"shape \(20,\); got shape \(9,\)"),
    ((Y,), {"stratify": X}, ValueError, r"shape \(20,\); got shape \(20, 2\)"),
    ((Y,), {"stratify": 3}, ValueError, r"shape \(20,\); got shape \(\)"),
    ((Y,), {"stratify": Y > 0}, ValueError, "class False has one"),
    ((Y,), {"stratify": Y > 5, "shuffle": False}, ValueError, "it needs shuffle=True"),
    ((Y,), {"stratify": Y // 2, "test_size": 9}, ValueError, "10 classes .* 11 .* and 9 to"),
    ((Y,), {"stratify": Y // 2, "test_size": 11}, ValueError, "10 classes .* 9 .* and 11 to"),
])
def test_split_refuses(arrays, options, error, message):
    with pytest.raises(error, match=message):
        train_test_split(*arrays, **options)

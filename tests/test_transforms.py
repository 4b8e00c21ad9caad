"""normalise, one_hot, random_shift, random_flip."""

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.data import normalise, one_hot, random_flip, random_shift

X = np.random.default_rng(0).normal(3, 2, (50, 3, 4, 5)).astype(np.float32)
IMAGES = np.arange(1, 6 * 5 * 7 + 1, dtype=np.float32).reshape(6, 5, 7)
COLOURED = np.arange(1, 6 * 3 * 5 * 7 + 1, dtype=np.uint16).reshape(6, 3, 5, 7)

# ---- normalise -------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2, 3), (0, 1, 2, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_normalise(axis, dtype):
    x = X.astype(dtype)
    y, mean, std = normalise(x, axis=axis)
    keep = axis is not None
    wide = x.astype(np.float64)
    tolerance = {np.float16: 5e-3, np.float32: 1e-5, np.float64: 1e-13}[dtype]
    expected = (wide.mean(axis, keepdims=keep), wide.std(axis, keepdims=keep))
    assert np.shape(mean) == np.shape(std) == np.shape(expected[0])
    assert (y.dtype, mean.dtype, std.dtype) == (dtype, dtype, dtype)
    assert np.allclose(mean, expected[0], rtol=tolerance, atol=tolerance)
    assert np.allclose(std, expected[1], rtol=tolerance, atol=tolerance)
    assert np.allclose(y, (wide - expected[0]) / expected[1], rtol=0, atol=3 * tolerance)


@pytest.mark.parametrize("axis", [None, 0, (0, 2, 3)])
def test_learnt_from_some_used_on_others(axis):
    train, mean, std = normalise(X[:40], axis=axis)
    test, same_mean, same_std = normalise(X[40:], mean, std)
    assert same_mean is mean
    assert same_std is std
    assert np.array_equal(normalise(X[:40], mean, std)[0], train)
    assert np.array_equal(test, (X[40:] - mean) / std)


@pytest.mark.parametrize(("mean", "std"), [
    (3, 2), (3.0, None), (None, 2.0), (tg.Tensor(3.0), np.float64(2)),
    (X.mean((0, 2, 3)).reshape(3, 1, 1), [[[1.0]], [[2.0]], [[3.0]]]),
])
def test_statistics_given(mean, std):
    y, used_mean, used_std = normalise(X, mean, std)
    m = X.mean() if mean is None else np.asarray(mean)
    s = np.sqrt(np.square(X - m).mean()) if std is None else np.asarray(std)
    assert np.allclose(y, (X - m) / s, rtol=0, atol=1e-5)
    assert np.allclose(np.asarray(used_mean), m)
    assert np.allclose(np.asarray(used_std), s)


def test_numbers_that_are_all_the_same_become_zero():
    x = np.array([[1.0, 5.0], [3.0, 5.0]])
    y, mean, std = normalise(x, axis=0)
    assert y.tolist() == [[-1, 0], [1, 0]]
    assert mean.tolist() == [[2, 5]]
    assert std.tolist() == [[1, 1]]
    y, mean, std = normalise(np.full((2, 2), 7.0))
    assert (y.tolist(), mean, std) == ([[0, 0], [0, 0]], 7, 1)


@pytest.mark.parametrize("given", [
    [[1, 2], [3, 4]], np.array([[1, 2], [3, 4]], np.uint8), tg.Tensor([[1.0, 2.0], [3.0, 4.0]]),
], ids=["list", "bytes", "Tensor"])
def test_normalise_takes_any_numbers(given):
    y, mean, _ = normalise(given)
    assert type(y) is np.ndarray
    assert y.dtype == np.float32
    assert mean == 2.5
    assert np.allclose(y, (np.array([[1, 2], [3, 4]]) - 2.5) / np.sqrt(1.25))


def test_the_mean_of_many_numbers_is_exact():
    """Summed in float32, a million numbers near 1,000 would be off by more than this."""
    x = np.full(1_000_000, 1000.1, np.float32)
    x[::2] += 1
    _, mean, std = normalise(x)
    assert abs(mean - 1000.6) < 1e-4
    assert abs(std - 0.5) < 1e-4


def test_normalise_nothing_with_statistics_given():
    assert normalise(X[:0], 3, 2)[0].shape == (0, 3, 4, 5)


@pytest.mark.parametrize(("x", "options", "message"), [
    (X[:0], {}, r"numbers to take the mean of; got shape \(0, 3, 4, 5\)"),
    (X[:0], {"mean": 1}, "numbers to take the mean of"),
    (X, {"std": 0}, "std above 0; got 0"),
    (X, {"std": -1.0}, "std above 0; got -1.0"),
    (X, {"std": np.nan}, "std above 0; got nan"),
    (X, {"std": [1, 1, 1, 1, 0]}, "std above 0; got"),
    (X, {"axis": 4}, "out of bounds"),
    (X, {"mean": np.zeros(3)}, "could not be broadcast"),
    (X, {"std": np.ones((2, 1, 1, 1, 1))}, r"broadcast to shape \(50, 3, 4, 5\)"),
    (X, {"mean": np.ones((2, 1, 1, 1, 1))}, r"together they make \(2, 50, 3, 4, 5\)"),
])
def test_normalise_refuses(x, options, message):
    with pytest.raises(ValueError, match=message):
        normalise(x, **options)


# ---- one_hot ---------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [
    np.array([2, 0, 3]), np.array([2, 0, 3], np.uint8), np.array([2, 0, 3], ">i2"), [2, 0, 3],
    tg.Tensor([2, 0, 3]), np.array([2, 9, 0, 9, 3])[::2], np.array([[2, 0], [3, 1]]),
    np.array(2), np.zeros((2, 0), np.int64),
])
@pytest.mark.parametrize("classes", [4, np.int32(7)])
def test_one_hot(labels, classes):
    y = one_hot(labels, classes)
    assert y.dtype == np.float32
    assert np.array_equal(y, np.eye(classes)[np.asarray(labels)])


def test_one_hot_counts_the_classes():
    assert one_hot([2, 0]).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert one_hot([0, 0]).tolist() == [[1], [1]]
    assert one_hot([], 3).shape == (0, 3)


@pytest.mark.parametrize(("labels", "classes", "error", "message"), [
    ([0, 3], 3, IndexError, "label 3 is out of bounds: one_hot expects 0 to 2"),
    ([0, -1], 3, IndexError, "label -1 is out of bounds"),
    ([0, -1], None, IndexError, "label -1 is out of bounds: one_hot expects 0 to 0"),
    ([-1], None, ValueError, "classes of at least 1; got 0"),
    ([], None, ValueError, "at least one label, or classes="),
    ([0], 0, ValueError, "classes of at least 1; got 0"),
    ([0], 2.0, TypeError, "an integer for classes; got 2.0"),
    ([0], True, TypeError, "an integer for classes; got True"),
    ([0.0, 1.0], 2, TypeError, "labels of integers; got float32"),
    ([True, False], 2, TypeError, "labels of integers; got bool"),
    (["a"], 2, TypeError, "expects booleans, integers or floating"),
])
def test_one_hot_refuses(labels, classes, error, message):
    with pytest.raises(error, match=message):
        one_hot(labels, classes)


@pytest.mark.parity
def test_one_hot_as_pytorch():
    torch = pytest.importorskip("torch")
    labels = np.array([[1, 0, 4], [2, 2, 3]])
    expected = torch.nn.functional.one_hot(torch.tensor(labels)).numpy()
    assert np.array_equal(one_hot(labels), expected)


# ---- random_shift ----------------------------------------------------------------------


def shifted(image, down, right, fill):
    """One image moved, pixel by pixel."""
    height, width = image.shape[-2:]
    moved = np.full_like(image, fill)
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                moved[..., i, j] = image[..., i - down, j - right]
    return moved


@pytest.mark.parametrize("images", [
    IMAGES, COLOURED, COLOURED[:, ::2, ::-1], COLOURED[:, None],
], ids=["grey", "coloured", "strided", "five axes"])
@pytest.mark.parametrize(("pixels", "fill"), [(0, 0), (1, 0), (2, 9), (6, 0), (20, 7)])
def test_every_image_is_moved_as_a_whole(images, pixels, fill):
    before = images.copy()
    moved = random_shift(images, pixels, fill, seed=1)
    assert moved.shape == images.shape
    assert moved.dtype == images.dtype
    assert moved.flags.c_contiguous
    assert np.array_equal(images, before)
    possible = range(-pixels, pixels + 1)
    for old, new in zip(images, moved, strict=True):
        assert any(np.array_equal(new, shifted(old, down, right, fill))
                   for down in possible for right in possible)


def test_every_shift_is_as_likely():
    images = np.zeros((9000, 3, 3), np.uint8)
    images[:, 1, 1] = 1
    places = random_shift(images, 1, seed=0).sum(axis=0)
    assert places.sum() == 9000
    assert np.all(np.abs(places.astype(int) - 1000) < 150)


@pytest.mark.parametrize(("fill", "dtype"), [
    (255, np.uint8), (-1, np.int16), (0.5, np.float32), (np.nan, np.float32), (1, bool),
    (np.inf, np.float64), (tg.Tensor(2.0), np.float32),
])
def test_fill(fill, dtype):
    moved = random_shift(np.zeros((20, 2, 2), dtype), 5, fill, seed=0)
    expected = np.asarray(fill).astype(dtype)
    assert moved.dtype == dtype
    assert np.any((moved == expected) | (moved != moved))


def test_shifts_of_a_tensor_and_of_lists():
    expected = random_shift(IMAGES, 1, seed=0)
    for given in (tg.Tensor(IMAGES, requires_grad=True), IMAGES.tolist()):
        moved = random_shift(given, 1, seed=0)
        assert type(moved) is np.ndarray
        assert np.array_equal(moved, expected)


# ---- random_flip -----------------------------------------------------------------------


@pytest.mark.parametrize("images", [IMAGES, COLOURED, COLOURED[:, ::2, ::-1]])
def test_an_image_is_flipped_or_not(images):
    before = images.copy()
    flipped = random_flip(images, seed=1)
    assert flipped.dtype == images.dtype
    assert np.array_equal(images, before)
    done = [np.array_equal(new, old[..., ::-1]) for old, new in zip(images, flipped)]
    kept = [np.array_equal(new, old) for old, new in zip(images, flipped)]
    assert done == [not k for k in kept]
    assert any(done)
    assert any(kept)


@pytest.mark.parametrize("p", [0, 0.2, 0.5, 1, np.float32(1)])
def test_how_many_are_flipped(p):
    images = np.zeros((10_000, 1, 2))
    images[:, 0, 0] = 1
    assert abs(random_flip(images, p, seed=0)[:, 0, 1].mean() - p) < 0.02


# ---- both ------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [lambda x, **seed: random_shift(x, 2, **seed),
                                       random_flip], ids=["random_shift", "random_flip"])
def test_seeds(transform):
    images = np.random.default_rng(0).random((40, 6, 6))
    tg.manual_seed(5)
    first, second = transform(images), transform(images)
    assert not np.array_equal(first, second)
    tg.manual_seed(5)
    assert np.array_equal(transform(images), first)
    state = tg.get_rng_state()
    one = transform(images, seed=1)
    assert np.array_equal(transform(images, seed=1), one)
    assert not np.array_equal(transform(images, seed=2), one)
    generator = np.random.default_rng(1)
    assert np.array_equal(transform(images, seed=generator), one)
    assert not np.array_equal(transform(images, seed=generator), one)
    assert np.array_equal(tg.get_rng_state(), state)


@pytest.mark.parametrize("shape", [(0, 3, 4), (0, 2, 3, 4), (2, 0, 4), (2, 3, 0, 0)])
def test_no_images_and_no_pixels(shape):
    images = np.zeros(shape, np.float32)
    assert random_shift(images, 2).shape == shape
    assert random_flip(images).shape == shape


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: random_shift(IMAGES[0], 1), ValueError, r"shape \(N, H, W\) .*got shape \(5, 7\)"),
    (lambda: random_flip(np.zeros((9, 784))), ValueError, r"got shape \(9, 784\). Give rows"),
    (lambda: random_shift(IMAGES, -1), ValueError, "pixels of at least 0; got -1"),
    (lambda: random_shift(IMAGES, 1.0), TypeError, "an integer for pixels; got 1.0"),
    (lambda: random_shift(IMAGES, True), TypeError, "an integer for pixels; got True"),
    (lambda: random_shift(COLOURED, 1, 0.5), ValueError, "a fill that uint16 holds; got 0.5"),
    (lambda: random_shift(COLOURED, 1, -1), ValueError, "a fill that uint16 holds; got -1"),
    (lambda: random_shift(COLOURED, 1, 70_000), ValueError, "uint16 holds; got 70000"),
    (lambda: random_shift(COLOURED, 1, np.nan), ValueError, "uint16 holds; got nan"),
    (lambda: random_shift(COLOURED, 1, np.inf), ValueError, "uint16 holds; got inf"),
    (lambda: random_flip(IMAGES, 1.5), ValueError, "p from 0 to 1; got 1.5"),
    (lambda: random_flip(IMAGES, -0.5), ValueError, "p from 0 to 1; got -0.5"),
    (lambda: random_flip(IMAGES, np.nan), ValueError, "p from 0 to 1; got nan"),
    (lambda: random_flip(IMAGES, seed=-1), ValueError, "0 or greater; got -1"),
    (lambda: random_shift(IMAGES, 1, seed="x"), TypeError, "a seed is an integer; got str"),
    (lambda: random_flip([["a"]]), TypeError, "expects booleans, integers or floating"),
])
def test_they_refuse(call, error, message):
    with pytest.raises(error, match=message):
        call()

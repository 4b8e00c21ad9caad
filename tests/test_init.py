"""Initialisers: their distributions, fan rules, and what they refuse."""

import inspect
import math
import warnings

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.nn import init

# each: function, options, shape, standard deviation that the paper's formula gives
UNIFORM = [
    (init.xavier_uniform_, {}, (100, 200), math.sqrt(2 / 300)),
    (init.xavier_uniform_, {"gain": 3}, (200, 100), 3 * math.sqrt(2 / 300)),
    (init.xavier_uniform_, {}, (20, 10, 5, 20), math.sqrt(2 / 3000)),
    (init.kaiming_uniform_, {}, (100, 200), math.sqrt(2 / 200)),
    (init.kaiming_uniform_, {"mode": "fan_out"}, (100, 200), math.sqrt(2 / 100)),
    (init.kaiming_uniform_, {"a": math.sqrt(5)}, (100, 200), math.sqrt(1 / 600)),
    (init.kaiming_uniform_, {"nonlinearity": "tanh"}, (100, 200), 5 / 3 / math.sqrt(200)),
    (init.kaiming_uniform_, {}, (20, 10, 5, 20), math.sqrt(2 / 1000)),
    (init.kaiming_uniform_, {"mode": "fan_out"}, (20, 10, 5, 20), math.sqrt(2 / 2000)),
]
NORMAL = [
    (init.xavier_normal_, {}, (100, 200), math.sqrt(2 / 300)),
    (init.xavier_normal_, {"gain": 3}, (200, 100), 3 * math.sqrt(2 / 300)),
    (init.xavier_normal_, {}, (20, 10, 5, 20), math.sqrt(2 / 3000)),
    (init.kaiming_normal_, {}, (100, 200), math.sqrt(2 / 200)),
    (init.kaiming_normal_, {"mode": "FAN_OUT"}, (100, 200), math.sqrt(2 / 100)),
    (init.kaiming_normal_, {"nonlinearity": "linear"}, (100, 200), math.sqrt(1 / 200)),
    (init.kaiming_normal_, {"a": 1}, (100, 200), math.sqrt(1 / 200)),
    (init.kaiming_normal_, {"nonlinearity": "relu", "a": 1}, (100, 200), math.sqrt(2 / 200)),
    (init.kaiming_normal_, {}, (100, 50, 4), math.sqrt(2 / 200)),
    (init.he_normal_, {}, (100, 200), math.sqrt(2 / 200)),
]
BY_FAN = [init.xavier_uniform_, init.xavier_normal_, init.kaiming_uniform_,
          init.kaiming_normal_]


def weight(*shape, dtype=np.float64):
    return tg.Tensor(np.full(shape, np.nan), dtype=dtype, requires_grad=True)


def drawn(fill, options, shape):
    tg.manual_seed(7)
    return fill(weight(*shape), **options).numpy().ravel()


def distance(sample, cumulative):
    """Kolmogorov's: sqrt(n) times the largest gap between two distribution functions."""
    expected = np.array([cumulative(x) for x in np.sort(sample)])
    n = len(sample)
    above = np.arange(1, n + 1) / n - expected
    below = expected - np.arange(n) / n
    return math.sqrt(n) * max(above.max(), below.max())


LIMIT = 1.95  # a right sample goes beyond it once in a thousand; the seeds are fixed


@pytest.mark.parametrize(("fill", "options", "shape", "std"), UNIFORM)
def test_uniform_ones(fill, options, shape, std):
    sample = drawn(fill, options, shape)
    bound = math.sqrt(3) * std
    assert sample.min() >= -bound
    assert sample.max() < bound
    assert sample.std() == pytest.approx(std, rel=0.01)
    assert abs(sample.mean()) < 4 * std / math.sqrt(len(sample))
    assert distance(sample, lambda x: (x / bound + 1) / 2) < LIMIT


@pytest.mark.parametrize(("fill", "options", "shape", "std"), NORMAL)
def test_normal_ones(fill, options, shape, std):
    sample = drawn(fill, options, shape)
    assert sample.std() == pytest.approx(std, rel=0.02)
    assert abs(sample.mean()) < 4 * std / math.sqrt(len(sample))
    assert distance(sample, lambda x: (1 + math.erf(x / std / math.sqrt(2))) / 2) < LIMIT


def test_the_statistic_can_fail():
    sample = drawn(init.normal_, {}, (20000,))
    wider = drawn(init.normal_, {"std": 1.1}, (20000,))
    for wrong in [wider, sample + 0.05, np.abs(sample), sample[:20].repeat(1000)]:
        assert distance(wrong, lambda x: (1 + math.erf(x / math.sqrt(2))) / 2) > LIMIT


@pytest.mark.parametrize(("fill", "options", "low", "high"), [
    (init.uniform_, {}, 0, 1),
    (init.uniform_, {"a": -3, "b": 2}, -3, 2),
])
def test_uniform(fill, options, low, high):
    sample = drawn(fill, options, (20000,))
    assert low <= sample.min() < low + 0.01
    assert high - 0.01 < sample.max() < high
    assert distance(sample, lambda x: (x - low) / (high - low)) < LIMIT


def test_normal():
    sample = drawn(init.normal_, {"mean": 2, "std": 3}, (20000,))
    assert sample.mean() == pytest.approx(2, abs=0.1)
    assert sample.std() == pytest.approx(3, rel=0.02)
    assert drawn(init.normal_, {"mean": 2, "std": 0}, (3,)).tolist() == [2] * 3
    assert drawn(init.uniform_, {"a": 2, "b": 2}, (3,)).tolist() == [2] * 3


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (0,), (2, 3, 4, 5)])
def test_constants(shape):
    assert (init.constant_(weight(*shape), 2.5).numpy() == 2.5).all()
    assert (init.zeros_(weight(*shape)).numpy() == 0).all()
    assert (init.ones_(weight(*shape)).numpy() == 1).all()
    assert init.ones_(tg.zeros(2, dtype=np.int64)).tolist() == [1, 1]


@pytest.mark.parametrize(("nonlinearity", "param", "gain"), [
    ("linear", None, 1), ("conv1d", None, 1), ("conv2d", None, 1), ("conv3d", None, 1),
    ("conv_transpose2d", None, 1), ("sigmoid", None, 1), ("tanh", None, 5 / 3),
    ("relu", None, math.sqrt(2)), ("leaky_relu", None, math.sqrt(2 / 1.0001)),
    ("leaky_relu", 0, math.sqrt(2)), ("leaky_relu", 0.2, math.sqrt(2 / 1.04)),
    ("selu", None, 0.75), ("relu", 0.2, math.sqrt(2)),
])
def test_gains(nonlinearity, param, gain):
    assert init.calculate_gain(nonlinearity, param) == pytest.approx(gain, rel=1e-15)


def test_he_is_kaiming():
    assert init.he_normal_ is init.kaiming_normal_
    assert init.he_uniform_ is init.kaiming_uniform_


# ---- in place --------------------------------------------------------------------------



def sparse(w, **options):
    return init.sparse_(w, 0.4, **options)


RANDOM = [*BY_FAN, init.uniform_, init.normal_, init.trunc_normal_, init.orthogonal_, sparse]
EVERY = [*RANDOM, init.zeros_, init.ones_, init.eye_, lambda w: init.constant_(w, 3)]


@pytest.mark.parametrize("fill", EVERY)
def test_fills_in_place_and_returns_the_tensor(fill):
    w = weight(4, 3)
    array = w.numpy()
    assert fill(w) is w
    assert w.numpy() is array
    assert not np.isnan(array).any()
    assert w.is_leaf
    assert w.requires_grad


@pytest.mark.parametrize("fill", EVERY)
def test_fills_a_view(fill):
    w = tg.Tensor(np.full((4, 6), np.nan))
    fill(w.T[1:3])
    filled = ~np.isnan(w.numpy())
    assert filled[:, 1:3].all()
    assert filled.sum() == 8


@pytest.mark.parametrize("fill", EVERY)
def test_a_graph_notices(fill):
    w = tg.Tensor(np.ones((4, 3)), requires_grad=True)
    loss = (w * w).sum()
    fill(w)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


# ---- randomness ------------------------------------------------------------------------


@pytest.mark.parametrize("fill", RANDOM)
def test_the_seed_governs(fill):
    tg.manual_seed(3)
    one, next_one = fill(weight(4, 3)).numpy(), fill(weight(4, 3)).numpy()
    tg.manual_seed(3)
    again = fill(weight(4, 3)).numpy()
    assert np.array_equal(one, again)
    assert not np.array_equal(one, next_one)


@pytest.mark.parametrize("fill", RANDOM)
def test_both_precisions_begin_alike(fill):
    tg.manual_seed(3)
    double = fill(weight(4, 3)).numpy()
    tg.manual_seed(3)
    single = fill(weight(4, 3, dtype=np.float32)).numpy()
    assert single.dtype == np.float32
    assert np.array_equal(single, double.astype(np.float32))


@pytest.mark.parametrize("fill", RANDOM)
def test_a_generator_of_ones_own(fill):
    tg.manual_seed(3)
    expected = fill(weight(4, 3)).numpy()
    state = tg.manual_seed(4).bit_generator.state
    own = np.random.Generator(np.random.PCG64(3))
    assert np.array_equal(fill(weight(4, 3), generator=own).numpy(), expected)
    assert tg.rng.generator().bit_generator.state == state


# ---- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize("fill", BY_FAN)
@pytest.mark.parametrize("shape", [(), (3,)])
def test_fans_need_two_axes(fill, shape):
    with pytest.raises(ValueError, match="Fan in and fan out can not be computed for tensor "
                                         "with fewer than 2 dimensions") as error:
        fill(weight(*shape))
    assert str(shape) in str(error.value)
    assert "batch-norm weight to 1 and a bias to 0" in str(error.value)


REFUSED = [
    (lambda: init.kaiming_normal_(weight(2, 2), mode="fan"), ValueError,
     r"Mode fan not supported, please use one of \['fan_in', 'fan_out'\]"),
    (lambda: init.kaiming_uniform_(weight(2, 2), nonlinearity="gelu"), ValueError,
     "Unsupported nonlinearity gelu"),
    (lambda: init.calculate_gain("gelu"), ValueError, "Unsupported nonlinearity gelu"),
    (lambda: init.calculate_gain("leaky_relu", True), ValueError, "negative_slope True"),
    (lambda: init.calculate_gain("leaky_relu", "steep"), ValueError, "negative_slope steep"),
    (lambda: init.uniform_(weight(2), 1, 0), RuntimeError, "a=1, b=0"),
    (lambda: init.uniform_(weight(2), math.nan, 0), RuntimeError, "a=nan"),
    (lambda: init.normal_(weight(2), 0, -1), RuntimeError, "std >= 0; got -1"),
    (lambda: init.xavier_normal_(weight(2, 2), gain=-1), RuntimeError, "std >= 0"),
    (lambda: init.xavier_uniform_(weight(2, 2), gain=-1), RuntimeError, "a <= b"),
]
NOT_FOR = [tg.zeros(2, 2, dtype=np.int64), np.zeros((2, 2)), [[0.0]], tg.Value(1.0)]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("fill", RANDOM)
@pytest.mark.parametrize("target", NOT_FOR, ids=["int", "array", "list", "Value"])
def test_random_numbers_need_a_floating_tensor(fill, target):
    with pytest.raises(TypeError, match="random initialisers fill Tensors of floating dtype"):
        fill(target)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_no_elements(shape):
    for fill in [init.kaiming_uniform_, init.kaiming_normal_]:
        w = weight(*shape)
        with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
            assert fill(w) is w
    for fill in [init.xavier_uniform_, init.xavier_normal_, init.uniform_, init.normal_]:
        w = weight(*shape)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert fill(w) is w


# ---- parity with PyTorch ---------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("name", [name for name in init.__all__
                                  if "he_" not in name and name != "initialize"])
def test_arguments_are_those_of_torch(name):
    torch = pytest.importorskip("torch")
    ours = inspect.signature(getattr(init, name)).parameters
    theirs = inspect.signature(getattr(torch.nn.init, name)).parameters
    assert [(p.name, p.default) for p in ours.values()] == \
        [(p.name, p.default) for p in theirs.values()]


@pytest.mark.parity
@pytest.mark.parametrize("nonlinearity", [*init.by_fan._GAINS, "leaky_relu"])
@pytest.mark.parametrize("param", [None, 0, 0.3])
def test_gains_are_those_of_torch(nonlinearity, param):
    torch = pytest.importorskip("torch")
    assert init.calculate_gain(nonlinearity, param) == pytest.approx(
        torch.nn.init.calculate_gain(nonlinearity, param), rel=1e-15)


@pytest.mark.parity
@pytest.mark.parametrize("shape", [(2, 3), (4, 3, 5), (4, 3, 5, 2), (0, 3)])
def test_fans_are_those_of_torch(shape):
    torch = pytest.importorskip("torch")
    fans = torch.nn.init._calculate_fan_in_and_fan_out(torch.zeros(shape))
    assert init.by_fan._fans(tg.zeros(*shape)) == fans


@pytest.mark.parity
@pytest.mark.parametrize("call", [
    lambda init, zeros: init.xavier_normal_(zeros(3)),
    lambda init, zeros: init.kaiming_normal_(zeros(3)),
    lambda init, zeros: init.kaiming_normal_(zeros(2, 2), mode="fan"),
    lambda init, zeros: init.kaiming_normal_(zeros(2, 2), nonlinearity="gelu"),
    lambda init, zeros: init.calculate_gain("leaky_relu", True),
    lambda init, zeros: init.uniform_(zeros(2), 1, 0),
    lambda init, zeros: init.normal_(zeros(2), 0, -1),
])
def test_errors_are_of_the_class_of_torch(call):
    torch = pytest.importorskip("torch")
    with pytest.raises(Exception) as theirs:  # its class is compared
        call(torch.nn.init, torch.zeros)
    with pytest.raises(Exception) as ours:  # likewise
        call(init, tg.zeros)
    assert ours.type is theirs.type

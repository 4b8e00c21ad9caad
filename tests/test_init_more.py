"""Initial values with a structure or cut tails, and those of whole models."""

import math
import warnings

import numpy as np
import pytest
from test_init import LIMIT, distance, weight

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.nn import init


def cdf(x):
    """The standard normal distribution function, exact in the lower tail."""
    return math.erfc(-x / math.sqrt(2)) / 2


def cut(mean, std, a, b):
    """The distribution function of a normal distribution between a and b."""
    low, high = (a - mean) / std, (b - mean) / std
    if low + high > 0:
        mirrored = cut(-mean, std, -b, -a)
        return lambda x: 1 - mirrored(-x)
    return lambda x: (cdf((x - mean) / std) - cdf(low)) / (cdf(high) - cdf(low))


# ---- trunc_normal_ ---------------------------------------------------------------------

inf = math.inf
CUTS = [
    (0, 1, -2, 2), (0, 0.02, -2, 2), (1, 2, -0.5, 0.7), (0, 1, 0, inf), (3, 1, -inf, 3),
    (0, 1, -inf, inf), (0, 1, -inf, -1), (0, 1, 1, inf), (0, 1, 1.5, 1.9), (0, 1, 4, 5),
    (0, 1, 6, inf), (0, 1, -inf, -9), (0, 1, -0.1, 0.3), (0, 1, -0.7, 0.05), (0, 1, 0, 0.5),
    (10, 0.5, -2, 2), (-10, 3, -2, 2), (0, 1, 0.3, 1.3), (0, 1, 30, 31), (2, 1e-3, -2, 2),
]


@pytest.mark.parametrize(("mean", "std", "a", "b"), CUTS)
def test_trunc_normal(mean, std, a, b):
    tg.manual_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sample = init.trunc_normal_(weight(20000), mean, std, a, b).numpy()
    assert a <= sample.min()
    assert sample.max() <= b
    assert distance(sample, cut(mean, std, a, b)) < LIMIT


@pytest.mark.parametrize(("a", "b"), [(-2, 2), (0, inf), (1.5, 1.9), (6, inf)])
def test_that_statistic_can_fail(a, b):
    tg.manual_seed(7)
    sample = init.trunc_normal_(weight(20000), 0, 1, a, b).numpy()
    for wrong in [cut(0, 1.3, a, b), cut(0, 1, a, min(b, a + 0.35)), cut(-0.3, 1, a, b)]:
        assert distance(sample, wrong) > LIMIT


def test_trunc_normal_by_its_moments():
    """For bounds 2 * std away: variance 1 - 4 * density(2) / (2 * cdf(2) - 1)."""
    tg.manual_seed(1)
    sample = init.trunc_normal_(weight(200, 500), 3, 0.1, 2.8, 3.2).numpy()
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    variance = 1 - 4 * density / (2 * cdf(2) - 1)
    assert sample.mean() == pytest.approx(3, abs=1e-3)
    assert sample.std() == pytest.approx(0.1 * math.sqrt(variance), rel=0.01)


@pytest.mark.parametrize(("mean", "std", "a", "b", "all_are"), [
    (0.5, 0, 0, 1, 0.5), (5, 0, 0, 1, 1), (-5, 0, 0, 1, 0), (0, 1, 0.25, 0.25, 0.25),
    (0, 1, -3, -3, -3), (0, 5e-324, 1, 2, 1), (3, 5e-324, 1, 2, 2), (1.5, 5e-324, 1, 2, 1.5),
])
def test_trunc_normal_where_one_number_is_left(mean, std, a, b, all_are):
    assert (init.trunc_normal_(weight(3, 2), mean, std, a, b).numpy() == all_are).all()


def test_bounds_are_rounded_as_the_numbers_are():
    w = init.trunc_normal_(tg.zeros(5000), 0.0, 1.0, 0.1, 0.10000001)
    assert w.numpy().min() == np.float32(0.1)
    assert w.numpy().max() == np.float32(0.10000001)
    assert init.trunc_normal_(weight(0, 3)).shape == (0, 3)
    assert init.trunc_normal_(weight()).shape == ()


@pytest.mark.parametrize("numbers", [
    (0, 1, 2, 1), (0, -1), (0, math.nan), (math.nan, 1), (0, 1, math.nan, 1), (inf, 1),
    (0, inf), (0, 1, inf, inf), (0, 1, -inf, -inf),
])
def test_trunc_normal_refuses(numbers):
    w = weight(3)
    with pytest.raises(RuntimeError, match="trunc_normal_ expects"):
        init.trunc_normal_(w, *numbers)
    assert np.isnan(w.numpy()).all()


# ---- orthogonal_ -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gain", [1, 0.5, math.sqrt(2)])
@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (1, 1), (1, 6), (6, 1), (8, 2, 2),
                                   (4, 3, 3, 3), (40, 3, 3, 3), (2, 3, 1, 2, 2)])
def test_orthogonal(shape, gain, dtype):
    matrix = init.orthogonal_(weight(*shape, dtype=dtype), gain).numpy().reshape(shape[0], -1)
    rows, columns = matrix.shape
    product = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    close = 1e-6 if dtype is np.float32 else 1e-14
    np.testing.assert_allclose(product, gain ** 2 * np.eye(min(rows, columns)), atol=4 * close)


def test_every_orthogonal_matrix_is_equally_likely():
    tg.manual_seed(3)
    matrices = np.array([init.orthogonal_(weight(2, 2)).numpy() for _ in range(3000)])
    angles = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    assert distance(angles, lambda x: (x / math.pi + 1) / 2) < LIMIT
    turns = np.linalg.det(matrices) > 0
    assert abs(turns.mean() - 0.5) < 2 / math.sqrt(3000)
    signs = [init.orthogonal_(weight(1, 1)).item() for _ in range(400)]
    assert 150 < signs.count(1.0) < 250
    assert signs.count(-1.0) == 400 - signs.count(1.0)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 3)])
def test_structures_of_no_elements(shape):
    assert init.orthogonal_(weight(*shape)).shape == shape
    if len(shape) == 2:
        assert init.sparse_(weight(*shape), 0.5).shape == shape
        assert init.eye_(weight(*shape)).shape == shape
    else:
        assert init.dirac_(weight(*shape)).shape == shape


# ---- eye_, dirac_, sparse_ -------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2), (1, 1)])
def test_eye(shape):
    assert np.array_equal(init.eye_(weight(*shape)).numpy(), np.eye(*shape))
    assert init.eye_(tg.zeros(2, 2, dtype=np.int64)).tolist() == [[1, 0], [0, 1]]


def convolved(x, w, groups):
    """Correlation along the last axis of x (channels, length), padded to the same length."""
    out, channels, k = w.shape
    padded = np.pad(x, ((0, 0), (k // 2, k - 1 - k // 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, k, axis=1)
    parts = windows.reshape(groups, channels, *windows.shape[1:])
    return np.einsum("gcnk,gock->gon", parts, w.reshape(groups, -1, channels, k)
                     ).reshape(out, -1)


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 3, 4, 5])
@pytest.mark.parametrize(("out", "channels"), [(6, 6), (12, 6), (6, 12)])
def test_dirac_copies_its_input(out, channels, k, groups):
    w = init.dirac_(weight(out, channels // groups, k), groups).numpy()
    x = np.random.default_rng(0).normal(size=(channels, 9))
    y = convolved(x, w, groups).reshape(groups, out // groups, 9)
    copied = min(out, channels) // groups
    inputs = x.reshape(groups, channels // groups, 9)
    assert np.array_equal(y[:, :copied], inputs[:, :copied])
    assert not y[:, copied:].any()


@pytest.mark.parametrize("shape", [(5, 4, 3, 2), (4, 5, 2, 3, 5), (6, 2, 1)])
def test_dirac_has_a_one_for_each_channel(shape):
    w = init.dirac_(weight(*shape)).numpy()
    middle = tuple(length // 2 for length in shape[2:])
    assert np.array_equal(w[(..., *middle)], np.eye(*shape[:2]))
    assert w.sum() == min(shape[:2])


@pytest.mark.parametrize(("shape", "sparsity", "zeros"), [
    ((10, 4), 0.1, 1), ((10, 4), 0.11, 2), ((10, 4), 0, 0), ((10, 4), 1, 10), ((3, 5), 0.5, 2)])
def test_sparse_counts_zeros_in_each_column(shape, sparsity, zeros):
    w = init.sparse_(weight(*shape), sparsity).numpy()
    assert ((w == 0).sum(axis=0) == zeros).all()


def test_sparse_is_random():
    tg.manual_seed(0)
    w = init.sparse_(weight(40, 5000), 0.25, std=0.3).numpy()
    in_rows = (w == 0).mean(axis=1)
    np.testing.assert_allclose(in_rows, 0.25, atol=4 * math.sqrt(0.25 * 0.75 / 5000))
    others = w[w != 0][:20000]
    assert distance(others, lambda x: cdf(x / 0.3)) < LIMIT


REFUSED = [
    (lambda: init.orthogonal_(weight(3)), ValueError, "2 or more dimensions.*got shape"),
    (lambda: init.orthogonal_(weight()), ValueError, "2 or more dimensions"),
    (lambda: init.eye_(weight(3)), ValueError, "Only tensors with 2 dimensions"),
    (lambda: init.eye_(weight(3, 3, 3)), ValueError, "Only tensors with 2 dimensions"),
    (lambda: init.eye_(np.zeros((2, 2))), TypeError, "fill Tensors; got ndarray"),
    (lambda: init.dirac_(weight(3, 3)), ValueError, "3, 4, or 5 dimensions"),
    (lambda: init.dirac_(weight(1, 1, 1, 1, 1, 1)), ValueError, "3, 4, or 5 dimensions"),
    (lambda: init.dirac_(weight(4, 3, 3), 3), ValueError, "dim 0 must be divisible by groups"),
    (lambda: init.dirac_(weight(4, 3, 3), 0), ValueError, "divisible by groups; got 4 and 0"),
    (lambda: init.dirac_(weight(4, 3, 3), -2), ValueError, "divisible"),
    (lambda: init.dirac_([[[1.0]]]), TypeError, "fill Tensors; got list"),
    (lambda: init.sparse_(weight(3), 0.5), ValueError, "Only tensors with 2 dimensions"),
    (lambda: init.sparse_(weight(3, 3), 1.5), ValueError, "from 0 to 1; got 1.5"),
    (lambda: init.sparse_(weight(3, 3), math.nan), ValueError, "from 0 to 1; got nan"),
    (lambda: init.sparse_(weight(3, 3), 0.5, -1), RuntimeError, "std >= 0"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ---- initialize ------------------------------------------------------------------------


class Weighted(nn.Module):
    """Stands for a layer: it has whatever parameters it is given."""

    def __init__(self, **parameters):
        for name, shape in parameters.items():
            setattr(self, name, nn.Parameter(np.full(shape, np.nan)))


class Conv(Weighted):
    pass


class BatchNorm2d(Weighted):
    pass


class LayerNorm(Weighted):
    pass


class OwnNorm(LayerNorm):
    pass


class Derived(OwnNorm):
    pass


class NormalizingFlow(Weighted):
    pass


class Embedding(Weighted):
    num_embeddings = 400
    padding_idx = None


class PReLU(Weighted):
    num_parameters = 1


def a_net():
    return nn.Sequential(
        Conv(weight=(40, 30, 3, 3), bias=40), BatchNorm2d(weight=40, bias=40),
        nn.ReLU(), nn.Flatten(), nn.Linear(300, 200, dtype=np.float64),
        LayerNorm(weight=(20, 10), bias=(20, 10)))


SCHEMES = [
    ("xavier_normal", None, math.sqrt(2 / 630), math.sqrt(2 / 500)),
    ("xavier_uniform", None, math.sqrt(2 / 630), math.sqrt(2 / 500)),
    ("xavier_normal", "tanh", 5 / 3 * math.sqrt(2 / 630), 5 / 3 * math.sqrt(2 / 500)),
    ("kaiming_normal", None, math.sqrt(2 / 270), math.sqrt(2 / 300)),
    ("kaiming_uniform", None, math.sqrt(2 / 270), math.sqrt(2 / 300)),
    ("kaiming_normal", "linear", math.sqrt(1 / 270), math.sqrt(1 / 300)),
    ("kaiming_normal", "leaky_relu", math.sqrt(2 / 1.0001 / 270), math.sqrt(2 / 1.0001 / 300)),
    ("he_normal", "relu", math.sqrt(2 / 270), math.sqrt(2 / 300)),
    ("he_uniform", None, math.sqrt(2 / 270), math.sqrt(2 / 300)),
    ("orthogonal", None, math.sqrt(1 / 270), math.sqrt(1 / 300)),
    ("orthogonal", "relu", math.sqrt(2 / 270), math.sqrt(2 / 300)),
    ("normal", None, 1, 1), ("trunc_normal", None, 0.8796, 0.8796),
    ("uniform", None, math.sqrt(1 / 12), math.sqrt(1 / 12)),
    (lambda w: init.normal_(w, 0, 0.5), None, 0.5, 0.5), (init.xavier_normal_, "relu",
     math.sqrt(2 / 630), math.sqrt(2 / 500)),
]


@pytest.mark.parametrize(("scheme", "nonlinearity", "conv", "dense"), SCHEMES)
def test_initialize(scheme, nonlinearity, conv, dense):
    tg.manual_seed(5)
    net = a_net()
    if conv == math.sqrt(2 / 630):  # fan_in and fan_out of the convolution: 270 and 360
        assert init.by_fan._fans(net[0].weight) == (270, 360)
    assert init.initialize(net, scheme, nonlinearity=nonlinearity) is net
    assert net[0].weight.numpy().std() == pytest.approx(conv, rel=0.03)
    assert net[4].weight.numpy().std() == pytest.approx(dense, rel=0.03)
    for i in (0, 1, 4, 5):
        assert not net[i].bias.numpy().any()
    for i in (1, 5):
        assert (net[i].weight.numpy() == 1).all()


def test_initialize_begins_as_he_by_default():
    net = nn.Linear(300, 200, dtype=np.float64)
    tg.manual_seed(5)
    expected = init.kaiming_normal_(weight(200, 300), nonlinearity="relu").numpy()
    tg.manual_seed(5)
    init.initialize(net)
    assert np.array_equal(net.weight.numpy(), expected)


@pytest.mark.parametrize("padding", [None, 0, 7, -1])
def test_embeddings(padding):
    layer = Embedding(weight=(400, 50))
    layer.padding_idx = padding
    tg.manual_seed(5)
    w = init.initialize(nn.Sequential(layer), "orthogonal")[0].weight.numpy()
    if padding is not None:
        assert not w[padding].any()
        w = np.delete(w, padding, axis=0)
    assert distance(w.ravel(), cdf) < LIMIT


# each: a Module, and what its parameters become: a number for all, nan for "as it was"
KINDS = [
    (Weighted(gamma=5, beta=5, scale=3, shift=3, offset=(2, 2), gain=()),
     dict(gamma=1, beta=0, scale=1, shift=0, offset=0, gain=1)),
    (Weighted(weight=4, bias=(1, 4), b=(4, 4), in_proj_bias=9, bias_hh=2),
     dict(weight=1, bias=0, b=0, in_proj_bias=0, bias_hh=0)),
    (Weighted(slope=3, alpha=(), angles=(0,)), dict(slope=math.nan, alpha=math.nan)),
    (PReLU(weight=1), dict(weight=math.nan)),
    (Derived(weight=(2, 3), bias=(2, 3)), dict(weight=1, bias=0)),
]


@pytest.mark.parametrize(("module", "expected"), KINDS)
def test_by_name_and_shape(module, expected):
    init.initialize(module)
    for name, number in expected.items():
        array = getattr(module, name).numpy()
        np.testing.assert_array_equal(array, np.full(array.shape, float(number)))


def test_parameters_in_lists_and_shared_ones():
    class Net(nn.Module):
        def __init__(self):
            self.weights = [nn.Parameter(np.zeros((200, 100))) for _ in range(2)]
            self.biases = {"first": nn.Parameter(np.ones(3)), "b": nn.Parameter(np.ones(3))}
            self.flow = NormalizingFlow(w=(200, 100))
            self.tied = Weighted(weight=(200, 100))
            self.tied.weight = self.weights[0]

    net = init.initialize(Net(), "xavier_normal")
    for w in [*net.weights, net.flow.w]:
        assert w.numpy().std() == pytest.approx(math.sqrt(2 / 300), rel=0.03)
    assert net.tied.weight is net.weights[0]
    assert not any(b.numpy().any() for b in net.biases.values())


def test_what_is_no_weight_is_left_alone():
    net = Weighted(weight=(3, 3))
    net.count = nn.Parameter(np.arange(4).reshape(2, 2), requires_grad=False)
    net.running_var = tg.ones(3, 3)
    init.initialize(net)
    assert net.count.tolist() == [[0, 1], [2, 3]]
    assert net.running_var.tolist() == tg.ones(3, 3).tolist()
    assert nn.Module is type(init.initialize(nn.Module()))


def test_initialize_draws_from_a_generator():
    state = tg.rng.generator().bit_generator.state
    nets = [init.initialize(nn.Sequential(Weighted(weight=(4, 3)), Embedding(weight=(5, 2))),
                            "orthogonal", generator=np.random.default_rng(3)) for _ in range(2)]
    for one, two in zip(nets[0].parameters(), nets[1].parameters()):
        assert np.array_equal(one.numpy(), two.numpy())
    assert tg.rng.generator().bit_generator.state == state


def test_an_initialised_net_keeps_the_spread_of_its_input():
    tg.manual_seed(0)
    layers = [nn.Linear(256, 256) if i % 2 == 0 else nn.ReLU() for i in range(40)]
    net = nn.Sequential(*layers)
    x = tg.randn(64, 256)
    assert net(x).numpy().std(axis=0).mean() < 1e-4  # a layer's default values lose it
    init.initialize(net, "kaiming_normal")
    assert 0.1 < net(x).numpy().std(axis=0).mean() < 5


@pytest.mark.parametrize(("model", "scheme", "nonlinearity", "error", "message"), [
    (Weighted(weight=(3, 3)), "glorot", None, ValueError,
     r"unknown scheme 'glorot'; please use one of \['xavier_normal', 'xavier_uniform', "
     r"'orthogonal', .*, or a function"),
    (Weighted(weight=(3, 3)), "kaiming_normal_", None, ValueError, "unknown scheme"),
    (Weighted(weight=(3, 3)), None, None, ValueError, "unknown scheme None"),
    (Weighted(weight=(3, 3)), ["orthogonal"], None, ValueError, "unknown scheme"),
    (Weighted(weight=(3, 3)), "xavier_normal", "gelu", ValueError,
     "Unsupported nonlinearity gelu"),
    (Weighted(weight=(3, 3)), "kaiming_normal", "gelu", ValueError,
     "Unsupported nonlinearity gelu"),
    (weight(3, 3), "orthogonal", None, TypeError, "expects a Module; got Tensor"),
    ([Weighted(weight=(3, 3))], "orthogonal", None, TypeError, "expects a Module; got list"),
])
def test_initialize_refuses(model, scheme, nonlinearity, error, message):
    with pytest.raises(error, match=message):
        init.initialize(model, scheme, nonlinearity)
    if isinstance(model, nn.Module):
        assert np.isnan(model.weight.numpy()).all()


def test_initialize_refuses_values_before_it_changes_anything():
    net = Weighted(weight=(3, 3))
    net.scalars = [tg.Value(1.0)]
    with pytest.raises(TypeError, match="got a Value as parameter 'scalars.0'"):
        init.initialize(net)
    assert np.isnan(net.weight.numpy()).all()


# ---- parity with PyTorch ---------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("shape", [(4, 4, 3), (4, 3, 3, 3), (8, 2, 2, 5), (4, 7, 1, 2, 3),
                                   (12, 2, 4)])
def test_dirac_is_that_of_torch(shape, groups):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.init.dirac_(torch.empty(shape), groups).numpy()
    assert np.array_equal(init.dirac_(weight(*shape), groups).numpy(), theirs)


@pytest.mark.parity
@pytest.mark.parametrize("sparsity", [0, 0.1, 0.3, 0.999, 1])
@pytest.mark.parametrize("rows", [1, 10, 30])
def test_zeros_are_counted_as_by_torch(rows, sparsity):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.init.sparse_(torch.empty(rows, 4), sparsity).numpy()
    ours = init.sparse_(weight(rows, 4), sparsity).numpy()
    assert np.array_equal((ours == 0).sum(axis=0), (theirs == 0).sum(axis=0))


@pytest.mark.parity
@pytest.mark.parametrize("call", [
    lambda init, zeros: init.orthogonal_(zeros(3)),
    lambda init, zeros: init.eye_(zeros(3)),
    lambda init, zeros: init.dirac_(zeros(3, 3)),
    lambda init, zeros: init.dirac_(zeros(4, 3, 3), 3),
    lambda init, zeros: init.sparse_(zeros(3), 0.5),
    lambda init, zeros: init.sparse_(zeros(3, 3), 0.5, -1.0),
    lambda init, zeros: init.trunc_normal_(zeros(3), 0.0, 1.0, 2.0, 1.0),
])
def test_errors_are_of_the_class_of_torch(call):
    torch = pytest.importorskip("torch")
    with pytest.raises(Exception) as theirs:  # its class is compared
        call(torch.nn.init, torch.zeros)
    with pytest.raises(Exception) as ours:  # likewise
        call(init, tg.zeros)
    assert ours.type is theirs.type

"""The functions of the experiments agree with theory, where theory has a number."""

import runpy
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.nn import functional as F

pytest.importorskip("matplotlib")

EXAMPLES = Path(__file__).parents[1] / "examples"

@cache
def script(name):
    """What a script defines, without its being run."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        return runpy.run_path(str(EXAMPLES / f"{name}.py"))
    finally:
        sys.path.remove(str(EXAMPLES))


# ---- losses ----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "slope"), [
    ("squared error of a sigmoid", lambda x, p: 2 * (p - 1) * p * (1 - p)),
    ("cross-entropy, sigmoid", lambda x, p: p - 1),
    ("cross-entropy, softmax of 10", lambda x, p: np.exp(x) / (np.exp(x) + 9) - 1),
    ("hinge", lambda x, p: np.where(x < 1, -1.0, 0.0))])
def test_slopes_are_those_of_the_formulas(name, slope):
    module = script("loss_shapes")
    x = np.linspace(-9, 5, 57)
    found = module["value_and_slope"](module["LOSSES"][name][0], x)[1]
    np.testing.assert_allclose(found, slope(x, 1 / (1 + np.exp(-x))), atol=1e-12)


def test_squared_error_stalls_where_cross_entropy_does_not():
    """The steepest slope of (p - 1) ** 2 is -8/27, at p = 1/3; far off there is none."""
    module = script("loss_shapes")
    x = np.linspace(-9, 5, 2801)
    slope = module["value_and_slope"](module["squared_error"], x)[1]
    assert slope.min() == pytest.approx(-8 / 27, abs=1e-5)
    assert x[slope.argmin()] == pytest.approx(np.log(1 / 2), abs=0.01)
    steps = [np.argmax(module["descend"](module[loss], [-6.0], 300)[:, 0] > 0.9)
             for loss in ("squared_error", "sigmoid_cross_entropy")]
    assert steps[0] > 10 * steps[1] > 0


def test_a_derivation_that_is_wrong_would_be_seen(monkeypatch):
    module = script("loss_shapes")
    module["check_derivation"](np.random.default_rng(0))
    monkeypatch.setattr(F, "softmax", lambda x: x.exp())
    with pytest.raises(AssertionError):
        module["check_derivation"](np.random.default_rng(0))


def test_directions_and_surface():
    module = script("experiment")
    tg.manual_seed(0)
    images, labels = tg.data.digits("test")
    net = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
    path = script("loss_shapes")["train"](net, 1, images, labels)
    assert path.shape == (5, 64 * 8 + 8 + 8 * 10 + 10)
    directions, shares = module["principal_directions"](path)
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-5)
    assert 1 >= shares.sum() > shares[0] > shares[1] > 0
    d = module["random_direction"](net, np.random.default_rng(0))
    first, second = d[:512].reshape(8, 64), d[520:600].reshape(10, 8)
    for part, layer in [(first, net[0]), (second, net[2])]:
        np.testing.assert_allclose(np.linalg.norm(part, axis=1),
                                   np.linalg.norm(layer.weight.numpy(), axis=1), rtol=1e-6)
    assert not d[512:520].any()
    loss = F.cross_entropy(net(images), labels).item()
    surface = module["surface"](net, path[-1], directions, [-1, 0], [0, 1], images, labels)
    assert surface.shape == (2, 2)
    assert surface[0, 1] == pytest.approx(loss, rel=1e-6)


# ---- initial values --------------------------------------------------------------------


def mean_squares(activation, scheme, scale):
    """The mean square of each layer's outputs, over its first: wide layers, random inputs."""
    module = script("initial_values")
    generator = tg.manual_seed(1)
    x = scale * generator.normal(size=(300, 400)).astype(np.float32)
    net = module["make_net"](module["ACTIVATIONS"][activation], scheme, sizes=(400,) * 6)
    found = np.array([np.mean(np.square(h)) for h in module["outputs"](net, x)])
    return found / found[0]


@pytest.mark.parametrize(("activation", "scheme", "scale", "factor"), [
    ("tanh", "Xavier", 0.01, 1.0),                     # near 0 it is like the identity
    ("ReLU", "He", 1.0, 1.0), ("ReLU", "He", 100.0, 1.0),
    ("ReLU", "Xavier", 1.0, 0.5),                      # what He's factor of 2 makes up for
    ("tanh", "std 0.01", 0.01, 400 * 0.01 ** 2),       # n s ** 2
    ("ReLU", "std 1", 1.0, 400 / 2)])
def test_what_a_layer_makes_of_the_mean_square(activation, scheme, scale, factor):
    expected = factor ** np.arange(5.0)
    np.testing.assert_allclose(mean_squares(activation, scheme, scale), expected, rtol=0.25)


def test_std_1_ends_at_the_edges_and_batch_norm_brings_them_back():
    module = script("initial_values")
    tg.manual_seed(0)
    images, _ = tg.data.digits("test")
    images = (images - images.mean()) / images.std()
    shares = []
    for norm in (False, True):
        net = module["make_net"](nn.Tanh, "std 1", norm)
        shares.append(np.mean(np.abs(module["outputs"](net, images)[-1]) > 0.97))
    assert shares[0] > 0.7
    assert shares[1] < 0.2


def test_a_training_that_overflows_ends_early():
    module = script("initial_values")
    tg.manual_seed(0)
    net = module["make_net"](nn.ReLU, "std 1")
    assert len(module["train"](net, 3, tg.data.digits("test"))) < 3


# ---- vanishing gradients ---------------------------------------------------------------


def factor_a_layer(activation, residual, norm, nets=3):
    """By how much the gradient of the weights changes from a layer to the one before."""
    module = script("vanishing_gradients")
    tg.manual_seed(0)
    images, labels = tg.data.digits("test")
    images = (images - images.mean()) / images.std()
    logs = []
    for _ in range(nets):
        net = module["make_net"](activation, residual, norm)
        logs.append(np.log(module["gradient_norms"](net, images, labels)))
    first, last = np.mean(logs, axis=0)[[1, -1]]  # the first has other inputs than the others
    return np.exp((first - last) / 18)


@pytest.mark.parametrize(("activation", "residual", "norm", "low", "high"), [
    ("sigmoid", False, False, 0.21, 0.25),  # at most 1/4, near it as long as z is near 0
    ("sigmoid", True, False, 0.8, 1.1), ("sigmoid", False, True, 0.9, 1.15),
    ("tanh", False, False, 0.9, 1.1),
    ("ReLU", False, False, 0.9, 1.1),
    ("ReLU", False, True, 1.14, 1.28),      # sqrt(pi / (pi - 1)) = 1.21
    ("ReLU", True, True, 1.0, 1.14)])
def test_what_a_layer_makes_of_the_gradient(activation, residual, norm, low, high):
    assert low <= factor_a_layer(activation, residual, norm) <= high


@pytest.mark.parametrize("std", [None, 0.01, 1.0, 30.0])
def test_a_sigmoid_passes_on_a_quarter_at_most(std):
    images, _ = tg.data.digits("test")
    z, slope = script("vanishing_gradients")["slopes"]("sigmoid", std, images)
    assert slope.max() <= 0.25
    p = 1 / (1 + np.exp(-z.astype(np.float64)))
    np.testing.assert_allclose(slope, p * (1 - p), atol=1e-6)


def test_large_weights_saturate():
    images, _ = tg.data.digits("test")
    means = [script("vanishing_gradients")["slopes"]("sigmoid", std, images)[1].mean()
             for std in (0.1, 1.0, 10.0)]
    assert means[0] > 0.2 > 0.1 > means[1] > 5 * means[2]


# ---- moons -----------------------------------------------------------------------------


def test_a_net_of_values_is_a_net_of_arrays():
    """Its loss and gradients are those of the same net of Linear layers."""
    module = script("moons_by_hand")
    net = module["Net"]((2, 4, 3), np.random.default_rng(0))
    points, labels = tg.data.moons(12, seed=0)
    points, signs = points.astype(np.float64), np.where(labels, 1.0, -1.0)
    values = [[tg.Value(x, requires_grad=False) for x in point] for point in points.tolist()]
    step = module["make_step"](net, tg.optim.SGD(net.parameters(), lr=0.0))
    loss = step(values, signs.tolist())

    layers = [*net.layers, [net.last]]
    weights = [tg.Tensor([[float(w) for w in neuron.w] for neuron in layer], dtype="float64",
                         requires_grad=True) for layer in layers]
    biases = [tg.Tensor([float(neuron.b) for neuron in layer], dtype="float64",
                        requires_grad=True) for layer in layers]
    h = tg.Tensor(points)
    for k, (weight, bias) in enumerate(zip(weights, biases)):
        h = F.linear(h, weight, bias)
        h = F.relu(h) if k < 2 else h
    expected = F.hinge_loss(h.reshape(-1), signs)
    expected = expected + 1e-4 * sum((p ** 2).sum() for p in [*weights, *biases])
    expected.backward()
    assert float(loss) == pytest.approx(expected.item(), rel=1e-12)
    for layer, weight, bias in zip(layers, weights, biases):
        found = [[w.grad for w in neuron.w] for neuron in layer]
        np.testing.assert_allclose(found, weight.grad.numpy(), atol=1e-14)
        np.testing.assert_allclose([neuron.b.grad for neuron in layer], bias.grad.numpy(),
                                   atol=1e-14)

"""Modules, layers and losses: what they hold, what they compute, what they refuse."""

import copy

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import kernels, nn
from tinygrad_lite.nn import functional as F

BACKENDS = [name for name in kernels.BACKENDS if name != "c" or not kernels.why_not_c()]
RNG = np.random.default_rng(0)


def numbers(*shape, dtype=np.float64):
    return RNG.normal(size=shape).astype(dtype)


def leaf(*shape):
    return tg.Tensor(numbers(*shape), requires_grad=True)


def names(module):
    return [name for name, _ in module.named_parameters()]


class Net(nn.Module):
    """Something of everything that a Module may hold."""

    def __init__(self):
        self.inner = nn.Linear(2, 3)
        self.layers = [nn.Linear(3, 3, bias=False), nn.ReLU(), (nn.Linear(3, 1),)]
        self.scale = nn.Parameter([1.0, 2.0])
        self.heads = {"left": nn.Linear(1, 1, bias=False)}
        self.slope = tg.Value(0.5)
        self.notes = ["no module", 3, None, np.ones(2), tg.Tensor([1.0])]

    def forward(self, x):
        return self.inner(x)


NET_NAMES = ["scale", "slope", "inner.weight", "inner.bias", "layers.0.weight",
             "layers.2.0.weight", "layers.2.0.bias", "heads.left.weight"]


class Twice(nn.Module):
    """The same Linear, and the same bias, in two places."""

    def __init__(self):
        self.first = nn.Linear(2, 2)
        self.second = nn.Linear(2, 2)
        self.second.bias = self.first.bias
        self.third = self.first


class Child(nn.Module):
    def __init__(self, parent):
        self.parent = parent
        self.weight = nn.Parameter([1.0])


class Parent(nn.Module):
    def __init__(self):
        self.child = Child(self)


# ---- what a Module holds ---------------------------------------------------------------


def test_parameters_are_found_wherever_they_are_held():
    net = Net()
    assert names(net) == NET_NAMES
    assert list(net.state_dict()) == NET_NAMES
    assert [p is q for p, (_, q) in zip(net.parameters(), net.named_parameters(),
                                        strict=True)] == [True] * len(NET_NAMES)


def test_modules_and_children():
    net = Net()
    assert [name for name, _ in net.named_modules()] == [
        "", "inner", "layers.0", "layers.1", "layers.2.0", "heads.left"]
    assert next(net.modules()) is net
    assert [name for name, _ in net.named_children()] == [
        "inner", "layers.0", "layers.1", "layers.2.0", "heads.left"]
    assert list(net.children()) == list(net.modules())[1:]


def test_shared_parameters_are_listed_once_and_saved_at_each_place():
    net = Twice()
    assert names(net) == ["first.weight", "first.bias", "second.weight"]
    assert list(net.state_dict()) == ["first.weight", "first.bias", "second.weight",
                                      "second.bias", "third.weight", "third.bias"]
    assert len(list(net.modules())) == 3
    assert len(list(net.children())) == 2


def test_a_module_that_leads_back_to_itself():
    net = Parent()
    assert names(net) == ["child.weight"]
    assert list(net.state_dict()) == ["child.weight"]
    assert not net.eval().child.training


def test_a_result_kept_as_attribute_is_no_parameter():
    net = Net()
    net.loss = net.slope * 2
    net.output = net(numbers(1, 2))
    assert names(net) == NET_NAMES


def test_typo_raises_attribute_error():
    with pytest.raises(AttributeError, match="wieght"):
        nn.Linear(1, 1).wieght  # noqa: B018  # the look-up is the test


def test_forward_must_be_written():
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)


def test_call_passes_everything_on():
    class Sum(nn.Module):
        def forward(self, a, *rest, scale=1):
            return (a + sum(rest)) * scale

    assert Sum()(1, 2, 3, scale=10) == 60


def test_parameter():
    p = nn.Parameter([1.0, 2.0])
    assert isinstance(p, tg.Tensor)
    assert p.requires_grad
    assert p.dtype == np.float32
    assert not nn.Parameter(p, False).requires_grad
    assert nn.Parameter([1], dtype="float64").dtype == np.float64
    assert repr(p).startswith("Parameter containing:\nTensor([1., 2.]")
    assert type(p * 2) is tg.Tensor
    with pytest.raises(RuntimeError, match="floating"):
        nn.Parameter([1, 2])


# ---- what happens to all of it ---------------------------------------------------------


def test_train_and_eval_reach_every_module():
    net, other = Net(), Net()
    assert net.eval() is net
    assert [m.training for m in other.modules()] == [True] * 6
    assert [m.training for m in net.modules()] == [False] * 6
    assert net.train() is net
    assert [m.training for m in net.modules()] == [True] * 6
    assert nn.Module.training is True
    with pytest.raises(ValueError, match="boolean"):
        net.train("yes")


def test_apply_goes_from_the_inside_out():
    net = nn.Sequential(nn.Sequential(nn.Linear(1, 1)), nn.ReLU())
    seen = []
    assert net.apply(seen.append) is net
    assert seen == [net[0][0], net[0], net[1], net]


def test_zero_grad_and_requires_grad():
    net = Net()
    (net(numbers(4, 2)).sum() * net.slope).backward()
    assert net.inner.weight.grad is not None
    assert net.slope.grad != 0
    net.zero_grad()
    assert [p.grad for p in net.parameters() if p.grad is not None] == [0.0]  # the Value
    assert net.requires_grad_(False) is net
    assert not any(p.requires_grad for p in net.parameters())
    assert names(net) == NET_NAMES
    assert not net(numbers(4, 2)).requires_grad
    net.requires_grad_()
    assert all(p.requires_grad for p in net.parameters())


def test_deepcopy_is_independent():
    net = Net()
    twin = copy.deepcopy(net)
    before = net.state_dict()
    nn.init.zeros_(twin.inner.weight)
    assert names(twin) == NET_NAMES
    assert np.array_equal(net.inner.weight.numpy(), before["inner.weight"])


# ---- state -----------------------------------------------------------------------------


def test_state_is_a_copy():
    net = Net()
    state = net.state_dict()
    kept = {name: array.copy() for name, array in state.items()}
    for p in net.parameters():
        p.data = np.zeros_like(p.data) if isinstance(p, tg.Tensor) else 0.0
    assert all(np.array_equal(state[name], kept[name]) for name in kept)
    assert state["slope"].shape == ()
    assert state["slope"].dtype == np.float64
    assert state["inner.weight"].dtype == np.float32


def test_load_state_dict_writes_into_the_same_arrays():
    tg.manual_seed(0)
    source, net = Net(), Net()
    source.slope.data = 0.25
    arrays = [p.numpy() for p in net.parameters() if isinstance(p, tg.Tensor)]
    result = net.load_state_dict(source.state_dict())
    assert result == ([], [])
    for (name, p), (_, q) in zip(net.named_parameters(), source.named_parameters()):
        assert np.array_equal(p.data, q.data), name
    assert type(net.slope.data) is float
    after = [p.numpy() for p in net.parameters() if isinstance(p, tg.Tensor)]
    assert all(a is b for a, b in zip(arrays, after, strict=True))


def test_load_state_dict_takes_other_forms():
    net = nn.Linear(2, 1)
    net.slope = tg.Value(0.0)
    net.load_state_dict({"weight": [[1, 2]], "bias": tg.Tensor([3.0], dtype="float64"),
                         "slope": tg.Value(4.0)})
    assert net.weight.tolist() == [[1, 2]]
    assert net.bias.tolist() == [3]
    assert net.slope.data == 4
    assert net.weight.dtype == net.bias.dtype == np.float32


def test_loading_between_forward_and_backward_is_noticed():
    net = nn.Linear(2, 1)
    x = tg.Tensor(numbers(3, 2), requires_grad=True)
    loss = net(x).sum()
    net.load_state_dict(net.state_dict())
    with pytest.raises(RuntimeError, match="linear.*modified by an inplace"):
        loss.backward()


def test_load_state_dict_lists_everything_and_changes_nothing():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    before = net.state_dict()
    state = {"0.weight": np.zeros((5, 5)), "0.bias": np.zeros(3), "2.bias": np.array("text"),
             "3.weight": np.zeros(1), "fc": np.zeros(1)}
    with pytest.raises(RuntimeError) as error:
        net.load_state_dict(state)
    message = str(error.value)
    for part in ["Sequential", 'Missing entries: "2.weight"',
                 'Unexpected entries: "3.weight", "fc"', '"0.weight"', "(3, 2)", "(5, 5)",
                 '"2.bias"', "real numbers"]:
        assert part in message
    assert '"0.bias"' not in message
    assert all(np.array_equal(before[name], now) for name, now in net.state_dict().items())


def test_load_state_dict_not_strict():
    net = nn.Linear(2, 1)
    weight = net.weight.numpy().copy()
    result = net.load_state_dict({"bias": [7.0], "other": [1.0]}, strict=False)
    assert result.missing_keys == ["weight"]
    assert result.unexpected_keys == ["other"]
    assert net.bias.tolist() == [7]
    assert np.array_equal(net.weight.numpy(), weight)
    with pytest.raises(RuntimeError, match="Size mismatch"):
        net.load_state_dict({"bias": [7.0, 8.0]}, strict=False)


@pytest.mark.parametrize("entry", [object(), "text", [[1.0], [1.0, 2.0]], None, [1j]])
def test_load_state_dict_refuses_what_is_no_number(entry):
    with pytest.raises(RuntimeError, match='"bias": expected real numbers'):
        nn.Linear(2, 1).load_state_dict({"weight": [[1.0, 2.0]], "bias": entry})


def test_load_state_dict_expects_a_mapping():
    with pytest.raises(TypeError, match="list"):
        nn.Linear(1, 1).load_state_dict([1.0])


@pytest.mark.parity
def test_weights_move_to_and_from_torch():
    torch = pytest.importorskip("torch")
    ours = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(),
                                 torch.nn.Linear(4, 2))
    x = numbers(5, 3, dtype=np.float32)
    ours.load_state_dict(theirs.state_dict())
    np.testing.assert_allclose(ours(x).numpy(), theirs(torch.tensor(x)).detach(), atol=1e-6)
    ours.load_state_dict(dict(theirs.named_parameters()))  # these require gradients
    nn.init.normal_(ours[0].weight)
    state = {name: torch.tensor(array) for name, array in ours.state_dict().items()}
    theirs.load_state_dict(state)
    np.testing.assert_allclose(ours(x).numpy(), theirs(torch.tensor(x)).detach(), atol=1e-6)
    half = {name: array.bfloat16() for name, array in state.items()}
    with pytest.raises(RuntimeError, match="bfloat16"):
        ours.load_state_dict(half)


# ---- text ------------------------------------------------------------------------------


def test_repr():
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Flatten()))) == """\
Sequential(
  (0): Linear(in_features=2, out_features=3, bias=True)
  (1): Sequential(
    (0): ReLU()
    (1): Flatten(start_dim=1, end_dim=-1)
  )
)"""
    assert "(layers.2.0): Linear(in_features=3, out_features=1, bias=True)" in repr(Net())
    assert repr(nn.Sequential()) == "Sequential()"


@pytest.mark.parity
def test_repr_is_that_of_torch():
    torch = pytest.importorskip("torch")

    def build(nn):
        return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sigmoid(), nn.Tanh(),
                             nn.Sequential(nn.Linear(3, 1, bias=False), nn.Flatten(0, 1)))

    assert repr(build(nn)) == repr(build(torch.nn))
    for loss in ["MSELoss", "CrossEntropyLoss", "BCEWithLogitsLoss"]:
        assert repr(getattr(nn, loss)()) == repr(getattr(torch.nn, loss)())


# ---- Linear ----------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lead", [(), (0,), (1,), (4,), (2, 3), (2, 0, 3)])
def test_linear_values_and_gradients(lead, bias):
    layer = nn.Linear(3, 2, bias=bias, dtype=np.float64)
    x = leaf(*lead, 3)
    expected = x.numpy() @ layer.weight.numpy().T
    if bias:
        expected = expected + layer.bias.numpy()
    y = layer(x)
    assert y.shape == (*lead, 2)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-14)
    if x.size:
        assert tg.gradcheck(lambda x, *_: layer(x), [x, *layer.parameters()], order=2)
    else:
        y.sum().backward()
        assert layer.weight.grad.tolist() == [[0] * 3] * 2


@pytest.mark.parametrize("x", [
    [[1, 2], [3, 4]],
    np.array([[1, 2], [3, 4]], dtype=np.uint8),
    np.array([[1, 2], [3, 4]], dtype=np.float64),
    np.array([[1, 2], [3, 4]], dtype=np.float32),
    tg.Tensor([[1, 2], [3, 4]]),
], ids=["list", "uint8", "float64", "float32", "int Tensor"])
def test_linear_takes_arrays_in_its_own_dtype(x):
    layer = nn.Linear(2, 1)
    nn.init.constant_(layer.weight, 2)
    nn.init.constant_(layer.bias, 0.5)
    y = layer(x)
    assert y.dtype == np.float32
    assert y.tolist() == [[6.5], [14.5]]
    y.sum().backward()
    assert layer.weight.grad.tolist() == [[4, 6]]
    assert layer.weight.grad.dtype == np.float32


@pytest.mark.parametrize("shape", [(5,), (2, 5), (4, 2, 5), (3, 1), ()])
def test_linear_of_other_features(shape):
    for layer in [nn.Linear(3, 4), nn.Linear(3, 4, bias=False)]:
        with pytest.raises(RuntimeError, match=r"linear expects") as error:
            layer(np.zeros(shape, np.float32))
        assert str(shape) in str(error.value)
        assert "(4, 3)" in str(error.value)


def test_linear_of_another_bias():
    with pytest.raises(RuntimeError, match=r"bias of shape \(4,\); got \(3,\)"):
        F.linear(np.zeros((2, 3)), np.zeros((4, 3)), np.zeros(3))


def test_linear_with_a_bias_for_each_row():
    bias = tg.Tensor(np.zeros((4, 2)), requires_grad=True)
    F.linear(np.ones((4, 3)), tg.Tensor(np.ones((2, 3))), bias).sum().backward()
    assert np.array_equal(bias.grad, np.ones((4, 2)))


def test_linear_of_no_features():
    layer = nn.Linear(0, 2)
    assert layer(np.zeros((3, 0))).tolist() == [[0, 0]] * 3
    assert nn.Linear(2, 0)(np.zeros((3, 2))).shape == (3, 0)


@pytest.mark.parametrize(("sizes", "error"), [
    ((-1, 2), ValueError),
    ((2, -1), ValueError),
    ((2.0, 1), TypeError),
    ((2, 1, True, np.int64), RuntimeError),
])
def test_linear_refuses(sizes, error):
    with pytest.raises(error):
        nn.Linear(*sizes)


def test_linear_default_is_even_between_bounds():
    tg.manual_seed(0)
    layer = nn.Linear(16, 1000)
    for p in layer.parameters():
        assert np.abs(p.numpy()).max() <= 0.25
        assert np.abs(p.numpy()).max() > 0.249
        assert abs(p.numpy().std() / (0.25 / np.sqrt(3)) - 1) < 0.05
        assert abs(p.numpy().mean()) < 0.02
    before = layer.state_dict()
    layer.reset_parameters()
    assert not np.array_equal(layer.weight.numpy(), before["weight"])


def test_same_seed_same_net():
    def build(seed):
        tg.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)).state_dict()

    one, same, other = build(1), build(1), build(2)
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not any(np.array_equal(one[name], other[name]) for name in one)


# ---- Sequential ------------------------------------------------------------------------


def test_sequential_is_a_chain():
    net = nn.Sequential(nn.Linear(3, 4, dtype=np.float64), nn.Tanh(),
                        nn.Linear(4, 2, dtype=np.float64))
    x = numbers(5, 3)
    w, b, v, c = (p.numpy() for p in net.parameters())
    np.testing.assert_allclose(net(x).numpy(), np.tanh(x @ w.T + b) @ v.T + c, rtol=1e-12)
    assert names(net) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert tg.gradcheck(lambda *_: net(x), list(net.parameters()))


def test_sequential_as_a_list():
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    assert len(net) == 3
    assert [type(layer).__name__ for layer in net] == ["Linear", "Tanh", "Linear"]
    assert net[-1] is net[2]
    tail = net[1:]
    assert isinstance(tail, nn.Sequential)
    assert names(tail) == ["2.weight", "2.bias"]
    assert tail[1] is net[2]
    assert len(net[5:]) == 0
    for index in [3, -4]:
        with pytest.raises(IndexError, match="3 Modules"):
            net[index]


def test_sequential_of_names():
    net = nn.Sequential({"fc": nn.Linear(3, 2), "act": nn.ReLU()})
    assert names(net) == ["fc.weight", "fc.bias"]
    assert net.fc is net[0]
    net.fc = nn.Linear(3, 5)  # a layer can be exchanged
    assert net(numbers(2, 3)).shape == (2, 5)
    net.extra = nn.Linear(5, 1)  # one that comes later comes last, as in PyTorch
    assert len(net) == 3
    assert net[-1] is net.extra
    assert names(net)[-2:] == ["extra.weight", "extra.bias"]
    assert net(numbers(2, 3)).shape == (2, 1)


@pytest.mark.parametrize("other", [np.zeros((2, 3)), tg.zeros(2, 3, requires_grad=True), 1.0])
def test_a_parameter_is_not_lost_to_something_else(other):
    layer = nn.Linear(3, 2)
    with pytest.raises(TypeError, match="parameter 'weight'"):
        layer.weight = other
    layer.weight = nn.Parameter(np.ones((2, 3)))
    layer.bias = None
    assert names(layer) == ["weight"]


def test_losses_of_values():
    v = tg.Value(3.0)
    F.mse_loss(v, tg.Value(1.0)).backward()
    assert v.grad == 4.0
    assert F.binary_cross_entropy_with_logits(tg.Value(0.0), 1.0).item() \
        == pytest.approx(np.log(2))


def test_sequential_of_nothing():
    x = numbers(2)
    assert nn.Sequential()(x) is x


@pytest.mark.parametrize(("given", "error"), [
    ((nn.Linear(1, 1), np.tanh), TypeError),
    (([nn.ReLU()],), TypeError),
    ((nn.ReLU,), TypeError),
    (({"a.b": nn.ReLU()},), KeyError),
    (({"forward": nn.ReLU()},), KeyError),
    (({"training": nn.ReLU()},), KeyError),
    (({1: nn.ReLU()},), KeyError),
])
def test_sequential_refuses(given, error):
    with pytest.raises(error, match="Sequential expects"):
        nn.Sequential(*given)


# ---- activations and Flatten -----------------------------------------------------------

POINTS = np.array([[-1000.0, -1.5, 0.0], [0.5, 2.0, 1000.0]])
ACTIVATIONS = [
    (nn.ReLU(), F.relu, [[0, 0, 0], [0.5, 2, 1000]]),
    (nn.Sigmoid(), F.sigmoid, [[0, 1 / (1 + np.exp(1.5)), 0.5],
                               [1 / (1 + np.exp(-0.5)), 1 / (1 + np.exp(-2)), 1]]),
    (nn.Tanh(), F.tanh, np.tanh(POINTS)),
]


@pytest.mark.parametrize(("layer", "function", "expected"), ACTIVATIONS)
def test_activations(layer, function, expected):
    for f in [layer, function]:
        y = f(tg.Tensor(POINTS))
        assert isinstance(y, tg.Tensor)
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-300)
        assert isinstance(f(POINTS), np.ndarray)
        np.testing.assert_allclose(f(POINTS), expected, rtol=1e-12, atol=1e-300)
        assert tg.gradcheck(f, leaf(2, 3), order=2)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax(dim):
    x = leaf(3, 4)
    p = np.exp(x.numpy()) / np.exp(x.numpy()).sum(dim, keepdims=True)
    np.testing.assert_allclose(F.softmax(x, dim).numpy(), p, rtol=1e-12)
    np.testing.assert_allclose(F.log_softmax(x, dim=dim).numpy(), np.log(p), rtol=1e-12)
    assert tg.gradcheck(lambda x: F.softmax(x, dim), x, order=2)
    assert tg.gradcheck(lambda x: F.log_softmax(x, dim), x, order=2)


FLATTENED = [
    ((2, 3, 4), (1, -1), (2, 12)),
    ((2, 3, 4), (0, -1), (24,)),
    ((2, 3, 4), (0, 1), (6, 4)),
    ((2, 3, 4), (-2, -2), (2, 3, 4)),
    ((0, 3, 4), (1, -1), (0, 12)),
    ((3, 0, 4), (1, -1), (3, 0)),
    ((1,), (0, -1), (1,)),
    ((), (0, -1), (1,)),
]


@pytest.mark.parametrize(("shape", "dims", "expected"), FLATTENED)
def test_flatten(shape, dims, expected):
    x = leaf(*shape)
    y = nn.Flatten(*dims)(x)
    assert y.shape == expected
    assert np.array_equal(y.numpy().ravel(), x.numpy().ravel())
    assert nn.Flatten(*dims)(x.numpy()).shape == expected
    y.sum().backward()
    assert x.grad.shape == shape


def test_flatten_defaults():
    assert F.flatten(numbers(2, 3, 4)).shape == (24,)
    assert nn.Flatten()(numbers(2, 3, 4)).shape == (2, 12)


@pytest.mark.parametrize(("shape", "dims", "error"), [
    ((3,), (1, -1), IndexError),
    ((2, 3), (0, 2), IndexError),
    ((2, 3), (-3, 1), IndexError),
    ((2, 3), (1, 0), RuntimeError),
])
def test_flatten_refuses(shape, dims, error):
    with pytest.raises(error):
        F.flatten(numbers(*shape), *dims)


# ---- losses ----------------------------------------------------------------------------


def mse(x, t):
    return (x - t) ** 2


def bce(x, t):
    p = 1 / (1 + np.exp(-x))
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def cross_entropy(x, t):
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    return -np.log(p[np.arange(len(x)), t])


REDUCTIONS = {"mean": np.mean, "sum": np.sum, "none": lambda losses: losses}
LOSSES = [
    (F.mse_loss, nn.MSELoss, mse, lambda n: numbers(n, 3)),
    (F.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss, bce,
     lambda n: RNG.random((n, 3))),
    (F.cross_entropy, nn.CrossEntropyLoss, cross_entropy, lambda n: RNG.integers(0, 3, n)),
]


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("function", "module", "formula", "draw"), LOSSES)
def test_losses(function, module, formula, draw, reduction, n):
    x, target = leaf(n, 3), draw(n)
    expected = REDUCTIONS[reduction](formula(x.numpy(), target))
    for y in [function(x, target, reduction=reduction),
              module(reduction=reduction)(x, target)]:
        assert y.shape == np.shape(expected)
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12)
    assert tg.gradcheck(lambda x: function(x, target, reduction=reduction), x, order=2)


@pytest.mark.parametrize(("function", "module", "formula", "draw"), LOSSES)
def test_losses_default_to_the_mean(function, module, formula, draw):
    x, target = leaf(4, 3), draw(4)
    expected = formula(x.numpy(), target).mean()
    for y in [function(x, target), module()(x, target), function(x, tg.Tensor(target)),
              function(x, target.tolist())]:
        np.testing.assert_allclose(y.item(), expected, rtol=1e-12)


@pytest.mark.parametrize(("function", "draw"), [(row[0], row[3]) for row in LOSSES])
def test_losses_of_an_empty_batch(function, draw):
    x, target = leaf(0, 3), draw(0)
    assert function(x, target, reduction="sum").item() == 0
    assert function(x, target, reduction="none").size == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = function(x, target)
        assert np.isnan(mean.item())
        mean.backward()
    assert x.grad.shape == (0, 3)


@pytest.mark.parametrize(("function", "module"), [row[:2] for row in LOSSES])
def test_losses_refuse_another_reduction(function, module):
    with pytest.raises(ValueError, match="avg is not a valid value for reduction"):
        function(leaf(2, 3), np.zeros(2), reduction="avg")
    with pytest.raises(ValueError, match="avg is not a valid value for reduction"):
        module(reduction="avg")


@pytest.mark.parametrize("loss", [F.mse_loss, F.binary_cross_entropy_with_logits])
@pytest.mark.parametrize("shapes", [((3, 1), (3,)), ((3,), (3, 1)), ((2, 3), (3,)),
                                    ((2, 3), (2, 4)), ((1,), ()), ((2,), (1,))])
def test_losses_refuse_to_broadcast(loss, shapes):
    x, t = shapes
    with pytest.raises(ValueError, match="must be the same as input size") as error:
        loss(leaf(*x), np.zeros(t))
    assert str(x) in str(error.value)
    assert str(t) in str(error.value)
    assert "reshape" in str(error.value)


@pytest.mark.parametrize("loss", [F.mse_loss, F.binary_cross_entropy_with_logits])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32, np.float64])
def test_losses_keep_the_dtype_of_the_input(loss, dtype):
    x = tg.Tensor([0.5, -0.5], requires_grad=True)
    y = loss(x, np.array([1, 0], dtype=dtype))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.item(), loss(x, [1.0, 0.0]).item())


@pytest.mark.parametrize("loss", [F.mse_loss, F.binary_cross_entropy_with_logits])
def test_targets_get_their_gradient(loss):
    x, t = leaf(3), tg.Tensor(RNG.random(3), requires_grad=True)
    assert tg.gradcheck(loss, [x, t], order=2)


def test_large_logits_are_exact():
    x = tg.Tensor([1000.0, -1000.0, 1000.0, -1000.0], requires_grad=True)
    y = F.binary_cross_entropy_with_logits(x, [1, 0, 0, 1], reduction="none")
    assert y.tolist() == [0, 0, 1000, 1000]
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 1, -1]
    z = tg.Tensor([[1000.0, 0.0, -1000.0]] * 3, requires_grad=True)
    y = F.cross_entropy(z, [0, 1, 2], reduction="none")
    assert y.tolist() == [0, 1000, 2000]
    y.sum().backward()
    assert z.grad.tolist() == [[0, 0, 0], [1, -1, 0], [1, 0, -1]]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32",
                                   "int64", "uint64"])
def test_class_ids_of_any_integer_dtype(dtype):
    x = leaf(3, 3)
    expected = cross_entropy(x.numpy(), np.array([2, 0, 1])).mean()
    loss = F.cross_entropy(x, np.array([2, 0, 1], dtype=dtype))
    np.testing.assert_allclose(loss.item(), expected)
    loss.backward()
    assert x.grad is not None


@pytest.mark.parametrize("target", [1, np.int64(1), [1], tg.Tensor(1), np.array([1])])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy_of_one_sample(target, reduction):
    x = leaf(3)
    expected = cross_entropy(x.numpy()[None], np.array([1]))[0]
    loss = F.cross_entropy(x, target, reduction=reduction)
    assert loss.shape == ()
    np.testing.assert_allclose(loss.item(), expected)
    assert tg.gradcheck(lambda x: F.cross_entropy(x, 1), x)


LOGITS = np.zeros((2, 3), np.float32)
BAD_TARGETS = [
    (LOGITS, np.array([0, 3]), IndexError, "Target 3 is out of bounds"),
    (LOGITS, np.array([0, -1]), IndexError, "Target -1 is out of bounds"),
    (LOGITS, np.array([-4, 1]), IndexError, "Target -4 is out of bounds"),
    (LOGITS, np.array([-3, 1]), IndexError, "Target -3 is out of bounds"),
    (LOGITS, np.array([2**62, 1]), IndexError, f"Target {2**62} is out of bounds"),
    (LOGITS[0], np.array(3), IndexError, "Target 3 is out of bounds"),
    (LOGITS, np.array([0, 1, 2]), ValueError,
     r"Expected input batch_size \(2\) to match target batch_size \(3\)"),
    (LOGITS, np.array([0.0, 1.0]), RuntimeError, "integer"),
    (LOGITS, np.array([True, False]), RuntimeError, "integer"),
    (LOGITS, np.array([[0], [1]]), RuntimeError, "0D or 1D target"),
    (LOGITS, np.array([[1, 0, 0], [0, 1, 0]]), RuntimeError, "0D or 1D target"),
    (LOGITS[None], np.array([0]), RuntimeError, r"Expected target size \(1, 3\), got \(1,\)"),
]


@pytest.mark.parametrize(("x", "target", "error", "message"), BAD_TARGETS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_cross_entropy_refuses(backend, x, target, error, message):
    for given in [target, tg.Tensor(target), target.tolist()]:
        with tg.backend(backend), pytest.raises(error, match=message):
            F.cross_entropy(tg.Tensor(x, requires_grad=True), given)


def test_losses_of_plain_arrays_are_plain():
    assert float(F.cross_entropy(LOGITS, [0, 1])) == pytest.approx(np.log(3))
    assert float(F.mse_loss([1.0, 2.0], [1.0, 4.0])) == 2
    assert not isinstance(F.cross_entropy(LOGITS, [0, 1]), tg.Tensor)


# ---- parity with PyTorch ---------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "draw"), [(row[0].__name__, row[3]) for row in LOSSES])
def test_losses_are_those_of_torch(name, draw, reduction):
    torch = pytest.importorskip("torch")
    x, target = numbers(6, 3, dtype=np.float32) * 5, draw(6)
    if target.dtype == np.float64:
        target = target.astype(np.float32)
    ours = tg.Tensor(x, requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    y = getattr(F, name)(ours, target, reduction=reduction)
    z = getattr(torch.nn.functional, name)(theirs, torch.tensor(target),
                                           reduction=reduction)
    np.testing.assert_allclose(y.numpy(), z.detach(), rtol=1e-5, atol=1e-6)
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parity
def test_net_has_the_gradients_of_torch():
    torch = pytest.importorskip("torch")

    def build(nn):
        return nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 8),
                             nn.Tanh(), nn.Linear(8, 6), nn.Sigmoid(), nn.Linear(6, 3))

    ours, theirs = build(nn), build(torch.nn)
    ours.load_state_dict(theirs.state_dict())
    x, target = numbers(7, 3, 4, dtype=np.float32), RNG.integers(0, 3, 7)
    loss = F.cross_entropy(ours(x), target)
    expected = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)),
                                                 torch.tensor(target))
    loss.backward()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad, rtol=1e-4, atol=1e-7,
                                   err_msg=name)


@pytest.mark.parity
@pytest.mark.parametrize(("x", "target", "error"), [row[:3] for row in BAD_TARGETS])
def test_cross_entropy_refuses_with_the_class_of_torch(x, target, error):
    torch = pytest.importorskip("torch")
    with pytest.raises(error):
        torch.nn.functional.cross_entropy(torch.tensor(x), torch.tensor(target))


@pytest.mark.parity
@pytest.mark.parametrize("call", [
    lambda nn, zeros: nn.Linear(3, 4)(zeros(2, 5)),
    lambda nn, zeros: nn.Linear(3, 4)(zeros(5)),
    lambda nn, zeros: nn.Linear(3, 4).load_state_dict({}),
    lambda nn, zeros: nn.Linear(3, 4).load_state_dict([1]),
    lambda nn, zeros: nn.Linear(3, 4).train("yes"),
    lambda nn, zeros: nn.Linear(3, 4).wieght,
    lambda nn, zeros: nn.Module()(1),
    lambda nn, zeros: nn.Sequential(len),
    lambda nn, zeros: nn.Sequential(nn.ReLU())[1],
    lambda nn, zeros: nn.Flatten()(zeros(3)),
    lambda nn, zeros: nn.Flatten(2, 1)(zeros(2, 3, 4)),
    lambda nn, zeros: nn.functional.mse_loss(zeros(2), zeros(2), reduction="avg"),
    lambda nn, zeros: nn.functional.binary_cross_entropy_with_logits(zeros(2, 1), zeros(2)),
])
def test_errors_are_of_the_class_of_torch(call):
    torch = pytest.importorskip("torch")
    with pytest.raises(Exception) as theirs:  # its class is compared
        call(torch.nn, torch.zeros)
    with pytest.raises(Exception) as ours:  # likewise
        call(nn, tg.zeros)
    assert ours.type is theirs.type


# ---- all together ----------------------------------------------------------------------


def test_a_net_learns_xor():
    tg.manual_seed(0)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
    t = np.array([[0], [1], [1], [0]], dtype=np.float32)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = tg.optim.SGD(net.parameters(), lr=0.5)
    for _ in range(500):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(net(x), t).backward()
        optimizer.step()
    assert np.array_equal(net(x).numpy() > 0, t == 1)
    assert F.binary_cross_entropy_with_logits(net(x), t).item() < 0.05


def test_a_module_of_values_learns():
    class Line(nn.Module):
        def __init__(self):
            self.w = [tg.Value(0.0), tg.Value(0.0)]

        def forward(self, x):
            return self.w[0] * x + self.w[1]

    line = Line()
    assert names(line) == ["w.0", "w.1"]
    for _ in range(200):
        line.zero_grad()
        sum((line(x) - (3 * x - 1)) ** 2 for x in [-1.0, 0.0, 1.0, 2.0]).backward()
        for p in line.parameters():
            p.data -= 0.05 * p.grad
    assert [p.data for p in line.parameters()] == pytest.approx([3, -1])

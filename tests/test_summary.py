"""tg.summary: what it counts, what it prints, and that it leaves the model alone."""

import math

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn, rng


def make_net():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(),
                         nn.Linear(100, 10, bias=False))


def test_table():
    assert repr(tg.summary(make_net(), (32, 8, 8))) == """\
name   kind     output shape  parameters  multiply-adds
-----  -------  ------------  ----------  -------------
0      Flatten  (32, 64)               -              -
1      Linear   (32, 100)          6,500        204,800
2      ReLU     (32, 100)              -              -
3      Linear   (32, 10)           1,000         32,000
-----  -------  ------------  ----------  -------------
total                              7,500        236,800"""


@pytest.mark.parametrize("input", [
    (5, 3), np.zeros((5, 3), "float32"), tg.zeros(5, 3), [[0.0] * 3] * 5])
def test_inputs(input):
    (row,) = tg.summary(nn.Linear(3, 2), input).rows
    assert row == ("(model)", "Linear", (5, 2), 8, 5 * 2 * 3, 1)


class Conv2d(nn.Module):
    """The part of a convolution that counts: 4 channels from 6, in 2 groups, kernel 3x5."""

    def __init__(self):
        self.weight = nn.Parameter(np.zeros((4, 3, 3, 5)))

    def forward(self, x):
        return tg.zeros(len(x), 4, 7, 8) * tg.sum(self.weight)


def test_convolution():
    (row,) = tg.summary(Conv2d(), (2, 6, 9, 12)).rows
    assert row.multiply_adds == 2 * 4 * 7 * 8 * (3 * 3 * 5)
    assert row.parameters == 4 * 3 * 3 * 5


class Odd(nn.Module):
    """A layer called twice, one never, one shared, own numbers, two inputs, two outputs."""

    def __init__(self):
        self.twice = nn.Linear(3, 3)
        self.never = nn.Linear(2, 2)
        self.tied = nn.Linear(3, 3)
        self.tied.weight = self.twice.weight
        self.scale = nn.Parameter([1.0, 2.0])
        self.offset = tg.Value(1.0)

    def forward(self, a, b=None):
        h = self.tied(self.twice(self.twice(a)))
        return h * self.scale[0] + self.offset, b


def test_odd_nets():
    found = tg.summary(Odd(), (4, 3), np.ones(5))
    assert found.rows == [
        ("(model)", "Odd", [(4, 3), (5,)], 3, 0, 1),
        ("twice", "Linear", (4, 3), 12, 2 * 4 * 9, 2),
        ("never", "Linear", None, 6, 0, 0),
        ("tied", "Linear", (4, 3), 3, 4 * 9, 1),
    ]
    assert found.parameters == 24
    assert found.multiply_adds == 3 * 4 * 9
    text = repr(found)
    assert "Linear, 2 times" in text
    assert "not called" in text


def test_containers_have_no_row_but_frozen_parameters_are_said():
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), nn.Linear(2, 1))
    net[1].requires_grad_(False)
    found = tg.summary(net, (1, 2))
    assert [row.name for row in found.rows] == ["0.0", "0.1", "1"]
    assert (found.parameters, found.trainable) == (9, 6)
    assert repr(found).splitlines()[-1] == "of the parameters, 3 are frozen"


def test_a_net_of_values():
    class Line(nn.Module):
        def __init__(self):
            self.weights = [tg.Value(1.0), tg.Value(2.0)]

        def forward(self, x):
            return self.weights[0] * x[0] + self.weights[1]

    (row,) = tg.summary(Line(), [3.0]).rows
    assert (row.output_shape, row.parameters) == ((), 2)


class Noisy(nn.Module):
    """A net that, in evaluation mode too, draws numbers and changes what it holds."""

    def __init__(self):
        self.mean = nn.Parameter(np.zeros(2), requires_grad=False)
        self.layer = nn.Linear(2, 2)

    def forward(self, x):
        rng.generator().random()
        self.mean.data = self.mean.data + 1
        assert not self.training
        return self.layer(x)


def test_it_changes_nothing():
    net = Noisy()
    net.layer.eval()
    (net.layer(np.ones((1, 2), "float32"))).sum().backward()
    grad = net.layer.weight.grad
    keys = {name: list(vars(module)) for name, module in net.named_modules()}
    state, drawn = net.state_dict(), rng.generator().bit_generator.state
    tg.summary(net, (3, 2))
    assert (net.training, net.layer.training) == (True, False)
    assert net.layer.weight.grad is grad
    assert rng.generator().bit_generator.state == drawn
    for name, numbers in net.state_dict().items():
        np.testing.assert_array_equal(numbers, state[name])
    for name, module in net.named_modules():
        assert [key for key in vars(module) if key != "training"] == \
            [key for key in keys[name] if key != "training"]


def test_a_graph_recorded_before_can_still_be_used():
    net = nn.Linear(2, 2)
    y = (net(np.ones((1, 2), "float32")) * net.bias).sum()
    tg.summary(net, (3, 2))
    y.backward()
    assert net.bias.grad is not None


def test_a_forward_of_the_object_itself_stays():
    net = nn.Linear(2, 2)
    vars(net)["forward"] = own = lambda x: x
    (row,) = tg.summary(net, (3, 2)).rows
    assert row.output_shape == (3, 2)
    assert vars(net)["forward"] is own


def test_after_an_error_all_is_as_before():
    net = make_net()
    with pytest.raises(RuntimeError, match="linear expects"):
        tg.summary(net, (32, 9))
    assert all(module.training for module in net.modules())
    assert not any("forward" in vars(module) for module in net.modules())
    with pytest.raises(TypeError, match="summary expects a Module; got function"):
        tg.summary(lambda x: x, (1,))


def test_counts_agree_with_state_dict():
    net = make_net()
    found = tg.summary(net, (1, 8, 8))
    assert found.parameters == sum(math.prod(x.shape) for x in net.state_dict().values())
    assert sum(row.parameters for row in found.rows) == found.parameters

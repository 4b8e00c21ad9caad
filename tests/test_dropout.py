"""Dropout: what it keeps, how often, and what it draws."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import tinygrad_lite as tg
from tinygrad_lite import fused, nn, rng
from tinygrad_lite.nn import functional as F


def state():
    return rng.generator().bit_generator.state


def ones(*shape, dtype=np.float32):
    return tg.Tensor(np.ones(shape, dtype), requires_grad=True)


# ---- values and gradients --------------------------------------------------------------


@given(array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5), st.integers(0, 99),
       st.floats(0, 1), st.sampled_from([np.float32, np.float64]))
@settings(max_examples=80, deadline=None)
def test_an_element_is_dropped_or_made_larger(shape, seed, p, dtype):
    tg.manual_seed(seed)
    x = tg.Tensor(np.random.default_rng(seed).uniform(1, 2, shape), dtype, requires_grad=True)
    y = F.dropout(x, p)
    assert (y.shape, y.dtype) == (shape, dtype)
    larger = 1 / (1 - p) if p < 1 else 0
    kept = y.data != 0
    np.testing.assert_allclose(y.data, kept * x.data * larger, rtol=1e-6)
    y.backward(np.full(shape, 3.0))
    np.testing.assert_allclose(x.grad.data, kept * (3 * larger), rtol=1e-6)


@pytest.mark.parametrize("p", [1e-4, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_moments(p):
    tg.manual_seed(0)
    n = 400_000
    mask = fused.dropout_mask(np.ones(n), p)
    deviation = np.sqrt(p / (1 - p))  # of one element
    assert abs(mask.mean() - 1) < 4 * deviation / np.sqrt(n)
    dropped = (mask == 0).mean()
    assert abs(dropped - p) < 4 * np.sqrt(p * (1 - p) / n)
    if 0.1 <= p <= 0.9:
        assert mask.var() == pytest.approx(deviation ** 2, rel=0.02)


@pytest.mark.parametrize("lag", [1, 2, 3, 100])
def test_elements_are_dropped_independently(lag):
    tg.manual_seed(0)
    mask = fused.dropout_mask(np.ones(400_000), 0.5) - 1
    assert abs((mask[lag:] * mask[:-lag]).mean()) < 4 / np.sqrt(mask.size)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("p", [0, 0.0, 0.5])
def test_what_is_not_dropped_is_the_input_itself(p, training):
    before = state()
    for x in [ones(2, 3), np.ones(3), tg.Value(2.0)]:
        if p == 0 or not training:
            assert F.dropout(x, p, training) is x
    assert state() == before


@pytest.mark.filterwarnings("error")
def test_probability_1_gives_zeros():
    for p in [1, 1.0]:
        x = ones(3, 4)
        before = state()
        y = F.dropout(x, p)
        assert state() == before
        np.testing.assert_array_equal(y.data, 0)
        y.sum().backward()
        np.testing.assert_array_equal(x.grad.data, 0)


def test_a_second_sweep_sees_the_same_mask():
    tg.manual_seed(0)
    x = tg.Tensor(np.arange(1.0, 101), dtype="float64", requires_grad=True)
    y = F.dropout(x ** 3, 0.25)
    (first,) = tg.grad(y.sum(), x, create_graph=True)
    (second,) = tg.grad(first.sum(), x)
    mask = y.data / x.data ** 3
    np.testing.assert_allclose(first.data, 3 * x.data ** 2 * mask, rtol=1e-12)
    np.testing.assert_allclose(second.data, 6 * x.data * mask, rtol=1e-12)


def test_finite_differences():
    def dropped(x):
        tg.manual_seed(5)
        return F.dropout(x * x, 0.4)

    assert tg.gradcheck(dropped, tg.Tensor(np.arange(1.0, 9).reshape(2, 4), "float64",
                                           requires_grad=True), order=2)


def test_seeds_govern_it():
    draws = []
    for seed in [1, 1, 2]:
        tg.manual_seed(seed)
        draws.append([F.dropout(np.ones(50), 0.5), F.dropout(np.ones(50), 0.5)])
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert not np.array_equal(draws[0][0], draws[0][1])


def test_masks_are_the_same_in_both_precisions():
    masks = []
    for dtype in [np.float32, np.float64]:
        tg.manual_seed(0)
        masks.append(fused.dropout_mask(np.ones((7, 9), dtype), 0.5))
    np.testing.assert_array_equal(*masks)


@pytest.mark.parametrize("x", [np.ones((4, 5))[:, ::-1], np.ones((4, 5)).T,
                               np.broadcast_to(np.ones(5), (4, 5)), np.array(1.0)])
def test_inputs_of_any_layout(x):
    y = F.dropout(x, 0.5)
    assert np.shape(y) == x.shape
    assert np.isin(y, [0, 2]).all()


def test_values_and_integers():
    y = F.dropout(tg.Value(3.0), 0.5)
    assert type(y) is tg.Value
    assert y.data in (0.0, 6.0)
    y = F.dropout(tg.Tensor([3, 3, 3]), 0.5)
    assert y.dtype == np.float32
    assert np.isin(y.data, [0, 6]).all()


# ---- the Module ------------------------------------------------------------------------


def test_module_drops_in_training_only():
    layer = nn.Dropout(0.9)
    x = ones(20, 20)
    assert (layer(x).data == 0).any()
    net = nn.Sequential(layer).eval()
    assert net(x) is x
    net.train()
    assert (net(x).data == 0).any()
    assert list(layer.state_dict()) == []


def test_module_prints_and_copies():
    layer = nn.Dropout(0.25).eval()
    assert repr(layer) == "Dropout(p=0.25)"
    assert nn.Dropout().p == 0.5
    for other in [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]:
        assert (other.p, other.training) == (0.25, False)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), -1, 2])
def test_refusals(p):
    before = state()
    for call in [lambda: nn.Dropout(p), lambda: F.dropout(ones(2), p),
                 lambda: F.dropout(ones(2), p, training=False)]:
        with pytest.raises(ValueError, match="between 0 and 1, but got"):
            call()
    assert state() == before
    with pytest.raises(TypeError):
        nn.Dropout("0.5")


# ---- PyTorch ---------------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("training", [True, False])
def test_the_numbers_are_those_of_torch(p, training):
    """The same two numbers, and about as often."""
    torch = pytest.importorskip("torch")
    tg.manual_seed(0)
    torch.manual_seed(0)
    x = np.full(20_000, 3.0)
    ours = F.dropout(x, p, training)
    theirs = torch.nn.functional.dropout(torch.tensor(x), p, training).numpy()
    np.testing.assert_allclose(np.unique(ours), np.unique(theirs), rtol=1e-15)
    assert abs((ours == 0).mean() - (theirs == 0).mean()) < 0.02


@pytest.mark.parity
@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_errors_of_torch(p):
    torch = pytest.importorskip("torch")
    for module in [nn, torch.nn]:
        with pytest.raises(ValueError, match="between 0 and 1"):
            module.Dropout(p)

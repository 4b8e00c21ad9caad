"""Passes over all gradients at once, and `nn.utils`, which is made of them."""

import math
import os

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import kernels, passes
from tinygrad_lite.nn import utils

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
BACKENDS = ["numpy", "python"] if WITHOUT_C else ["c", "numpy", "python"]
SHAPES = [(3, 4), (), (0,), (7,)]


@pytest.fixture(params=BACKENDS, autouse=True)
def backend(request):
    """Every test runs on each backend."""
    with kernels.backend(request.param):
        yield request.param


def parameters(scale=1.0):
    """Leaves of both dtypes and kinds with gradients, and two without."""
    random = np.random.default_rng(0)
    leaves = []
    for dtype in (np.float32, np.float64):
        for shape in SHAPES:
            leaf = tg.Tensor(np.zeros(shape, dtype), requires_grad=True)
            leaf.grad = scale * random.standard_normal(shape)
            leaves.append(leaf)
    value = tg.Value(1.0)
    value.grad = -2.0 * scale
    return [*leaves, value, tg.Tensor([1.0], requires_grad=True), tg.Value(1.0)]


def gradients(leaves):
    """All gradients in one vector of doubles."""
    return np.concatenate([np.asarray(p.grad, np.float64).reshape(-1)
                           for p in leaves if p._grad is not None])


@pytest.mark.parametrize("order", [2, 2.0, 1, 3.5, math.inf])
def test_norm(order):
    leaves = parameters()
    expected = np.linalg.norm(gradients(leaves), order)
    assert passes.gradient_norm(leaves, float(order)) == pytest.approx(expected, rel=1e-12)
    total = utils.get_total_norm([p.grad for p in leaves[:8]], order)
    assert total.dtype == np.float64
    expected = np.linalg.norm(gradients(leaves[:8]), order)
    assert total.item() == pytest.approx(expected, rel=1e-12)


def test_norm_of_nothing():
    assert passes.gradient_norm([]) == 0.0
    assert passes.gradient_norm([tg.Value(1.0)], math.inf) == 0.0
    assert utils.clip_grad_norm_([], 1.0).item() == 0.0


@pytest.mark.parametrize("order", [2.0, 1.0, math.inf])
def test_norm_of_what_is_only_read(order):
    """Arrays of any layout, read-only, overlapping, without elements, or twice the same."""
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    a.flags.writeable = False
    arrays = [a, a, a.T, a[:, ::2], np.broadcast_to(a[1], (2, 4)), a[:0]]
    expected = np.linalg.norm(np.concatenate([x.reshape(-1) for x in arrays]), order)
    got = utils.get_total_norm([tg.as_tensor(x) for x in arrays], order)
    assert got.item() == pytest.approx(expected, rel=1e-6)
    assert utils.get_total_norm([tg.as_tensor(a[:0])], order).item() == 0.0


def test_one_gradient_for_two_parameters_is_clipped_once():
    """As in PyTorch it counts twice in the norm."""
    shared = tg.as_tensor(np.array([3.0, 4.0]))
    leaves = [tg.Tensor(np.zeros(2), requires_grad=True) for _ in range(2)]
    for leaf in leaves:
        leaf.grad = shared
    shared.numpy().flags.writeable = False
    assert utils.clip_grad_norm_(leaves, 5 / math.sqrt(2)).item() == \
        pytest.approx(5 * math.sqrt(2))
    for leaf in leaves:
        np.testing.assert_allclose(leaf.grad.numpy(), [1.5, 2.0], rtol=1e-6)
    assert shared.tolist() == [3.0, 4.0]


def test_clip_grad_norm():
    leaves = parameters(scale=10.0)
    before = gradients(leaves)
    norm = utils.clip_grad_norm_(leaves, 1.5)
    assert norm.item() == pytest.approx(np.linalg.norm(before), rel=1e-12)
    np.testing.assert_allclose(gradients(leaves), before * (1.5 / (norm.item() + 1e-6)),
                               rtol=1e-6)
    assert type(leaves[8].grad) is float
    assert leaves[9].grad is None


def test_a_small_norm_is_left_alone():
    leaves = parameters()
    before = gradients(leaves)
    utils.clip_grad_norm_(leaves, 1e3)
    np.testing.assert_array_equal(gradients(leaves), before)


def test_a_norm_that_is_not_finite():
    leaves = parameters()
    leaves[0].grad = np.full((3, 4), np.nan)
    before = gradients(leaves)
    with pytest.raises(RuntimeError, match="total norm of order 2.0 of the gradients is nan"):
        utils.clip_grad_norm_(leaves, 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(gradients(leaves), before)
    assert math.isnan(utils.clip_grad_norm_(leaves, 1.0).item())
    assert np.isnan(gradients(leaves)).all()


def test_clip_grad_value():
    leaves = parameters()
    expected = np.clip(gradients(leaves), -0.25, 0.25)
    utils.clip_grad_value_(leaves, 0.25)
    np.testing.assert_allclose(gradients(leaves), expected)
    utils.clip_grad_value_(leaves[0], 0)
    assert not leaves[0].grad.numpy().any()


@pytest.mark.parametrize("call", [
    lambda: utils.clip_grad_norm_([], -1.0), lambda: utils.clip_grad_norm_([], math.nan),
    lambda: utils.clip_grad_value_([], -1.0), lambda: utils.clip_grad_value_([], math.nan)])
def test_bounds_out_of_range_are_refused(call):
    with pytest.raises(ValueError, match="of 0 or more; got"):
        call()


@pytest.mark.parametrize("make", [
    np.asfortranarray, lambda g: np.broadcast_to(g[0], g.shape), lambda g: g[::-1]])
def test_gradients_of_any_layout(make):
    """What cannot be changed in place is replaced; the user's own array stays as it was."""
    given = make(np.arange(12, dtype=np.float32).reshape(3, 4))
    leaf = tg.Tensor(np.zeros((3, 4), np.float32), requires_grad=True)
    leaf.grad = tg.as_tensor(given)
    before = given.copy()
    utils.clip_grad_value_([leaf], 2.0)
    np.testing.assert_array_equal(leaf.grad.numpy(), np.clip(before, -2, 2))
    if not given.flags.c_contiguous:
        np.testing.assert_array_equal(given, before)


def test_a_parameter_given_twice_is_scaled_once():
    leaf = tg.Tensor(np.zeros(2), requires_grad=True)
    leaf.grad = [3.0, 4.0]
    passes.scale_gradients([leaf, leaf], 0.5)
    assert leaf.grad.tolist() == [1.5, 2.0]


def test_average():
    random = np.random.default_rng(0)
    averages = [random.standard_normal(shape).astype(dtype)
                for dtype in (np.float32, np.float64) for shape in SHAPES]
    weights = [random.standard_normal(a.shape).astype(a.dtype) for a in averages]
    expected = [0.9 * a + (1 - 0.9) * w for a, w in zip(averages, weights, strict=True)]
    passes.average(averages, weights, 0.9)
    for a, b in zip(averages, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_average_is_checked_before_it_writes():
    """The good pair, of another dtype, stays as it was beside the wrong one."""
    averages = [np.zeros(2, np.float32), np.zeros(2)]
    weights = [np.ones(2, np.float32), np.ones(3)]
    with pytest.raises(ValueError, match=r"b\[0\] must have shape \(2,\)"):
        passes.average(averages, weights, 0.5)
    for decay in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="a decay from 0 to 1; got"):
            passes.average(averages, averages, decay)
    assert not any(a.any() for a in averages)


def test_gradients_that_overlap_are_refused_before_another_is_changed():
    leaves = [tg.Tensor(np.zeros(3, dtype), requires_grad=True)
              for dtype in (np.float32, np.float64, np.float64)]
    memory = tg.as_tensor(np.full(5, 9.0))
    leaves[0].grad = np.full(3, 9.0)
    leaves[1].grad, leaves[2].grad = memory[:3], memory[2:]
    with pytest.raises(ValueError, match="share memory"):
        utils.clip_grad_value_(leaves, 1.0)
    assert leaves[0].grad.tolist() == [9.0, 9.0, 9.0]
    assert memory.tolist() == [9.0] * 5


def test_vectors_and_parameters():
    leaves = [tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True), tg.Tensor([5.0])]
    vector = utils.parameters_to_vector(leaves)
    assert vector.tolist() == [1, 2, 3, 4, 5]
    (vector * vector).sum().backward()
    assert leaves[0].grad.tolist() == [[2, 4], [6, 8]]
    utils.vector_to_parameters(vector * 10, leaves)
    assert [leaf.tolist() for leaf in leaves] == [[[10, 20], [30, 40]], [50]]
    with pytest.raises(ValueError, match=r"a vector of 5 numbers.*got shape \(4,\)"):
        utils.vector_to_parameters(np.zeros(4), leaves)


@pytest.mark.parity
@pytest.mark.parametrize("order", [2.0, 1.0, math.inf])
@pytest.mark.parametrize("bound", [0.5, 1e3])
def test_parity_of_clipping(order, bound):
    torch = pytest.importorskip("torch")
    ours = [p for p in parameters()[4:8] if p.size]
    theirs = [torch.tensor(p.numpy(), requires_grad=True) for p in ours]
    for p, q in zip(ours, theirs, strict=True):
        q.grad = torch.tensor(p.grad.numpy())
    norm = torch.nn.utils.clip_grad_norm_(theirs, bound, order)
    got = utils.clip_grad_norm_(ours, bound, order)
    assert got.item() == pytest.approx(norm.item(), rel=1e-12)
    np.testing.assert_allclose(gradients(ours), gradients(theirs), rtol=1e-12)

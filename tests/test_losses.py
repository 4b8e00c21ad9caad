"""The losses: one table, a row per loss and its options.

Every row is held to finite differences of first and second order, to its Module, and, where
it is installed, to PyTorch: values, gradients and gradients of gradients.
"""

import copy
import gc
import pickle
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.kernels import why_not_c

F = nn.functional
REDUCTIONS = ["mean", "sum", "none"]
BACKENDS = ["numpy", "python"] + ([] if why_not_c() else ["c"])


class Row(NamedTuple):
    """A loss with certain options, and what it may be called with."""

    function: str
    module: str
    options: dict          # by keyword; the function and the Module take the same
    draw: Callable         # random generator -> input and target
    learns: bool = False   # whether the target may require a gradient
    torch: bool = True     # whether PyTorch has this

    @property
    def name(self):
        shape = self.draw(np.random.default_rng(0))[0].shape
        return "-".join([self.function, *self.options, "x".join(map(str, shape))])


def numbers(*shape):
    return lambda rng: (2 * rng.standard_normal(shape), 2 * rng.standard_normal(shape))


def logits(*shape):
    return lambda rng: (3 * rng.standard_normal(shape), rng.random(shape))


def probabilities(*shape):
    return lambda rng: (rng.uniform(0.1, 0.9, shape), rng.random(shape))


def signs(*shape):
    return lambda rng: (2 * rng.standard_normal(shape), rng.choice([-1.0, 1.0], shape))


def ids(*shape, ignored=None):
    """Logits, and class ids of the shape without its axis of classes."""
    def draw(rng):
        classes = shape[1] if len(shape) > 1 else shape[0]
        target = rng.integers(0, classes, (*shape[:1], *shape[2:]) if len(shape) > 1 else ())
        if ignored is not None:
            target.reshape(-1)[::2] = ignored
        return 3 * rng.standard_normal(shape), target
    return draw


def soft(*shape):
    """Logits, and probabilities of the classes."""
    def draw(rng):
        target = rng.random(shape)
        return 3 * rng.standard_normal(shape), target / target.sum(-1, keepdims=True)
    return draw


def distributions(*shape, log=False):
    def draw(rng):
        p, q = rng.random((2, *shape)) + 0.1
        return np.log(p), np.log(q) if log else q
    return draw


W = np.array([0.5, 2.0, 0.0, 1.25])
EACH = np.linspace(0.5, 2, 12).reshape(3, 4)
CE = ("cross_entropy", "CrossEntropyLoss")
NLL = ("nll_loss", "NLLLoss")
BCE = ("binary_cross_entropy", "BCELoss")
LOGITS = ("binary_cross_entropy_with_logits", "BCEWithLogitsLoss")
KL = ("kl_div", "KLDivLoss")

ROWS = [
    Row("mse_loss", "MSELoss", {}, numbers(3, 4), learns=True),
    Row("l1_loss", "L1Loss", {}, numbers(3, 4), learns=True),
    Row("huber_loss", "HuberLoss", {}, numbers(3, 4), learns=True),
    Row("huber_loss", "HuberLoss", {"delta": 0.3}, numbers(5), learns=True),
    Row("smooth_l1_loss", "SmoothL1Loss", {}, numbers(3, 4), learns=True),
    Row("smooth_l1_loss", "SmoothL1Loss", {"beta": 0.3}, numbers(2, 1, 3), learns=True),
    Row("smooth_l1_loss", "SmoothL1Loss", {"beta": 0.0}, numbers(3, 4), learns=True),
    Row(*BCE, {}, probabilities(3, 4), learns=True),
    Row(*BCE, {"weight": EACH}, probabilities(3, 4), learns=True),
    Row(*BCE, {"weight": W}, probabilities(3, 4), learns=True),
    Row(*LOGITS, {}, logits(3, 4), learns=True),
    Row(*LOGITS, {"weight": EACH[:, :1]}, logits(3, 4), learns=True),
    Row(*LOGITS, {"pos_weight": W}, logits(3, 4), learns=True),
    Row(*LOGITS, {"weight": EACH, "pos_weight": np.array(3.0)}, logits(3, 4), learns=True),
    Row("hinge_loss", "HingeLoss", {}, signs(3, 4), torch=False),
    Row("hinge_loss", "HingeLoss", {"margin": 0.25}, signs(5), torch=False),
    Row("hinge_embedding_loss", "HingeEmbeddingLoss", {}, signs(3, 4)),
    Row("hinge_embedding_loss", "HingeEmbeddingLoss", {"margin": 0.25}, signs(5)),
    Row(*KL, {}, distributions(3, 4), learns=True),
    Row(*KL, {"log_target": True}, distributions(3, 4, log=True), learns=True),
    *[Row(*loss, options, ids(*shape, ignored=options.get("ignore_index")))
      for loss in (CE, NLL)
      for options in ({}, {"weight": W}, {"ignore_index": -100}, {"ignore_index": 3},
                      {"ignore_index": 1, "weight": W})
      for shape in ((4,), (5, 4), (3, 4, 2), (2, 4, 3, 2))
      if "ignore_index" not in options or len(shape) > 1],
    *[Row(*CE, {"label_smoothing": 0.3, **options}, ids(*shape, ignored=ignored))
      for options, ignored in (({}, None), ({"weight": W}, None), ({"weight": W}, -100),
                               ({"ignore_index": 2}, 2))
      for shape in ((5, 4), (3, 4, 2))],
    *[Row(*CE, options, soft(*shape), learns=True)
      for options in ({}, {"weight": W}, {"label_smoothing": 0.2},
                      {"label_smoothing": 1.0, "weight": W})
      for shape in ((4,), (5, 4), (3, 4, 2))],
]
IDS = [row for row in ROWS if row.draw(np.random.default_rng(0))[1].dtype.kind == "i"]
SAME_SHAPE = list({row.function: row for row in ROWS if row.function not in (CE[0], NLL[0])}
                  .values())
DEFAULTS = list({row.function: row for row in reversed(ROWS)}.values())


def over(rows):
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


every_row = over(ROWS)
every_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)


def function(row, **more):
    """The loss as a function of input and target."""
    options = {**row.options, **more}
    return lambda x, t: getattr(F, row.function)(x, t, **options)


def drawn(row, dtype=np.float64):
    """The input, a leaf, and the target, one too if it may be."""
    x, t = row.draw(np.random.default_rng(1))
    x = tg.Tensor(x, dtype=dtype, requires_grad=True)
    return x, tg.Tensor(t, dtype=dtype, requires_grad=True) if row.learns else t


# ---- what every row is held to -----------------------------------------------------------


@every_row
@every_reduction
@pytest.mark.filterwarnings("error")
def test_gradients_of_first_and_second_order(row, reduction):
    x, t = drawn(row)
    assert tg.gradcheck(function(row, reduction=reduction), [x, t], order=2)


@every_row
@every_reduction
def test_the_module_computes_the_function(row, reduction):
    x, t = drawn(row)
    module = getattr(nn, row.module)(**row.options, reduction=reduction)
    expected = function(row, reduction=reduction)(x, t).numpy()
    for loss in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        np.testing.assert_array_equal(loss(x, t).numpy(), expected)
    assert not list(module.parameters())


@every_row
def test_the_mean_is_the_default(row):
    x, t = drawn(row)
    expected = function(row, reduction="mean")(x, t).numpy()
    for loss in (function(row), getattr(nn, row.module)(**row.options)):
        np.testing.assert_array_equal(loss(x, t).numpy(), expected)


@every_row
@every_reduction
def test_arrays_lists_and_tensors_alike(row, reduction):
    x, t = row.draw(np.random.default_rng(1))
    loss = function(row, reduction=reduction)
    expected = loss(x, t)
    assert not isinstance(expected, tg.Tensor)
    for given, target in [(tg.Tensor(x), t), (tg.Tensor(x), t.tolist()),
                          (tg.Tensor(x), tg.Tensor(t)), (x, tg.Tensor(t))]:
        np.testing.assert_allclose(np.asarray(loss(given, target)), expected, rtol=1e-12)
    options = {key: tg.Tensor(value) if isinstance(value, np.ndarray) else value
               for key, value in row.options.items()}
    np.testing.assert_allclose(
        getattr(F, row.function)(tg.Tensor(x), t, reduction=reduction, **options).numpy(),
        expected, rtol=1e-12)


@every_row
@every_reduction
def test_float32_stays_float32(row, reduction):
    x, t = drawn(row, np.float32)
    y = function(row, reduction=reduction)(x, t)
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float32


@every_row
@every_reduction
def test_inputs_that_are_not_contiguous(row, reduction):
    x, t = row.draw(np.random.default_rng(1))
    turned = tg.Tensor(x.T, requires_grad=True)
    plain = tg.Tensor(x, requires_grad=True)
    loss = function(row, reduction=reduction)
    y, expected = loss(turned.T, t), loss(plain, t)
    np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-12)
    y.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(turned.grad.numpy().T, plain.grad.numpy(), rtol=1e-12)


@every_row
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend(row, backend):
    x, t = drawn(row)
    expected = function(row)(x, t)
    slope = tg.grad(expected, x)[0].numpy()
    with tg.backend(backend):
        y = function(row)(x, t)
        np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-12)
        np.testing.assert_allclose(tg.grad(y, x)[0].numpy(), slope, rtol=1e-12, atol=1e-15)


@over(DEFAULTS)
def test_a_graph_of_a_loss_is_no_cycle_and_may_be_kept(row):
    x, t = drawn(row)
    gc.collect()
    gc.disable()
    try:
        y = function(row)(x, t)
        first = tg.grad(y, x, retain_graph=True)[0].numpy().copy()
        np.testing.assert_array_equal(tg.grad(y, x, retain_graph=True)[0].numpy(), first)
        tg.grad(tg.grad(y, x, create_graph=True)[0].sum(), x)
        del y
        assert gc.collect() == 0
    finally:
        gc.enable()


@every_row
def test_no_grad_records_nothing(row):
    x, t = drawn(row)
    with tg.no_grad():
        y = function(row)(x, t)
    assert not y.requires_grad


# ---- PyTorch -----------------------------------------------------------------------------


@pytest.mark.parity
@over([row for row in ROWS if row.torch])
@every_reduction
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_torch_has_the_same_values_and_gradients(row, reduction):
    torch = pytest.importorskip("torch")
    x, t = row.draw(np.random.default_rng(2))
    ours = tg.Tensor(x, requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    options = {key: torch.tensor(value) if isinstance(value, np.ndarray) else value
               for key, value in row.options.items()}
    y = function(row, reduction=reduction)(ours, t)
    z = getattr(torch.nn.functional, row.function)(theirs, torch.tensor(t),
                                                   reduction=reduction, **options)
    assert y.shape == z.shape
    np.testing.assert_allclose(y.numpy(), z.detach(), rtol=1e-9)
    weights = np.linspace(1, 2, y.size).reshape(y.shape)
    g = tg.grad((y * weights).sum(), ours, create_graph=True)[0]
    h = torch.autograd.grad((z * torch.tensor(weights)).sum(), theirs, create_graph=True)[0]
    np.testing.assert_allclose(g.numpy(), h.detach(), rtol=1e-9, atol=1e-15)
    if h.requires_grad:
        again = tg.grad((g * g).sum(), ours)[0]
        wanted = torch.autograd.grad((h * h).sum(), theirs)[0]
        np.testing.assert_allclose(again.numpy(), wanted.numpy(force=True), rtol=1e-9,
                                   atol=1e-14)


@pytest.mark.parity
@over([row for row in ROWS if row.torch and row.learns])
def test_torch_has_the_same_gradients_of_targets(row):
    torch = pytest.importorskip("torch")
    x, t = row.draw(np.random.default_rng(3))
    ours = tg.Tensor(t, requires_grad=True)
    theirs = torch.tensor(t, requires_grad=True)
    options = {key: torch.tensor(value) if isinstance(value, np.ndarray) else value
               for key, value in row.options.items()}
    y = function(row, reduction="sum")(x, ours)
    z = getattr(torch.nn.functional, row.function)(torch.tensor(x), theirs, reduction="sum",
                                                   **options)
    np.testing.assert_allclose(tg.grad(y, ours)[0].numpy(), torch.autograd.grad(z, theirs)[0],
                               rtol=1e-9, atol=1e-15)


@pytest.mark.parity
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@every_reduction
def test_torch_has_the_same_weights(name, reduction):
    torch = pytest.importorskip("torch")
    x, t = numbers(3, 4)(np.random.default_rng(4))
    y = getattr(F, name)(x, t, reduction=reduction, weight=EACH)
    z = getattr(torch.nn.functional, name)(torch.tensor(x), torch.tensor(t),
                                           reduction=reduction, weight=torch.tensor(EACH))
    np.testing.assert_allclose(y, z, rtol=1e-12)


@pytest.mark.parity
@pytest.mark.parametrize("shape", [(6, 10), (300, 3), (2, 3000), (3, 5, 7)])
@every_reduction
def test_torch_has_the_same_cross_entropy_in_float32(shape, reduction):
    torch = pytest.importorskip("torch")
    x, t = ids(*shape)(np.random.default_rng(5))
    ours = tg.Tensor(x, dtype=np.float32, requires_grad=True)
    theirs = torch.tensor(x.astype(np.float32), requires_grad=True)
    y = F.cross_entropy(ours, t, reduction=reduction)
    z = torch.nn.functional.cross_entropy(theirs, torch.tensor(t), reduction=reduction)
    np.testing.assert_allclose(y.numpy(), z.detach(), rtol=2e-6, atol=2e-6)
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad, rtol=2e-5, atol=1e-7)


# ---- batchmean, weights, what is ignored -------------------------------------------------


@pytest.mark.parametrize(("shape", "samples"), [((3, 4), 3), ((5,), 5), ((), 1)])
def test_batchmean_divides_by_the_length_of_the_first_axis(shape, samples):
    x, t = distributions(*shape)(np.random.default_rng(6))
    expected = (t * (np.log(t) - x)).sum() / samples
    for y in [F.kl_div(x, t, reduction="batchmean"),
              nn.KLDivLoss(reduction="batchmean")(x, t)]:
        np.testing.assert_allclose(y, expected, rtol=1e-12)
    leaf = tg.Tensor(x, requires_grad=True)
    assert tg.gradcheck(lambda x: F.kl_div(x, t, reduction="batchmean"), leaf)


def test_kl_div_knows_classes_without_probability():
    x = tg.Tensor([-np.inf, np.log(0.5), np.log(0.5)], requires_grad=True)
    t = np.array([0, 0.25, 0.75], np.float32)
    expected = 0.25 * np.log(0.5) + 0.75 * np.log(1.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = F.kl_div(x, t, reduction="sum")
        z = F.kl_div(x, [-np.inf, np.log(0.25), np.log(0.75)], reduction="sum", log_target=True)
        (y + z).backward()
    np.testing.assert_allclose([y.item(), z.item()], expected, rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), -2 * t, rtol=1e-6)


@every_reduction
def test_weights_may_learn(reduction):
    x, t = numbers(3, 4)(np.random.default_rng(7))
    weight = tg.Tensor(EACH, requires_grad=True)
    for loss in (F.mse_loss, F.l1_loss, F.huber_loss):
        assert tg.gradcheck(lambda w, loss=loss: loss(x, t, reduction=reduction, weight=w),
                            weight, order=2)
    t = np.random.default_rng(7).random((3, 4))
    assert tg.gradcheck(lambda w: F.binary_cross_entropy_with_logits(
        x, t, w, reduction=reduction, pos_weight=w * w), weight, order=2)


@pytest.mark.parametrize("name", [CE[0], NLL[0]])
def test_ignored_samples_count_for_nothing(name):
    loss = getattr(F, name)
    x = tg.Tensor(np.random.default_rng(8).standard_normal((4, 3)), requires_grad=True)
    y = loss(x, [1, -100, 2, -100])
    rest = tg.Tensor(x.data[::2], requires_grad=True)
    z = loss(rest, [1, 2])
    assert y.item() == pytest.approx(z.item(), rel=1e-12)
    y.backward()
    z.backward()
    np.testing.assert_allclose(x.grad.data[::2], rest.grad.data, rtol=1e-12)
    np.testing.assert_array_equal(x.grad.data[1::2], 0)


@pytest.mark.parametrize("name", [CE[0], NLL[0]])
@pytest.mark.parametrize("options", [{}, {"weight": [1, 2, 3]}])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("error")
def test_nothing_but_ignored_samples(name, options, backend):
    loss = getattr(F, name)
    x = tg.ones(2, 3, requires_grad=True)
    with tg.backend(backend):
        y = loss(x, [-100, -100], **options)
        assert np.isnan(y.item())
        assert loss(x, [-100, -100], reduction="sum", **options).item() == 0
        assert loss(x, [-100, -100], reduction="none", **options).tolist() == [0, 0]
        loss(x, [-100, -100], reduction="sum", **options).backward()
    assert x.grad.tolist() == [[0, 0, 0]] * 2


def test_weights_of_zero_leave_nothing_to_divide_by():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(F.cross_entropy(np.ones((2, 3)), [0, 0], weight=[0, 1, 1]))
        assert np.isnan(F.mse_loss(np.ones(2), np.zeros(2), weight=np.zeros(2)))


# ---- extremes ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("error")
def test_huge_logits_are_exact(dtype):
    x = tg.Tensor(np.array([[1e4, 0, -1e4]] * 3, dtype), requires_grad=True)
    y = F.cross_entropy(x, [0, 1, 2], reduction="none")
    assert y.tolist() == [0, 1e4, 2e4]
    y.sum().backward()
    assert x.grad.tolist() == [[0, 0, 0], [1, -1, 0], [1, 0, -1]]
    third = np.full((3, 3), 1 / 3, dtype)
    np.testing.assert_allclose(F.cross_entropy(x, third, reduction="none").tolist(), [1e4] * 3)
    np.testing.assert_allclose(
        F.cross_entropy(x, [0, 1, 2], reduction="none", label_smoothing=1).tolist(), [1e4] * 3)
    z = tg.Tensor(np.array([1e4, -1e4] * 2, dtype), requires_grad=True)
    for pos_weight, factor in [(None, 1), (3.0, 3)]:
        y = F.binary_cross_entropy_with_logits(z, [1, 1, 0, 0], reduction="none",
                                               pos_weight=pos_weight)
        assert y.tolist() == [0, factor * 1e4, 1e4, 0]
        assert tg.grad(y.sum(), z)[0].tolist() == [0, -factor, 1, 0]


@pytest.mark.filterwarnings("error")
def test_close_logits_far_from_zero_keep_their_digits():
    x = np.array([[1e4 + 1, 1e4], [-1e4, -1e4 - 1]], np.float32)
    y = F.cross_entropy(x, [0, 1], reduction="none")
    small = np.log1p(np.exp(-1))
    np.testing.assert_allclose(y, [small, 1 + small], rtol=1e-6)


@pytest.mark.filterwarnings("error")
def test_infinite_logits():
    x = tg.Tensor([[0.0, -np.inf, 0.0]], requires_grad=True)
    y = F.cross_entropy(x, [0])
    assert y.item() == pytest.approx(np.log(2))
    y.backward()
    assert x.grad.tolist() == [[-0.5, 0, 0.5]]
    assert F.cross_entropy(x, [1]).item() == np.inf
    assert np.isnan(F.cross_entropy(np.array([[np.inf, 0.0]]), [0]))


@pytest.mark.filterwarnings("error")
def test_certain_probabilities():
    """Logarithms end at -100, and the gradient at 1e12, as in PyTorch."""
    p = tg.Tensor([0.0, 1.0, 0.0, 1.0], dtype=np.float64, requires_grad=True)
    t = tg.Tensor([0.0, 1.0, 1.0, 0.0], dtype=np.float64, requires_grad=True)
    y = F.binary_cross_entropy(p, t, reduction="none")
    assert y.tolist() == [0, 0, 100, 100]
    y.sum().backward()
    np.testing.assert_allclose(p.grad.tolist(), [0, 0, -1e12, 1e12])
    np.testing.assert_allclose(t.grad.tolist(), [100, -100, 100, -100])


@pytest.mark.parametrize(("name", "at", "target", "slope"), [
    ("l1_loss", 1.0, 1.0, 0.0),
    ("huber_loss", 2.0, 1.0, 1.0),
    ("huber_loss", 0.0, 1.0, -1.0),
    ("smooth_l1_loss", 2.0, 1.0, 1.0),
    ("hinge_loss", 1.0, 1.0, 0.0),
    ("hinge_embedding_loss", 1.0, -1.0, -1.0),
])
def test_gradients_at_kinks(name, at, target, slope):
    x = tg.Tensor([at], requires_grad=True)
    getattr(F, name)(x, [target]).backward()
    assert x.grad.tolist() == [slope]


# ---- empty, Values -----------------------------------------------------------------------


EMPTY = [(row, shape) for row in DEFAULTS for shape in
         [(0, 3), *([(2, 3, 0)] if row.function in (CE[0], NLL[0]) else [(0,), (3, 0)])]]


@pytest.mark.parametrize(("row", "shape"), EMPTY,
                         ids=[f"{row.function}-{shape}" for row, shape in EMPTY])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("error")
def test_the_mean_of_nothing_is_nan(row, shape, backend):
    x = tg.Tensor(np.zeros(shape), requires_grad=True)
    classes = row.function in (CE[0], NLL[0])
    t = np.zeros((*shape[:1], *shape[2:]), int) if classes else np.zeros(shape)
    loss = getattr(F, row.function)
    with tg.backend(backend):
        y = loss(x, t)
        assert np.isnan(y.item())
        y.backward()
        assert x.grad.shape == shape
        assert loss(x, t, reduction="sum").item() == 0
        assert loss(x, t, reduction="none").shape == t.shape
    if "weight" in getattr(F, row.function).__code__.co_varnames and not classes:
        assert np.isnan(loss(x, t, weight=np.zeros(shape)).item())


@pytest.mark.filterwarnings("error")
def test_the_mean_of_nothing_is_nan_for_options_too():
    x = np.zeros((0, 3))
    assert np.isnan(F.kl_div(x, x, reduction="batchmean"))
    assert np.isnan(F.cross_entropy(x, x))
    assert np.isnan(F.cross_entropy(x, np.zeros(0, int), weight=[1, 2, 3]))
    assert np.isnan(F.cross_entropy(x, np.zeros(0, int), label_smoothing=0.1))
    assert np.isnan(tg.Tensor(x).mean().item())


@over(SAME_SHAPE)
def test_values(row):
    x, t = tg.Value(0.25), tg.Value(1.0)
    loss = getattr(F, row.function)
    if row.function != "kl_div":
        wanted = tg.Tensor([0.25], dtype=np.float64, requires_grad=True)
        y, z = loss(x, t), loss(wanted, [1.0])
        assert y.item() == pytest.approx(z.item(), rel=1e-6)
        y.backward()
        z.backward()
        assert x.grad == pytest.approx(wanted.grad.item(), rel=1e-6)
    else:
        y = loss(x, t)
        y.backward()
        assert (y.item(), x.grad, t.grad) == (-0.25, -1.0, 0.75)


# ---- refusals ----------------------------------------------------------------------------


@over(DEFAULTS)
def test_another_reduction(row):
    x, t = row.draw(np.random.default_rng(0))
    for reduction in ("avg", "batchmean", None, ""):
        if row.function == "kl_div" and reduction == "batchmean":
            continue
        with pytest.raises(ValueError, match="not a valid value for reduction; use 'mean'"):
            getattr(F, row.function)(x, t, reduction=reduction)
        with pytest.raises(ValueError, match="not a valid value for reduction"):
            getattr(nn, row.module)(reduction=reduction)


@over(SAME_SHAPE)
@pytest.mark.parametrize("shapes", [((3, 1), (3,)), ((3,), (3, 1)), ((2, 3), (3,)), ((1,), ()),
                                    ((2, 3), (2, 4)), ((2,), (1,)), ((0,), (1,))])
def test_shapes_that_only_broadcast(row, shapes):
    x, t = shapes
    with pytest.raises(ValueError, match="must be the same as input size") as error:
        getattr(F, row.function)(tg.ones(*x, requires_grad=True), np.ones(t))
    assert str(x) in str(error.value)
    assert str(t) in str(error.value)


X = np.zeros((2, 3), np.float32)
HALF = np.full((2, 3), 0.5, np.float32)
REFUSALS = [
    # function, input, target, options, error, words, whether PyTorch raises this class too
    ("cross_entropy", X, [0, 3], {}, IndexError, "Target 3 is out of bounds", True),
    ("cross_entropy", X, [0, -1], {}, IndexError, "Target -1 is out of bounds", True),
    ("cross_entropy", X, [-100, 1], {"ignore_index": 5}, IndexError, "Target -100", True),
    ("cross_entropy", X, [0, 3], {"weight": [1, 2, 3]}, IndexError, "Target 3 is out", True),
    ("cross_entropy", X, [0, 3], {"label_smoothing": 0.5}, IndexError, "Target 3 is", True),
    ("cross_entropy", X, [0, 1, 2], {}, ValueError, r"batch_size \(2\).*\(3\)", True),
    ("cross_entropy", X, 1, {}, ValueError, r"batch_size \(2\).*\(0\)", True),
    ("cross_entropy", X, [0.0, 1.0], {}, RuntimeError, "integer dtype", True),
    ("cross_entropy", X, [[0], [1]], {}, RuntimeError, "0D or 1D target", True),
    ("cross_entropy", X, [[0, 0, 1], [1, 0, 0]], {}, RuntimeError, "must be floats", True),
    ("cross_entropy", X, np.zeros((2, 4), np.float32), {}, RuntimeError, r"\(2, 3\)", True),
    ("cross_entropy", X[0], [1, 2], {}, RuntimeError, "0D or 1D target", False),
    ("cross_entropy", X[0, 0], 0, {}, ValueError, r"expected an input of shape", False),
    ("cross_entropy", X[None], [[0, 1]], {}, RuntimeError, r"target size \(1, 3\)", True),
    ("cross_entropy", X[None], [0], {}, RuntimeError, r"target size \(1, 3\)", True),
    ("cross_entropy", X[None], [[0, 1, 1], [1, 1, 1]], {}, ValueError, "batch_size", True),
    ("cross_entropy", X[None], [[0, 1, 3]], {}, IndexError, "Target 3 is out", True),
    ("cross_entropy", X, [0, 1], {"weight": [1, 2]}, RuntimeError, "all 3 classes", True),
    ("cross_entropy", X, HALF, {"weight": [1, 2]}, RuntimeError, "all 3 classes", False),
    ("cross_entropy", X, [0, 1], {"weight": 2.0}, RuntimeError, "all 3 classes", True),
    ("cross_entropy", X, [0, 1], {"label_smoothing": 1.5}, RuntimeError, "Got: 1.5", True),
    ("cross_entropy", X, [0, 1], {"label_smoothing": -0.1}, RuntimeError, "Got: -0.1", False),
    ("cross_entropy", X, [0, 1], {"label_smoothing": np.nan}, RuntimeError, "Got: nan", False),
    ("cross_entropy", X, HALF, {"ignore_index": 1}, RuntimeError, "ignore_index", True),
    ("nll_loss", X, [0, 3], {}, IndexError, "Target 3 is out of bounds", True),
    ("nll_loss", X, [0, 1, 2], {}, ValueError, r"batch_size \(2\).*\(3\)", True),
    ("nll_loss", X, HALF, {}, RuntimeError, "integer dtype", True),
    ("nll_loss", X[0, 0], 0, {}, ValueError, "expected an input of shape", True),
    ("nll_loss", X, [0, 1], {"weight": [1, 2]}, RuntimeError, "all 3 classes", True),
    ("nll_loss", X[None], [0], {}, RuntimeError, r"target size \(1, 3\)", True),
    ("huber_loss", X, X, {"delta": 0.0}, RuntimeError, "got 0.0", True),
    ("huber_loss", X, X, {"delta": -1.0}, RuntimeError, "non-positive", True),
    ("smooth_l1_loss", X, X, {"beta": -1.0}, RuntimeError, "negative values for beta", True),
    ("binary_cross_entropy", X + 1.5, X, {}, RuntimeError, "of input.*got 1.5", True),
    ("binary_cross_entropy", X - 1e-6, X, {}, RuntimeError, "of input.*between 0 and 1", True),
    ("binary_cross_entropy", X + np.nan, X, {}, RuntimeError, "of input.*got nan", True),
    ("binary_cross_entropy", HALF, X + 2, {}, RuntimeError, "of target.*got 2", True),
    ("binary_cross_entropy", HALF, X, {"weight": X[0, :2]}, RuntimeError, "broadcast", True),
    ("binary_cross_entropy_with_logits", X, X, {"weight": X[0, :2]}, RuntimeError,
     r"weight must broadcast.*\(2, 3\); got shape \(2,\)", True),
    ("binary_cross_entropy_with_logits", X, X, {"pos_weight": X[None]}, RuntimeError,
     "pos_weight must broadcast", True),
    ("mse_loss", X, X, {"weight": X[0]}, ValueError, r"same size; got.*\(3,\)", True),
    ("l1_loss", X, X, {"weight": X[0]}, ValueError, "same size", True),
    ("huber_loss", X, X, {"weight": X[0]}, ValueError, "same size", True),
    ("hinge_loss", X, X, {}, ValueError, "targets 1 and -1; got 0.0.*2 . target - 1", False),
    ("hinge_embedding_loss", X, X + 0.5, {}, ValueError, "targets 1 and -1; got 0.5", False),
]


@pytest.mark.parametrize(("name", "x", "t", "options", "error", "words"),
                         [row[:-1] for row in REFUSALS])
def test_refusals(name, x, t, options, error, words):
    leaf = tg.Tensor(x, requires_grad=True)
    for target in (t, tg.Tensor(t), np.asarray(t)):
        with pytest.raises(error, match=words):
            getattr(F, name)(leaf, target, **options)
    assert leaf.grad is None


@pytest.mark.parity
@pytest.mark.parametrize(("name", "x", "t", "options", "error"),
                         [row[:5] for row in REFUSALS if row[-1]])
def test_torch_refuses_with_the_same_class(name, x, t, options, error):
    torch = pytest.importorskip("torch")
    options = {key: torch.tensor(value, dtype=torch.float32) if "weight" in key else value
               for key, value in options.items()}
    with pytest.raises(error):
        getattr(torch.nn.functional, name)(torch.tensor(x), torch.tensor(t), **options)


def test_weights_of_classes_are_constants():
    weight = tg.ones(3, requires_grad=True)
    for loss, target in [(F.cross_entropy, [0, 1]), (F.nll_loss, [0, 1]),
                         (F.cross_entropy, HALF)]:
        with pytest.raises(RuntimeError, match="constants.*detach"):
            loss(X, target, weight)


# ---- the graph behind cross-entropy ------------------------------------------------------


def test_logits_changed_in_place_after_the_loss():
    x = tg.Tensor(X, requires_grad=True) * 1
    y = F.cross_entropy(x, [0, 1])
    x += 1.0
    with pytest.raises(RuntimeError, match="'cross_entropy'.*inplace"):
        y.backward()


@over([row for row in ROWS if row.learns])
def test_a_target_changed_in_place_after_the_loss(row):
    """The gradient is that of the old target, or there is an error; never another one."""
    x, t = row.draw(np.random.default_rng(1))
    x, t = tg.Tensor(x, requires_grad=True), tg.Tensor(t)
    expected = tg.grad(function(row)(x, t), x)[0].numpy()
    y = function(row)(x, t)
    t[...] = 0.5
    try:
        got = tg.grad(y, x)[0].numpy()
    except RuntimeError as error:
        assert "inplace" in str(error)
    else:
        np.testing.assert_array_equal(got, expected)


def test_two_sweeps_share_no_gradient():
    x = tg.Tensor(X, requires_grad=True)
    y = F.cross_entropy(x, [0, 1])
    y.backward(retain_graph=True)
    first = x.grad
    first *= 0
    x.grad = None
    y.backward()
    assert np.abs(x.grad.numpy()).sum() > 0.5


def test_hooks_see_and_change_the_gradient():
    x = tg.Tensor(X, requires_grad=True)
    scaled = x * 2.0
    seen = []
    scaled.register_hook(lambda g: seen.append(g.numpy().copy()) or g * 10)
    y = F.cross_entropy(scaled, [0, 1])
    y.register_hook(lambda g: g * 3)
    y.backward()
    slope = (np.full((2, 3), 1 / 3) - np.eye(3)[:2]) / 2
    np.testing.assert_allclose(seen[0], 3 * slope, rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), 60 * slope, rtol=1e-6)


def test_the_third_derivative():
    x = tg.Tensor(np.random.default_rng(9).standard_normal((3, 4)), requires_grad=True)
    assert tg.gradcheck(lambda x: F.cross_entropy(x, [0, -100, 3]), x, order=3)


def test_half_precision_and_integers_as_logits():
    for dtype in ("float16", "int64"):
        x = np.arange(6).reshape(2, 3).astype(dtype)
        y = F.cross_entropy(tg.Tensor(x), [0, 1])
        assert y.item() == pytest.approx(F.cross_entropy(x.astype(float), [0, 1]), rel=1e-3)
    x = tg.Tensor(np.zeros((2, 3), np.float16), requires_grad=True)
    F.cross_entropy(x, [0, 1]).backward()
    assert x.grad.dtype == np.float16


def test_float64_losses_are_precise():
    x, t = ids(50, 7)(np.random.default_rng(10))
    y = F.cross_entropy(tg.Tensor(x), t, reduction="none")
    e = np.exp(x.astype(np.longdouble))
    expected = np.log(e.sum(1)) - x[np.arange(50), t]
    np.testing.assert_allclose(y.numpy(), expected.astype(float), rtol=1e-14, atol=1e-15)

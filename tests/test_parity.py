"""The table of `test_ops.py` against PyTorch: values, and first and second gradients."""

import numpy as np
import pytest
from test_ops import ROWS, as_list, leaves, numbered

import tinygrad_lite as tg

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


def weighted(results, constant):
    """A scalar that depends on every element of every result, on each differently."""
    total = 0.0
    for y in results:
        weights = np.cos(np.arange(np.prod(y.shape))).reshape(tuple(y.shape))
        total = total + (y * constant(weights)).sum()
    return total


def our_gradients(row, arrays):
    """The results of a row, and their first and second gradients."""
    inputs = leaves(arrays)
    results = as_list(row.ours(*inputs))
    first = tg.grad(weighted(results, np.asarray), inputs, create_graph=True)
    second = tg.grad(weighted(first, np.asarray), inputs)
    return [[np.asarray(x.data) for x in nodes] for nodes in (results, first, second)]


def their_gradients(row, arrays):
    """The same, computed by PyTorch."""
    inputs = [torch.tensor(array, requires_grad=True) for array in arrays]
    results = as_list(row.torch(torch, *inputs))
    first = gradients(weighted(results, torch.tensor), inputs)
    second = gradients(weighted(first, torch.tensor), inputs)
    return [[y.numpy(force=True) for y in tensors] for tensors in (results, first, second)]


def gradients(y, inputs):
    """PyTorch's gradients; zeros where y does not depend on an input, or on any."""
    if not y.requires_grad:
        return [torch.zeros_like(x) for x in inputs]
    return torch.autograd.grad(y, inputs, create_graph=True, materialize_grads=True)


@pytest.mark.parametrize("row", [param for param in numbered(ROWS) if param.values[0].torch])
@pytest.mark.parametrize("seed", range(3))
def test_values_and_gradients_agree_with_pytorch(row, seed):
    arrays = row.inputs(np.random.default_rng(seed))
    for ours, theirs in zip(our_gradients(row, arrays), their_gradients(row, arrays),
                            strict=True):
        assert len(ours) == len(theirs)
        for x, wanted in zip(ours, theirs, strict=True):
            assert x.shape == wanted.shape
            np.testing.assert_allclose(x, wanted, rtol=1e-10, atol=1e-10)

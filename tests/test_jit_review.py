"""tg.jit where memory is shared, where shapes are odd, and where state hides."""

import threading

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import Tensor, nn, optim


def numbers(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def assert_replays(function, *batches, tolerance=1e-6):
    """Each of the batches, after two calls with the first one, gives what eager gives."""
    jitted = tg.jit(function)
    for batch in (batches[0], *batches):
        jitted(*batch)
    for batch in batches:
        ours = jitted(*batch)
        theirs = function(*map(Tensor, batch))
        assert type(ours) is type(theirs)
        pairs = zip(ours, theirs) if isinstance(ours, (tuple, list)) else [(ours, theirs)]
        for x, y in pairs:
            assert x.dtype == y.dtype
            np.testing.assert_allclose(x.data, y.data, tolerance, tolerance)
    return jitted.program


# ---- memory ----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [100, 3000, 100_000])
def test_one_number_for_all_in_a_chain(n):
    """Its place is used again by a map behind the last one that reads it."""
    def f(x):
        total = x.mean().broadcast_to((n,))
        a = x * total
        b = x * 2.0
        c = b.exp()
        return a, c * x

    def of_a_part(x):
        y = x.exp()
        return x * y[:1].broadcast_to((n,)) * 1.0

    for function in (f, of_a_part):
        assert_replays(function, *[(numbers(n, seed=i),) for i in range(3)], tolerance=1e-5)


def test_a_relu_of_a_gradient():
    """The product that makes the gradient is not only that of the relu."""
    def final(wrap):
        w, c = nn.Parameter(numbers(4, 3)), Tensor(numbers(5, 3, seed=1))
        optimizer = optim.SGD([w], lr=0.1)

        @wrap
        def step(x):
            optimizer.zero_grad()
            (x @ w * c).sum().backward()
            positive = w.grad.relu()
            optimizer.step()
            return positive

        results = [step(Tensor(numbers(5, 4, seed=i))).data for i in range(5)]
        return [*results, w.grad.data, w.data]

    for ours, theirs in zip(final(tg.jit), final(lambda function: function)):
        np.testing.assert_allclose(ours, theirs, 1e-5, 1e-6)


def test_functions_that_train_one_model_in_two_threads_do_not_mix_their_steps():
    """Each step of SGD on a sum of squares halves the weights, whoever takes it."""
    w = Tensor(np.ones(1000), requires_grad=True)
    optimizer = optim.SGD([w], lr=0.25)

    def make():
        @tg.jit
        def step():
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()
        return step

    steps = make(), make()
    for step in steps:
        for _ in range(2):
            step()
    threads = [threading.Thread(target=lambda step=step: [step() for _ in range(20)])
               for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(w.numpy(), 0.5 ** 44)
    assert optimizer.steps_taken == 44

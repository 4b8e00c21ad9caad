"""Large updates shared between threads: the same bits, whoever does which part."""

import os
import threading
import warnings

import numpy as np
import pytest

from tinygrad_lite import kernels

pytestmark = pytest.mark.skipif(bool(kernels.why_not_c()), reason="C was not compiled")

SIZES = [70_001, 33_000, 32_768, 5, 200_000, 40_000]
SCALARS = {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "nesterov": False,
           "weight_decay": 0.01, "maximize": False}


@pytest.fixture(autouse=True)
def threads():
    before = kernels.get_num_threads()
    kernels.set_num_threads(3)
    yield
    kernels.set_num_threads(before)


def columns_of(size, seed):
    random = np.random.default_rng(seed)
    return [[random.standard_normal(size).astype(np.float32)] for _ in range(3)]


def updated(size, seed, body="c", steps=4):
    """Weights and momentum after some steps, as bytes."""
    columns = columns_of(size, seed)
    cache = {}
    for _ in range(steps):
        kernels.body(body).update("sgd", columns, SCALARS, cache)
    return [column[0].tobytes() for column in columns]


def test_one_job_after_another():
    for round_ in range(10):
        for size in SIZES:
            assert updated(size, round_, steps=1) == updated(size, round_, "numpy", steps=1)


@pytest.mark.parametrize("counts", [[1, 4, 2, 64, 65, 1, 3]])
def test_the_number_of_threads_may_change(counts):
    expected = updated(200_000, 0, "numpy")
    for count in counts:
        kernels.set_num_threads(count)
        assert updated(200_000, 0) == expected


def test_several_python_threads_at_once():
    expected = [updated(size, 1, "numpy", steps=20) for size in SIZES]
    got = [None] * len(SIZES)

    def work(i):
        got[i] = updated(SIZES[i], 1, steps=20)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(len(SIZES))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert got == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_after_a_fork():
    """The child has none of its parent's threads, and starts its own."""
    expected = updated(200_000, 2, "numpy")
    assert updated(200_000, 2) == expected   # now there are threads
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)   # of a process with threads
        child = os.fork()
    if child == 0:
        os._exit(0 if updated(200_000, 2) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert updated(200_000, 2) == expected

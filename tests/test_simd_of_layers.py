"""The kernels of layers and losses: each instruction set, and any number of threads, gives the
bits that the plainest loops give on one thread."""

import os

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import kernels
from tinygrad_lite.nn import functional as F

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
SIMD = [] if WITHOUT_C else kernels.body("c").simd_choices()


def images(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def batch_norm(x):
    return F.batch_norm(x, None, None, training=True)


# Odd sizes, and enough numbers for several parts of several threads.
ROWS = {
    "conv2d": (lambda x: F.conv2d(x, images(3, 2, 3, 3).astype(x.dtype), stride=2, padding=1),
               (61, 2, 27, 19)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2), (61, 5, 27, 19)),
    "max_pool2d of four": (lambda x: F.max_pool2d(x, 2), (61, 5, 27, 19)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3), (61, 5, 27, 19)),
    "batch_norm of images": (batch_norm, (61, 5, 27, 19)),
    "batch_norm of columns": (batch_norm, (67, 611)),
    "relu": (F.relu, (61, 5, 27, 19)),
    "cross_entropy": (lambda x: F.cross_entropy(x, np.arange(len(x)) % 11), (5003, 11)),
    "cross_entropy of long rows": (
        lambda x: F.cross_entropy(x, np.arange(len(x))), (37, 3001)),
    "embedding": (lambda x: F.embedding(np.arange(4000).reshape(40, 100) % 97, x), (97, 33)),
}


@pytest.fixture
def native():
    body = kernels.body("c")
    before = body.simd(), body.get_num_threads()
    yield body
    body.set_simd(before[0])
    body.set_num_threads(before[1])


def there_and_back(name, dtype):
    """The bits of the result and of the gradient."""
    function, shape = ROWS[name]
    x = tg.Tensor(images(*shape).astype(dtype), requires_grad=True)
    with kernels.backend("c"):
        y = function(x)
        (y * y).sum().backward()
    return y.numpy().tobytes(), x.grad.numpy().tobytes()


@pytest.mark.skipif(WITHOUT_C, reason="built without C on purpose")
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda dtype: dtype.__name__)
def test_the_same_bits(name, dtype, native):
    native.set_simd("baseline")
    native.set_num_threads(1)
    expected = there_and_back(name, dtype)
    for simd in SIMD:
        for threads in (1, 3):
            native.set_simd(simd)
            native.set_num_threads(threads)
            assert there_and_back(name, dtype) == expected, (simd, threads)

"""Convolution as one op; it imports the engine, the kernels, the ops and NumPy.

The columns of an image are a matrix: for each window, what it reads. So a convolution is a
product of matrices, y = w @ columns, image by image, and y comes out as PyTorch has it. The
columns of a few images at a time fit into the cache; they are made again where a gradient
needs them, for they are as many times larger than the images as a kernel has places.

Letters: n images of c channels, out channels of the result, `places` of a window,
`windows` on an image, `groups` of channels that do not see one another.
"""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..engine import op
from ..kernels.windows import Windows
from ..ops import sum

__all__ = ["Windows", "conv2d"]

BLOCK = 1 << 21  # bytes: so many columns are made at a time, or those of one image


@op(lambda g, _y, _x, w, _b, at, groups: _conv2d_images(g, w, at=at, groups=groups),
    lambda g, _y, x, _w, _b, at, groups: _conv2d_weights(g, x, at=at, groups=groups),
    lambda g, *_, **__: sum(g, axis=(0, 2, 3)))
def conv2d(x, w, b, at, groups=1):
    """y = the sum of w times what each window reads of x, plus b.

    x is (n, c, height, width), w (out, c / groups, kernel_h, kernel_w), b (out,) or None, y
    (n, out, out_h, out_w); `at` says how the windows lie.
    """
    x, w = _alike(x, w)
    y = np.empty((len(x), len(w), *at.out), x.dtype)
    rows = _grouped(w, groups)
    products = y.reshape(len(x), groups, len(w) // groups, at.windows)
    for some, columns in _columns(x, at, groups):
        np.matmul(rows, columns, out=products[some])
        if b is not None:
            y[some] += b[:, None, None]
    return y


@op(lambda g, _y, _a, w, at, groups: conv2d(g, w, None, at=at, groups=groups),
    lambda g, _y, a, _w, at, groups: _conv2d_weights(a, g, at=at, groups=groups))
def _conv2d_images(a, w, at, groups):
    """The adjoint of `conv2d` for x, and its gradient: a is like y, the result like x."""
    a, w = _alike(a, w)
    n, c = len(a), groups * w.shape[1]
    x = np.empty((n, c, *at.image), a.dtype)
    rows = _grouped(w, groups).swapaxes(1, 2)
    outputs = a.reshape(n, groups, len(w) // groups, at.windows)
    step = _step(n, c * at.places * at.windows * a.itemsize)
    for first in range(0, n, step):
        columns = np.matmul(rows, outputs[first:first + step])
        images = x[first:first + step].reshape(len(columns) * c, *at.image)
        kernels.body().col2im(columns.reshape(len(images), at.places, at.windows), at, images)
    return x


@op(lambda g, _y, _a, x, at, groups: conv2d(x, g, None, at=at, groups=groups),
    lambda g, _y, a, _x, at, groups: _conv2d_images(a, g, at=at, groups=groups))
def _conv2d_weights(a, x, at, groups):
    """The adjoint of `conv2d` for w, and its gradient: a is like y, the result like w."""
    a, x = _alike(a, x)
    n, out = a.shape[:2]
    c = x.shape[1] // groups
    w = np.zeros((groups, out // groups, c * at.places), a.dtype)
    outputs = a.reshape(n, groups, out // groups, at.windows)
    for some, columns in _columns(x, at, groups):
        w += np.add.reduce(np.matmul(outputs[some], columns.swapaxes(2, 3)), axis=0)
    return w.reshape(out, c, at.kernel_h, at.kernel_w)


def _alike(a, b):
    """Both C-contiguous, and in one dtype that the kernels take."""
    dtype = np.result_type(a, b, np.float32)
    return np.ascontiguousarray(a, dtype), np.ascontiguousarray(b, dtype)


def _grouped(w, groups):
    """The weights as a matrix for each group: (groups, out / groups, c / groups * places)."""
    out, c, height, width = w.shape
    return w.reshape(groups, out // groups, c * height * width)


def _columns(x, at, groups):
    """Pairs (slice of the images, their columns).

    These are (images, groups, c / groups * places, windows), and hold until the next pair.
    """
    n, c = x.shape[:2]
    shape = groups, c // groups * at.places, at.windows
    if at.copies:
        yield slice(None), x.reshape(n, *shape)
        return
    step = _step(n, c * at.places * at.windows * x.itemsize)
    scratch = np.empty((step * c, at.places, at.windows), x.dtype)
    for first in range(0, n, step):
        some = slice(first, min(first + step, n))
        images = x[some].reshape((some.stop - first) * c, *at.image)
        columns = kernels.body().im2col(images, at, scratch[:len(images)])
        yield some, columns.reshape(some.stop - first, *shape)


def _step(n, size):
    """How many of n images, whose columns are of `size` bytes, a block has."""
    return max(1, min(n, BLOCK // max(size, 1)))

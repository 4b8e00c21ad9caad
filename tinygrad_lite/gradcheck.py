"""gradcheck: compare the gradients of a function with finite differences.

It imports the engine, Tensor and NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .engine import Node, grad
from .tensor import Tensor

__all__ = ["GradcheckError", "gradcheck"]


class GradcheckError(RuntimeError):
    """A gradient disagrees with the finite difference."""


def gradcheck(fn: Callable[..., Any], inputs: Any, eps: float = 1e-6, atol: float = 1e-5,
              rtol: float = 1e-3, order: int = 1, raise_exception: bool = True) -> bool:
    """Compare every dy/dx that the graph gives with (y(x + eps) - y(x - eps)) / (2 eps).

    Args:
        fn: takes the inputs and returns a node or several; called many times, it must
            compute the same each time.
        inputs: one leaf or a sequence. Those that require a gradient are checked; they are
            Values and float64 Tensors. Whatever else there is goes to `fn` as it is.
        eps: how far each number of an input is moved, up and down.
        atol: absolute tolerance; see `rtol`.
        rtol: relative tolerance: |analytical - numerical| <= atol + rtol * |numerical|.
        order: 2 checks the gradient of the gradient too, 3 the next one, and so on.
        raise_exception: False to return False where they disagree.

    Returns:
        True if all agree.

    Raises:
        GradcheckError: names the first input, output and indices where they disagree.
        TypeError: if `fn` returns anything but nodes.
        ValueError: if no input requires a gradient, no output depends on one, or a Tensor
            is not float64.
    """
    given = [inputs] if isinstance(inputs, Node) else list(inputs)
    if not _differentiable(given):
        raise ValueError("gradcheck expects an input that requires a gradient; set "
                         "requires_grad=True")
    _expect_float64("input", _differentiable(given))
    try:
        for _ in range(order):
            _compare(fn, given, eps, atol, rtol)
            fn = _gradients_of(fn)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _compare(fn: Callable, given: list, eps: float, atol: float, rtol: float) -> None:
    """Raise GradcheckError at the first derivative that is not what differences say."""
    analytical = _derivatives(fn, given)
    for (i, x), ours in zip(_differentiable(given), analytical, strict=True):
        theirs = _differences(fn, given, x, eps)
        wrong = ~(np.abs(ours - theirs) <= atol + rtol * np.abs(theirs))  # nan is wrong too
        if wrong.any():
            row, column = np.argwhere(wrong)[0].tolist()
            index = tuple(map(int, np.unravel_index(column, np.shape(x.data))))
            raise GradcheckError(
                f"the gradient of element {row} of the flattened outputs with respect to "
                f"input {i} at index {index} is {ours[row, column]} analytically, but "
                f"{theirs[row, column]} numerically")


def _derivatives(fn: Callable, given: list) -> list[np.ndarray]:
    """For each checked input the matrix of dy/dx; a row per y, a column per x."""
    checked = [x for _, x in _differentiable(given)]
    rows: list[list] = [[] for _ in checked]
    for y in _outputs(fn, given):
        for one_hot in np.eye(np.size(y.data)):
            seed = _as_data(y, one_hot.reshape(np.shape(y.data)))
            for k, g in enumerate(grad(y, checked, seed, retain_graph=True)):
                rows[k].append(_flat(g))
    return [np.array(of_x).reshape(len(of_x), np.size(x.data))
            for of_x, x in zip(rows, checked, strict=True)]


def _differences(fn: Callable, given: list, x: Any, eps: float) -> np.ndarray:
    """The same matrix for one input, by moving each of its numbers up and down."""
    kept = np.array(x.data)
    columns = []
    try:
        for step in eps * np.eye(kept.size):
            x.data = _as_data(x, kept + step.reshape(kept.shape))
            above = np.concatenate([_flat(y) for y in _outputs(fn, given)])
            x.data = _as_data(x, kept - step.reshape(kept.shape))
            below = np.concatenate([_flat(y) for y in _outputs(fn, given)])
            columns.append((above - below) / (2 * eps))
    finally:
        x.data = _as_data(x, kept)
    return np.array(columns).T


def _gradients_of(fn: Callable) -> Callable:
    """The function whose outputs are fn's gradients, each output weighted at random."""
    def gradients(*given: Any) -> tuple:
        ys = _outputs(fn, given)
        rng = np.random.default_rng(0)
        weights = [_as_data(y, rng.normal(size=np.shape(y.data))) for y in ys]
        return grad(ys, [x for _, x in _differentiable(given)], weights, create_graph=True)
    return gradients


def _outputs(fn: Callable, given: Any) -> list:
    """What fn returns, without the nodes that depend on no input smoothly."""
    returned = fn(*given)
    ys = list(returned) if isinstance(returned, (list, tuple)) else [returned]
    for y in ys:
        if not isinstance(y, Node):
            raise TypeError("gradcheck expects a function that returns nodes; got "
                            f"{type(y).__name__}")
    if not _differentiable(ys):
        raise ValueError("gradcheck expects an output that requires a gradient")
    _expect_float64("output", _differentiable(ys))
    return [y for _, y in _differentiable(ys)]


def _differentiable(nodes: Any) -> list:
    """Pairs (position, node) of those that require a gradient."""
    return [(i, x) for i, x in enumerate(nodes) if isinstance(x, Node) and x._requires_grad]


def _expect_float64(role: str, nodes: list) -> None:
    for i, x in nodes:
        if isinstance(x, Tensor) and x.dtype != np.float64:
            raise ValueError(f"gradcheck needs the precision of float64; {role} {i} is "
                             f"{x.dtype}. Convert it with astype('float64')")


def _flat(x: Any) -> np.ndarray:
    """The numbers of a node, or of a gradient that is a float, in one dimension."""
    return np.array(getattr(x, "_data", x), dtype=np.float64).reshape(-1)


def _as_data(node: Any, numbers: np.ndarray) -> Any:
    """Numbers in the form that the node's kind takes."""
    return numbers if isinstance(node, Tensor) else float(numbers)

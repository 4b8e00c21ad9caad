"""Functions made of ops: they need no gradient rules of their own.

It imports the engine, the ops and NumPy.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from .engine import Node, op, refuse_to_replay
from .ops import (
    _concatenate,
    _count,
    _einsum,
    expand_dims,
    getitem,
    mean,
    reshape,
    sqrt,
    sum,
    transpose,
)

__all__ = ["concatenate", "einsum", "flatten", "prod", "split", "stack", "std", "take", "var"]

# ---- reductions ----------------------------------------------------------------------


def var(a, axis=None, ddof=0, keepdims=False):
    """y = the mean square distance from the mean, over n - ddof.

    Args:
        ddof: 0 for the variance of the data themselves (NumPy's default), 1 for an unbiased
            estimate from a sample (PyTorch's default).
    """
    difference = a - mean(a, axis=axis, keepdims=True)
    total = sum(difference * difference, axis=axis, keepdims=keepdims)
    return total / builtins.max(_count(a, axis) - ddof, 0)


def std(a, axis=None, ddof=0, keepdims=False):
    """y = the square root of `var`; the gradient is not finite where all values agree."""
    return sqrt(var(a, axis=axis, ddof=ddof, keepdims=keepdims))


def prod(a, axis=None, keepdims=False):
    """y = the product of the elements, by halves: right for zeros, and any derivative."""
    if _is_integer(a):
        return _integer_prod(a, axis=axis, keepdims=keepdims)
    axes = builtins.sorted(_axes(a, axis))
    kept = [i for i in range(len(np.shape(a))) if i not in axes]
    outer = [np.shape(a)[i] for i in kept]
    rest = reshape(transpose(a, kept + axes), (*outer, _count(a, tuple(axes))))
    while rest.shape[-1] > 1:
        half = rest.shape[-1] // 2
        pairs = rest[..., :half] * rest[..., half:2 * half]
        rest = concatenate([pairs, rest[..., 2 * half:]], axis=-1)
    y = sum(rest, axis=-1) if rest.shape[-1] else sum(rest, axis=-1) + 1
    return expand_dims(y, axis=tuple(axes)) if keepdims else y


def _is_integer(a):
    dtype = getattr(a, "dtype", None)
    return dtype is not None and dtype.kind != "f"


@op(None)
def _integer_prod(a, axis, keepdims):
    return np.multiply.reduce(a, axis=axis, keepdims=keepdims, dtype=np.int64)


def _axes(a, axis) -> list[int]:
    """The axes as a list of non-negative numbers; all of them for None."""
    if axis is None:
        return list(range(len(np.shape(a))))
    return list(np.lib.array_utils.normalize_axis_tuple(axis, len(np.shape(a))))


# ---- shape ---------------------------------------------------------------------------


def flatten(a):
    """y = the elements in one dimension."""
    return reshape(a, (-1,))


def _arrays(given: Sequence) -> list:
    """Nodes as they are, lists and numbers as arrays."""
    return [x if isinstance(x, Node) else np.asarray(x) for x in given]


def concatenate(arrays: Sequence, axis: int | None = 0) -> Any:
    """y = the arrays one after another along an existing axis; flattened for None."""
    arrays = _arrays(arrays)
    if axis is None:
        return _concatenate(*[flatten(a) for a in arrays], axis=0)
    return _concatenate(*arrays, axis=axis)


def stack(arrays: Sequence, axis: int = 0) -> Any:
    """y = the arrays, or Values, one after another along a new axis."""
    return _concatenate(*[expand_dims(a, axis=axis) for a in arrays], axis=axis)


def split(a: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list:
    """The pieces of a along an axis: so many equal ones, or cut before the given indices.

    Raises:
        ValueError: if a whole number of equal pieces does not fit.
    """
    (a,) = _arrays([a])
    n = a.shape[axis]
    cuts = indices_or_sections
    if isinstance(cuts, (int, np.integer)):
        if cuts < 1 or n % cuts:
            raise ValueError(f"split expects a number of pieces that divides the {n} "
                             f"elements of axis {axis}; got {cuts}")
        cuts = range(n // cuts, n, n // cuts)
    bounds = [0, *cuts, n]
    before = (slice(None),) * (axis % len(a.shape))
    return [a[before + (slice(start, stop),)] for start, stop in zip(bounds, bounds[1:])]


def take(a: Any, indices: Any, axis: int | None = None) -> Any:
    """y = the elements, or slices along an axis, at integer indices of any shape."""
    if axis is None:
        a, axis = flatten(a), 0
    if isinstance(indices, Node):
        refuse_to_replay("an index made of a Tensor", "it is read once, as an array; use "
                         "nn.functional.embedding for rows")
    indices = np.array(indices)
    if indices.dtype.kind not in "iu":
        raise IndexError(f"take expects integer indices; got dtype {indices.dtype}")
    return getitem(a, index=(slice(None),) * (axis % len(a.shape)) + (indices,))


# ---- products ------------------------------------------------------------------------


def einsum(subscripts: str, *operands: Any) -> Any:
    """y = the sum of products that the subscripts name (Einstein's convention).

    Letters repeated in one operand take its diagonal, an ellipsis broadcasts, and a missing
    arrow sums over every letter that stands twice, all as in NumPy.

    Raises:
        ValueError: if the subscripts do not fit the operands.
    """
    terms, out = _explicit(subscripts.replace(" ", ""), operands)
    plain = []
    for k, (term, x) in enumerate(zip(terms, _arrays(operands))):
        terms[k], x = _take_diagonals(term, x)
        plain.append(x)
    return _einsum(*plain, subscripts=",".join(terms) + "->" + out)


def _explicit(subscripts: str, operands: Sequence) -> tuple[list[str], str]:
    """Write the ellipses as capital letters and add the arrow where it is missing."""
    left, arrow, out = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ValueError(f"einsum expects as many operands as terms in '{subscripts}', "
                         f"{len(terms)}; got {len(operands)}")
    spare = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in subscripts]
    longest = ""
    for k, (term, x) in enumerate(zip(terms, operands)):
        if "..." in term:
            extra = len(np.shape(x)) - len(term) + 3
            letters = "".join(spare[:extra][::-1])
            longest = builtins.max(longest, letters, key=len)
            terms[k] = term.replace("...", letters)
    if not arrow:
        joined = "".join(terms)
        once = [c for c in sorted(set(joined)) if joined.count(c) == 1 and c not in longest]
        out = "..." + "".join(once)
    return terms, out.replace("...", longest)


def _take_diagonals(term: str, x: Any) -> tuple[str, Any]:
    """Turn letters that stand twice in one term, such as 'ii', into a diagonal."""
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            i = term.index(letter)
            j = term.index(letter, i + 1)
            n = x.shape[i]
            if x.shape[j] != n:
                raise ValueError(f"einsum expects equal lengths for the letter '{letter}' "
                                 f"of '{term}'; got {n} and {x.shape[j]}")
            rest = [k for k in range(len(term)) if k not in (i, j)]
            moved = transpose(x, [i, j, *rest])
            x = getitem(moved, index=(np.arange(n), np.arange(n)))
            term = letter + "".join(term[k] for k in rest)
    return term, x
